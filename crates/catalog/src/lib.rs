//! Where facts rest: everything small and mutable.
//!
//! One trait of operations; one operation is one transaction, and no handle to the database leaves
//! this room. The SQLite implementation is [`sqlite::Sqlite`]; the conformance suite in `tests/` is
//! what another engine joins. Time is an argument, except that a lease is measured by the
//! database's own clock. Connector configs reach this room sealed ([`seal::KeyRing`]) and leave it
//! sealed.

mod error;
pub mod seal;
pub mod sqlite;

use async_trait::async_trait;
use model::{
    ApiKey, ApiKeyId, Commit, CommitId, Connector, ConnectorId, Import, JobId, JobStatus, Member,
    NewApiKey, Organization, OrganizationId, Page, PageRequest, Repository, RepositoryId, Role,
    Run, SegmentId, SegmentRecord, ShardState, Timestamp, User, UserId, WriterId,
};

pub use error::{Error, Result};

/// A user to be stored.
#[derive(Clone)]
pub struct NewUser {
    /// The record.
    pub user: User,
    /// PHC string of the password; `None` for no password.
    pub password_hash: Option<String>,
}

/// What distinguishes this store from any other, fixed when it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreInfo {
    /// Random id of the store; the block store carries the same.
    pub id: String,
    /// Version of the catalog's schema.
    pub version: u32,
}

/// A repository together with the names that a listing across organizations shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedRepository {
    /// The repository.
    pub repository: Repository,
    /// Slug of its organization.
    pub organization_name: String,
    /// Display name of its organization.
    pub organization_display_name: String,
}

/// A claimed import: the claimant owns it until the lease ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The job; its status is `Running`.
    pub import: Import,
    /// Carried by every later write of this claim; a newer claim makes it void.
    pub epoch: u64,
    /// The writer row opened for this claim: names its segments.
    pub writer: WriterId,
    /// What the last checkpoint recorded; the default for a fresh job.
    pub shard: ShardState,
    /// The runs recorded so far, by number.
    pub runs: Vec<Run>,
}

/// Names a claim in every write it makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClaimKey {
    /// The job.
    pub job: JobId,
    /// The epoch of the claim.
    pub epoch: u64,
}

/// What a batch made durable: recorded in one transaction, after its segments are durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Segments that became durable since the last checkpoint.
    pub segments: Vec<SegmentRecord>,
    /// The batch's run; `None` when only pieces of large objects or the cursor moved on.
    pub run: Option<Run>,
    /// State of the shard after this checkpoint.
    pub shard: ShardState,
}

/// Whether a claimed job may go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Go on; the lease was extended.
    Good,
    /// The cancel endpoint was called.
    CancelRequested,
    /// The connector, the repository or the starter's rights are gone; the text says which, for the
    /// user.
    Barred(String),
    /// Another claim took over, or the job has ended: stop, write nothing.
    Fenced,
}

/// What the finishing transaction is asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finish {
    /// The head that the commit was built on.
    pub expected_head: Option<CommitId>,
    /// The new commit; `None` where the root did not change or nothing matched.
    pub commit: Option<Commit>,
    /// What the job answers as its commit.
    pub commit_id: Option<CommitId>,
    /// Segments of the new pages.
    pub segments: Vec<SegmentRecord>,
    /// Objects in place, carried ones included.
    pub objects_imported: u64,
    /// Objects that were listed and had vanished.
    pub objects_missing: u64,
    /// Sum of the sizes of the objects in place.
    pub bytes_imported: u64,
}

/// What the finishing transaction did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finished {
    /// Head moved, commit stored, job completed: all of it.
    Completed,
    /// The head is another one by now; nothing was written.
    HeadMoved(Option<CommitId>),
    /// The job may not go on; nothing was written.
    Stopped(Standing),
}

/// The operations. Lookups within an organization or repository are keyed by its id as well, so
/// that a foreign id finds nothing. Unless said otherwise an operation on something that is not
/// there answers `None` or `false`.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// The identity of the store.
    async fn store_info(&self) -> Result<StoreInfo>;
    /// Whether the database answers: a trivial read.
    async fn ping(&self) -> Result<()>;

    // Users and keys.

    /// Stores the first user and key; `false` (and nothing written) if there is a user already.
    async fn bootstrap(&self, admin: &NewUser, key: &NewApiKey) -> Result<bool>;
    /// `Error::Conflict` if the username (or a non-empty email) is taken.
    async fn create_user(&self, user: &NewUser) -> Result<()>;
    /// By username or email, with the password hash.
    async fn user_by_login(&self, login: &str) -> Result<Option<NewUser>>;
    /// By id.
    async fn user(&self, id: UserId) -> Result<Option<User>>;
    /// Stores a key.
    async fn create_api_key(&self, key: &NewApiKey) -> Result<()>;
    /// All keys of a user that are not revoked, oldest first.
    async fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>>;
    /// `false` if the user has no such live key.
    async fn revoke_api_key(&self, user: UserId, key: ApiKeyId, now: Timestamp) -> Result<bool>;
    /// The user of a live key with this SHA-256; records the use, to the minute.
    async fn user_by_token(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<User>>;

    // Organizations.

    /// Stores it with its creator as owner. `Error::Conflict` if the name is taken.
    async fn create_organization(&self, organization: &Organization, owner: UserId) -> Result<()>;
    /// The organization and the viewer's role in it; `None` for a stranger too.
    async fn organization(
        &self,
        name: &str,
        viewer: UserId,
    ) -> Result<Option<(Organization, Role)>>;
    /// The user's organizations by name.
    async fn organizations_of(&self, user: UserId) -> Result<Vec<Organization>>;
    /// Whether a live organization has this name.
    async fn organization_name_taken(&self, name: &str) -> Result<bool>;
    /// Soft: it and its repositories and connectors disappear, sealed configs are wiped, its name
    /// is free.
    async fn delete_organization(&self, id: OrganizationId, now: Timestamp) -> Result<bool>;
    /// All members, by username.
    async fn members(&self, organization: OrganizationId) -> Result<Vec<Member>>;
    /// `Error::Conflict` if the user is a member already.
    async fn add_member(
        &self,
        organization: OrganizationId,
        user: UserId,
        role: Role,
        now: Timestamp,
    ) -> Result<()>;
    /// `Error::Conflict` for the last owner; `false` if there is no such member.
    async fn remove_member(&self, organization: OrganizationId, user: UserId) -> Result<bool>;

    // Repositories.

    /// `Error::Conflict` if the name is taken in the organization.
    async fn create_repository(&self, repository: &Repository) -> Result<()>;
    /// By name.
    async fn repository(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<Repository>>;
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
    async fn update_repository(&self, repository: &Repository) -> Result<bool>;
    /// Soft; running imports into it end.
    async fn delete_repository(&self, id: RepositoryId, now: Timestamp) -> Result<bool>;

    // Connectors. `sealed` is what `KeyRing::seal` made.

    /// `Error::Conflict` if a live connector of the organization has this name.
    async fn create_connector(&self, connector: &Connector, sealed: &str) -> Result<()>;
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
    /// Disables it, or enables it again. `false` if there is no live one.
    async fn set_connector_disabled(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
        disabled: bool,
    ) -> Result<bool>;
    /// Soft: the config is wiped at once, attachments go, the name is free. `false` if there is no
    /// live one.
    async fn delete_connector(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
        now: Timestamp,
    ) -> Result<bool>;
    /// `Error::Conflict` if attached already, `Error::NotFound` if there is no such live pair in
    /// one organization.
    async fn attach(
        &self,
        repository: RepositoryId,
        connector: ConnectorId,
        now: Timestamp,
    ) -> Result<()>;
    /// Connectors attached to a repository, by name.
    async fn attached(&self, repository: RepositoryId) -> Result<Vec<Connector>>;
    /// Whether it was attached.
    async fn detach(&self, repository: RepositoryId, connector: ConnectorId) -> Result<bool>;

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
    /// replaced, whether or not their lease has ended. Every other writer is fenced for good.
    async fn live_writers(&self) -> Result<Vec<WriterId>>;
    /// The greatest id of a writer so far. A file of a greater one comes from a later state of the
    /// store than this catalog.
    async fn newest_writer(&self) -> Result<Option<WriterId>>;

    // Imports.

    /// Stores a pending job with the present head as its base. With an idempotency key that the
    /// same user used in the same repository at or after `since`, nothing is written and the first
    /// job's id comes back.
    async fn create_import(
        &self,
        import: &Import,
        idempotency: Option<(&str, Timestamp)>,
    ) -> Result<JobId>;
    /// A job of this repository.
    async fn import(&self, repository: RepositoryId, id: JobId) -> Result<Option<Import>>;
    /// Claims the oldest job that is pending, or running with an ended lease. The epoch rises; a
    /// claim without a new checkpoint since the last one counts as an attempt, and the
    /// `attempts_max`-th fails the job.
    async fn claim_import(
        &self,
        owner: &str,
        lease_ms: i64,
        attempts_max: u32,
        now: Timestamp,
    ) -> Result<Option<Claim>>;
    /// Ends every lease at once: the embedded server holds its data directory alone, so nobody else
    /// can be working.
    async fn void_leases(&self) -> Result<()>;
    /// Extends the lease and records the live counts, if the job may go on.
    async fn heartbeat(
        &self,
        claim: ClaimKey,
        lease_ms: i64,
        objects_imported: u64,
        objects_missing: u64,
        bytes_imported: u64,
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
    /// job may go on.
    async fn finish_import(
        &self,
        claim: ClaimKey,
        finish: &Finish,
        now: Timestamp,
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
    /// Gives the claim back: the job is pending again and its checkpoint stays.
    async fn release_import(&self, claim: ClaimKey, now: Timestamp) -> Result<bool>;
    /// A pending job ends as canceled at once, a running one is asked to; an ended one is left.
    /// Returns the job.
    async fn cancel_import(
        &self,
        repository: RepositoryId,
        id: JobId,
        now: Timestamp,
    ) -> Result<Option<Import>>;
    /// Makes a failed or canceled job pending again, its checkpoint kept, attempts at 0, base the
    /// present head if it has no run yet. `Error::Conflict` if it is in another state.
    async fn retry_import(
        &self,
        repository: RepositoryId,
        id: JobId,
        now: Timestamp,
    ) -> Result<Option<Import>>;
    /// Forgets checkpoints (runs, pending) of jobs that ended as failed or canceled before
    /// `before`.
    async fn expire_checkpoints(&self, before: Timestamp) -> Result<u64>;
}
