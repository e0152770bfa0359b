//! What the outside world gives the rooms: time, randomness and, in tests, a place to fail.

use crate::Timestamp;

/// The only way time enters a room that needs it.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

/// The only way randomness enters a room that needs it.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// A random (version 4) UUID.
    fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// Named places in the life of a job at which a test can stop, hold or fail the work.
pub trait Failpoints: Send + Sync {
    /// Called when the work reaches `site`. The production implementation does nothing; a test's
    /// may end the process, panic, block the calling thread for a while, or have the step fail.
    fn reach(&self, site: &'static str) -> Result<(), Injected>;
}

/// A failure that a test asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("failed on purpose at {0}")]
pub struct Injected(pub &'static str);

/// No failpoint is armed.
pub struct NoFailpoints;

impl Failpoints for NoFailpoints {
    fn reach(&self, _site: &'static str) -> Result<(), Injected> {
        Ok(())
    }
}
