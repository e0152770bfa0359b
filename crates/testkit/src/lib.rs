//! What tests need of the outside world, and can command: hostile servers of S3 and Google Cloud
//! Storage, clocks, entropy and a corpus of awkward keys.
//!
//! For tests only: what cannot go on panics.

mod clock;
mod entropy;
pub mod gcs;
mod odd_keys;
pub mod s3;

pub use clock::{ManualClock, SystemClock};
pub use entropy::SeededEntropy;
pub use odd_keys::ODD_KEYS;

/// Scatters a number over all 64 bits (the finalizer of splitmix64).
pub(crate) fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
