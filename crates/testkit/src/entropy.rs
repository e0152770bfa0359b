//! Entropy for tests: the same numbers in every run.

use std::sync::atomic::{AtomicU64, Ordering};

use model::Entropy;

/// Bytes that follow from a seed and how many were drawn before.
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// Entropy that starts at `seed`; different seeds give different bytes.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(crate::mix(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = crate::mix(self.0.fetch_add(1, Ordering::SeqCst)).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_ids_and_no_other_seeds() {
        let draw = |seed| {
            let entropy = SeededEntropy::new(seed);
            [entropy.uuid(), entropy.uuid()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1)[0], draw(1)[1]);
        assert_ne!(draw(1), draw(2));
    }
}
