//! Where facts rest: everything small and mutable.
//!
//! One trait of operations, [`Catalog`], of which [`Accounts`] and [`Sessions`] are parts; one
//! operation is one transaction, and no handle to the database leaves this room. The SQLite
//! implementation is [`sqlite::Sqlite`]; the conformance suite in `tests/` is what another engine
//! joins. Time is an argument, except that a lease is measured by the database's own clock.
//! Connector configs reach this room sealed ([`seal::KeyRing`]) and leave it sealed.

mod accounts;
mod error;
mod records;
pub mod seal;
mod sessions;
pub mod sqlite;

use std::path::Path;

use async_trait::async_trait;
use model::{
    CollectOptions, CollectReport, Collection, Commit, CommitId, Connector, ConnectorId, Deed,
    Import, ImportProgress, JobId, JobPins, JobStatus, OrganizationId, Page, PageRequest,
    Repository, RepositoryId, SegmentId, SegmentRecord, Timestamp, UserId, WriterId,
};

pub use accounts::Accounts;
pub use error::{Error, Result};
pub use records::{
    Checkpoint, Claim, ClaimKey, ConnectorChange, Finish, Finished, HoldId, Landed, Landing,
    NamedRepository, NewUser, Place, Standing, StoreInfo,
};
pub use sessions::Sessions;

/// The operations. Lookups within an organization or repository are keyed by its id as well, so
/// that a foreign id finds nothing. Unless said otherwise an operation on something that is not
/// there answers `None` or `false`. Whatever takes a [`Deed`] records it in its own transaction, if
/// it changed anything, and does it at the deed's time.
#[async_trait]
pub trait Catalog: Accounts + Sessions {
    /// The identity of the store.
    async fn store_info(&self) -> Result<StoreInfo>;
    /// Whether the database answers: a trivial read.
    async fn ping(&self) -> Result<()>;

    // Repositories.

    /// `Error::Conflict` if the name is taken in the organization.
    async fn create_repository(&self, repository: &Repository, deed: &Deed) -> Result<()>;
    /// By name.
    async fn repository(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<Repository>>;
    /// An organization, the viewer's role in it, its repository of this name and that one's head,
    /// as they are at one moment; `None` if there is no such organization, or for a stranger.
    async fn place(
        &self,
        organization: &str,
        viewer: UserId,
        repository: &str,
    ) -> Result<Option<Place>>;
    /// By id, live ones only.
    async fn repository_by_id(&self, id: RepositoryId) -> Result<Option<Repository>>;
    /// Repositories of one organization by name; the cursor is the last name.
    async fn repositories(
        &self,
        organization: OrganizationId,
        page: &PageRequest,
    ) -> Result<Page<NamedRepository>>;
    /// Repositories of all the user's organizations, by organization and name; the cursor is
    /// `org/name`.
    async fn repositories_of(
        &self,
        user: UserId,
        page: &PageRequest,
    ) -> Result<Page<NamedRepository>>;
    /// Stores description, visibility, retention and session duration.
    async fn update_repository(&self, repository: &Repository, deed: &Deed) -> Result<bool>;
    /// Soft; running imports into it end.
    async fn delete_repository(&self, id: RepositoryId, deed: &Deed) -> Result<bool>;

    // Connectors. `sealed` is what `KeyRing::seal` made.

    /// `Error::Conflict` if a live connector of the organization has this name.
    async fn create_connector(
        &self,
        connector: &Connector,
        sealed: &str,
        deed: &Deed,
    ) -> Result<()>;
    /// Live connectors by name.
    async fn connectors(&self, organization: OrganizationId) -> Result<Vec<Connector>>;
    /// A connector, deleted ones too (with `deleted_at`): the caller tells 404 from 410.
    async fn connector(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
    ) -> Result<Option<Connector>>;
    /// The sealed config of a live connector.
    async fn sealed_config(&self, id: ConnectorId) -> Result<Option<String>>;
    /// Renames, disables or enables it, or replaces its config; the old one is wiped at once.
    /// Returns the connector as it is now, `None` if there is no live one. `Error::Conflict` if
    /// another live connector of the organization has the name.
    async fn update_connector(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
        change: &ConnectorChange,
        deed: &Deed,
    ) -> Result<Option<Connector>>;
    /// Soft: the config is wiped at once, attachments go, the name is free. `false` if there is no
    /// live one.
    async fn delete_connector(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
        deed: &Deed,
    ) -> Result<bool>;
    /// `Error::Conflict` if attached already, `Error::NotFound` if there is no such live pair in
    /// one organization.
    async fn attach(
        &self,
        repository: RepositoryId,
        connector: ConnectorId,
        deed: &Deed,
    ) -> Result<()>;
    /// Connectors attached to a repository, by name.
    async fn attached(&self, repository: RepositoryId) -> Result<Vec<Connector>>;
    /// Whether it was attached.
    async fn detach(
        &self,
        repository: RepositoryId,
        connector: ConnectorId,
        deed: &Deed,
    ) -> Result<bool>;

    // Commits and segments.

    /// A commit of this repository.
    async fn commit(&self, repository: RepositoryId, id: CommitId) -> Result<Option<Commit>>;
    /// Up to two commits of this repository whose hex id starts with `prefix`.
    async fn commits_by_prefix(
        &self,
        repository: RepositoryId,
        prefix: &str,
    ) -> Result<Vec<Commit>>;
    /// `from` and its ancestors, newest first, at most `limit`.
    async fn log(
        &self,
        repository: RepositoryId,
        from: CommitId,
        limit: usize,
    ) -> Result<Vec<Commit>>;
    /// Where a segment is stored.
    async fn segment(&self, id: SegmentId) -> Result<Option<SegmentRecord>>;
    /// All segments by (writer, number), after `after`, at most `limit`: for the checker.
    async fn segments(&self, after: Option<SegmentId>, limit: usize) -> Result<Vec<SegmentRecord>>;
    /// All repositories by id, deleted ones too: for the checker.
    async fn all_repositories(&self) -> Result<Vec<Repository>>;
    /// The database's own check of itself: one line for each thing found wrong.
    async fn integrity(&self) -> Result<Vec<String>>;
    /// Ids of writers that may still write: the claims of running jobs that no newer claim
    /// replaced, whether or not their lease has ended, and those that [`Catalog::open_writer`]
    /// opened and nobody closed. Every other writer is fenced for good.
    async fn live_writers(&self) -> Result<Vec<WriterId>>;
    /// The greatest id of a writer so far. A file of a greater one comes from a later state of the
    /// store than this catalog.
    async fn newest_writer(&self) -> Result<Option<WriterId>>;

    // Imports.

    /// Stores a pending job with the present head as its base, and for an import from a repository
    /// that repository's present head as its source commit; `Error::NotFound` if either repository
    /// is gone. Its prior is the newest failed or canceled job that has runs and the same target,
    /// connector, destination and use of versions. With an idempotency key that the same user used
    /// in the same repository at or after `since`, nothing is written and the first job's id comes
    /// back.
    async fn create_import(
        &self,
        import: &Import,
        idempotency: Option<(&str, Timestamp)>,
        deed: &Deed,
    ) -> Result<JobId>;
    /// Jobs of this repository, newest first; the cursor is opaque. After what is no cursor of this
    /// listing comes nothing.
    async fn imports(&self, repository: RepositoryId, page: &PageRequest) -> Result<Page<Import>>;
    /// A job of this repository.
    async fn import(&self, repository: RepositoryId, id: JobId) -> Result<Option<Import>>;
    /// Claims a job that is pending, or running with an ended lease: of the organization that has
    /// the fewest running, the one that waits longest. The epoch rises; a claim without a new
    /// checkpoint since the last one counts as an attempt, and the `attempts_max`-th fails the job.
    async fn claim_import(
        &self,
        owner: &str,
        lease_ms: i64,
        attempts_max: u32,
        now: Timestamp,
    ) -> Result<Option<Claim>>;
    /// Whether an organization none of whose jobs is running has one to be claimed.
    async fn is_starving(&self) -> Result<bool>;
    /// Ends every lease, and closes every writer that [`Catalog::open_writer`] opened, at once: the
    /// embedded server holds its data directory alone, so nobody else can be working.
    async fn void_leases(&self) -> Result<()>;
    /// Extends the lease and records how far the job is, if it may go on. Counts never fall: after
    /// a crash a new worker starts from the checkpoint, behind what the old one had told.
    async fn heartbeat(
        &self,
        claim: ClaimKey,
        lease_ms: i64,
        progress: &ImportProgress,
        now: Timestamp,
    ) -> Result<Standing>;
    /// Records a checkpoint; `Error::Fenced` if the claim is void. Live counts follow the shard's.
    async fn checkpoint(
        &self,
        claim: ClaimKey,
        checkpoint: &Checkpoint,
        now: Timestamp,
    ) -> Result<()>;
    /// Head, commit, segments and job in one transaction, if the head is the expected one and the
    /// job may go on. The deed is recorded if there is a commit.
    async fn finish_import(
        &self,
        claim: ClaimKey,
        finish: &Finish,
        deed: &Deed,
    ) -> Result<Finished>;
    /// Ends the claimed job as `Failed` (with an error) or `Canceled`. `false` if the claim is
    /// void.
    async fn end_import(
        &self,
        claim: ClaimKey,
        status: JobStatus,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<bool>;
    /// Gives the claim back: the job is pending again, behind those that wait already, and its
    /// checkpoint stays.
    async fn release_import(&self, claim: ClaimKey, now: Timestamp) -> Result<bool>;
    /// A pending job ends as canceled at once, a running one is asked to; an ended one is left.
    /// Returns the job.
    async fn cancel_import(
        &self,
        repository: RepositoryId,
        id: JobId,
        deed: &Deed,
    ) -> Result<Option<Import>>;
    /// Makes a failed or canceled job pending again, its checkpoint kept, its counts those of the
    /// checkpoint, attempts at 0; base and source commit the present heads if it has no run yet.
    /// `Error::Conflict` if it is in another state.
    async fn retry_import(
        &self,
        repository: RepositoryId,
        id: JobId,
        deed: &Deed,
    ) -> Result<Option<Import>>;
    /// Forgets checkpoints (runs, pending) of jobs that ended as failed or canceled before
    /// `before`, unless an open job uses them as its prior; and the trees of previews of dry runs
    /// that ended before: their counts stay. Returns how many of both.
    async fn expire_checkpoints(&self, before: Timestamp) -> Result<u64>;

    // Collection. Every operation that takes something away answers `Error::Held` while a hold is
    // alive, by the database's clock.

    /// Opens a writer that belongs to no job; it counts as live until it is closed.
    async fn open_writer(&self, now: Timestamp) -> Result<WriterId>;
    /// Closes a writer opened by [`Catalog::open_writer`].
    async fn close_writer(&self, id: WriterId) -> Result<()>;
    /// Jobs that pin bytes: open ones, and ended ones whose checkpoint or preview is kept.
    async fn pinning_jobs(&self) -> Result<Vec<JobId>>;
    /// What a job pins; nothing if it pins nothing any more. For a job with a prior, the prior's
    /// runs too.
    async fn pins(&self, job: JobId) -> Result<JobPins>;
    /// Makes all commits that are stale at `now` by the retention of their repositories stale for
    /// good: what only they need may be taken away after this. Returns how many were not before.
    async fn expire_commits(&self, now: Timestamp) -> Result<u64>;
    /// Records that just these segments are dead: each becomes condemned now, unless it is already;
    /// all others are absolved.
    async fn condemn(&self, dead: &[SegmentId], now: Timestamp) -> Result<()>;
    /// Segments condemned at or before `before`.
    async fn condemned(&self, before: Timestamp) -> Result<Vec<SegmentRecord>>;
    /// Takes segments out of use; their rows rest in the trash. Those not condemned are left.
    /// Returns how many went. `Error::Held`.
    async fn trash_segments(&self, ids: &[SegmentId], now: Timestamp) -> Result<u64>;
    /// Points segments at the files they were packed into, in one transaction; the rows as they
    /// were rest in the trash. `Error::Conflict` (and nothing changed) if one of them is gone.
    /// `Error::Held`.
    async fn switch_segments(&self, packed: &[SegmentRecord], now: Timestamp) -> Result<()>;
    /// Brings everything in the trash back: trashed segments are in use again and not condemned,
    /// packed ones point at their former files, and commits that expired after what was last purged
    /// are as if they had not. Returns how many segments. `Error::Held`, because files that
    /// segments were packed into may end up without a name.
    async fn restore_trash(&self) -> Result<u64>;
    /// Forgets what went to the trash at or before `before`; returns the files that nothing names
    /// any more, to be unlinked after this. `Error::Held`.
    async fn purge_trash(&self, before: Timestamp) -> Result<Vec<String>>;
    /// Everything in the trash, oldest first, each segment as it was.
    async fn trashed(&self) -> Result<Vec<SegmentRecord>>;
    /// Whether a row of `segments` or of the trash names this file.
    async fn is_file_named(&self, file: &str) -> Result<bool>;
    /// Keeps collections from taking anything away for `for_ms` from now.
    async fn hold(&self, what: &str, for_ms: i64) -> Result<HoldId>;
    /// Extends a hold; `false` if it had ended.
    async fn extend_hold(&self, id: HoldId, for_ms: i64) -> Result<bool>;
    /// Ends a hold.
    async fn release_hold(&self, id: HoldId) -> Result<()>;
    /// Asks for a collection.
    async fn request_collection(&self, options: &CollectOptions, now: Timestamp) -> Result<u64>;
    /// The oldest collection that has not ended.
    async fn next_collection(&self) -> Result<Option<Collection>>;
    /// A collection by its id.
    async fn collection(&self, id: u64) -> Result<Option<Collection>>;
    /// When the last collection that succeeded ended; dry runs do not count.
    async fn last_collection(&self) -> Result<Option<Timestamp>>;
    /// Records the end of a collection: its report, or why there is none. Of one that has ended
    /// already the first word stays.
    async fn end_collection(
        &self,
        id: u64,
        outcome: std::result::Result<CollectReport, String>,
        now: Timestamp,
    ) -> Result<()>;

    // Backup.

    /// Writes a consistent copy of the whole catalog to `path`, readable by its owner alone, and
    /// makes it durable. Holds, logins and device codes are not in it; sessions and uploads are.
    /// `Error::Conflict` if there is a file. [`sqlite::Sqlite::open`] opens it.
    async fn snapshot(&self, path: &Path) -> Result<()>;
}
