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
    /// The version to be read, where the source is read by versions: of S3 the version id (`None`
    /// for what it calls `null`), of GCS the generation.
    pub version_id: Option<Arc<str>>,
    /// What the listing says beyond that; `None` where it says nothing, or where it was forgotten.
    pub details: Option<Arc<Details>>,
}

/// What some listings tell of an object that others tell only when it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Details {
    /// Media type; `application/octet-stream` where the source gives none.
    pub content_type: Arc<str>,
    /// User metadata, and `content-encoding` where there is one.
    pub metadata: BTreeMap<String, String>,
    /// Of the whole object.
    pub checksums: Vec<Checksum>,
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
    /// The way here.
    pub(crate) trail: Trail,
}

impl PageToken {
    /// The token of a source that checks its pages itself, such as one in memory.
    pub fn new(token: String) -> Self {
        Self { token, last: None, trail: Trail::default() }
    }

    /// The token of the page after the one that `before` led to, whose last key is `last`; `None`
    /// if the listing treads on the spot or in a circle.
    pub(crate) fn after(
        before: Option<&Self>,
        token: String,
        last: Option<Listed>,
    ) -> Option<Self> {
        let trail = before.map_or_else(Trail::default, |before| before.trail.clone());
        let trail = trail.step(&token).filter(|_| before.is_none_or(|b| b.token != token))?;
        Some(Self { token, last, trail })
    }

    /// The source's own token.
    pub fn as_str(&self) -> &str {
        &self.token
    }
}

/// Notices a listing that walks in a circle, of whatever length, by remembering one token at a time
/// (Brent's way): once the circle is entered, it is told after at most three rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    steps: u64,
    milestone: Option<String>,
}

impl Trail {
    /// The trail one step further on; `None` if the token has come before.
    pub(crate) fn step(&self, token: &str) -> Option<Self> {
        if self.milestone.as_deref() == Some(token) {
            return None;
        }
        let steps = self.steps + 1;
        let milestone = match steps.is_power_of_two() {
            true => Some(token.to_owned()),
            false => self.milestone.clone(),
        };
        Some(Self { steps, milestone })
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
    /// SHA-1.
    Sha1([u8; 20]),
    /// SHA-256.
    Sha256([u8; 32]),
    /// MD5, where the source gives it apart from the ETag.
    Md5([u8; 16]),
}

/// A live foreign store, seen from one prefix.
#[async_trait]
pub trait Source: Send + Sync {
    /// The next page of keys under the source's effective prefix, strictly ascending and all
    /// greater than `after`. `token` continues a listing (pass the same `after` with it), `after`
    /// alone resumes one. Loops and keys off the prefix are an error, and so is a listing that does
    /// not ascend: [`Error::Unordered`](crate::Error::Unordered).
    async fn list(&self, after: Option<&[u8]>, token: Option<&PageToken>) -> Result<ListPage>;

    /// As [`Source::list`] from the beginning, but in whatever order the source lists in. A key may
    /// come twice.
    async fn list_unordered(&self, token: Option<&PageToken>) -> Result<ListPage>;

    /// Opens the object, or the non-empty `range` of it, pinned to its version, or else its ETag:
    /// another one is [`Error::Changed`](crate::Error::Changed), a missing one
    /// [`Error::Vanished`](crate::Error::Vanished). Retries until the head of the answer is there.
    async fn open(&self, object: &Listed, range: Option<Range<u64>>) -> Result<Opened>;

    /// What the source says about the object as a whole, its checksums included, without its bytes:
    /// for objects that are read in pieces. Pinned, and with errors, as [`Source::open`].
    async fn head(&self, object: &Listed) -> Result<ObjectMeta>;

    /// A fresh one-key listing: is this key there, and as what?
    async fn stat(&self, key: &[u8]) -> Result<Option<Listed>>;

    /// The full name of a key, e.g. `s3://bucket/key`. Bytes that are not UTF-8 are replaced.
    fn uri(&self, key: &[u8]) -> String;

    /// `s3` or `gcs`.
    fn kind(&self) -> &'static str;

    /// Requests that were repeated so far.
    fn retries(&self) -> u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_tells_circles_and_nothing_else() {
        for (lead, round) in [(0_u32, 1), (0, 2), (5, 1), (3, 7), (100, 1000)] {
            let mut trail = Trail::default();
            let steps = (0_u32..).take_while(|step| {
                let at = if *step < lead { *step } else { lead + (*step - lead) % round };
                trail.step(&at.to_string()).map(|next| trail = next).is_some()
            });
            let steps = steps.count() as u32;
            assert!(steps >= lead + round, "{lead} {round} {steps}");
            assert!(steps <= 2 * lead.max(round) + 2 * round + 2, "{lead} {round} {steps}");
        }
    }
}
