//! Where bytes lie: segments and the extents inside them.

use crate::{Hash, RepositoryId};

/// Who writes segments: one claim of a job, one upload, one boot of a node. A row of the catalog.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriterId(pub u64);

/// The logical name of a segment: the writer and the number it gave the segment, counting from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegmentId {
    /// Who wrote it.
    pub writer: WriterId,
    /// Which of the writer's segments.
    pub number: u32,
}

/// A logical address of bytes. Compaction may move the bytes; the address stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Extent {
    /// The segment.
    pub segment: SegmentId,
    /// Bytes from the start of the segment file.
    pub offset: u32,
    /// Bytes, never 0.
    pub length: u32,
}

/// A durable segment, as the catalog records it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentRecord {
    /// The logical name that extents carry.
    pub id: SegmentId,
    /// The repository whose bytes it holds.
    pub repository: RepositoryId,
    /// The stored file, relative to the block store, `/` between folders.
    pub file: String,
    /// Bytes of the whole file.
    pub length: u64,
    /// BLAKE3 of the segment's directory, which in turn covers every byte of the data.
    pub directory: Hash,
}
