//! A whole engine on a fresh data directory, and a source that can be told to go wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use blocks::{Blocks, Local};
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use engine::{
    ConnectorSpec, Credential, Engine, ImportRequest, ImportSettings, Located, OrganizationSpec,
    Parts, Principal, RepositorySpec, Worker,
};
use model::{Clock, ConnectorId, Entropy, Failpoints, Import, JobId, NoFailpoints};
use sources::{Egress, Private, Sources, Timeouts};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, Objects, SECRET_ACCESS_KEY, Settings};
use testkit::{SeededEntropy, SystemClock};
use tokio::runtime::Runtime;

use crate::repo::Repo;

pub(crate) const ORG: &str = "acme";
pub(crate) const REPO: &str = "data";

/// Everything an import needs. Dropping it is like kill -9: nothing is told to stop in order.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) principal: Principal,
    pub(crate) server: HostileS3,
    pub(crate) connector: ConnectorId,
    pub(crate) catalog: Arc<dyn catalog::Catalog>,
    node: Option<Node>,
    dir: Arc<tempfile::TempDir>,
    timeouts: Timeouts,
    busy_timeout: Duration,
    /// Engines opened so far; each draws ids of its own.
    opened: u64,
}

/// A worker and all that it has going, in a runtime that can be taken away.
struct Node {
    worker: Option<Worker>,
    runtime: Option<Runtime>,
}

impl Node {
    fn start(engine: &Engine) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        let entered = runtime.enter();
        let worker = Some(Worker::start(engine.clone()));
        drop(entered);
        Self { worker, runtime: Some(runtime) }
    }

    async fn stop(mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a test may set before the start.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) imports: ImportSettings,
    pub(crate) failpoints: Arc<dyn Failpoints>,
    pub(crate) source_uri: String,
    /// Whether nobody works yet.
    pub(crate) idle: bool,
    /// How long the source is waited for.
    pub(crate) timeouts: Timeouts,
    /// How long a write waits for somebody else's.
    pub(crate) busy_timeout: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            imports: ImportSettings::default(),
            failpoints: Arc::new(NoFailpoints),
            source_uri: format!("s3://{BUCKET}/"),
            idle: false,
            timeouts: waiting(2),
            busy_timeout: Duration::from_secs(10),
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
        let Setup { timeouts, busy_timeout, .. } = setup;
        let (engine, catalog) =
            open(&dir, 0, timeouts, busy_timeout, setup.imports, setup.failpoints);
        let key = engine.bootstrap(None, None).await.expect("bootstrap").expect("a first user");
        let credential = Credential::Token(key.token);
        let principal = engine.authenticate(&credential, None).await.expect("the first user");
        let spec = OrganizationSpec { name: ORG.to_owned(), display_name: "Acme".to_owned() };
        engine.create_organization(&principal, spec).await.expect("an organization");
        let spec = RepositorySpec { name: REPO.to_owned(), ..RepositorySpec::default() };
        engine.create_repository(&principal, ORG, spec).await.expect("a repository");
        let spec = connector("source", &setup.source_uri, &server);
        let connector = engine.create_connector(&principal, ORG, spec).await.expect("a connector");
        engine.attach(&principal, ORG, REPO, connector.id).await.expect("attached");
        let node = (!setup.idle).then(|| Node::start(&engine));
        let (connector, opened) = (connector.id, 1);
        Self {
            engine,
            principal,
            server,
            connector,
            catalog,
            node,
            dir,
            timeouts,
            busy_timeout,
            opened,
        }
    }

    /// The file of the catalog.
    pub(crate) fn catalog_file(&self) -> PathBuf {
        self.dir.path().join("tilde.db")
    }

    /// Starts anew on the same data directory, as after an orderly stop.
    pub(crate) async fn restart(&mut self, imports: ImportSettings) {
        self.pause().await;
        self.open_anew(imports, Arc::new(NoFailpoints));
        self.work();
    }

    /// Opens the same data directory anew, as after kill -9: whatever went on just ends. Nobody
    /// works yet.
    pub(crate) async fn kill(&mut self, imports: ImportSettings, failpoints: Arc<dyn Failpoints>) {
        drop(self.node.take());
        self.open_anew(imports, failpoints);
        self.catalog.void_leases().await.expect("leases are void");
        self.engine.sweep().await.expect("a sweep");
    }

    fn open_anew(&mut self, imports: ImportSettings, failpoints: Arc<dyn Failpoints>) {
        let (timeouts, busy_timeout) = (self.timeouts, self.busy_timeout);
        let (engine, catalog) =
            open(&self.dir, self.opened, timeouts, busy_timeout, imports, failpoints);
        (self.engine, self.catalog) = (engine, catalog);
        self.opened += 1;
    }

    /// Stops the work, in order.
    pub(crate) async fn pause(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().await;
        }
    }

    /// Starts the work of one that is idle or paused.
    pub(crate) fn work(&mut self) {
        self.node = Some(Node::start(&self.engine));
    }

    /// The repository that is there from the start.
    pub(crate) fn home(&self) -> Repo<'_> {
        Repo { world: self, organization: ORG.to_owned(), name: REPO.to_owned() }
    }

    /// Another repository of the organization, new, with the connector attached.
    pub(crate) async fn another(&self, name: &str) -> Repo<'_> {
        let repo = self.bare(ORG, name).await;
        let (engine, principal) = (&self.engine, &self.principal);
        engine.attach(principal, ORG, name, self.connector).await.expect("attached");
        repo
    }

    /// Another repository, new, without connectors.
    pub(crate) async fn bare(&self, organization: &str, name: &str) -> Repo<'_> {
        let spec = RepositorySpec { name: name.to_owned(), ..RepositorySpec::default() };
        let created = self.engine.create_repository(&self.principal, organization, spec).await;
        created.expect("a repository");
        Repo { world: self, organization: organization.to_owned(), name: name.to_owned() }
    }

    /// Another organization.
    pub(crate) async fn organization(&self, name: &str) {
        let spec = OrganizationSpec { name: name.to_owned(), display_name: name.to_owned() };
        let created = self.engine.create_organization(&self.principal, spec).await;
        created.expect("an organization");
    }

    pub(crate) fn request(&self) -> ImportRequest {
        ImportRequest { connector_id: Some(self.connector), ..ImportRequest::default() }
    }

    pub(crate) async fn start(&self, request: ImportRequest) -> JobId {
        self.home().start(request).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Import {
        self.home().job(id).await
    }

    /// Waits for the end of the job.
    pub(crate) async fn ended(&self, id: JobId) -> Import {
        self.home().ended(id).await
    }

    /// Imports everything and waits for the end.
    pub(crate) async fn import(&self) -> Import {
        self.home().import(self.request()).await
    }

    /// All bytes of an object.
    pub(crate) async fn read(&self, path: &str) -> Vec<u8> {
        self.home().read(path).await
    }

    /// All paths of the head.
    pub(crate) async fn paths(&self) -> Vec<String> {
        self.home().paths().await
    }

    /// Commits of the repository, newest first.
    pub(crate) async fn commits(&self) -> Vec<model::Commit> {
        self.home().commits().await
    }

    /// Objects in the durable runs of a job that has not completed.
    pub(crate) async fn durable(&self, id: JobId) -> u64 {
        let pins = self.catalog.pins(id).await.expect("the job's pins");
        pins.runs.iter().map(|run| run.entries).sum()
    }

    /// Nothing that was stored is damaged.
    pub(crate) async fn assert_sound(&self) {
        let report = self.engine.check(engine::Scope::All, &mut |_| {}).await.expect("a check");
        assert!(report.damage.is_empty(), "{:?}", report.damage);
    }
}

/// A source is given up after so long; long, where a test holds it back on purpose.
pub(crate) fn waiting(seconds: u64) -> Timeouts {
    let (once, all) = (Duration::from_secs(seconds), Duration::from_secs(2 * seconds));
    Timeouts { connect: once, first_byte: once, idle: once, retry: all, storm: all }
}

/// A connector to a hostile server.
pub(crate) fn connector(name: &str, source_uri: &str, server: &HostileS3) -> ConnectorSpec {
    ConnectorSpec {
        name: name.to_owned(),
        kind: "s3".to_owned(),
        source_uri: source_uri.to_owned(),
        config: serde_json::json!({
            "access_key_id": ACCESS_KEY_ID,
            "secret_access_key": SECRET_ACCESS_KEY,
            "endpoint": server.endpoint(),
        }),
    }
}

fn open(
    dir: &tempfile::TempDir,
    opened: u64,
    timeouts: Timeouts,
    busy_timeout: Duration,
    imports: ImportSettings,
    failpoints: Arc<dyn Failpoints>,
) -> (Engine, Arc<dyn catalog::Catalog>) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7 + opened));
    let path = dir.path().join("tilde.db");
    let catalog = Sqlite::open_waiting(&path, &*entropy, busy_timeout).expect("a catalog");
    let catalog: Arc<dyn catalog::Catalog> = Arc::new(catalog);
    let located = Arc::new(Located::new(Arc::clone(&catalog)));
    let store = Arc::new(Local::open(dir.path()).expect("a block store"));
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts,
    };
    let sources = Sources::new(config, Arc::clone(&clock), Arc::clone(&entropy)).expect("sources");
    let keys = vec![("test".to_owned(), [7; 32])];
    let engine = Engine::new(Parts {
        catalog: Arc::clone(&catalog),
        blocks: Blocks::new(store, located.clone()),
        located,
        sources: Arc::new(sources),
        keys: Arc::new(KeyRing::new(keys, Arc::clone(&entropy)).expect("keys")),
        clock,
        entropy,
        failpoints,
        imports,
        page_cache_bytes: 8 << 20,
    });
    (engine, catalog)
}
