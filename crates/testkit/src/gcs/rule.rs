//! The script of a server: which requests meet which fault.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::gcs::Object;
use crate::s3;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// A page of a listing.
    List,
    /// The description of an object.
    Describe,
    /// The bytes of an object, whole or a range.
    Media,
    /// A token.
    Token,
    /// Anything else.
    Other,
}

/// One thing that goes wrong with one answer.
#[derive(Clone)]
pub enum Fault {
    /// What goes wrong on the wire, whatever is spoken there; of a listing or an object.
    Wire(s3::Fault),
    /// This status, with an error document of this reason.
    Status {
        /// HTTP status.
        code: u16,
        /// The text of `reason`.
        reason: &'static str,
    },
    /// This status, with the error document of a token endpoint.
    SignIn {
        /// HTTP status.
        code: u16,
        /// The text of `error`.
        error: &'static str,
    },
    /// A redirect to another place.
    Redirect(String),
    /// This header is left out.
    NoHeader(&'static str),
    /// Status 200 and the whole, although a range was asked for.
    FullToRange,
    /// This field of each description is another one; `null` leaves it out.
    Field(&'static str, Value),
    /// The object becomes this one just before it is served.
    Put(Object),
    /// The object is deleted just before it is served.
    Delete,
    /// The page's next token is the one it was asked with; the first page is honest.
    ListRepeatsToken,
    /// An empty page with a new token. Once the rule no longer applies, the listing goes on.
    ListEmptyPages,
    /// The page's keys in reverse.
    ListOutOfOrder,
    /// Each of the page's keys twice.
    ListDuplicates,
    /// Each of the page's keys twice, the second time as another generation.
    ListTwins,
    /// The last page's token leads back to the first.
    ListStartsOver,
    /// A key that does not start with the prefix.
    ListKeyOutsidePrefix,
}

/// The requests that meet a fault. Each rule counts the requests that match it, from 0.
pub struct Rule {
    op: Op,
    hits: Range<u64>,
    seen: AtomicU64,
    fault: Fault,
}

impl Rule {
    /// Every request of this operation meets `fault`.
    pub fn on(op: Op, fault: Fault) -> Self {
        Self { op, hits: 0..u64::MAX, seen: AtomicU64::new(0), fault }
    }

    /// Only one of the matching requests; the first is 0.
    pub fn nth(self, hit: u64) -> Self {
        self.hits(hit..hit + 1)
    }

    /// Only these of the matching requests; the first is 0.
    pub fn hits(self, hits: Range<u64>) -> Self {
        Self { hits, ..self }
    }

    /// Counts a request, and gives the fault if it meets it.
    pub(crate) fn meet(&self, op: Op) -> Option<Fault> {
        if op != self.op {
            return None;
        }
        let hit = self.seen.fetch_add(1, Ordering::SeqCst);
        self.hits.contains(&hit).then(|| self.fault.clone())
    }
}
