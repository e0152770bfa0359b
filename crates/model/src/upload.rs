//! Multipart uploads: objects whose bytes arrive in several requests.

use crate::{Hash, ObjectPath, RepositoryId, SessionId, Timestamp, UploadId};

/// A multipart upload that is not complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Where its bytes go.
    pub repository: RepositoryId,
    /// The session it will be staged in; it ends with it.
    pub session: SessionId,
    /// The path it will be staged at.
    pub path: ObjectPath,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A part that has arrived and is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// 1 to [`crate::limits::PARTS_MAX`]; the order of the parts in the object.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// What the client was given as the part's ETag.
    pub tag: Hash,
    /// Where in the object the part begins, as was assumed when its pieces were hashed.
    pub offset: u64,
    /// Where it lies: an extent list, encoded by the tree; empty for a part without bytes. Each
    /// piece has up to [`crate::limits::PIECE_BYTES`], from the start of the part on.
    pub pieces: Vec<u8>,
}
