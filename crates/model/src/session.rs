//! A session: the staging area of uncommitted changes.

use crate::{CommitId, ObjectPath, RepositoryId, SessionId, Timestamp, UserId};

/// An open session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Where it will commit to.
    pub repository: RepositoryId,
    /// The head when it began: what it reads beneath its own changes. `None` for the empty tree.
    pub base: Option<CommitId>,
    /// Who began it.
    pub created_by: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Rises whenever changes are staged: a commit of another revision was read too early.
    pub revision: u64,
}

/// One staged change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StagedChange {
    /// Where.
    pub path: ObjectPath,
    /// The entry, encoded by the tree (`tree::staged`); `None` deletes.
    pub entry: Option<Vec<u8>>,
}
