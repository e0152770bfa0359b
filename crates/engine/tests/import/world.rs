//! A whole engine on a fresh data directory, and a source that can be told to go wrong.

use std::sync::Arc;
use std::time::Duration;

use blocks::{Blocks, Local};
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use engine::{
    ConnectorSpec, Credential, Engine, ImportRequest, ImportSettings, Located, ObjectsQuery,
    OrganizationSpec, Parts, Principal, RepositorySpec, Worker,
};
use futures_util::StreamExt;
use model::{Clock, ConnectorId, Entropy, Failpoints, Import, JobId, NoFailpoints};
use sources::{Egress, Private, Sources, Timeouts};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, Objects, SECRET_ACCESS_KEY, Settings};
use testkit::{SeededEntropy, SystemClock};

pub(crate) const ORG: &str = "acme";
pub(crate) const REPO: &str = "data";

/// Everything an import needs. Dropping it is like kill -9: nothing is told to stop in order.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) principal: Principal,
    pub(crate) server: HostileS3,
    pub(crate) connector: ConnectorId,
    worker: Option<Worker>,
    dir: Arc<tempfile::TempDir>,
}

/// What a test may set before the start.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) imports: ImportSettings,
    pub(crate) failpoints: Arc<dyn Failpoints>,
    pub(crate) source_uri: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            imports: ImportSettings::default(),
            failpoints: Arc::new(NoFailpoints),
            source_uri: format!("s3://{BUCKET}/"),
        }
    }
}

impl World {
    pub(crate) async fn new(objects: Objects) -> Self {
        Self::with(objects, Setup::default()).await
    }

    pub(crate) async fn with(objects: Objects, setup: Setup) -> Self {
        let server = HostileS3::start_with(objects, setup.settings).await;
        let dir = Arc::new(tempfile::tempdir().expect("a folder"));
        let engine = open(&dir, setup.imports, setup.failpoints);
        let key = engine.bootstrap(None, None).await.expect("bootstrap").expect("a first user");
        let credential = Credential::Token(key.token);
        let principal = engine.authenticate(&credential).await.expect("the first user");
        let spec = OrganizationSpec { name: ORG.to_owned(), display_name: "Acme".to_owned() };
        engine.create_organization(&principal, spec).await.expect("an organization");
        let spec = RepositorySpec { name: REPO.to_owned(), ..RepositorySpec::default() };
        engine.create_repository(&principal, ORG, spec).await.expect("a repository");
        let spec = ConnectorSpec {
            name: "source".to_owned(),
            kind: "s3".to_owned(),
            source_uri: setup.source_uri,
            config: serde_json::json!({
                "access_key_id": ACCESS_KEY_ID,
                "secret_access_key": SECRET_ACCESS_KEY,
                "endpoint": server.endpoint(),
            }),
        };
        let connector = engine.create_connector(&principal, ORG, spec).await.expect("a connector");
        engine.attach(&principal, ORG, REPO, connector.id).await.expect("attached");
        let worker = Some(Worker::start(engine.clone()));
        Self { engine, principal, server, connector: connector.id, worker, dir }
    }

    /// Starts anew on the same data directory, as after an orderly stop.
    pub(crate) async fn restart(&mut self, imports: ImportSettings) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
        self.engine = open(&self.dir, imports, Arc::new(NoFailpoints));
        self.worker = Some(Worker::start(self.engine.clone()));
    }

    pub(crate) fn request(&self) -> ImportRequest {
        ImportRequest { connector_id: Some(self.connector), ..ImportRequest::default() }
    }

    pub(crate) async fn start(&self, request: ImportRequest) -> JobId {
        let started = self.engine.start_import(&self.principal, ORG, REPO, request, None).await;
        started.expect("an import starts")
    }

    pub(crate) async fn job(&self, id: JobId) -> Import {
        self.engine.import(&self.principal, ORG, REPO, id).await.expect("the job")
    }

    /// Waits for the end of the job.
    pub(crate) async fn ended(&self, id: JobId) -> Import {
        for _ in 0..3_000 {
            let job = self.job(id).await;
            if job.status.is_terminal() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the job does not end: {:?}", self.job(id).await);
    }

    /// Imports everything and waits for the end.
    pub(crate) async fn import(&self) -> Import {
        let id = self.start(self.request()).await;
        self.ended(id).await
    }

    /// All bytes of an object.
    pub(crate) async fn read(&self, path: &str) -> Vec<u8> {
        let opened = self.engine.open_object(&self.principal, ORG, REPO, path, None, None).await;
        let mut body = opened.expect("an object").body;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.expect("whole bytes"));
        }
        bytes
    }

    /// All paths of the head.
    pub(crate) async fn paths(&self) -> Vec<String> {
        let query = ObjectsQuery { amount: 1_000, ..ObjectsQuery::default() };
        let page = self.engine.list_objects(&self.principal, ORG, REPO, query).await;
        let rows = page.expect("a listing").rows;
        rows.into_iter()
            .map(|row| match row {
                engine::ListedEntry::Object(path, _) => path.as_str().to_owned(),
                engine::ListedEntry::Prefix(prefix) => prefix,
            })
            .collect()
    }

    /// Nothing that was stored is damaged.
    pub(crate) async fn assert_sound(&self) {
        let report = self.engine.check(engine::Scope::All, &mut |_| {}).await.expect("a check");
        assert!(report.damage.is_empty(), "{:?}", report.damage);
    }

    /// Commits of the repository, newest first.
    pub(crate) async fn commits(&self) -> Vec<model::Commit> {
        let query = engine::LogQuery { amount: 100, ..engine::LogQuery::default() };
        let page = self.engine.log(&self.principal, ORG, REPO, query).await.expect("a log");
        page.rows.into_iter().map(|view| view.commit).collect()
    }
}

fn open(
    dir: &tempfile::TempDir,
    imports: ImportSettings,
    failpoints: Arc<dyn Failpoints>,
) -> Engine {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
    let catalog = Sqlite::open(&dir.path().join("tilde.db"), &*entropy).expect("a catalog");
    let catalog: Arc<dyn catalog::Catalog> = Arc::new(catalog);
    let located = Arc::new(Located::new(Arc::clone(&catalog)));
    let store = Arc::new(Local::open(dir.path()).expect("a block store"));
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(2),
            idle: Duration::from_secs(2),
            retry: Duration::from_secs(4),
        },
    };
    let sources = Sources::new(config, Arc::clone(&clock), Arc::clone(&entropy)).expect("sources");
    let keys = vec![("test".to_owned(), [7; 32])];
    Engine::new(Parts {
        catalog,
        blocks: Blocks::new(store, located.clone()),
        located,
        sources: Arc::new(sources),
        keys: Arc::new(KeyRing::new(keys, Arc::clone(&entropy)).expect("keys")),
        clock,
        entropy,
        failpoints,
        imports,
        page_cache_bytes: 8 << 20,
    })
}
