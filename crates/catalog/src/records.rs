//! What operations are given and what they answer, beyond the records of `model`.

use model::{
    Commit, CommitId, Import, ImportProgress, JobId, Organization, OrganizationId, Preview,
    Repository, Role, Run, SegmentRecord, ShardState, User, WriterId,
};

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

/// Where a viewer asks to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The organization.
    pub organization: Organization,
    /// The viewer's role in it.
    pub role: Role,
    /// The repository; `None` if there is no live one of this name.
    pub repository: Option<Repository>,
    /// The commit that is its head; `None` before the first.
    pub head: Option<Commit>,
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
    /// The organization of its repository: what fairness counts by.
    pub organization: OrganizationId,
    /// Carried by every later write of this claim; a newer claim makes it void.
    pub epoch: u64,
    /// The writer row opened for this claim: names its segments.
    pub writer: WriterId,
    /// What the last checkpoint recorded; the default for a fresh job.
    pub shard: ShardState,
    /// The runs recorded so far, by number.
    pub runs: Vec<Run>,
    /// Runs of the last failed or canceled job with the same target, connector, destination and
    /// use of versions, by number: what it fetched need not be fetched again.
    pub prior_runs: Vec<Run>,
}

/// What of a connector is to change; `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConnectorChange {
    /// Its name.
    pub name: Option<String>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
    /// Its config, sealed anew.
    pub sealed: Option<String>,
}

/// Names a hold on collections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HoldId(pub u64);

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
    /// Segments of the new pages, those of a preview included.
    pub segments: Vec<SegmentRecord>,
    /// The last word on the counts; stored as it is, with phase `Ended`.
    pub progress: ImportProgress,
    /// Of a dry run: what it found.
    pub preview: Option<Preview>,
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

/// A commit to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Landing {
    /// The head that the commit was built on.
    pub expected_head: Option<CommitId>,
    /// The new commit.
    pub commit: Commit,
    /// Segments of its new pages.
    pub segments: Vec<SegmentRecord>,
}

/// What became of a [`Landing`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Landed {
    /// Head moved, commit stored: all of it.
    Committed,
    /// The head is another one by now; nothing was written.
    HeadMoved,
    /// More has been staged meanwhile; nothing was written.
    Restaged,
    /// The session or the repository is gone; nothing was written.
    Gone,
}
