//! What a server has seen.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use http::HeaderMap;

use crate::s3::Op;

/// Requests kept whole; later ones are only counted.
const MAX_SEEN: usize = 100_000;

/// Counts since the start.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Requests by operation.
    pub requests: BTreeMap<Op, u64>,
    /// GETs by key, if requests are recorded.
    pub gets: BTreeMap<String, u64>,
    /// Bytes of object bodies that were sent.
    pub body_bytes: u64,
    /// GETs in flight now.
    pub concurrent_gets: u64,
    /// The most GETs that were ever in flight together.
    pub max_concurrent_gets: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open_connections: u64,
    /// The requests themselves, in order, if they are recorded.
    pub seen: Vec<Seen>,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it asked for.
    pub op: Op,
    /// Path and query, raw.
    pub target: String,
    /// All headers.
    pub headers: HeaderMap,
}

impl Stats {
    /// How many requests of this operation came.
    pub fn count(&self, op: Op) -> u64 {
        self.requests.get(&op).copied().unwrap_or(0)
    }

    /// The raw targets of the requests of this operation, in order.
    pub fn targets(&self, op: Op) -> Vec<&str> {
        let of_op = self.seen.iter().filter(|seen| seen.op == op);
        of_op.map(|seen| seen.target.as_str()).collect()
    }
}

/// The counts of a running server.
#[derive(Default)]
pub(crate) struct Counter(Mutex<Stats>);

impl Counter {
    pub(crate) fn locked(&self) -> MutexGuard<'_, Stats> {
        self.0.lock().expect("no thread panics while it holds the lock")
    }

    /// Counts a request, and records it if `key` and `seen` are given.
    pub(crate) fn request(&self, op: Op, recorded: Option<(&str, Seen)>) {
        let mut stats = self.locked();
        *stats.requests.entry(op).or_default() += 1;
        let Some((key, seen)) = recorded else { return };
        if op == Op::Get {
            *stats.gets.entry(key.to_owned()).or_default() += 1;
        }
        if stats.seen.len() < MAX_SEEN {
            stats.seen.push(seen);
        }
    }

    /// Counts a GET as in flight until the guard is dropped.
    pub(crate) fn get_begins(&self) -> impl Drop {
        let mut stats = self.locked();
        stats.concurrent_gets += 1;
        stats.max_concurrent_gets = stats.max_concurrent_gets.max(stats.concurrent_gets);
        Ending(self, |stats| stats.concurrent_gets -= 1)
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn connection_begins(&self) -> impl Drop {
        let mut stats = self.locked();
        stats.connections += 1;
        stats.open_connections += 1;
        Ending(self, |stats| stats.open_connections -= 1)
    }
}

struct Ending<'a>(&'a Counter, fn(&mut Stats));

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        (self.1)(&mut self.0.locked());
    }
}
