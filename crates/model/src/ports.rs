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

/// Named places in the life of a job at which a test can stop the process.
pub trait Failpoints: Send + Sync {
    /// Called when the work reaches `site`. The production implementation does nothing.
    fn reach(&self, site: &'static str);
}

/// No failpoint is armed.
pub struct NoFailpoints;

impl Failpoints for NoFailpoints {
    fn reach(&self, _site: &'static str) {}
}
