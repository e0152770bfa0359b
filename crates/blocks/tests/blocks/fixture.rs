//! A store with its table of sealed segments, and bytes to put into it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use blocks::{Blocks, ItemKind, Local, Locate, Memory, Result, Segment, Store, Writer};
use bytes::Bytes;
use model::{Extent, Hash, RepositoryId, SegmentId, SegmentRecord, WriterId};
use tempfile::TempDir;

pub(crate) const REPOSITORY: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

type Records = Mutex<HashMap<SegmentId, SegmentRecord>>;

/// The catalog's `segments` table, in memory, and what a reader remembers of it.
#[derive(Default)]
pub(crate) struct Table {
    rows: Records,
    remembered: Records,
}

impl Table {
    /// A row, which a reader that remembers another one does not see.
    pub(crate) fn insert(&self, record: SegmentRecord) {
        self.rows.lock().expect("no test panics with it").insert(record.id, record);
    }

    /// A row that every reader sees.
    pub(crate) fn replace(&self, record: SegmentRecord) {
        let id = record.id;
        self.insert(record);
        self.remembered.lock().expect("no test panics with it").remove(&id);
    }
}

#[async_trait]
impl Locate for Table {
    async fn locate(&self, id: SegmentId) -> Result<Option<SegmentRecord>> {
        let mut remembered = self.remembered.lock().expect("no test panics with it");
        if let Some(record) = remembered.get(&id) {
            return Ok(Some(record.clone()));
        }
        let found = self.rows.lock().expect("no test panics with it").get(&id).cloned();
        remembered.extend(found.clone().map(|record| (id, record)));
        Ok(found)
    }

    fn forget(&self, id: SegmentId) {
        self.remembered.lock().expect("no test panics with it").remove(&id);
    }
}

pub(crate) struct Setup {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) table: Arc<Table>,
    pub(crate) blocks: Blocks,
    folder: Option<TempDir>,
}

impl Setup {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let table = Arc::new(Table::default());
        let blocks = Blocks::new(Arc::clone(&store), Arc::clone(&table) as Arc<dyn Locate>);
        Self { store, table, blocks, folder: None }
    }

    pub(crate) fn memory() -> Self {
        Self::new(Arc::new(Memory::new()))
    }

    pub(crate) fn local() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let store = Local::open(&folder.path().join("data")).expect("a store");
        Self { folder: Some(folder), ..Self::new(Arc::new(store)) }
    }

    /// The root of a local store.
    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.folder.as_ref().map(|folder| folder.path()).unwrap_or(Path::new("/")).join("data")
    }

    /// The same store and table, read through empty caches.
    pub(crate) fn cold(&self) -> Blocks {
        Blocks::new(Arc::clone(&self.store), Arc::clone(&self.table) as Arc<dyn Locate>)
    }

    pub(crate) fn writer(&self, id: u64) -> Writer {
        self.blocks.writer(repository(), WriterId(id))
    }

    pub(crate) async fn open(&self, id: u64) -> Segment {
        self.writer(id).open().await.expect("a new segment")
    }

    pub(crate) async fn seal(&self, segment: Segment) -> SegmentRecord {
        let record = segment.seal().await.expect("a sealed segment");
        self.table.insert(record.clone());
        record
    }

    /// Reads every item through `blocks` and compares it.
    pub(crate) async fn assert_items(&self, items: &[Stored]) {
        for item in items {
            let read = self.blocks.read(item.extent, Some(item.hash)).await.expect("an item");
            assert!(read == item.bytes, "{:?}", item.extent);
        }
    }

    pub(crate) async fn assert_sound(&self, record: &SegmentRecord) {
        assert_eq!(self.blocks.verify(record).await.expect("a check"), []);
        let length = self.store.length(&record.file).await.expect("a file");
        assert_eq!(length, record.length);
    }
}

/// An item as it was written.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) extent: Extent,
    pub(crate) kind: ItemKind,
    pub(crate) hash: Hash,
    pub(crate) bytes: Bytes,
}

pub(crate) fn repository() -> RepositoryId {
    REPOSITORY.parse().expect("an id")
}

/// `length` bytes that look random and depend on `seed`.
pub(crate) fn noise(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    reader.fill(&mut bytes);
    bytes.into()
}

pub(crate) async fn append(segment: &mut Segment, kind: ItemKind, bytes: Bytes) -> Stored {
    let hash = Hash::of(&bytes);
    let extent = segment.append(kind, &bytes, hash).await.expect("room for an item");
    Stored { extent, kind, hash, bytes }
}

/// Streams `bytes` in chunks of `chunk` bytes.
pub(crate) async fn stream(segment: &mut Segment, bytes: Bytes, chunk: usize) -> Stored {
    let kind = ItemKind::Object;
    segment.begin(kind).expect("no item is open");
    for chunk in bytes.chunks(chunk) {
        segment.write(chunk).await.expect("room for bytes");
    }
    let hash = Hash::of(&bytes);
    let extent = segment.finish(hash).expect("an item");
    Stored { extent, kind, hash, bytes }
}
