//! What a server serves: objects in memory that tests may change, or computed from their index.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{LazyLock, Mutex, MutexGuard};

use bytes::Bytes;
use sample::listing::Entry;
use sample::{Bucket, Object};
use time::OffsetDateTime;

/// An ordered set of objects, by key in byte order.
pub trait ObjectSet: Send + Sync + 'static {
    /// The first object at or behind a bound.
    fn seek(&self, from: Bound<&str>) -> Option<Entry>;

    /// The object of this key.
    fn get(&self, key: &str) -> Option<Stored>;

    /// Adds or replaces an object. Panics if the set cannot change.
    fn put(&self, key: &str, object: Object);

    /// Removes an object, if there. Panics if the set cannot change.
    fn remove(&self, key: &str);

    /// Deletes an object for good, with all its versions. Panics if the set cannot change.
    fn forget(&self, key: &str) {
        self.remove(key);
    }

    /// The first key at or behind a bound that has a version, be it a delete marker.
    fn seek_version(&self, from: Bound<&str>) -> Option<String> {
        self.seek(from).map(|entry| entry.key)
    }

    /// The versions of a key, the latest first.
    fn versions(&self, key: &str) -> Vec<Version> {
        self.get(key).map(|stored| Version { id: None, stored: Some(stored) }).into_iter().collect()
    }
}

/// One version of a key.
#[derive(Clone, Debug)]
pub struct Version {
    /// `None` for what was put before the set had versions: S3 calls it `null`.
    pub id: Option<String>,
    /// `None` for a delete marker.
    pub stored: Option<Stored>,
}

impl Version {
    /// The id as S3 writes it.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("null")
    }
}

/// One object as it is served.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Key, size, ETag with quotes, time.
    pub entry: Entry,
    /// Sent as `Content-Type`.
    pub content_type: String,
    /// Sent as `x-amz-meta-NAME`.
    pub metadata: BTreeMap<String, String>,
    /// The bytes.
    pub content: Content,
}

/// Bytes that are held, or made when they are asked for.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Held(Bytes),
    /// Computed from a seed.
    Made {
        /// Different seeds give different bytes.
        seed: u64,
        /// Bytes.
        len: u64,
    },
}

impl Content {
    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Made { len, .. } => *len,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, which must lie inside.
    pub fn slice(&self, range: Range<u64>) -> Bytes {
        assert!(range.start <= range.end && range.end <= self.len(), "{range:?} is outside");
        match self {
            Self::Held(bytes) => bytes.slice(range.start as usize..range.end as usize),
            Self::Made { seed, .. } => made(*seed, range),
        }
    }

    /// All bytes.
    pub fn bytes(&self) -> Bytes {
        self.slice(0..self.len())
    }
}

/// A range of what a seed makes: blocks of 1 KiB, each a number of its own and then always the
/// same noise, so that making it costs little more than copying.
fn made(seed: u64, range: Range<u64>) -> Bytes {
    const BLOCK: u64 = 1024;
    static NOISE: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..BLOCK / 8).flat_map(|word| crate::mix(word).to_le_bytes()).collect());
    let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
    let mut bytes = Vec::with_capacity(((blocks.end - blocks.start) * BLOCK) as usize);
    for block in blocks {
        bytes.extend_from_slice(&crate::mix(seed.wrapping_add(block)).to_le_bytes());
        bytes.extend_from_slice(&NOISE[8..]);
    }
    let first = (range.start % BLOCK) as usize;
    Bytes::from(bytes).slice(first..first + (range.end - range.start) as usize)
}

/// Objects in memory. Their ETags are the MD5 of their bytes.
#[derive(Default)]
pub struct Objects(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// The versions of each key, the latest last. No key is without one.
    keys: BTreeMap<String, Vec<Version>>,
    /// Whether what is put and removed becomes a version of its own.
    versioned: bool,
    versions_made: u64,
}

impl Objects {
    /// No objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every change makes a version, as in a bucket with versioning turned on. What
    /// was there before is the version `null` of its key.
    pub fn versioned(self) -> Self {
        self.locked().versioned = true;
        self
    }

    fn locked(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no thread panics while it holds the lock")
    }
}

impl Held {
    fn latest(&self, key: &str) -> Option<&Stored> {
        self.keys.get(key)?.last()?.stored.as_ref()
    }

    fn push(&mut self, key: &str, stored: Option<Stored>) {
        // As those of S3, the ids say nothing about the order.
        let id = self.versioned.then(|| format!("v{:016x}", crate::mix(self.versions_made)));
        self.versions_made += 1;
        let versions = self.keys.entry(key.to_owned()).or_default();
        versions.retain(|version| version.id.is_some() || id.is_some());
        versions.push(Version { id, stored });
    }
}

impl<K: AsRef<str>, B: Into<Bytes>> FromIterator<(K, B)> for Objects {
    fn from_iter<I: IntoIterator<Item = (K, B)>>(pairs: I) -> Self {
        let objects = Self::new();
        for (key, bytes) in pairs {
            objects.put(key.as_ref(), Object::new(bytes));
        }
        objects
    }
}

impl<K: AsRef<str>, B: Into<Bytes>, const N: usize> From<[(K, B); N]> for Objects {
    fn from(pairs: [(K, B); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl From<Bucket> for Objects {
    fn from(bucket: Bucket) -> Self {
        let objects = Self::new();
        for (key, object) in bucket.objects {
            objects.put(&key, object);
        }
        objects
    }
}

impl ObjectSet for Objects {
    fn seek(&self, from: Bound<&str>) -> Option<Entry> {
        let held = self.locked();
        let mut keys = held.keys.range::<str, _>((from, Bound::Unbounded));
        keys.find_map(|(_, versions)| Some(versions.last()?.stored.as_ref()?.entry.clone()))
    }

    fn get(&self, key: &str) -> Option<Stored> {
        self.locked().latest(key).cloned()
    }

    fn put(&self, key: &str, object: Object) {
        let entry = Entry {
            key: key.to_owned(),
            size: object.bytes.len() as u64,
            etag: object.etag(),
            last_modified: object.last_modified,
        };
        let Object { content_type, metadata, bytes, .. } = object;
        let stored = Stored { entry, content_type, metadata, content: Content::Held(bytes) };
        self.locked().push(key, Some(stored));
    }

    fn remove(&self, key: &str) {
        let mut held = self.locked();
        if held.versioned {
            held.push(key, None);
        } else {
            held.keys.remove(key);
        }
    }

    fn forget(&self, key: &str) {
        self.locked().keys.remove(key);
    }

    fn seek_version(&self, from: Bound<&str>) -> Option<String> {
        let held = self.locked();
        let first = held.keys.range::<str, _>((from, Bound::Unbounded)).next();
        first.map(|(key, _)| key.clone())
    }

    fn versions(&self, key: &str) -> Vec<Version> {
        let versions = self.locked().keys.get(key).cloned().unwrap_or_default();
        versions.into_iter().rev().collect()
    }
}

/// Objects that are computed from their index and stored nowhere: up to 10^7, of any size.
///
/// Keys are `PREFIX00012/0000012345.bin`, a thousand in a folder. ETags are not MD5s.
#[derive(Clone, Debug)]
pub struct Generated {
    /// How many objects there are.
    pub count: u64,
    /// What every key starts with.
    pub prefix: String,
    /// The smallest and the largest size in bytes; an object's lies between, by its index.
    pub size: (u64, u64),
    /// Another seed gives every object other bytes, and another ETag.
    pub seed: u64,
}

const FOLDER_OBJECTS: u64 = 1000;
const INDEX_DIGITS: usize = 10;
const SUFFIX: &str = ".bin";

impl Generated {
    /// So many objects of `size` bytes each, without a prefix.
    pub fn new(count: u64, size: u64) -> Self {
        assert!(count <= 10_000_000, "keys are ordered up to ten million");
        Self { count, prefix: String::new(), size: (size, size), seed: 0 }
    }

    /// The key of the object at `index`.
    pub fn key(&self, index: u64) -> String {
        let folder = index / FOLDER_OBJECTS;
        format!("{}{folder:05}/{index:0INDEX_DIGITS$}{SUFFIX}", self.prefix)
    }

    /// The bytes of the object at `index`.
    pub fn content(&self, index: u64) -> Content {
        let seed = self.object_seed(index);
        let (least, most) = self.size;
        Content::Made { seed, len: least + seed % (most - least + 1) }
    }

    fn object_seed(&self, index: u64) -> u64 {
        crate::mix(crate::mix(self.seed) ^ index)
    }

    fn index(&self, key: &str) -> Option<u64> {
        let start = key.len().checked_sub(INDEX_DIGITS + SUFFIX.len())?;
        let index = key.get(start..start + INDEX_DIGITS)?.parse().ok()?;
        (index < self.count && self.key(index) == key).then_some(index)
    }

    fn entry(&self, index: u64) -> Entry {
        Entry {
            key: self.key(index),
            size: self.content(index).len(),
            etag: format!("\"{:016x}-1\"", self.object_seed(index)),
            last_modified: OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
        }
    }

    /// The index of the first key for which `is_before` is false.
    fn search(&self, is_before: impl Fn(&str) -> bool) -> u64 {
        let mut range = 0..self.count;
        while !range.is_empty() {
            let middle = range.start.midpoint(range.end);
            if is_before(&self.key(middle)) {
                range.start = middle + 1;
            } else {
                range.end = middle;
            }
        }
        range.start
    }
}

impl ObjectSet for Generated {
    fn seek(&self, from: Bound<&str>) -> Option<Entry> {
        let index = match from {
            Bound::Unbounded => 0,
            Bound::Included(key) => {
                self.index(key).unwrap_or_else(|| self.search(|found| found < key))
            }
            Bound::Excluded(key) => match self.index(key) {
                Some(index) => index + 1,
                None => self.search(|found| found <= key),
            },
        };
        (index < self.count).then(|| self.entry(index))
    }

    fn get(&self, key: &str) -> Option<Stored> {
        let index = self.index(key)?;
        Some(Stored {
            entry: self.entry(index),
            content_type: "binary/octet-stream".into(),
            metadata: BTreeMap::new(),
            content: self.content(index),
        })
    }

    fn put(&self, key: &str, _object: Object) {
        panic!("{key:?} cannot be put: the set is generated");
    }

    fn remove(&self, key: &str) {
        panic!("{key:?} cannot be removed: the set is generated");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_are_in_order_and_found() {
        let set =
            Generated { prefix: "gen/".into(), size: (1, 50), ..Generated::new(10_000_000, 0) };
        for index in [0, 1, 999, 1000, 12_345, 9_999_998] {
            let (key, next) = (set.key(index), set.key(index + 1));
            assert!(key < next);
            assert_eq!(set.seek(Bound::Excluded(&key)).map(|entry| entry.key), Some(next));
            let between = format!("{key}!");
            let behind = set.seek(Bound::Included(&between)).map(|entry| entry.key);
            assert_eq!(behind, Some(set.key(index + 1)));
            let stored = set.get(&key).expect("it is in the set");
            assert_eq!(stored.entry.size, stored.content.len());
            assert!((1..=50).contains(&stored.entry.size));
        }
        assert_eq!(set.seek(Bound::Excluded(&set.key(9_999_999))), None);
        assert_eq!(set.seek(Bound::Included("a")).map(|entry| entry.key), Some(set.key(0)));
        assert!(set.get("gen/00000/0000001000.bin").is_none());
    }

    #[test]
    fn a_part_of_made_content_is_that_part_of_the_whole() {
        let content = Content::Made { seed: 7, len: 5000 };
        let whole = content.bytes();
        for range in [0..0, 0..1, 3..9, 1020..1030, 1024..2048, 7..5000, 4999..5000, 5000..5000] {
            let part = whole.slice(range.start as usize..range.end as usize);
            assert_eq!(content.slice(range.clone()), part, "{range:?}");
        }
        assert_ne!(whole, Content::Made { seed: 8, len: 5000 }.bytes());
        assert_ne!(whole.slice(0..1024), whole.slice(1024..2048));
    }
}
