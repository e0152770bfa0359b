//! The content of a bucket: objects in memory, in byte order of their keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use md5::{Digest, Md5};
use time::OffsetDateTime;

/// A named set of objects.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The first segment of every request path.
    pub name: String,
    /// Objects by key; a key is any UTF-8 string and is never normalized.
    pub objects: BTreeMap<String, Object>,
}

/// One object: its bytes and what is told about them.
#[derive(Clone, Debug)]
pub struct Object {
    /// The whole content.
    pub bytes: Bytes,
    /// Sent as `Content-Type`.
    pub content_type: String,
    /// Sent as `Last-Modified`, to the second.
    pub last_modified: OffsetDateTime,
    /// Sent as `x-amz-meta-NAME`; what is not legal in a header is left out.
    pub metadata: BTreeMap<String, String>,
}

impl Object {
    /// An object of unspecified type without metadata, last modified on 1 January 2025.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            content_type: "binary/octet-stream".into(),
            last_modified: time::macros::datetime!(2025-01-01 00:00 UTC),
            metadata: BTreeMap::new(),
        }
    }

    /// The MD5 of the bytes in hex, in double quotes: the ETag of a plain S3 upload.
    pub fn etag(&self) -> String {
        format!("\"{}\"", crate::hex::encode(&Md5::digest(&self.bytes)))
    }
}
