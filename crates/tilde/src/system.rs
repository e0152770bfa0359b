//! The real world behind the ports of the model: the system's clock, its randomness, and the end of
//! the process at an armed failpoint.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use model::{Clock, Entropy, Failpoints, Timestamp};

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

/// Ends the process, as a power cut would, when work reaches a site for the given time.
pub(crate) struct ArmedFailpoints {
    /// Times each site is yet to be reached, the last of them being the end.
    remaining: BTreeMap<String, AtomicU64>,
}

impl ArmedFailpoints {
    /// From `site=N[,site=N...]`: the `N`-th reach of `site` ends the process.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let site = |part: &str| {
            let (site, times) = part.split_once('=')?;
            let times: u64 = times.trim().parse().ok().filter(|times| *times > 0)?;
            Some((site.trim().to_owned(), AtomicU64::new(times)))
        };
        let remaining = text.split(',').map(site).collect::<Option<_>>();
        Ok(Self { remaining: remaining.context("failpoints must be like site=1,other=3")? })
    }
}

impl Failpoints for ArmedFailpoints {
    fn reach(&self, site: &'static str) {
        let Some(remaining) = self.remaining.get(site) else { return };
        let before =
            remaining.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if before == Ok(1) {
            // No destructor runs and nothing is flushed: what is not durable by now is lost.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failpoints_are_counted() {
        let armed = ArmedFailpoints::parse("import.checkpoint=3, import.finish=1").expect("valid");
        armed.reach("import.checkpoint");
        armed.reach("elsewhere");
        assert_eq!(armed.remaining["import.checkpoint"].load(Ordering::SeqCst), 2);
        for text in ["", "a", "a=0", "a=x", "a=1,,b=1"] {
            assert!(ArmedFailpoints::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(SystemEntropy.uuid(), SystemEntropy.uuid());
        assert!(SystemClock.now() > Timestamp::from_seconds(1_700_000_000));
    }
}
