//! A repository: a named sequence of commits.

use crate::{CommitId, OrganizationId, RepositoryId, Timestamp, UserId};

/// A repository, as the catalog keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repository {
    /// Its id.
    pub id: RepositoryId,
    /// The organization that owns it.
    pub organization: OrganizationId,
    /// Unique within the organization: `^[a-z0-9][a-z0-9._-]{1,62}$`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// `private` or `public`; stored and returned, grants nothing.
    pub visibility: String,
    /// Days after which a commit that is not head becomes stale; `None` keeps everything.
    pub retention_days: Option<u32>,
    /// Stored and returned.
    pub session_max_duration_days: u32,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// The latest commit; `None` while there is none (the head is then the empty tree).
    pub head: Option<CommitId>,
}
