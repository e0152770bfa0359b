//! A store in a temporary folder that counts what is read and written and fails on request, an
//! engine over it, and a session to upload into.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use blocks::faulty::Faulty;
use blocks::{Blocks, Local, Sink, Store, StoredFile};
use bytes::Bytes;
use catalog::Catalog;
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use engine::{
    Body, Engine, ImportSettings, Located, NewUserSpec, OrganizationSpec, PartRef, Parts,
    Principal, RepositorySpec, Result, UploadSpec,
};
use futures_util::{StreamExt, stream};
use model::{
    Clock, Content, Entropy, Entry, Failpoints, Hash, Injected, ObjectPath, Piece, SessionId,
};
use sources::{Egress, Private, Sources, Timeouts};
use tempfile::TempDir;
use testkit::{ManualClock, SeededEntropy, SystemClock};

pub(crate) const ORG: &str = "acme";
pub(crate) const REPO: &str = "data";
pub(crate) const MIB: usize = 1 << 20;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) owner: Principal,
    pub(crate) session: SessionId,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) blocks: Blocks,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faulty: Faulty,
    pub(crate) counts: Arc<Counts>,
    pub(crate) trip: Arc<Trip>,
    /// Engines opened so far; each draws ids of its own.
    opened: u64,
    _folder: TempDir,
}

impl World {
    /// An organization with an empty repository and a session in it.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let catalog = Sqlite::open(&folder.path().join("catalog.db"), &SeededEntropy::new(7));
        let catalog: Arc<dyn Catalog> = Arc::new(catalog.expect("a new catalog"));
        let clock = Arc::new(ManualClock::default());
        let (counts, trip) = (Arc::<Counts>::default(), Arc::<Trip>::default());
        let faulty = Faulty::new(Arc::new(Counting::over(folder.path(), &counts)));
        let (engine, blocks) = open(&catalog, &clock, &faulty, &trip, 1);
        let owner = user(&engine, "olga").await;
        let spec = OrganizationSpec { name: ORG.into(), display_name: "Acme".into() };
        engine.create_organization(&owner, spec).await.expect("a new organization");
        let spec = RepositorySpec { name: REPO.into(), ..RepositorySpec::default() };
        engine.create_repository(&owner, ORG, spec).await.expect("a new repository");
        let session = SessionId(SeededEntropy::new(99).uuid());
        let mut world = Self {
            engine,
            owner,
            session,
            catalog,
            blocks,
            clock,
            faulty,
            counts,
            trip,
            opened: 1,
            _folder: folder,
        };
        world.session = world.open_session().await;
        world
    }

    /// The server again, after it was killed.
    pub(crate) async fn restart(&mut self) {
        self.opened += 1;
        (self.engine, self.blocks) =
            open(&self.catalog, &self.clock, &self.faulty, &self.trip, self.opened);
        self.catalog.void_leases().await.expect("no lease is left");
        self.engine.sweep().await.expect("swept");
    }

    pub(crate) async fn open_session(&self) -> SessionId {
        let opened = self.engine.create_session(&self.owner, ORG, REPO).await;
        opened.expect("a new session").id
    }

    pub(crate) async fn user(&self, name: &str) -> Principal {
        user(&self.engine, name).await
    }

    pub(crate) async fn begin(&self, path: &str) -> String {
        let begun = self.engine.begin_upload(&self.owner, ORG, REPO, self.session, path).await;
        begun.expect("an upload")
    }

    pub(crate) async fn finalize(&self, path: &str, token: &str, spec: UploadSpec) -> Result<Hash> {
        let (owner, session) = (&self.owner, self.session);
        self.engine.finalize_upload(owner, ORG, REPO, session, path, token, spec).await
    }

    /// All three steps of a single upload, as the public client takes them.
    pub(crate) async fn upload(&self, path: &str, body: Body) -> Result<Hash> {
        let (token, size) = (self.begin(path).await, body.length);
        let etag = self.engine.receive(&token, body).await?;
        let checksum = Some(etag.to_string());
        self.finalize(path, &token, UploadSpec { checksum, size, ..UploadSpec::default() }).await
    }

    /// What the session has staged at `path`.
    pub(crate) async fn staged(&self, path: &str) -> Option<Entry> {
        let path = ObjectPath::new(path).expect("a path");
        let staged = self.catalog.staged_at(self.session, &path).await.expect("an answer")?;
        let entry = tree::staged::decode(staged.entry.expect("no deletion")).expect("an entry");
        assert_eq!(entry.0, path);
        Some(entry.1)
    }

    /// The pieces of an entry.
    pub(crate) async fn pieces(&self, entry: &Entry) -> Vec<Piece> {
        match &entry.content {
            Content::Pieces(pieces) => pieces.clone(),
            Content::List(list) => {
                let bytes = self.blocks.read(*list, None).await.expect("an extent list");
                tree::extent_list::decode(&bytes).expect("an extent list")
            }
        }
    }

    /// Compares what is staged at `path` with `bytes`, piece by piece.
    pub(crate) async fn assert_staged(&self, path: &str, bytes: &[u8]) -> Entry {
        let entry = self.staged(path).await.expect("staged");
        assert_eq!(entry.size, bytes.len() as u64, "{path}");
        assert_eq!(entry.hash, Hash::of(bytes), "{path}");
        let pieces = self.pieces(&entry).await;
        assert_eq!(matches!(entry.content, Content::List(_)), pieces.len() > 4, "{path}");
        let mut at = 0;
        for piece in pieces {
            let stored = self.blocks.read(piece.extent, Some(piece.hash)).await.expect("a piece");
            assert!(bytes[at..].starts_with(&stored), "{path} at {at}");
            assert!(stored.len() == 16 * MIB || at + stored.len() == bytes.len(), "{path}");
            at += stored.len();
        }
        assert_eq!(at, bytes.len(), "{path}");
        entry
    }

    /// What the session reads at `path`, as its user would.
    pub(crate) async fn read(&self, path: &str, at: &engine::At) -> Result<Vec<u8>> {
        let opened = self.engine.open_object(&self.owner, ORG, REPO, path, at, None).await?;
        let mut bytes = Vec::new();
        let mut body = opened.body;
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
    }

    /// Every file of the block store, finished or not.
    pub(crate) async fn files(&self) -> Vec<StoredFile> {
        self.blocks.store().list().await.expect("a list")
    }

    /// No file is left that is being written. Files of what was dropped go in the background.
    pub(crate) async fn assert_nothing_open(&self) {
        for _ in 0..100 {
            if self.files().await.iter().all(|file| !file.open) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("still open: {:?}", self.files().await);
    }
}

/// Bytes that depend on `seed`.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let key = *blake3::hash(&seed.to_le_bytes()).as_bytes();
    blake3::Hasher::new_keyed(&key).finalize_xof().fill(&mut bytes);
    bytes
}

fn chunks(bytes: &[u8], chunk: usize) -> Vec<std::io::Result<Bytes>> {
    bytes.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect()
}

/// A body of known length, in chunks that fit nothing.
pub(crate) fn body(bytes: &[u8]) -> Body {
    let length = Some(bytes.len() as u64);
    Body { length, bytes: stream::iter(chunks(bytes, 60_013)).boxed() }
}

/// A body whose length its client does not say.
pub(crate) fn chunked(bytes: &[u8]) -> Body {
    Body { length: None, ..body(bytes) }
}

/// A body whose connection breaks after these bytes.
pub(crate) fn broken(bytes: &[u8], length: Option<u64>) -> Body {
    let mut chunks = chunks(bytes, 60_013);
    chunks.push(Err(std::io::ErrorKind::ConnectionReset.into()));
    Body { length, bytes: stream::iter(chunks).boxed() }
}

/// A body that stalls after these bytes, for ever.
pub(crate) fn stalled(bytes: &[u8], length: Option<u64>) -> Body {
    let bytes = stream::iter(chunks(bytes, 60_013)).chain(stream::pending());
    Body { length, bytes: bytes.boxed() }
}

/// A body of known length that comes in chunks of this size, with a pause before each.
pub(crate) fn slow(bytes: &[u8], chunk: usize, pause: std::time::Duration) -> Body {
    let chunks = stream::iter(chunks(bytes, chunk)).then(move |chunk| async move {
        tokio::time::sleep(pause).await;
        chunk
    });
    Body { length: Some(bytes.len() as u64), bytes: chunks.boxed() }
}

pub(crate) fn part(number: u32, etag: Hash) -> PartRef {
    PartRef { number, etag: format!("\"{etag}\"") }
}

/// What went to and from the store.
#[derive(Default)]
pub(crate) struct Counts {
    created: AtomicU64,
    read_bytes: AtomicU64,
}

impl Counts {
    pub(crate) fn created(&self) -> u64 {
        self.created.load(Ordering::SeqCst)
    }

    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::SeqCst)
    }
}

struct Counting {
    inner: Local,
    counts: Arc<Counts>,
}

impl Counting {
    fn over(folder: &Path, counts: &Arc<Counts>) -> Self {
        Self { inner: Local::open(folder).expect("a block store"), counts: Arc::clone(counts) }
    }
}

#[async_trait]
impl Store for Counting {
    async fn create(&self, file: &str) -> blocks::Result<Box<dyn Sink>> {
        self.counts.created.fetch_add(1, Ordering::SeqCst);
        self.inner.create(file).await
    }

    async fn read(&self, file: &str, range: Range<u64>) -> blocks::Result<Bytes> {
        self.counts.read_bytes.fetch_add(range.end - range.start, Ordering::SeqCst);
        self.inner.read(file, range).await
    }

    async fn length(&self, file: &str) -> blocks::Result<u64> {
        self.inner.length(file).await
    }

    async fn list(&self) -> blocks::Result<Vec<StoredFile>> {
        self.inner.list().await
    }

    async fn delete(&self, file: &str) -> blocks::Result<()> {
        self.inner.delete(file).await
    }
}

/// Fails the work once, where it is set, or has it panic.
#[derive(Default)]
pub(crate) struct Trip(Mutex<Option<(&'static str, bool)>>);

impl Trip {
    pub(crate) fn at(&self, site: &'static str) {
        self.set(Some((site, false)));
    }

    pub(crate) fn panic_at(&self, site: &'static str) {
        self.set(Some((site, true)));
    }

    fn set(&self, trip: Option<(&'static str, bool)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trip;
    }
}

impl Failpoints for Trip {
    fn reach(&self, site: &'static str) -> std::result::Result<(), Injected> {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trip = set.take_if(|(set, _)| *set == site);
        drop(set);
        match trip {
            None => Ok(()),
            Some((site, false)) => Err(Injected(site)),
            Some((site, true)) => panic!("a bug at {site}"),
        }
    }
}

fn open(
    catalog: &Arc<dyn Catalog>,
    clock: &Arc<ManualClock>,
    faulty: &Faulty,
    trip: &Arc<Trip>,
    seed: u64,
) -> (Engine, Blocks) {
    let entropy = Arc::new(SeededEntropy::new(seed));
    let located = Arc::new(Located::new(Arc::clone(catalog)));
    let blocks = Blocks::new(Arc::new(faulty.clone()), located.clone());
    let keys = KeyRing::new(vec![("first".to_owned(), [3; 32])], entropy.clone());
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    let sources = Sources::new(config, Arc::new(SystemClock), entropy.clone());
    let engine = Engine::new(Parts {
        catalog: Arc::clone(catalog),
        blocks: blocks.clone(),
        located,
        sources: Arc::new(sources.expect("sources")),
        keys: Arc::new(keys.expect("a ring")),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy,
        failpoints: Arc::clone(trip) as Arc<dyn Failpoints>,
        imports: ImportSettings::default(),
        page_cache_bytes: 1 << 20,
    });
    (engine, blocks)
}

async fn user(engine: &Engine, name: &str) -> Principal {
    let spec = NewUserSpec {
        username: name.into(),
        email: format!("{name}@example.com"),
        full_name: String::new(),
        password: None,
    };
    Principal::new(engine.add_user(spec).await.expect("a new user"))
}

/// What a client says of bytes that it knows.
pub(crate) fn stating(bytes: &[u8]) -> UploadSpec {
    UploadSpec {
        checksum: Some(Hash::of(bytes).to_string()),
        size: Some(bytes.len() as u64),
        content_type: None,
        metadata: BTreeMap::new(),
    }
}
