//! An import: what was asked for, how far it is, and what a resumed run goes on from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{
    CommitId, ConnectorId, Extent, Hash, IdError, JobId, Piece, Preview, RepositoryId, Root,
    Timestamp, UserId,
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

/// Where an import reads from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportSource {
    /// A foreign store, through a connector attached to the target repository.
    Connector(ConnectorId),
    /// Another repository of this server, as it was when the job was created.
    Repository(SourceRepository),
}

/// A repository that is imported from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceRepository {
    /// Its id.
    pub repository: RepositoryId,
    /// Name of its organization when the job was created.
    pub organization_name: String,
    /// Its name when the job was created.
    pub name: String,
}

/// What becomes of entries of the destination that the source does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ImportMode {
    /// They stay.
    #[default]
    Overlay,
    /// They are deleted, unless that would be too many.
    Mirror {
        /// Deletions that fail the job: more than this percentage of the entries in the import's
        /// reach.
        max_delete_percent: u8,
    },
}

/// What becomes of the job when an object cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnError {
    /// It fails.
    #[default]
    Fail,
    /// The object is left out, counted and named; what the destination held at its path stays.
    Skip,
}

/// How an import is to be done. The default is what the public API does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportOptions {
    /// Import the latest version of each key by its version id (S3).
    pub use_versioning: bool,
    /// Whether to delete what the source does not have.
    pub mode: ImportMode,
    /// Globs over the path below the destination; an object is taken if one matches. None: all.
    pub include: Vec<String>,
    /// Globs; an object that one matches is not taken.
    pub exclude: Vec<String>,
    /// Only say what would change: no object is read and no commit is made.
    pub dry_run: bool,
    /// What to do about objects that cannot be read.
    pub on_error: OnError,
    /// GET requests in flight; `None` for the server's default.
    pub concurrency: Option<u16>,
}

/// What an import was asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportSpec {
    /// Target repository.
    pub repository: RepositoryId,
    /// Where from.
    pub source: ImportSource,
    /// As given; empty for all of the connector's directory, or of the source repository.
    pub source_prefix: String,
    /// As given; empty for the root of the repository.
    pub destination_path: String,
    /// As given, or the default text.
    pub commit_message: String,
    /// Who started it; the job acts with their rights as they are at the time.
    pub created_by: UserId,
    /// How.
    pub options: ImportOptions,
}

impl ImportSpec {
    /// The connector, unless the source is a repository.
    pub fn connector(&self) -> Option<ConnectorId> {
        match &self.source {
            ImportSource::Connector(id) => Some(*id),
            ImportSource::Repository(_) => None,
        }
    }
}

/// What a running import is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// It waits for a worker.
    #[default]
    Waiting,
    /// The source is being listed; what is listed is already being copied.
    Listing,
    /// Everything is listed; objects are being copied.
    Copying,
    /// The tree of the commit is being built.
    Committing,
    /// It has ended.
    Ended,
}

impl Phase {
    /// Its name on the wire and in the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Listing => "listing",
            Self::Copying => "copying",
            Self::Committing => "committing",
            Self::Ended => "ended",
        }
    }
}

impl FromStr for Phase {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        [Self::Waiting, Self::Listing, Self::Copying, Self::Committing, Self::Ended]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or(IdError { what: "phase" })
    }
}

/// How far an import is. Counts of objects and bytes never fall while it runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportProgress {
    /// What it is doing.
    pub phase: Phase,
    /// Objects listed so far; of all once `listed_all`.
    pub objects_listed: u64,
    /// Their bytes.
    pub bytes_listed: u64,
    /// Whether the listing has reached its end, so that the two above are totals.
    pub listed_all: bool,
    /// Objects of this import that are in place, unchanged ones included.
    pub objects_imported: u64,
    /// Bytes of the objects that are in place.
    pub bytes_imported: u64,
    /// Of the objects in place, those that were there already and were not read.
    pub objects_unchanged: u64,
    /// Their bytes.
    pub bytes_unchanged: u64,
    /// Objects that were listed and had vanished when they were to be read.
    pub objects_missing: u64,
    /// Objects that could not be read and were left out.
    pub objects_skipped: u64,
    /// Entries of the destination that a mirror deleted.
    pub objects_deleted: u64,
    /// Requests that had to be repeated.
    pub retries: u64,
    /// Bytes per second of late; 0 when nothing is being read.
    pub bytes_per_second: u64,
    /// The first objects that were left out, each with the reason, at most
    /// [`crate::limits::SKIPPED_NAMED_MAX`].
    pub skipped: Vec<Skipped>,
}

/// An object that could not be read and was left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// Its key in the source.
    pub key: String,
    /// Why, for the user.
    pub reason: String,
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
    /// How far it is.
    pub progress: ImportProgress,
    /// Set once completed; the head it confirmed where nothing changed; `None` where nothing
    /// matched.
    pub commit: Option<CommitId>,
    /// Set once failed: what happened and what to do.
    pub error: Option<String>,
    /// Of a completed dry run: what it would have changed.
    pub preview: Option<Preview>,
    /// The repository's head when the job was created: what it compares with. `None`: the empty
    /// tree.
    pub base: Option<CommitId>,
    /// Of an import from a repository: the head of that when the job was created. `None`: it had no
    /// commit, or the source is a connector.
    pub source_commit: Option<CommitId>,
    /// When it was created; the `import_time` of its entries.
    pub created_at: Timestamp,
    /// Last change of its state or progress.
    pub updated_at: Timestamp,
}

impl Import {
    /// A job that waits for a worker. The catalog sets its base and its source commit.
    pub fn new(id: JobId, spec: ImportSpec, now: Timestamp) -> Self {
        Self {
            id,
            spec,
            status: JobStatus::Pending,
            progress: ImportProgress::default(),
            commit: None,
            error: None,
            preview: None,
            base: None,
            source_commit: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// What keeps bytes that no commit holds: a job that has not ended, or whose checkpoint is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobPins {
    /// The repository and commit it compares with, and those it reads from. Roots of the mark,
    /// whatever the retention says.
    pub commits: Vec<(RepositoryId, CommitId)>,
    /// Its runs; the entries in them are kept with them.
    pub runs: Vec<Run>,
    /// Durable pieces of objects that are not complete, and parts of pieces.
    pub pieces: Vec<Piece>,
    /// The tree of a dry run's preview.
    pub preview: Option<Root>,
}

/// How far one shard (a range of the listing) of a job is, as of its last checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ShardState {
    /// Every key up to and including this one was listed and is either in a run, or pending.
    /// `None`: nothing yet.
    pub cursor: Option<Vec<u8>>,
    /// Whether the listing has reached its end.
    pub listed_all: bool,
    /// Whether the source does not list in order, so that its listing is sorted first.
    pub unordered: bool,
    /// Keys up to the cursor that passed the filters, the marker included: what the counts below
    /// and `pending` must add up to.
    pub listed: u64,
    /// Their bytes.
    pub listed_bytes: u64,
    /// Listed keys up to the cursor that are in no run yet, in key order: those being read, and
    /// those whose pieces are in lanes that are not sealed yet.
    pub pending: Vec<PendingKey>,
    /// Objects in runs, carried ones included.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of the objects in runs, those carried over.
    pub unchanged: u64,
    /// Their bytes.
    pub unchanged_bytes: u64,
    /// Listed objects that could not be read and are left out.
    pub skipped: u64,
    /// The first of them, at most [`crate::limits::SKIPPED_NAMED_MAX`].
    pub skipped_named: Vec<Skipped>,
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
    /// Listed version, where the import goes by versions.
    pub version_id: Option<Arc<str>>,
    /// Durable pieces of a large object: (number of the piece, where it is).
    pub pieces: Vec<(u32, Piece)>,
    /// What is durable of pieces that are not whole yet, by piece and offset.
    pub fragments: Vec<Fragment>,
}

/// A part of a piece that its source sends slowly, durable before the piece is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// Number of the piece.
    pub piece: u32,
    /// Bytes of the piece before it.
    pub offset: u32,
    /// Where it lies.
    pub extent: Extent,
    /// Of a fragment at the start of its piece the BLAKE3 subtree value there, of any other the
    /// BLAKE3 of its bytes.
    pub hash: Hash,
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
