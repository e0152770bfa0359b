//! The script of a hostile server: which requests meet which fault.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sample::Object;
use tokio::sync::watch;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// ListObjectsV2.
    List,
    /// ListObjectVersions.
    Versions,
    /// GetObject, whole or a range.
    Get,
    /// HeadObject.
    Head,
    /// GetBucketLocation.
    Location,
    /// HeadBucket.
    HeadBucket,
    /// Anything else.
    Other,
}

/// A checksum that S3 can send along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// CRC-32 of ISO-HDLC.
    Crc32,
    /// CRC-32 of Castagnoli.
    Crc32c,
    /// CRC-64 of NVMe.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// One thing that goes wrong with one answer.
#[derive(Clone)]
pub enum Fault {
    /// This status, with an `<Error>` body of this code.
    Status {
        /// HTTP status.
        code: u16,
        /// The text of `<Code>`.
        s3_code: &'static str,
        /// More headers, such as `Retry-After`.
        headers: Vec<(&'static str, String)>,
    },
    /// Status 200, with an `<Error>` body of this code.
    OkWithError(&'static str),
    /// Status 200, with this body and its right length.
    Body(Vec<u8>),
    /// These bytes in place of an HTTP answer, then the connection is closed.
    Raw(Vec<u8>),
    /// The connection is reset before any answer.
    ResetBeforeHeaders,
    /// The connection is reset after so many bytes of the body.
    ResetAfter(u64),
    /// The connection is closed in order after so many bytes of the body.
    CloseAfter(u64),
    /// `Content-Length` is off by so many; the body is whole, then the connection is closed.
    ContentLengthOff(i64),
    /// These `Content-Length` lines: several, negative, huge, no numbers.
    ContentLengthLines(Vec<String>),
    /// No `Content-Length`: the body comes chunked.
    Chunked,
    /// No `Content-Length` and not chunked: the body ends with the connection.
    NoLength,
    /// So many bytes more than the length behind the body.
    ExtraBytes(usize),
    /// The byte at this place of the body is another one.
    FlippedByte(u64),
    /// Nothing comes, ever.
    StallBeforeHeaders,
    /// Nothing comes after so many bytes of the body, ever.
    StallAfter(u64),
    /// So many bytes of the body at a time, with a pause after each.
    SlowDrip {
        /// Bytes at a time.
        bytes: u64,
        /// The pause.
        every: Duration,
    },
    /// The answer waits until the gate is opened, and is then as it should be.
    Hold(Gate),
    /// This header is added, or replaces its namesake.
    Header(&'static str, String),
    /// This ETag, as written, quotes and all.
    WrongEtag(String),
    /// No ETag.
    NoEtag,
    /// Status 206 and the first half, although the whole was asked for.
    PartialToFull,
    /// Status 200 and the whole, although a range was asked for.
    FullToRange,
    /// `Content-Range` names a place one byte further on.
    WrongContentRange,
    /// This checksum header, with the checksum of other bytes; also if none was asked for.
    WrongChecksum(Checksum),
    /// The object becomes this one just before it is served.
    MutateObject(Object),
    /// The object is deleted just before it is served.
    DeleteObject,
    /// All versions of the object are deleted for good, and this one is put, just before it is
    /// served.
    ReplaceObject(Object),
    /// A redirect to another place or region.
    Redirect {
        /// 301 or 307.
        code: u16,
        /// The `Location` header.
        location: String,
        /// The `x-amz-bucket-region` header.
        region: String,
    },
    /// Refused because the clocks differ.
    RequestTimeTooSkewed,
    /// The page's next token is the one it was asked with.
    ListRepeatsToken,
    /// The page says that more follows, and has no token.
    ListTruncatedWithoutToken,
    /// An empty page with a new token. Once the rule no longer applies, the listing goes on.
    ListEmptyPages,
    /// The page's keys in reverse.
    ListOutOfOrder,
    /// Each of the page's keys twice.
    ListDuplicates,
    /// Each of the page's keys twice, the second time as a longer object of another ETag.
    ListTwins,
    /// The last page says that more follows, and its token leads back to the first.
    ListStartsOver,
    /// A key that does not start with the prefix.
    ListKeyOutsidePrefix,
    /// Every listed size is off by so many.
    ListSizeOff(i64),
    /// No entry has an ETag.
    ListNoEtags,
    /// The page breaks off within a tag.
    ListGarbageXml,
    /// A page of 17 MiB.
    ListHugePage,
    /// A page with entities that would expand to gigabytes.
    ListEntityBomb,
    /// The first key is not UTF-8.
    ListInvalidUtf8Key,
}

/// A gate that a test opens.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets through all who wait and all who come.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the gate is open.
    pub async fn passed(&self) {
        let opened = self.0.subscribe().wait_for(|open| *open).await.is_ok();
        assert!(opened, "this gate holds the sender");
    }
}

/// The requests that meet a fault. Each rule counts the requests that match it, from 0.
pub struct Rule {
    op: Op,
    key: Box<dyn Fn(&str) -> bool + Send + Sync>,
    hits: Range<u64>,
    share: Share,
    seen: AtomicU64,
    fault: Fault,
}

/// Which of the requests within the hits.
#[derive(Clone, Copy)]
enum Share {
    All,
    Every(u64),
    Percent { percent: u64, seed: u64 },
}

impl Share {
    fn has(self, hit: u64) -> bool {
        match self {
            Self::All => true,
            Self::Every(nth) => hit % nth == nth - 1,
            Self::Percent { percent, seed } => {
                crate::mix(crate::mix(seed).wrapping_add(hit)) % 100 < percent
            }
        }
    }
}

impl Rule {
    /// Every request of this operation meets `fault`.
    pub fn on(op: Op, fault: Fault) -> Self {
        let key = Box::new(|_: &str| true);
        Self { op, key, hits: 0..u64::MAX, share: Share::All, seen: AtomicU64::new(0), fault }
    }

    /// Only requests for this key; a listing's key is its prefix.
    pub fn key(self, key: &str) -> Self {
        let key = key.to_owned();
        self.keys(move |asked| asked == key)
    }

    /// Only requests for keys that `matches` accepts; a listing's key is its prefix.
    pub fn keys(self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { key: Box::new(matches), ..self }
    }

    /// Only one of the matching requests; the first is 0.
    pub fn nth(self, hit: u64) -> Self {
        self.hits(hit..hit + 1)
    }

    /// Only these of the matching requests; the first is 0.
    pub fn hits(self, hits: Range<u64>) -> Self {
        Self { hits, ..self }
    }

    /// Only every `nth` of the matching requests; the first to meet the fault is the `nth`.
    pub fn every(self, nth: u64) -> Self {
        assert!(nth > 0, "every 0th request is none");
        Self { share: Share::Every(nth), ..self }
    }

    /// Only so many of a hundred of the matching requests, by a lot that follows from `seed`.
    pub fn percent(self, percent: u64, seed: u64) -> Self {
        Self { share: Share::Percent { percent, seed }, ..self }
    }

    /// Counts a request, and gives the fault if it meets it.
    pub(crate) fn meet(&self, op: Op, key: &str) -> Option<Fault> {
        if op != self.op || !(self.key)(key) {
            return None;
        }
        let hit = self.seen.fetch_add(1, Ordering::SeqCst);
        (self.hits.contains(&hit) && self.share.has(hit)).then(|| self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_counts_only_what_matches_it() {
        let rule = Rule::on(Op::Get, Fault::NoEtag).keys(|key| key.starts_with('a')).hits(1..3);
        let met = |op, key| rule.meet(op, key).is_some();
        assert!(!met(Op::Get, "a"));
        assert!(!met(Op::Get, "b") && !met(Op::Head, "a"));
        assert!(met(Op::Get, "a2") && met(Op::Get, "a"));
        assert!(!met(Op::Get, "a"));
    }

    #[test]
    fn a_rule_can_take_a_share() {
        let met = |rule: Rule| (0..1000).filter(|_| rule.meet(Op::Get, "a").is_some()).count();
        assert_eq!(met(Rule::on(Op::Get, Fault::NoEtag).every(10)), 100);
        assert_eq!(met(Rule::on(Op::Get, Fault::NoEtag).percent(100, 1)), 1000);
        assert_eq!(met(Rule::on(Op::Get, Fault::NoEtag).percent(0, 1)), 0);
        let half = met(Rule::on(Op::Get, Fault::NoEtag).percent(50, 1));
        assert!((400..600).contains(&half), "{half}");
        assert_eq!(met(Rule::on(Op::Get, Fault::NoEtag).percent(50, 1)), half);
    }
}
