//! An import: what was asked for, how far it is, and what a resumed run goes on from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{
    CommitId, ConnectorId, Extent, IdError, JobId, Piece, RepositoryId, Timestamp, UserId,
};

/// The state of a job. `Pending -> Running -> one of the other three`; a failed or canceled job
/// becomes pending again by a retry; nothing leaves `Completed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// Claimed by a worker.
    Running,
    /// Its commit, if it needed one, is in the history.
    Completed,
    /// Ended with an error; nothing of it is visible.
    Failed,
    /// Ended by its cancel endpoint; nothing of it is visible.
    Canceled,
}

impl JobStatus {
    /// Its name on the wire and in the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the job has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobStatus {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Canceled]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(IdError { what: "job status" })
    }
}

/// What an import was asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportSpec {
    /// Target repository.
    pub repository: RepositoryId,
    /// Where from.
    pub connector: ConnectorId,
    /// As given; empty for all of the connector's directory.
    pub source_prefix: String,
    /// As given; empty for the root of the repository.
    pub destination_path: String,
    /// As given, or the default text.
    pub commit_message: String,
    /// Who started it; the job acts with their rights as they are at the time.
    pub created_by: UserId,
}

/// An import job, as the catalog keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// Its id.
    pub id: JobId,
    /// What was asked.
    pub spec: ImportSpec,
    /// Its state.
    pub status: JobStatus,
    /// Objects of this import that are in place, carried ones included.
    pub objects_imported: u64,
    /// Objects that were listed and had vanished when they were to be read.
    pub objects_missing: u64,
    /// Bytes of the objects that are in place.
    pub bytes_imported: u64,
    /// Set once completed; the head it confirmed where nothing changed; `None` where nothing
    /// matched.
    pub commit: Option<CommitId>,
    /// Set once failed: what happened and what to do.
    pub error: Option<String>,
    /// The repository's head when the job was created: what it compares with. `None`: the empty
    /// tree.
    pub base: Option<CommitId>,
    /// When it was created; the `import_time` of its entries.
    pub created_at: Timestamp,
    /// Last change of its state or progress.
    pub updated_at: Timestamp,
}

impl Import {
    /// A job that waits for a worker. The catalog sets its base.
    pub fn new(id: JobId, spec: ImportSpec, now: Timestamp) -> Self {
        Self {
            id,
            spec,
            status: JobStatus::Pending,
            objects_imported: 0,
            objects_missing: 0,
            bytes_imported: 0,
            commit: None,
            error: None,
            base: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// How far one shard (a range of the listing) of a job is, as of its last checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ShardState {
    /// Every key up to and including this one was listed and is either in a run, or pending.
    /// `None`: nothing yet.
    pub cursor: Option<Vec<u8>>,
    /// Whether the listing has reached its end.
    pub listed_all: bool,
    /// Listed keys up to the cursor that are in no run yet, in key order: those being read, and
    /// those whose pieces are in lanes that are not sealed yet.
    pub pending: Vec<PendingKey>,
    /// Objects in runs, carried ones included.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Listed objects that had vanished.
    pub missing: u64,
    /// Names of the first of them, at most [`crate::limits::MISSING_NAMED_MAX`].
    pub missing_names: Vec<String>,
    /// The marker of the destination at the root, which has no path and is left out.
    pub markers: u64,
}

/// A listed object that is not in a run yet, with what the listing said and the pieces already
/// stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingKey {
    /// The key in the source.
    pub key: Vec<u8>,
    /// Listed size in bytes.
    pub size: u64,
    /// Listed ETag, with its quotes.
    pub etag: Option<Arc<str>>,
    /// Listed time.
    pub last_modified: Timestamp,
    /// Durable pieces of a large object: (number of the piece, where it is).
    pub pieces: Vec<(u32, Piece)>,
}

/// A sorted run: the entries of one batch of an import, durable in a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// Order within the shard; a later run wins over an earlier one at the same path.
    pub number: u32,
    /// Where the encoded run lies.
    pub extent: Extent,
    /// Entries in it, at least 1.
    pub entries: u64,
    /// First path.
    pub first: Vec<u8>,
    /// Last path.
    pub last: Vec<u8>,
}
