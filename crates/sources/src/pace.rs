//! How many requests a source is asked at a time: as many as allowed, and fewer while it throttles.
//!
//! The limit is halved when the source asks for patience, at most once a second, and rises by one
//! after as many good answers in a row as it allows requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The limit falls at most once in this time: answers to requests that were under way when it
/// fell say nothing about the new one.
const FALL_INTERVAL: Duration = Duration::from_secs(1);

/// The pace of one source. Clones are the same pace.
#[derive(Clone)]
pub(crate) struct Pace(Arc<Inner>);

struct Inner {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    limit_max: usize,
    repeated: AtomicU64,
}

struct State {
    limit: usize,
    /// Permits that are given back to nobody, because the limit fell while they were held.
    excess: usize,
    successes: usize,
    fell: Option<Instant>,
    /// The first request for patience since the last good answer.
    throttled_since: Option<Instant>,
}

/// The right to one request and its answer.
pub(crate) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    pace: Pace,
}

impl Pace {
    /// At most so many requests at a time, but never none.
    pub(crate) fn up_to(limit_max: usize) -> Self {
        let limit = limit_max.max(1);
        let state = State { limit, excess: 0, successes: 0, fell: None, throttled_since: None };
        Self(Arc::new(Inner {
            permits: Arc::new(Semaphore::new(limit)),
            state: Mutex::new(state),
            limit_max: limit,
            repeated: AtomicU64::new(0),
        }))
    }

    /// Waits for the right to a request; first come, first served.
    pub(crate) async fn acquire(&self) -> Permit {
        let permit = self.0.permits.clone().acquire_owned().await;
        let permit = Some(permit.expect("the semaphore is never closed"));
        Permit { permit, pace: self.clone() }
    }

    /// The source asked for patience.
    pub(crate) fn throttled(&self) {
        let now = Instant::now();
        let mut state = self.state();
        state.successes = 0;
        state.throttled_since.get_or_insert(now);
        if state.fell.is_some_and(|fell| now - fell < FALL_INTERVAL) {
            return;
        }
        state.fell = Some(now);
        let limit = (state.limit / 2).max(1);
        let fewer = state.limit - limit;
        state.limit = limit;
        state.excess += fewer - self.0.permits.forget_permits(fewer);
    }

    /// The source gave a good answer.
    pub(crate) fn succeeded(&self) {
        let mut state = self.state();
        state.throttled_since = None;
        state.successes += 1;
        if state.limit == self.0.limit_max || state.successes < state.limit {
            return;
        }
        state.successes = 0;
        state.limit += 1;
        match state.excess {
            0 => self.0.permits.add_permits(1),
            _ => state.excess -= 1,
        }
    }

    /// A request is made again.
    pub(crate) fn repeated(&self) {
        self.0.repeated.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests that were made again.
    pub(crate) fn repeats(&self) -> u64 {
        self.0.repeated.load(Ordering::Relaxed)
    }

    /// Since when the source has asked for nothing but patience.
    pub(crate) fn throttled_since(&self) -> Option<Instant> {
        self.state().throttled_since
    }

    /// Requests at a time, now.
    #[cfg(test)]
    pub(crate) fn limit(&self) -> usize {
        self.state().limit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no thread panics while it holds the lock")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        let permit = self.permit.take();
        if state.excess > 0 {
            state.excess -= 1;
            permit.into_iter().for_each(OwnedSemaphorePermit::forget);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    async fn free(pace: &Pace) -> usize {
        let mut held = Vec::new();
        while let Ok(permit) = timeout(Duration::ZERO, pace.acquire()).await {
            held.push(permit);
        }
        held.len()
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_falls_by_half_and_rises_by_one() {
        let pace = Pace::up_to(10);
        for expected in [5, 2, 1, 1] {
            (0..20).for_each(|_| pace.throttled());
            assert_eq!((pace.limit(), free(&pace).await), (expected, expected));
            advance(FALL_INTERVAL).await;
        }
        for limit in 1..10 {
            assert_eq!(pace.limit(), limit);
            (0..limit).for_each(|_| pace.succeeded());
        }
        (0..100).for_each(|_| pace.succeeded());
        assert_eq!((pace.limit(), free(&pace).await), (10, 10));
        assert_eq!(Pace::up_to(0).limit(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_of_successes_is_broken_by_one_refusal() {
        let pace = Pace::up_to(10);
        pace.throttled();
        (0..4).for_each(|_| pace.succeeded());
        pace.throttled();
        (0..4).for_each(|_| pace.succeeded());
        assert_eq!(pace.limit(), 5);
        pace.succeeded();
        assert_eq!(pace.limit(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn permits_that_are_held_count_when_the_limit_falls() {
        let pace = Pace::up_to(4);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(pace.acquire().await);
        }
        pace.throttled();
        held.truncate(2);
        assert_eq!(free(&pace).await, 0);
        held.pop();
        assert_eq!(free(&pace).await, 1);
        advance(FALL_INTERVAL).await;
        pace.throttled();
        assert_eq!(free(&pace).await, 0);
        pace.succeeded();
        assert_eq!(free(&pace).await, 1);
        drop(held);
        assert_eq!((pace.limit(), free(&pace).await), (2, 2));
    }
}
