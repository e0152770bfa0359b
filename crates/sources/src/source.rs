//! What a source is, whatever protocol it speaks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use model::Timestamp;

use crate::{Body, Result};

/// One object of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The whole key: any bytes, not necessarily a path or even text.
    pub key: Vec<u8>,
    /// Bytes of the object.
    pub size: u64,
    /// With its quotes; `None` where the source gives none.
    pub etag: Option<Arc<str>>,
    /// As the source tells it.
    pub last_modified: Timestamp,
}

/// One page of a listing. `objects` is empty only when `next` is `None`.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// In strictly ascending order of their keys.
    pub objects: Vec<Listed>,
    /// Where the listing goes on.
    pub next: Option<PageToken>,
}

/// Where a listing goes on: the source's own token and what is needed to check the next page
/// against this one. It means nothing after the listing it came from has ended.
#[derive(Clone, Debug)]
pub struct PageToken {
    pub(crate) token: String,
    /// The last key so far, or the key the listing started after.
    pub(crate) last: Option<Listed>,
}

impl PageToken {
    /// The token of a source that checks its pages itself, such as one in memory.
    pub fn new(token: String) -> Self {
        Self { token, last: None }
    }

    /// The source's own token.
    pub fn as_str(&self) -> &str {
        &self.token
    }
}

/// An opened object.
pub struct Opened {
    /// What the source says about it.
    pub meta: ObjectMeta,
    /// Bytes that `body` will give: the object's, or those of the range.
    pub length: u64,
    /// The bytes.
    pub body: Body,
}

/// What a source says about an object when it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectMeta {
    /// Media type; `application/octet-stream` where the source gives none.
    pub content_type: Arc<str>,
    /// As told with the object, else as listed.
    pub last_modified: Timestamp,
    /// User metadata, names in lower case, and `content-encoding` where there is one.
    pub metadata: BTreeMap<String, String>,
    /// With its quotes.
    pub etag: Option<Arc<str>>,
    /// The source's version, where the object has one.
    pub version_id: Option<Arc<str>>,
    /// Of the whole object; empty for a range.
    pub checksums: Vec<Checksum>,
    /// Whether the ETag has the form of an MD5 of the bytes, and nothing says that it is not.
    pub etag_is_md5: bool,
}

/// A checksum over all bytes of an object, as the source offers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// CRC-32 (ISO-HDLC).
    Crc32(u32),
    /// CRC-32C (Castagnoli).
    Crc32c(u32),
    /// CRC-64/NVME.
    Crc64Nvme(u64),
    /// SHA-256.
    Sha256([u8; 32]),
}

/// A live foreign store, seen from one prefix.
#[async_trait]
pub trait Source: Send + Sync {
    /// The next page of keys under the source's effective prefix, strictly ascending and all
    /// greater than `after`. `token` continues a listing (pass the same `after` with it), `after`
    /// alone resumes one. Order, loops and keys off the prefix are checked; such a listing is an
    /// error.
    async fn list(&self, after: Option<&[u8]>, token: Option<&PageToken>) -> Result<ListPage>;

    /// Opens the object, or the non-empty `range` of it, pinned to its ETag: another version is
    /// [`Error::Changed`](crate::Error::Changed), a missing one
    /// [`Error::Vanished`](crate::Error::Vanished). Retries until the head of the answer is there.
    async fn open(&self, object: &Listed, range: Option<Range<u64>>) -> Result<Opened>;

    /// A fresh one-key listing: is this key there, and as what?
    async fn stat(&self, key: &[u8]) -> Result<Option<Listed>>;

    /// The full name of a key, e.g. `s3://bucket/key`. Bytes that are not UTF-8 are replaced.
    fn uri(&self, key: &[u8]) -> String;

    /// `s3` or `gcs`.
    fn kind(&self) -> &'static str;
}
