//! Live counts of a running import, told to the catalog with each heartbeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::ShardState;

/// Set by the run, read by the heartbeat. May run ahead of the last checkpoint.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<[AtomicU64; 3]>);

impl Progress {
    /// Tells where the run is.
    pub(super) fn set(&self, state: &ShardState) {
        let counts = [state.objects, state.missing, state.bytes];
        for (cell, count) in self.0.iter().zip(counts) {
            cell.store(count, Ordering::Relaxed);
        }
    }

    /// Objects in place, objects missing, bytes in place.
    pub(super) fn get(&self) -> [u64; 3] {
        std::array::from_fn(|n| self.0[n].load(Ordering::Relaxed))
    }
}
