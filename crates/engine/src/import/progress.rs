//! Live counts of a running import, told to the catalog with each heartbeat.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use model::{ImportProgress, Phase, ShardState};
use sources::Source;

/// Share of the newest measurement in the rate.
const NEWEST: f64 = 0.2;

/// Set by the run, read by the heartbeat. May run ahead of the last checkpoint. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Cells>);

#[derive(Default)]
struct Cells {
    counts: Mutex<ImportProgress>,
    /// Bytes that came in, those of objects that are not whole yet included.
    bytes_read: AtomicU64,
    /// Bodies that were read again.
    repeated: AtomicU64,
    /// Counts the requests that it repeats.
    source: OnceLock<Arc<dyn Source>>,
}

impl Progress {
    /// Changes the counts.
    pub(super) fn update(&self, change: impl FnOnce(&mut ImportProgress)) {
        change(&mut self.0.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Tells that a phase has begun.
    pub(super) fn enter(&self, phase: Phase) {
        self.update(|counts| counts.phase = phase);
    }

    /// Takes over what a checkpoint would record.
    pub(super) fn set(&self, state: &ShardState) {
        self.update(|counts| {
            counts.objects_imported = state.objects;
            counts.bytes_imported = state.bytes;
            counts.objects_unchanged = state.unchanged;
            counts.bytes_unchanged = state.unchanged_bytes;
            counts.objects_missing = state.missing;
            counts.objects_skipped = state.skipped;
            if counts.skipped.len() != state.skipped_named.len() {
                counts.skipped.clone_from(&state.skipped_named);
            }
        });
    }

    /// Bytes of a body came in.
    pub(super) fn read(&self, bytes: usize) {
        self.0.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A body is read again.
    pub(super) fn repeat(&self) {
        self.0.repeated.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on the requests that `source` repeats are counted too.
    pub(super) fn watch(&self, source: &Arc<dyn Source>) {
        self.0.source.get_or_init(|| Arc::clone(source));
    }

    /// The counts as they are.
    pub(super) fn get(&self) -> ImportProgress {
        let counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requests = self.0.source.get().map_or(0, |source| source.retries());
        ImportProgress { retries: requests + self.0.repeated.load(Ordering::Relaxed), ..counts }
    }
}

/// The rate at which bytes come in, smoothed over some seconds.
#[derive(Default)]
pub(super) struct Rate {
    bytes_before: u64,
    per_second: f64,
}

impl Rate {
    /// Takes a measurement `since` the one before; gives bytes per second.
    pub(super) fn measure(&mut self, progress: &Progress, since: Duration) -> u64 {
        let bytes = progress.0.bytes_read.load(Ordering::Relaxed);
        let seconds = since.as_secs_f64().max(1e-3);
        let newest = (bytes - self.bytes_before) as f64 / seconds;
        let is_first = self.bytes_before == 0;
        self.bytes_before = bytes;
        let smoothed = self.per_second * (1.0 - NEWEST) + newest * NEWEST;
        self.per_second = if is_first { newest } else { smoothed };
        // What has ended decays to nothing rather than to a last byte a minute.
        if self.per_second < 1.0 { 0 } else { self.per_second as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_what_comes_in_and_ends() {
        let (progress, mut rate) = (Progress::default(), Rate::default());
        let second = Duration::from_secs(1);
        assert_eq!(rate.measure(&progress, second), 0);
        progress.read(1_000);
        assert_eq!(rate.measure(&progress, second), 1_000);
        progress.read(2_000);
        assert_eq!(rate.measure(&progress, second), 1_200);
        let last = (0..100).map(|_| rate.measure(&progress, second)).last();
        assert_eq!(last, Some(0));
    }
}
