//! A collection: finding and removing bytes that nothing needs any more.

use serde::{Deserialize, Serialize};

/// How one collection is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CollectOptions {
    /// Go on although more than [`crate::limits::COLLECT_PERCENT_MAX`] percent of all bytes would
    /// go.
    pub force: bool,
    /// Only report what would happen.
    pub dry_run: bool,
    /// Bring back everything in the trash instead of collecting.
    pub undo: bool,
    /// How long a segment must have been condemned before it goes to the trash; `None` for the
    /// server's setting.
    pub grace_ms: Option<i64>,
    /// How long the trash is kept; `None` for the server's setting.
    pub trash_ms: Option<i64>,
}

/// What a collection did. Bytes are those of segment files.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectReport {
    /// Segments looked at.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that something needs.
    pub live_bytes: u64,
    /// Segments in which nothing is needed, found so for the first time or not long enough ago.
    pub condemned: u64,
    /// Segments that went to the trash.
    pub trashed: u64,
    /// Their bytes.
    pub trashed_bytes: u64,
    /// Sparse or tiny segments whose needed items were moved together.
    pub compacted: u64,
    /// Bytes of their files, and ...
    pub compacted_bytes: u64,
    /// ... bytes of the files that their items were moved to.
    pub packed_bytes: u64,
    /// Files unlinked: their time in the trash was over, or nothing named them.
    pub unlinked: u64,
    /// Segments brought back from the trash.
    pub restored: u64,
}

/// A collection that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collection {
    /// Counts up.
    pub id: u64,
    /// How.
    pub options: CollectOptions,
    /// Whether it has ended.
    pub ended: bool,
    /// What it did.
    pub report: Option<CollectReport>,
    /// Why it was refused or failed.
    pub error: Option<String>,
}
