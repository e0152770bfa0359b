//! A store in a temporary folder, an engine over it, and commits made by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blake3::hazmat::HasherExt;
use blocks::{Blocks, ItemKind, Local, Segment, Writer};
use bytes::Bytes;
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use catalog::{Catalog, Claim, ClaimKey, Finish, Finished};
use engine::{
    ConnectorSpec, Credential, Engine, ImportSettings, Located, NewUserSpec, OrganizationSpec,
    Parts, Principal, RepositorySpec,
};
use model::limits::PIECE_BYTES;
use model::{
    Actor, Clock, Commit, CommitId, ConnectorId, Content, Deed, Entropy, Entry, Hash, Import,
    ImportSpec, JobId, NoFailpoints, ObjectPath, Piece, Repository, SegmentRecord, SourceMetadata,
    User, UserId,
};
use sources::{Egress, Private, Sources, Timeouts};
use tempfile::TempDir;
use testkit::{ManualClock, SeededEntropy, SystemClock};
use tree::{Edit, Tree};

pub(crate) const ORGANIZATION: &str = "acme";
pub(crate) const REPOSITORY: &str = "data";
/// The database, in the folder of the store.
pub(crate) const CATALOG: &str = "catalog.db";

/// Entries to put, or paths to remove.
pub(crate) type Staged = BTreeMap<ObjectPath, Option<Entry>>;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) blocks: Blocks,
    pub(crate) engine: Engine,
    /// Owns [`ORGANIZATION`].
    pub(crate) owner: Principal,
}

impl World {
    /// An organization with an empty repository.
    pub(crate) async fn new() -> Self {
        let mut world = Self::empty();
        world.owner = world.user("olga").await;
        let (engine, owner) = (&world.engine, &world.owner);
        let spec = OrganizationSpec { name: ORGANIZATION.into(), display_name: "Acme".into() };
        engine.create_organization(owner, spec).await.expect("a new organization");
        let spec = RepositorySpec { name: REPOSITORY.into(), ..RepositorySpec::default() };
        engine.create_repository(owner, ORGANIZATION, spec).await.expect("a new repository");
        world
    }

    /// A store without users; the owner is nobody.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::new(7));
        let path = folder.path().join(CATALOG);
        let catalog: Arc<dyn Catalog> =
            Arc::new(Sqlite::open(&path, &*entropy).expect("a new catalog"));
        let parts = parts(folder.path(), &catalog, &clock, &entropy, "first");
        let blocks = parts.blocks.clone();
        let nobody = User {
            id: UserId(entropy.uuid()),
            username: String::new(),
            email: String::new(),
            full_name: String::new(),
            bio: String::new(),
            created_at: clock.now(),
            has_password: false,
        };
        let owner = Principal::new(nobody);
        Self { folder, clock, entropy, catalog, blocks, engine: Engine::new(parts), owner }
    }

    /// A second engine over the same store, as after a restart, with a ring of only this key.
    pub(crate) fn reopened(&self, key: &str) -> Engine {
        Engine::new(parts(self.folder.path(), &self.catalog, &self.clock, &self.entropy, key))
    }

    /// Closes the database, as the end of a process would; leaves the folder.
    pub(crate) fn close(self) -> TempDir {
        self.folder
    }

    pub(crate) async fn user(&self, name: &str) -> Principal {
        user(&self.engine, name).await
    }

    pub(crate) async fn repository(&self) -> Repository {
        let found = self.engine.repository(&self.owner, ORGANIZATION, REPOSITORY).await;
        found.expect("the repository").repository
    }

    /// A connector that nothing is imported through.
    pub(crate) async fn connector(&self, name: &str) -> ConnectorId {
        let spec = connector_spec(name);
        let made = self.engine.create_connector(&self.owner, ORGANIZATION, spec).await;
        made.expect("a new connector").id
    }

    /// A claimed import into the repository.
    pub(crate) async fn claim(&self) -> Claim {
        let repository = self.repository().await;
        let (owner, engine) = (&self.owner, &self.engine);
        let attached = engine.attached(owner, ORGANIZATION, REPOSITORY).await.expect("a list");
        let connector = match attached.first() {
            Some(connector) => connector.id,
            None => {
                let id = self.connector("by-hand").await;
                let attached = engine.attach(owner, ORGANIZATION, REPOSITORY, id).await;
                attached.expect("attached");
                id
            }
        };
        let spec = ImportSpec {
            repository: repository.id,
            source: model::ImportSource::Connector(connector),
            source_prefix: String::new(),
            destination_path: String::new(),
            commit_message: "by hand".into(),
            created_by: owner.user.id,
            options: model::ImportOptions::default(),
        };
        let now = self.clock.now();
        let import = Import::new(JobId(self.entropy.uuid()), spec, now);
        self.catalog.create_import(&import, None, &self.deed()).await.expect("a new job");
        let claim = self.catalog.claim_import("test", 60_000, 10, now).await;
        claim.expect("the catalog answers").expect("a job to claim")
    }

    /// Something that no principal does.
    fn deed(&self) -> Deed {
        Deed {
            at: self.clock.now(),
            organization: None,
            actor: Actor::Operator,
            request_id: String::new(),
            action: "Test",
            resource: String::new(),
            details: [].into(),
        }
    }

    /// Commits `edits`: each a path with its bytes, or without to remove it.
    pub(crate) async fn commit(&self, edits: &[(&str, Option<&[u8]>)]) -> Commit {
        let claim = self.claim().await;
        let writer = self.blocks.writer(claim.import.spec.repository, claim.writer);
        let mut segment = writer.open().await.expect("an open segment");
        let mut staged = Staged::new();
        for (path, bytes) in edits {
            let entry = match bytes {
                Some(bytes) => Some(entry(&mut segment, path, bytes, &claim.import).await),
                None => None,
            };
            staged.insert(ObjectPath::new(path).expect("a path"), entry);
        }
        let mut segments = Vec::new();
        match segment.is_empty() {
            true => segment.discard().await,
            false => segments.push(segment.seal().await.expect("sealed")),
        }
        self.commit_entries(&claim, &writer, staged, segments).await
    }

    /// Commits entries whose bytes `writer` put into `segments`.
    pub(crate) async fn commit_entries(
        &self,
        claim: &Claim,
        writer: &Writer,
        staged: Staged,
        mut segments: Vec<SegmentRecord>,
    ) -> Commit {
        let repository = self.repository().await;
        let base = match repository.head {
            Some(head) => self.find(head).await.root,
            None => Tree::empty(),
        };
        let edits = staged.into_iter().map(|(path, entry)| Ok(Edit { path, entry }));
        let edits = futures_util::stream::iter(edits.collect::<Vec<tree::Result<Edit>>>());
        let applied = Tree::new(self.blocks.clone(), 1 << 20).apply(&base, edits, writer).await;
        let applied = applied.expect("a new tree");
        segments.extend(applied.segments);
        let mut commit = Commit {
            id: CommitId([0; 32]),
            repository: repository.id,
            parent: repository.head,
            root: applied.root,
            message: "a commit by hand".into(),
            committer: self.owner.user.id,
            committer_name: "Olga".into(),
            created_at: self.clock.now(),
            metadata: BTreeMap::new(),
            superseded_at: None,
            expired: false,
        };
        commit.id = commit.content_id();
        let finish = Finish {
            expected_head: repository.head,
            commit: Some(commit.clone()),
            commit_id: Some(commit.id),
            segments,
            progress: model::ImportProgress::default(),
            preview: None,
        };
        let key = ClaimKey { job: claim.import.id, epoch: claim.epoch };
        let finished = self.catalog.finish_import(key, &finish, &self.deed()).await;
        assert_eq!(finished.expect("finished"), Finished::Completed);
        self.clock.advance_ms(1_000);
        commit
    }

    pub(crate) async fn find(&self, id: CommitId) -> Commit {
        let repository = self.repository().await;
        let found = self.catalog.commit(repository.id, id).await.expect("the catalog answers");
        found.expect("a commit")
    }

    /// The files of the block store, without their folder.
    pub(crate) fn segment_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let segments = self.folder.path().join("segments");
        for repository in std::fs::read_dir(segments).expect("a folder") {
            let folder = repository.expect("an entry").path();
            let inside = std::fs::read_dir(folder).expect("a folder");
            files.extend(inside.map(|file| file.expect("an entry").path()));
        }
        files.sort();
        files
    }
}

/// An entry whose bytes are appended to `segment`.
pub(crate) async fn entry(
    segment: &mut Segment,
    path: &str,
    bytes: &[u8],
    import: &Import,
) -> Entry {
    let content = Content::Pieces(put_pieces(segment, bytes).await);
    let source = SourceMetadata {
        connector_id: import.spec.connector(),
        connector_type: "s3".into(),
        source_path: format!("s3://bucket/{path}").into(),
        version_id: None,
        source_etag: Some("\"etag\"".into()),
        import_time: import.created_at,
        import_job_id: import.id,
        origin: None,
    };
    Entry {
        size: bytes.len() as u64,
        hash: Hash::of(bytes),
        content_type: "text/plain".into(),
        last_modified: model::Timestamp::from_seconds(1_700_000_000),
        metadata: BTreeMap::from([("colour".to_owned(), "red".to_owned())]),
        source: Some(Arc::new(source)),
        content,
    }
}

/// Appends `bytes` in pieces; none for no bytes.
pub(crate) async fn put_pieces(segment: &mut Segment, bytes: &[u8]) -> Vec<Piece> {
    let bytes = Bytes::copy_from_slice(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    if bytes.len() as u64 <= PIECE_BYTES {
        let hash = Hash::of(&bytes);
        let extent = segment.append(ItemKind::Object, &bytes, hash).await.expect("appended");
        return vec![Piece { extent, hash }];
    }
    let mut pieces = Vec::new();
    for start in (0..bytes.len()).step_by(PIECE_BYTES as usize) {
        let piece = bytes.slice(start..bytes.len().min(start + PIECE_BYTES as usize));
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(start as u64).update(&piece);
        let hash = Hash(hasher.finalize_non_root());
        let extent = segment.append(ItemKind::Piece, &piece, hash).await.expect("appended");
        pieces.push(Piece { extent, hash });
    }
    pieces
}

/// An engine over the store in `folder` that only reads, as another process would.
pub(crate) fn read_only(folder: &Path) -> Engine {
    let catalog = Sqlite::open_read_only(&folder.join(CATALOG));
    let catalog: Arc<dyn Catalog> = Arc::new(catalog.expect("the catalog"));
    let (clock, entropy) = (Arc::default(), Arc::new(SeededEntropy::new(8)));
    Engine::new(parts(folder, &catalog, &clock, &entropy, "first"))
}

fn parts(
    folder: &Path,
    catalog: &Arc<dyn Catalog>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<SeededEntropy>,
    key: &str,
) -> Parts {
    let located = Arc::new(Located::new(catalog.clone()));
    let store = Arc::new(Local::open(folder).expect("a block store"));
    let keys = KeyRing::new(vec![(key.to_owned(), [3; 32])], entropy.clone());
    Parts {
        catalog: catalog.clone(),
        blocks: Blocks::new(store, located.clone()),
        located,
        sources: Arc::new(sources(entropy.clone())),
        keys: Arc::new(keys.expect("a ring")),
        clock: clock.clone(),
        entropy: entropy.clone(),
        failpoints: Arc::new(NoFailpoints),
        imports: ImportSettings::default(),
        page_cache_bytes: 1 << 20,
    }
}

async fn user(engine: &Engine, name: &str) -> Principal {
    let spec = NewUserSpec {
        username: name.into(),
        email: format!("{name}@example.com"),
        full_name: String::new(),
        password: None,
    };
    engine.add_user(spec).await.expect("a new user");
    let key = engine.issue_key(name, "test").await.expect("a new key");
    engine.authenticate(&Credential::Token(key.token), None).await.expect("a principal")
}

pub(crate) fn connector_spec(name: &str) -> ConnectorSpec {
    ConnectorSpec {
        name: name.into(),
        kind: "s3".into(),
        source_uri: "s3://bucket/prefix/".into(),
        config: serde_json::json!({
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": "do-not-show-me",
            "endpoint": "http://127.0.0.1:9",
        }),
    }
}

fn sources(entropy: Arc<dyn Entropy>) -> Sources {
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    // Signatures have to be of today.
    Sources::new(config, Arc::new(SystemClock), entropy).expect("sources")
}
