//! Failpoints that have the work fail, panic or stand still where a test wants it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use model::{Failpoints, Injected};

/// What happens at a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blow {
    /// The step fails.
    Error,
    /// The task panics.
    Panic,
    /// The thread never goes on, as if the process had been killed: the test then takes its
    /// runtime away.
    Freeze,
}

/// One site at a time is armed.
#[derive(Default)]
pub(crate) struct Sites(Mutex<State>);

#[derive(Default)]
struct State {
    armed: Option<(&'static str, u64, Blow)>,
    struck: u64,
}

impl Sites {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while it holds the lock")
    }

    /// Has `blow` fall once, after `site` has been reached `after` more times.
    pub(crate) fn arm(&self, site: &'static str, after: u64, blow: Blow) {
        self.locked().armed = Some((site, after, blow));
    }

    /// How many blows have fallen.
    pub(crate) fn struck(&self) -> u64 {
        self.locked().struck
    }

    /// Waits until so many blows have fallen.
    pub(crate) async fn until_struck(&self, blows: u64) {
        for _ in 0..12_000 {
            if self.struck() >= blows {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the work never came to {:?}", self.locked().armed);
    }

    /// The blow that falls here, if one does.
    fn meet(&self, site: &'static str) -> Option<Blow> {
        let mut state = self.locked();
        let (armed, after, blow) = state.armed?;
        if armed != site {
            return None;
        }
        if after > 0 {
            state.armed = Some((armed, after - 1, blow));
            return None;
        }
        (state.armed, state.struck) = (None, state.struck + 1);
        Some(blow)
    }
}

impl Failpoints for Sites {
    fn reach(&self, site: &'static str) -> Result<(), Injected> {
        match self.meet(site) {
            None => Ok(()),
            Some(Blow::Error) => Err(Injected(site)),
            Some(Blow::Panic) => panic!("a bug at {site}"),
            Some(Blow::Freeze) => loop {
                std::thread::park();
            },
        }
    }
}
