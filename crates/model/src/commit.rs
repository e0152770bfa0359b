//! A commit: an immutable state of a repository and how it came to be.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::{Extent, Hash, IdError, RepositoryId, Timestamp, UserId};

/// A commit's id: BLAKE3 of what [`Commit::content_id`] lists; 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub [u8; 32]);

/// The root of a tree: where its top page lies, the hash that compares it, and what it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    /// Address of the top page; `None` for the empty tree.
    pub page: Option<Extent>,
    /// Height of the top page: 0 for a leaf.
    pub level: u8,
    /// Hash of the content; the same content has the same hash, wherever it lies.
    pub hash: Hash,
    /// Number of entries.
    pub entries: u64,
    /// Sum of the sizes of the entries.
    pub bytes: u64,
}

/// A commit, as the catalog keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// See [`Commit::content_id`].
    pub id: CommitId,
    /// The repository it belongs to.
    pub repository: RepositoryId,
    /// The commit before it; `None` for the first.
    pub parent: Option<CommitId>,
    /// Its content.
    pub root: Root,
    /// Free text.
    pub message: String,
    /// Who made it.
    pub committer: UserId,
    /// The committer's display name when it was made.
    pub committer_name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Free key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// When the commit after it took its place as head; not part of the id. `None` for the head.
    pub superseded_at: Option<Timestamp>,
    /// Whether a collection found it stale: its bytes may be gone, so it stays stale whatever the
    /// retention says later. Not part of the id.
    pub expired: bool,
}

impl Commit {
    /// The id that the other fields determine: BLAKE3, derive-key context `tilde commit v1`, over
    /// repository, root hash, parent, message, committer, time and metadata, each length-prefixed
    /// (u64, little endian).
    pub fn content_id(&self) -> CommitId {
        let mut hasher = blake3::Hasher::new_derive_key("tilde commit v1");
        let mut field = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(self.repository.0.as_bytes());
        field(&self.root.hash.0);
        field(self.parent.as_ref().map_or(&[], |parent| &parent.0[..]));
        field(self.message.as_bytes());
        field(self.committer.0.as_bytes());
        field(&self.created_at.0.to_le_bytes());
        for (key, value) in &self.metadata {
            field(key.as_bytes());
            field(value.as_bytes());
        }
        CommitId(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hash(self.0), f)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CommitId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let hash: Hash = text.parse().map_err(|_| IdError { what: "commit id" })?;
        Ok(Self(hash.0))
    }
}
