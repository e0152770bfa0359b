//! An entry: what a commit says about one object.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{ConnectorId, Extent, Hash, JobId, Timestamp};

/// One object of a commit. Everything but [`Entry::content`] is part of the tree's hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Bytes of the object.
    pub size: u64,
    /// BLAKE3 of the object; in hex it is its ETag.
    pub hash: Hash,
    /// Media type, as the source or the uploader gave it.
    pub content_type: Arc<str>,
    /// The source's, for imported objects.
    pub last_modified: Timestamp,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// Provenance; only imports set it.
    pub source: Option<Arc<SourceMetadata>>,
    /// Where the bytes lie. Not hashed.
    pub content: Content,
}

/// Where the bytes of an object lie.
///
/// An object of up to [`crate::limits::PIECE_BYTES`] is one piece; a larger one is cut into aligned
/// pieces of that size, the last shorter. An empty object has none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// Up to [`crate::limits::PIECES_INLINE_MAX`] pieces, in order.
    Pieces(Vec<Piece>),
    /// The pieces of a large object, encoded as an extent list of its own (see docs/formats.md).
    List(Extent),
}

/// One stored piece of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Where it lies.
    pub extent: Extent,
    /// Its BLAKE3 subtree value; of an object that is one piece, the object's hash.
    pub hash: Hash,
}

/// Where an imported object came from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceMetadata {
    /// The connector, unless the source was a repository.
    pub connector_id: Option<ConnectorId>,
    /// `s3`, `gcs` or `repository`.
    pub connector_type: Arc<str>,
    /// Full URI of the object, e.g. `s3://bucket/key`.
    pub source_path: Arc<str>,
    /// The source's version, where the import used versions.
    pub version_id: Option<Arc<str>>,
    /// The source's ETag, with its quotes; absent where the source gave none.
    pub source_etag: Option<Arc<str>>,
    /// Start of the job.
    pub import_time: Timestamp,
    /// The job.
    pub import_job_id: JobId,
    /// For an entry imported from another repository: that entry's own provenance.
    pub origin: Option<Arc<SourceMetadata>>,
}
