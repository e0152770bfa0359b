//! The uses of API keys that are queued for the writer: one at a time of each key, so that nothing
//! piles up while the writer waits for another process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type TokenHash = [u8; 32];

/// The keys a use of which is queued. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Uses(Arc<Mutex<HashSet<TokenHash>>>);

impl Uses {
    /// Takes the place of a key; `None` while it is taken.
    pub(super) fn begin(&self, key: TokenHash) -> Option<Place> {
        self.locked().insert(key).then(|| Place { uses: self.clone(), key })
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<TokenHash>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a key in the queue, until it is dropped.
pub(super) struct Place {
    uses: Uses,
    key: TokenHash,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.uses.locked().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_place_until_it_is_given_up() {
        let uses = Uses::default();
        let place = uses.begin([1; 32]);
        assert!(place.is_some() && uses.begin([2; 32]).is_some());
        assert!(uses.begin([1; 32]).is_none());
        drop(place);
        assert!(uses.begin([1; 32]).is_some());
    }
}
