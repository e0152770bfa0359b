//! Compaction: what is needed of sparse and tiny files moves together into new ones.
//!
//! No address changes: the catalog's rows are pointed at the new file in one transaction, and as
//! they were they rest in the trash. A collection that dies before that transaction leaves a file
//! that nothing names, for the sweep.

use std::collections::BTreeMap;

use blocks::{ITEMS_MAX, Locate as _};
use model::limits::{SEGMENT_BYTES, SPARSE_PERCENT, TINY_SEGMENT_BYTES};
use model::{CollectReport, RepositoryId, SegmentId, SegmentRecord, Timestamp, WriterId};

use super::mark::Live;
use super::stored::Stored;
use crate::{Engine, Result};

/// Files that one collection writes: it takes its time, and as much disk again until the trash is
/// emptied. The next collection goes on.
const GROUPS_MAX: usize = 256;

/// A file with what is needed of it.
struct Source {
    repository: RepositoryId,
    segments: Vec<SegmentRecord>,
    /// Bytes of the file.
    length: u64,
    items: u64,
    bytes: u64,
}

impl Source {
    /// Nothing, if nothing of the file is needed, or a writer still goes on with a segment in it.
    fn new(records: &[&SegmentRecord], live: &Live) -> Option<Self> {
        let first = records.first()?;
        if records.iter().any(|record| live.is_whole(record.id)) {
            return None;
        }
        let mut source = Self {
            repository: first.repository,
            segments: Vec::new(),
            length: first.length,
            items: 0,
            bytes: 0,
        };
        for record in records.iter().filter(|record| !live.is_dead(record.id)) {
            let (items, bytes) = live.needed(record.id);
            source.segments.push((*record).clone());
            source.items += items;
            source.bytes += bytes;
        }
        (!source.segments.is_empty()).then_some(source)
    }

    /// Compares with the file it would become and not with its items alone: of many small items
    /// the directory is a good part, and no packing makes that smaller.
    fn is_sparse(&self) -> bool {
        let packed = blocks::packed_bytes(self.bytes, self.items);
        packed.saturating_mul(100) < self.length.saturating_mul(SPARSE_PERCENT)
    }

    /// Bytes of the items that are not needed, about: what is only saved by needing fewer files is
    /// not counted.
    fn dropped_bytes(&self) -> u64 {
        self.length.saturating_sub(blocks::packed_bytes(self.bytes, self.items))
    }

    fn is_tiny(&self) -> bool {
        self.length < TINY_SEGMENT_BYTES
    }
}

/// Files that become one.
#[derive(Default)]
struct Group {
    sources: Vec<Source>,
    items: u64,
    bytes: u64,
}

impl Group {
    fn takes(&self, source: &Source) -> bool {
        self.sources.is_empty()
            || (self.bytes + source.bytes <= SEGMENT_BYTES
                && self.items + source.items <= u64::from(ITEMS_MAX))
    }

    fn push(&mut self, source: Source) {
        self.items += source.items;
        self.bytes += source.bytes;
        self.sources.push(source);
    }

    /// Whether it leaves fewer files or fewer bytes.
    fn is_worth_it(&self) -> bool {
        self.sources.len() > 1 || self.sources.iter().any(Source::is_sparse)
    }

    fn segments(&self) -> impl Iterator<Item = &SegmentRecord> {
        self.sources.iter().flat_map(|source| &source.segments)
    }

    fn source_bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.length).sum()
    }

    fn packed_bytes(&self) -> u64 {
        blocks::packed_bytes(self.bytes, self.items)
    }
}

/// What is to be moved, file by file.
pub(super) struct Groups(Vec<Group>);

impl Groups {
    /// The sparse and tiny files of each repository, joined up to the size of a segment.
    pub(super) fn plan(stored: &Stored, live: &Live) -> Self {
        let mut sources: BTreeMap<RepositoryId, Vec<Source>> = BTreeMap::new();
        for (_, records) in stored.files() {
            if let Some(source) = Source::new(&records, live)
                && (source.is_sparse() || source.is_tiny())
            {
                sources.entry(source.repository).or_default().push(source);
            }
        }
        let mut groups: Vec<Group> = Vec::new();
        for sources in sources.into_values() {
            let mut group = Group::default();
            for source in sources {
                if !group.takes(&source) {
                    groups.push(std::mem::take(&mut group));
                }
                group.push(source);
            }
            groups.push(group);
        }
        groups.retain(Group::is_worth_it);
        groups.truncate(GROUPS_MAX);
        Self(groups)
    }

    /// How many segments are to be moved.
    pub(super) fn segments(&self) -> u64 {
        self.0.iter().map(|group| group.segments().count() as u64).sum()
    }

    /// Bytes of their files.
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(Group::source_bytes).sum()
    }

    /// Bytes that are not needed and do not move.
    pub(super) fn dropped_bytes(&self) -> u64 {
        let sources = self.0.iter().flat_map(|group| &group.sources);
        sources.map(Source::dropped_bytes).sum()
    }

    /// Bytes of the files they move to.
    pub(super) fn packed_bytes(&self) -> u64 {
        self.0.iter().map(Group::packed_bytes).sum()
    }
}

/// Moves all groups; one that cannot be moved stays as it is.
pub(super) async fn all(
    engine: &Engine,
    groups: Groups,
    live: &Live,
    now: Timestamp,
    report: &mut CollectReport,
) -> Result<()> {
    for group in groups.0 {
        let writer = engine.catalog().open_writer(now).await?;
        let moved = one(engine, writer, &group, live, now).await;
        // Also after an error: while the writer is live, what it left behind is not swept.
        engine.catalog().close_writer(writer).await?;
        if let Some(packed_bytes) = moved? {
            report.compacted += group.segments().count() as u64;
            report.compacted_bytes += group.source_bytes();
            report.packed_bytes += packed_bytes;
        }
    }
    Ok(())
}

/// Bytes of the new file, or nothing if the group was left alone.
async fn one(
    engine: &Engine,
    writer: WriterId,
    group: &Group,
    live: &Live,
    now: Timestamp,
) -> Result<Option<u64>> {
    let Some(repository) = group.sources.first().map(|source| source.repository) else {
        return Ok(None);
    };
    let blocks = &engine.parts.blocks;
    let plan: Vec<_> =
        group.segments().map(|record| (record.clone(), live.extents(record.id))).collect();
    let packed = match blocks.pack(&blocks.writer(repository, writer), &plan).await {
        Ok(packed) => packed,
        Err(error) => {
            // Damage is for the check to name, and a full disk has no room for tidiness: all of
            // the group is where it was.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%repository, error, "segments could not be packed together");
            return Ok(None);
        }
    };
    engine.reach("collect.packed")?;
    let Some(file) = packed.first() else { return Ok(None) };
    match engine.catalog().switch_segments(&packed, now).await {
        Ok(()) => {}
        Err(catalog::Error::Conflict { .. }) => {
            blocks.store().delete(&file.file).await?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    }
    forget(engine, packed.iter().map(|record| record.id));
    engine.reach("collect.switched")?;
    Ok(Some(file.length))
}

fn forget(engine: &Engine, ids: impl Iterator<Item = SegmentId>) {
    ids.for_each(|id| engine.parts.located.forget(id));
}
