//! What there is when a collection begins: the segments recorded then, its candidates, and their
//! files.
//!
//! Several segments lie in one packed file, so whatever counts bytes counts them by file.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{SegmentId, SegmentRecord};

use crate::{Engine, Error, Result};

/// Rows fetched from the catalog at a time.
const BATCH: usize = 1_024;
/// Percentage of the files that may be missing before it looks as if another disk were mounted.
const MISSING_FILES_PERCENT_MAX: usize = 3;
/// Files whose length is compared with that in the catalog.
const LENGTHS_SAMPLED: usize = 256;

/// The candidates of a collection.
pub(super) struct Stored {
    segments: BTreeMap<SegmentId, SegmentRecord>,
    /// The segments in each file.
    files: BTreeMap<String, Vec<SegmentId>>,
}

impl Stored {
    pub(super) async fn read(engine: &Engine) -> Result<Self> {
        let mut stored = Self { segments: BTreeMap::new(), files: BTreeMap::new() };
        let mut after = None;
        loop {
            let batch = engine.catalog().segments(after, BATCH).await?;
            let Some(last) = batch.last() else { return Ok(stored) };
            after = Some(last.id);
            for record in batch {
                stored.files.entry(record.file.clone()).or_default().push(record.id);
                stored.segments.insert(record.id, record);
            }
        }
    }

    /// Refuses a store most of whose files are there but some are not, or none: with the wrong disk
    /// mounted, or half of it, nothing may be concluded from what is there.
    pub(super) async fn check_files(&self, engine: &Engine) -> Result<()> {
        let store = engine.parts.blocks.store();
        let listed = store.list().await?;
        let listed: HashSet<&str> = listed.iter().map(|file| &*file.file).collect();
        let is_missing = |file: &&String| !listed.contains(file.as_str());
        let (missing, named) = (self.files.keys().filter(is_missing).count(), self.files.len());
        if missing > 0 && (missing == named || missing * 100 > named * MISSING_FILES_PERCENT_MAX) {
            return Err(wrong_store(missing, named, "missing"));
        }
        let step = named.div_ceil(LENGTHS_SAMPLED).max(1);
        let (mut wrong, mut sampled) = (0, 0);
        for (file, ids) in self.files.iter().step_by(step).filter(|(file, _)| !is_missing(file)) {
            let recorded = ids.first().and_then(|id| self.segments.get(id));
            let length = store.length(file).await?;
            sampled += 1;
            wrong += usize::from(recorded.is_some_and(|record| record.length != length));
        }
        match wrong * 100 > sampled * MISSING_FILES_PERCENT_MAX {
            true => Err(wrong_store(wrong, sampled, "of another length")),
            false => Ok(()),
        }
    }

    /// How many segments.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = SegmentId> {
        self.segments.keys().copied()
    }

    pub(super) fn get(&self, id: SegmentId) -> Option<&SegmentRecord> {
        self.segments.get(&id)
    }

    /// Each file with the records of the segments in it, at least one.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Vec<&SegmentRecord>)> {
        self.files.iter().map(|(file, ids)| {
            (file.as_str(), ids.iter().filter_map(|id| self.segments.get(id)).collect())
        })
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files().filter_map(|(_, records)| Some(records.first()?.length)).sum()
    }

    /// Bytes of the files that nothing names once these segments are gone.
    pub(super) fn freed_bytes(&self, gone: &HashSet<SegmentId>) -> u64 {
        let mut left: HashMap<&str, usize> = HashMap::new();
        let records = gone.iter().filter_map(|id| self.segments.get(id));
        records
            .filter(|record| {
                let in_file = self.files.get(&record.file).map_or(0, Vec::len);
                let left = left.entry(&record.file).or_insert(in_file);
                *left = left.saturating_sub(1);
                *left == 0
            })
            .map(|record| record.length)
            .sum()
    }
}

fn wrong_store(wrong: usize, of: usize, what: &str) -> Error {
    Error::conflict(format!(
        "{wrong} of {of} segment files that the catalog names are {what}, so nothing was taken \
         away: see whether the right disk is mounted below the data directory, or run check"
    ))
}
