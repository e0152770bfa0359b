//! Clocks for tests: one that stands until it is moved, and the real one.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use model::{Clock, Timestamp};

/// A clock that only moves when a test moves it.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Puts the clock to `now`, which may be earlier.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the clock on; a negative step moves it back.
    pub fn advance_ms(&self, step_ms: i64) {
        self.0.fetch_add(step_ms * 1_000, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// Stands at 2025-01-15T10:30:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_seconds(1_736_937_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The clock of the machine.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
        Timestamp(i64::try_from(since_epoch.as_micros()).expect("it is earlier than 294247"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_by_hand_only() {
        let clock = ManualClock::default();
        assert_eq!(clock.now().to_string(), "2025-01-15T10:30:00Z");
        clock.advance_ms(1_500);
        assert_eq!(clock.now().to_string(), "2025-01-15T10:30:01.5Z");
        clock.set(Timestamp(0));
        assert_eq!(clock.now(), Timestamp(0));
        assert!(SystemClock.now() > Timestamp::from_seconds(1_735_689_600));
    }
}
