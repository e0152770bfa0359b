//! The real world behind the ports of the model: the system's clock, its randomness, and what
//! happens at an armed failpoint.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use model::{Clock, Entropy, Failpoints, Injected, Timestamp};

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The system's randomness.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system gives randomness once it has started");
    }
}

/// Does what a test asked for when work reaches a site for the given time.
pub(crate) struct ArmedFailpoints {
    sites: BTreeMap<String, Armed>,
}

struct Armed {
    /// Times the site is yet to be reached, the last of them being the one that counts.
    remaining: AtomicU64,
    action: Action,
}

/// What happens at a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    /// The process ends, as in a power cut: no destructor runs and nothing is flushed.
    Exit,
    /// The task panics.
    Panic,
    /// The thread stands still.
    Pause(Duration),
    /// The step fails.
    Error,
}

impl Action {
    /// `exit`, `panic`, `error`, or `pause` and milliseconds.
    fn parse(text: &str) -> Option<Self> {
        match text {
            "exit" => Some(Self::Exit),
            "panic" => Some(Self::Panic),
            "error" => Some(Self::Error),
            text => {
                let ms = text.strip_prefix("pause")?.parse().ok()?;
                Some(Self::Pause(Duration::from_millis(ms)))
            }
        }
    }
}

impl ArmedFailpoints {
    /// From `site=N[:ACTION][,...]`: at the `N`-th reach of `site` the action happens, `exit` if
    /// none is named.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let site = |part: &str| {
            let (site, rest) = part.split_once('=')?;
            let (times, action) = rest.split_once(':').unwrap_or((rest, "exit"));
            let times: u64 = times.trim().parse().ok().filter(|times| *times > 0)?;
            let action = Action::parse(action.trim())?;
            Some((site.trim().to_owned(), Armed { remaining: AtomicU64::new(times), action }))
        };
        let sites = text.split(',').map(site).collect::<Option<_>>();
        Ok(Self { sites: sites.context("failpoints must be like site=1,other=3:panic")? })
    }
}

impl Failpoints for ArmedFailpoints {
    fn reach(&self, site: &'static str) -> Result<(), Injected> {
        let Some(Armed { remaining, action }) = self.sites.get(site) else { return Ok(()) };
        let before =
            remaining.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if before != Ok(1) {
            return Ok(());
        }
        match *action {
            Action::Exit => std::process::abort(),
            Action::Panic => panic!("a panic on purpose at {site}"),
            Action::Pause(time) => std::thread::sleep(time),
            Action::Error => return Err(Injected(site)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failpoints_are_counted() {
        let text = "import.checkpoint=3, import.finish=1:error, a=2:pause7";
        let armed = ArmedFailpoints::parse(text).expect("valid");
        armed.reach("import.checkpoint").expect("not yet");
        armed.reach("elsewhere").expect("not armed");
        assert_eq!(armed.sites["import.checkpoint"].remaining.load(Ordering::SeqCst), 2);
        assert_eq!(armed.sites["a"].action, Action::Pause(Duration::from_millis(7)));
        assert_eq!(armed.reach("import.finish"), Err(Injected("import.finish")));
        armed.reach("import.finish").expect("once only");
        for text in ["", "a", "a=0", "a=x", "a=1,,b=1", "a=1:stop", "a=1:pause"] {
            assert!(ArmedFailpoints::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(SystemEntropy.uuid(), SystemEntropy.uuid());
        assert!(SystemClock.now() > Timestamp::from_seconds(1_700_000_000));
    }
}
