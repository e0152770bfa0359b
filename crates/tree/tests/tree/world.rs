//! A memory store with a tree on it, and entries to put there.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use blocks::{Blocks, Locate, Memory, Writer};
use futures_util::stream;
use model::{
    ConnectorId, Content, Entry, Extent, Hash, JobId, ObjectPath, Piece, RepositoryId, Root,
    SegmentId, SegmentRecord, SourceMetadata, Timestamp, WriterId,
};
use tree::{Applied, Edit, Error, Finding, Tree};
use uuid::Uuid;

pub(crate) type Map = BTreeMap<String, Entry>;

/// Bytes of pages that a tree keeps: more than any test has.
const CACHE_BYTES: u64 = 32 << 20;

/// The catalog's table of segments.
#[derive(Default)]
pub(crate) struct Table(Mutex<HashMap<SegmentId, SegmentRecord>>);

#[async_trait]
impl Locate for Table {
    async fn locate(&self, id: SegmentId) -> blocks::Result<Option<SegmentRecord>> {
        Ok(self.0.lock().expect("the table").get(&id).cloned())
    }
}

pub(crate) struct World {
    pub(crate) store: Memory,
    pub(crate) blocks: Blocks,
    pub(crate) tree: Tree,
    pub(crate) writer: Writer,
    table: Arc<Table>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (store, table) = (Memory::new(), Arc::new(Table::default()));
        let blocks = Blocks::new(Arc::new(store.clone()), table.clone());
        let writer = blocks.writer(RepositoryId(Uuid::nil()), WriterId(1));
        Self { tree: Tree::new(blocks.clone(), CACHE_BYTES), store, blocks, writer, table }
    }

    /// A tree on the same bytes without anything cached.
    pub(crate) fn fresh_tree(&self) -> Tree {
        Tree::new(Blocks::new(Arc::new(self.store.clone()), self.table.clone()), CACHE_BYTES)
    }

    pub(crate) fn register(&self, segments: &[SegmentRecord]) {
        let mut table = self.table.0.lock().expect("the table");
        table.extend(segments.iter().map(|record| (record.id, record.clone())));
    }

    /// All segments that are registered.
    pub(crate) fn records(&self) -> Vec<SegmentRecord> {
        self.table.0.lock().expect("the table").values().cloned().collect()
    }

    pub(crate) async fn apply(&self, base: &Root, edits: Vec<Edit>) -> Applied {
        let edits = stream::iter(edits.into_iter().map(Ok::<_, Error>));
        let applied = self.tree.apply(base, edits, &self.writer).await.expect("applied");
        self.register(&applied.segments);
        applied
    }

    pub(crate) async fn build(&self, map: &Map) -> Root {
        let edits = map.iter().map(|(path, entry)| put(path, entry.clone())).collect();
        self.apply(&Tree::empty(), edits).await.root
    }

    pub(crate) async fn scan(
        &self,
        root: &Root,
        start: Bound<Vec<u8>>,
        end: Option<Vec<u8>>,
    ) -> Map {
        let mut scan = self.tree.scan(root, start, end);
        let mut map = Map::new();
        while let Some((path, entry)) = scan.next().await.expect("a sound tree") {
            map.insert(path.as_str().to_owned(), entry);
        }
        map
    }

    /// The entries a check comes upon, after it has found no damage.
    pub(crate) async fn check(&self, root: &Root) -> Map {
        let mut verify = self.tree.verify(root, Default::default());
        let mut map = Map::new();
        while let Some(finding) = verify.next().await.expect("readable") {
            match finding {
                Finding::Entry(path, entry) => map.insert(path.as_str().to_owned(), entry),
                Finding::Damage(damage) => panic!("{damage:?}"),
            };
        }
        map
    }
}

pub(crate) fn path(text: &str) -> ObjectPath {
    ObjectPath::new(text).expect("a path")
}

pub(crate) fn put(at: &str, entry: Entry) -> Edit {
    Edit { path: path(at), entry: Some(entry) }
}

pub(crate) fn delete(at: &str) -> Edit {
    Edit { path: path(at), entry: None }
}

/// An entry like those of an import; `version` decides what is in it, `place` where its bytes lie.
pub(crate) fn entry(at: &str, version: u8, place: u32) -> Entry {
    let hash = Hash::of(&[at.as_bytes(), &[version]].concat());
    let segment = SegmentId { writer: WriterId(77), number: place };
    let extent = Extent { segment, offset: 44 + place, length: 1_000 };
    let metadata = match version % 3 {
        0 => BTreeMap::from([("owner".to_owned(), "me".to_owned())]),
        _ => BTreeMap::new(),
    };
    let origin = (version % 4 == 1).then(|| Arc::new(source("s3", "elsewhere", hash, 3)));
    let source = match version % 2 {
        0 => None,
        _ => Some(Arc::new(SourceMetadata { origin, ..source("s3", at, hash, 1) })),
    };
    Entry {
        size: 1_000 + u64::from(version),
        hash,
        content_type: ["text/csv", "application/octet-stream"][usize::from(version) % 2].into(),
        last_modified: Timestamp::from_seconds(1_700_000_000 + i64::from(version)),
        metadata,
        source,
        content: match version % 5 {
            4 => Content::List(extent),
            _ => Content::Pieces(vec![Piece { extent, hash }]),
        },
    }
}

fn source(kind: &str, at: &str, hash: Hash, job: u128) -> SourceMetadata {
    SourceMetadata {
        connector_id: Some(ConnectorId(Uuid::from_u128(9))),
        connector_type: kind.into(),
        source_path: format!("s3://bucket/data/{at}").into(),
        version_id: None,
        source_etag: Some(format!("\"{}\"", &hash.to_string()[..32]).into()),
        import_time: Timestamp::from_seconds(1_736_937_000),
        import_job_id: JobId(Uuid::from_u128(job)),
        origin: None,
    }
}
