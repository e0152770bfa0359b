//! What a server holds: objects in generations, tokens given out, and what it has seen.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use sample::hex;
use serde_json::{Value, json};

use crate::gcs::{BUCKET, Op};
use crate::s3::{Checksum, Content};

/// The generation of the first object; later ones count up.
const GENERATION_FIRST: u64 = 1_736_937_000_000_001;

/// One object: its bytes and what is told about them.
#[derive(Clone, Debug)]
pub struct Object {
    /// The bytes as they are stored.
    pub bytes: Bytes,
    /// What they unpack to, where they are stored packed by gzip.
    pub unpacked: Option<Bytes>,
    /// Its media type.
    pub content_type: String,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Object {
    /// An object of unspecified type without metadata.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let content_type = "application/octet-stream".into();
        Self { bytes: bytes.into(), unpacked: None, content_type, metadata: BTreeMap::new() }
    }
}

/// An object of one generation.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) object: Object,
    pub(crate) generation: u64,
}

impl Stored {
    pub(crate) fn crc32c(&self) -> String {
        Checksum::Crc32c.of(&Content::Held(self.object.bytes.clone()))
    }

    pub(crate) fn md5(&self) -> String {
        let etag = sample::Object::new(self.object.bytes.clone()).etag();
        STANDARD.encode(hex::decode(etag.trim_matches('"')).expect("hex digits"))
    }

    /// The description of the object, as it is listed and given alone.
    pub(crate) fn resource(&self, key: &str) -> Value {
        let mut resource = json!({
            "kind": "storage#object",
            "name": key,
            "bucket": BUCKET,
            "generation": self.generation.to_string(),
            "metageneration": "1",
            "size": self.object.bytes.len().to_string(),
            "etag": STANDARD.encode(self.generation.to_be_bytes()),
            "updated": "2025-01-15T10:30:00.123Z",
            "crc32c": self.crc32c(),
            "md5Hash": self.md5(),
            "contentType": self.object.content_type,
        });
        if self.object.unpacked.is_some() {
            resource["contentEncoding"] = "gzip".into();
        }
        if !self.object.metadata.is_empty() {
            resource["metadata"] = json!(self.object.metadata);
        }
        resource
    }
}

/// Counts since the start.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// The requests, in order.
    pub seen: Vec<Seen>,
    /// Connections accepted.
    pub connections: u64,
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
    pub fn count(&self, op: Op) -> usize {
        self.of(op).count()
    }

    /// The requests of this operation, in order.
    pub fn of(&self, op: Op) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |seen| seen.op == op)
    }
}

/// All that changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Stored>,
    /// Until when a token is good.
    pub(crate) tokens: HashMap<String, Instant>,
    pub(crate) stats: Stats,
    changes: u64,
}

impl State {
    /// Adds or replaces an object, as a new generation.
    pub(crate) fn put(&mut self, key: &str, object: Object) {
        let generation = GENERATION_FIRST + self.changes;
        self.changes += 1;
        self.objects.insert(key.to_owned(), Stored { object, generation });
    }

    /// Gives out a token.
    pub(crate) fn issue(&mut self, life_s: u64) -> String {
        self.changes += 1;
        let token = format!("ya29.testkit-token-{}", self.changes);
        self.tokens.insert(token.clone(), Instant::now() + Duration::from_secs(life_s));
        token
    }

    pub(crate) fn is_good(&self, token: &str) -> bool {
        self.tokens.get(token).is_some_and(|until| Instant::now() < *until)
    }
}
