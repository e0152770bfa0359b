//! Locks by id: one for each thing that is in use, none for the others.
//!
//! A lock is made when it is first asked for and forgotten by [`Locks::keep`] once nobody has it or
//! waits for it, so there are as many as were used since it was last called.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Locks of all things that have a `K`. Each is fair: who comes first goes first.
pub(crate) struct Locks<K>(Mutex<HashMap<K, Arc<RwLock<()>>>>);

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Locks<K> {
    /// Waits until nobody has the lock alone.
    pub(crate) async fn shared(&self, key: K) -> OwnedRwLockReadGuard<()> {
        self.of(key).read_owned().await
    }

    /// Waits until nobody else has the lock.
    pub(crate) async fn alone(&self, key: K) -> OwnedRwLockWriteGuard<()> {
        self.of(key).write_owned().await
    }

    /// Forgets those that nobody has or waits for.
    pub(crate) fn keep(&self) {
        // Nobody can get hold of one that only the map has while the map is locked.
        self.map().retain(|_, lock| Arc::strong_count(lock) > 1);
    }

    fn of(&self, key: K) -> Arc<RwLock<()>> {
        Arc::clone(self.map().entry(key).or_default())
    }

    fn map(&self) -> MutexGuard<'_, HashMap<K, Arc<RwLock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_does_not_hold_another_up() {
        let locks = Locks::default();
        let mut held = Vec::new();
        for key in 0..100_u128 {
            held.push(locks.alone(key).now_or_never().expect("free"));
        }
        assert!(locks.alone(7).now_or_never().is_none(), "it is held");
        assert!(locks.shared(7).now_or_never().is_none(), "it is held alone");
        drop(held);
        let _shared = [locks.shared(7).await, locks.shared(7).await];
        assert!(locks.alone(7).now_or_never().is_none(), "it is shared");
    }

    #[tokio::test]
    async fn what_is_held_or_waited_for_is_not_forgotten() {
        let locks = Locks::default();
        let (first, other) = (locks.alone("a").await, locks.alone("b").await);
        let mut waiting = Box::pin(locks.alone("a"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop((first, other));
        locks.keep();
        assert!(locks.map().contains_key("a") && !locks.map().contains_key("b"));
        let second = waiting.await;
        locks.keep();
        assert!(locks.alone("a").now_or_never().is_none(), "the same lock still");
        drop(second);
        locks.keep();
        assert!(locks.map().is_empty());
    }
}
