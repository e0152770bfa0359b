//! The same of Google Cloud Storage, where it can play it.

use std::sync::Arc;
use std::time::Duration;

use blocks::{Blocks, Local};
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use engine::{
    ConnectorSpec, ConnectorUpdate, Credential, Engine, ImportRequest, ImportSettings, Located,
    OrganizationSpec, Parts, Principal, RepositorySpec, Worker,
};
use futures_util::StreamExt as _;
use model::{Clock, ConnectorId, Entropy, Entry, Import, JobId, JobStatus, NoFailpoints};
use serde_json::{Value, json};
use sources::{Egress, Private, Sources, Timeouts, TokenEndpoint};
use testkit::gcs::{BUCKET, FakeGcs, Fault, Object, Op, Rule, credentials_json};
use testkit::{SeededEntropy, SystemClock, s3};

use super::{LARGE_BYTES, pattern};
use crate::world::{ORG, REPO};

/// An engine and a bucket of Google's, with a connector between them.
struct World {
    engine: Engine,
    principal: Principal,
    server: FakeGcs,
    connector: ConnectorId,
    _worker: Worker,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new(objects: Vec<(String, Vec<u8>)>) -> Self {
        let server = FakeGcs::start(objects).await;
        let dir = tempfile::tempdir().expect("a folder");
        let engine = open(&dir, &server);
        let key = engine.bootstrap(None, None).await.expect("bootstrap").expect("a first user");
        let credential = Credential::Token(key.token);
        let principal = engine.authenticate(&credential, None).await.expect("the first user");
        let spec = OrganizationSpec { name: ORG.to_owned(), display_name: "Acme".to_owned() };
        engine.create_organization(&principal, spec).await.expect("an organization");
        let spec = RepositorySpec { name: REPO.to_owned(), ..RepositorySpec::default() };
        engine.create_repository(&principal, ORG, spec).await.expect("a repository");
        let spec = ConnectorSpec {
            name: "source".to_owned(),
            kind: "gcs".to_owned(),
            source_uri: format!("gs://{BUCKET}/"),
            config: config(),
        };
        let connector = engine.create_connector(&principal, ORG, spec).await.expect("a connector");
        engine.attach(&principal, ORG, REPO, connector.id).await.expect("attached");
        let worker = Worker::start(engine.clone());
        Self { engine, principal, server, connector: connector.id, _worker: worker, _dir: dir }
    }

    async fn import(&self) -> Import {
        let request =
            ImportRequest { connector_id: Some(self.connector), ..ImportRequest::default() };
        let started = self.engine.start_import(&self.principal, ORG, REPO, request, None).await;
        self.ended(started.expect("an import starts")).await
    }

    async fn ended(&self, id: JobId) -> Import {
        for _ in 0..3_000 {
            let job = self.engine.import(&self.principal, ORG, REPO, id).await.expect("the job");
            if job.status.is_terminal() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the job {id} does not end");
    }

    async fn entry(&self, path: &str) -> Entry {
        let head =
            self.engine.head_object(&self.principal, ORG, REPO, path, &engine::At::Head).await;
        head.expect("an object")
    }

    async fn read(&self, path: &str) -> Vec<u8> {
        let opened = self
            .engine
            .open_object(&self.principal, ORG, REPO, path, &engine::At::Head, None)
            .await;
        let mut body = opened.expect("an object").body;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.expect("whole bytes"));
        }
        bytes
    }
}

fn config() -> Value {
    json!({ "credentials_json": credentials_json(json!({})) })
}

fn open(dir: &tempfile::TempDir, server: &FakeGcs) -> Engine {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
    let catalog = Sqlite::open(&dir.path().join("tilde.db"), &*entropy).expect("a catalog");
    let catalog: Arc<dyn catalog::Catalog> = Arc::new(catalog);
    let located = Arc::new(Located::new(Arc::clone(&catalog)));
    let store = Arc::new(Local::open(dir.path()).expect("a block store"));
    let config = sources::Config {
        egress: Egress { private: Private::Deny, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: Some(server.endpoint().parse().expect("an endpoint")),
        gcs_token_endpoint: TokenEndpoint::At(server.endpoint().parse().expect("an endpoint")),
        timeouts: Timeouts { retry: Duration::from_secs(4), ..Timeouts::default() },
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
        failpoints: Arc::new(NoFailpoints),
        imports: ImportSettings::default(),
        page_cache_bytes: 8 << 20,
    })
}

fn small(count: u8) -> Vec<(String, Vec<u8>)> {
    (0..count).map(|n| (format!("k{n:02}"), pattern(700, n))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_generations_are_ever_spliced() {
    for honours_preconditions in [true, false] {
        let old = vec![("large".to_owned(), pattern(LARGE_BYTES, 1))];
        let world = World::new(old).await;
        world.server.set(|settings| settings.honours_preconditions = honours_preconditions);
        let new = pattern(LARGE_BYTES, 2);
        // Cut once, then replaced before the rest of it is read.
        world.server.rule(Rule::on(Op::Media, Fault::Wire(s3::Fault::ResetAfter(40_000))).nth(0));
        world.server.rule(Rule::on(Op::Media, Fault::Put(Object::new(new.clone()))).nth(2));
        let job = world.import().await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        assert_eq!(world.entry("large").await.hash, model::Hash::of(&new));
        assert!(world.read("large").await == new);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_vanished_is_left_out_and_counted() {
    let world = World::new(small(30)).await;
    world.server.rule(Rule::on(Op::Media, Fault::Delete).hits(0..10));
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!((job.progress.objects_imported, job.progress.objects_missing), (20, 10));
    let world = World::new(small(30)).await;
    world.server.rule(Rule::on(Op::Media, Fault::Delete).hits(0..11));
    let job = world.import().await;
    assert_eq!(job.status, JobStatus::Failed);
    let error = job.error.expect("a reason");
    assert!(error.contains("11 of 30 listed objects had vanished"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_refuses_every_second_request_for_a_while_is_read_to_the_end() {
    let world = World::new(small(40)).await;
    world.server.set(|settings| settings.page_keys = 10);
    for nth in 0..20 {
        let (code, reason) =
            if nth % 2 == 0 { (503, "backendError") } else { (429, "rateLimitExceeded") };
        world.server.rule(Rule::on(Op::Media, Fault::Status { code, reason }).nth(2 * nth + 1));
        world.server.rule(Rule::on(Op::List, Fault::Status { code, reason }).nth(2 * nth + 1));
    }
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!((job.progress.objects_imported, world.server.stats().count(Op::Media)), (40, 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_midway_fails_the_job_and_another_one_reads_the_rest() {
    let world = World::new(small(40)).await;
    let revoked = Fault::Status { code: 401, reason: "authError" };
    world.server.rule(Rule::on(Op::Media, revoked).hits(15..u64::MAX));
    let job = world.import().await;
    assert_eq!((job.status, job.commit), (JobStatus::Failed, None), "{job:?}");
    let error = job.error.expect("a reason");
    assert!(error.contains("(authError): check credentials_json"), "{error}");
    let refused = world.server.stats().count(Op::Media) - 15;
    assert!(refused <= 2 * 10 + 10, "{refused} refused requests");
    world.server.clear_rules();
    let update = ConnectorUpdate { config: Some(config()), ..ConnectorUpdate::default() };
    let updated = world.engine.update_connector(&world.principal, ORG, world.connector, update);
    updated.await.expect("a config of good form");
    let retried = world.engine.retry_import(&world.principal, ORG, REPO, job.id).await;
    let job = world.ended(retried.expect("retried")).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(job.progress.objects_imported, 40);
    assert_eq!(world.server.stats().count(Op::Media), 40 + refused, "only the rest was read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_packed_is_stored_packed() {
    let world = World::new(Vec::new()).await;
    let packed = |len| [b"\x1f\x8b\x08\x00", &*pattern(len, 5)].concat();
    for (key, len) in [("small", 400), ("streamed", 1_200_000), ("large", LARGE_BYTES)] {
        let unpacked = Some(vec![0; 4 * len].into());
        world.server.put(key, Object { unpacked, ..Object::new(packed(len)) });
    }
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    for (key, len) in [("small", 400), ("streamed", 1_200_000), ("large", LARGE_BYTES)] {
        assert!(world.read(key).await == packed(len), "{key}");
        assert_eq!(world.entry(key).await.metadata["content-encoding"], "gzip");
    }
}
