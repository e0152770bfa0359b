//! A whole engine on a fresh data directory, a source to import from, and a clock moved by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use blocks::{Blocks, ItemKind, Local};
use catalog::Catalog;
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use engine::{
    At, CollectSettings, CommitSpec, ConnectorSpec, Credential, Engine, ImportRequest,
    ImportSettings, Located, OrganizationSpec, Parts, Principal, RepositoryChange, RepositorySpec,
    Worker,
};
use futures_util::StreamExt;
use model::{
    Clock, CollectOptions, CollectReport, CommitId, ConnectorId, Entropy, Entry, Failpoints, Hash,
    Import, JobId, JobStatus, NoFailpoints, ObjectPath, Piece, SessionId, StagedChange,
};
use sample::Object;
use sources::{Egress, Private, Sources, Timeouts};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, Objects, SECRET_ACCESS_KEY};
use testkit::{ManualClock, SeededEntropy, SystemClock};

pub(crate) const ORG: &str = "acme";
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Paths and bytes.
pub(crate) type Content = BTreeMap<String, Vec<u8>>;

/// Nothing waits: what is dead goes at once, and is unlinked at once.
pub(crate) const AT_ONCE: CollectSettings =
    CollectSettings { interval: Duration::ZERO, grace: Duration::ZERO, trash: Duration::ZERO };

/// As [`AT_ONCE`], but that what is taken stays in the trash for a day.
pub(crate) const WITH_TRASH: CollectSettings =
    CollectSettings { trash: Duration::from_millis(DAY_MS as u64), ..AT_ONCE };

/// Everything a collection needs.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) blocks: Blocks,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) principal: Principal,
    pub(crate) server: Arc<HostileS3>,
    connector: ConnectorId,
    worker: Option<Worker>,
    dir: Arc<tempfile::TempDir>,
}

pub(crate) fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|n| ((n * 31 + n / 251 + seed * 7 + 1) % 256) as u8).collect()
}

/// `count` objects of about `length` bytes that depend on `seed`.
pub(crate) fn content(count: usize, length: usize, seed: usize) -> Content {
    (0..count).map(|n| (format!("k{n:03}"), pattern(length + n, seed * 1_000 + n))).collect()
}

pub(crate) fn forced() -> CollectOptions {
    CollectOptions { force: true, ..CollectOptions::default() }
}

impl World {
    /// An organization with these repositories, all empty.
    pub(crate) async fn new(repositories: &[&str]) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a folder"));
        let clock = Arc::new(ManualClock::default());
        let (engine, catalog, blocks) = open(&dir, &clock, Arc::new(NoFailpoints));
        let server = Arc::new(HostileS3::start(Objects::new()).await);
        let key = engine.bootstrap(None, None).await.expect("bootstrap").expect("a first user");
        let credential = Credential::Token(key.token);
        let principal = engine.authenticate(&credential, None).await.expect("the first user");
        let spec = OrganizationSpec { name: ORG.to_owned(), display_name: "Acme".to_owned() };
        engine.create_organization(&principal, spec).await.expect("an organization");
        let spec = ConnectorSpec {
            name: "source".to_owned(),
            kind: "s3".to_owned(),
            source_uri: format!("s3://{BUCKET}/"),
            config: serde_json::json!({
                "access_key_id": ACCESS_KEY_ID,
                "secret_access_key": SECRET_ACCESS_KEY,
                "endpoint": server.endpoint(),
            }),
        };
        let connector = engine.create_connector(&principal, ORG, spec).await.expect("made").id;
        let worker = Some(Worker::start(engine.clone()));
        let world =
            Self { engine, catalog, blocks, clock, principal, server, connector, worker, dir };
        for name in repositories {
            world.make(name).await;
        }
        world
    }

    pub(crate) async fn make(&self, name: &str) {
        let spec = RepositorySpec { name: name.to_owned(), ..RepositorySpec::default() };
        let (engine, principal) = (&self.engine, &self.principal);
        engine.create_repository(principal, ORG, spec).await.expect("a repository");
        engine.attach(principal, ORG, name, self.connector).await.expect("attached");
    }

    /// Starts anew on the same data directory, as after a kill.
    pub(crate) async fn reopen(&mut self, failpoints: Arc<dyn Failpoints>) {
        self.stop_imports().await;
        let (engine, catalog, blocks) = open(&self.dir, &self.clock, failpoints);
        catalog.void_leases().await.expect("voided");
        engine.sweep().await.expect("swept");
        self.worker = Some(Worker::start(engine.clone()));
        (self.engine, self.catalog, self.blocks) = (engine, catalog, blocks);
    }

    /// Jobs are not claimed any more.
    pub(crate) async fn stop_imports(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }

    /// Puts objects where an import into this repository finds them.
    pub(crate) fn put(&self, repository: &str, objects: &Content) {
        for (key, bytes) in objects {
            self.server.put(&format!("{repository}/{key}"), Object::new(bytes.clone()));
        }
    }

    pub(crate) async fn start(&self, repository: &str) -> JobId {
        let request = ImportRequest {
            connector_id: Some(self.connector),
            source_prefix: Some(format!("{repository}/")),
            ..ImportRequest::default()
        };
        let started = self.engine.start_import(&self.principal, ORG, repository, request, None);
        started.await.expect("an import starts")
    }

    /// Waits for the end of the job.
    pub(crate) async fn ended(&self, repository: &str, id: JobId) -> Import {
        for _ in 0..6_000 {
            let job = self.engine.import(&self.principal, ORG, repository, id).await;
            let job = job.expect("the job");
            if job.status.is_terminal() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the job does not end");
    }

    /// Imports and waits for the end; the commit.
    pub(crate) async fn import(&self, repository: &str) -> CommitId {
        let job = self.ended(repository, self.start(repository).await).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        job.commit.expect("a commit")
    }

    /// Puts objects and imports them.
    pub(crate) async fn import_of(&self, repository: &str, objects: &Content) -> CommitId {
        self.put(repository, objects);
        self.import(repository).await
    }

    pub(crate) async fn begin(&self, repository: &str) -> SessionId {
        let begun = self.engine.create_session(&self.principal, ORG, repository).await;
        begun.expect("a session").id
    }

    /// Stages an object; its writer is gone afterwards.
    pub(crate) async fn stage(&self, repository: &str, id: SessionId, path: &str, bytes: &[u8]) {
        let found = self.engine.repository(&self.principal, ORG, repository).await;
        let repository = found.expect("the repository").repository.id;
        let now = Clock::now(&*self.clock);
        let writer = self.catalog.open_writer(now).await.expect("a writer");
        let opened = self.blocks.writer(repository, writer).open().await;
        let mut segment = opened.expect("an open segment");
        let hash = Hash::of(bytes);
        let extent = segment.append(ItemKind::Object, bytes, hash).await.expect("appended");
        let segments = [segment.seal().await.expect("sealed")];
        let entry = Entry {
            size: bytes.len() as u64,
            hash,
            content_type: "text/plain".into(),
            last_modified: now,
            metadata: BTreeMap::new(),
            source: None,
            content: model::Content::Pieces(vec![Piece { extent, hash }]),
        };
        let path = ObjectPath::new(path).expect("a path");
        let entry = Some(tree::staged::encode(&path, &entry).expect("encoded"));
        let change = [StagedChange { path, entry }];
        let staged = self.catalog.stage(id, &change, &segments, None, now).await;
        assert!(staged.expect("the catalog answers"), "the session is open");
        self.catalog.close_writer(writer).await.expect("closed");
    }

    pub(crate) async fn copy(&self, repository: &str, id: SessionId, from: &str, to: &str) {
        let (engine, principal) = (&self.engine, &self.principal);
        let copied = engine.copy_object(principal, ORG, repository, id, from, to).await;
        copied.expect("copied");
    }

    pub(crate) async fn remove(&self, repository: &str, id: SessionId, path: &str) {
        let (engine, principal, paths) = (&self.engine, &self.principal, vec![path.to_owned()]);
        let deleted = engine.delete_objects(principal, ORG, repository, id, paths).await;
        deleted.expect("deleted");
    }

    pub(crate) async fn commit(&self, repository: &str, id: SessionId) -> engine::Result<CommitId> {
        let spec = CommitSpec { message: "by hand".to_owned(), ..CommitSpec::default() };
        self.engine.commit_session(&self.principal, ORG, repository, id, spec).await
    }

    pub(crate) async fn revert(&self, repository: &str, id: CommitId) -> engine::Result<CommitId> {
        let (engine, id, spec) = (&self.engine, id.to_string(), CommitSpec::default());
        engine.revert_commit(&self.principal, ORG, repository, &id, spec).await
    }

    pub(crate) async fn delete(&self, repository: &str) {
        let deleted = self.engine.delete_repository(&self.principal, ORG, repository).await;
        deleted.expect("deleted");
    }

    pub(crate) async fn retain(&self, repository: &str, days: Option<i64>) {
        let change = RepositoryChange {
            retention_days: Some(days),
            session_max_duration_days: Some(0),
            ..RepositoryChange::default()
        };
        let (engine, principal) = (&self.engine, &self.principal);
        engine.update_repository(principal, ORG, repository, change).await.expect("changed");
    }

    pub(crate) async fn collect(&self, settings: CollectSettings) -> CollectReport {
        self.engine.collect(&forced(), &settings).await.expect("collected")
    }

    /// All bytes of an object.
    pub(crate) async fn read(
        &self,
        repository: &str,
        path: &str,
        commit: Option<CommitId>,
    ) -> engine::Result<Vec<u8>> {
        self.read_at(repository, path, &commit.map_or(At::Head, |id| At::Commit(id.to_string())))
            .await
    }

    pub(crate) async fn read_at(
        &self,
        repository: &str,
        path: &str,
        at: &At,
    ) -> engine::Result<Vec<u8>> {
        let (engine, principal) = (&self.engine, &self.principal);
        let opened = engine.open_object(principal, ORG, repository, path, at, None);
        let mut body = opened.await?.body;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
    }

    /// Every object of this content is in the commit, byte for byte.
    pub(crate) async fn assert_content(
        &self,
        repository: &str,
        content: &Content,
        commit: Option<CommitId>,
    ) {
        for (path, bytes) in content {
            let read = self.read(repository, path, commit).await;
            assert!(read.expect("an object") == *bytes, "{repository}/{path}");
        }
    }

    /// Nothing is damaged, and there is no file that nothing names.
    pub(crate) async fn assert_clean(&self) {
        let report = self.engine.check(engine::Scope::All, &mut |_| {}).await.expect("a check");
        assert_eq!(report.damage, []);
        assert_eq!(report.orphans, 0);
    }

    /// The files of the store.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in std::fs::read_dir(self.dir.path().join("segments")).expect("a folder") {
            let folder = folder.expect("an entry").path();
            let inside = std::fs::read_dir(folder).expect("a folder");
            files.extend(inside.map(|file| file.expect("an entry").path()));
        }
        files.sort();
        files
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        let length = |file: &PathBuf| std::fs::metadata(file).expect("a file").len();
        self.files().iter().map(length).sum()
    }
}

fn open(
    dir: &tempfile::TempDir,
    clock: &Arc<ManualClock>,
    failpoints: Arc<dyn Failpoints>,
) -> (Engine, Arc<dyn Catalog>, Blocks) {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
    let catalog = Sqlite::open(&dir.path().join("tilde.db"), &*entropy).expect("a catalog");
    let catalog: Arc<dyn Catalog> = Arc::new(catalog);
    let located = Arc::new(Located::new(Arc::clone(&catalog)));
    let store = Arc::new(Local::open(dir.path()).expect("a block store"));
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    // Signatures have to be of today.
    let today: Arc<dyn Clock> = Arc::new(SystemClock);
    let sources = Sources::new(config, today, Arc::clone(&entropy)).expect("sources");
    let keys = vec![("test".to_owned(), [7; 32])];
    let blocks = Blocks::new(store, located.clone());
    let engine = Engine::new(Parts {
        catalog: Arc::clone(&catalog),
        blocks: blocks.clone(),
        located,
        sources: Arc::new(sources),
        keys: Arc::new(KeyRing::new(keys, Arc::clone(&entropy)).expect("keys")),
        clock: clock.clone(),
        entropy,
        failpoints,
        imports: ImportSettings::default(),
        page_cache_bytes: 8 << 20,
    });
    (engine, catalog, blocks)
}
