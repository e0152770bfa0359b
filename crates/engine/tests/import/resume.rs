//! An import that is interrupted goes on, and ends as if nothing had happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::ImportSettings;
use model::JobStatus;
use testkit::s3::{Fault, Gate, Objects, Op, Rule, Settings};

use crate::world::{ORG, REPO, Setup, World};

fn objects() -> Objects {
    let mut list: Vec<(String, Vec<u8>)> =
        (0..400).map(|n| (format!("k{n:04}"), vec![(n % 251) as u8; 3_000 + n])).collect();
    list.push(("k0100-large".to_owned(), (0..50_000_000_u32).map(|n| (n % 247) as u8).collect()));
    list.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_stop_checkpoints_and_the_next_start_goes_on() {
    let settings = Settings { latency: Duration::from_millis(40), ..Settings::default() };
    let mut world = World::with(objects(), Setup { settings, ..Setup::default() }).await;
    let id = world.start(world.request()).await;
    world.server.until(|stats| stats.count(Op::Get) >= 150).await;
    world.restart(ImportSettings::default()).await;
    let job = world.ended(id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(job.progress.objects_imported, 401);
    let gets = world.server.stats().count(Op::Get);
    assert!(gets <= 404 + 20, "{gets} GETs: what was done was read again");
    assert_eq!(world.commits().await.len(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canceling_ends_the_job_and_a_retry_reads_the_rest() {
    let settings = Settings { latency: Duration::from_millis(40), ..Settings::default() };
    let world = World::with(objects(), Setup { settings, ..Setup::default() }).await;
    let id = world.start(world.request()).await;
    world.server.until(|stats| stats.count(Op::Get) >= 150).await;
    let principal = &world.principal;
    world.engine.cancel_import(principal, ORG, REPO, id).await.expect("canceled");
    let job = world.ended(id).await;
    assert_eq!((job.status, job.commit), (JobStatus::Canceled, None));
    assert!(world.commits().await.is_empty());
    world.engine.retry_import(principal, ORG, REPO, id).await.expect("retried");
    let job = world.ended(id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    let gets = world.server.stats().count(Op::Get);
    assert!(gets <= 404 + 40, "{gets} GETs: what was done was read again");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detached_or_deleted_connector_ends_the_job_within_seconds() {
    for delete in [false, true] {
        let world = World::new(objects()).await;
        let gate = Gate::new();
        world.server.rule(Rule::on(Op::Get, Fault::Hold(gate.clone())).key("k0200"));
        let id = world.start(world.request()).await;
        world.server.until(|stats| stats.count(Op::Get) >= 200).await;
        let (principal, connector) = (&world.principal, world.connector);
        if delete {
            world.engine.delete_connector(principal, ORG, connector).await.expect("deleted");
        } else {
            world.engine.detach(principal, ORG, REPO, connector).await.expect("detached");
        }
        let ended = tokio::time::timeout(Duration::from_secs(10), world.ended(id)).await;
        let job = ended.expect("it ends within seconds");
        gate.open();
        assert_eq!(job.status, JobStatus::Failed);
        assert!(job.error.unwrap_or_default().contains("connector"));
        assert!(world.commits().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_content_does_not_depend_on_how_the_work_was_cut() {
    let quiet = World::new(objects()).await;
    quiet.import().await;
    let expected = engine::commit_digest(
        &quiet.engine,
        quiet.commits().await[0].repository,
        quiet.commits().await[0].id,
    )
    .await
    .expect("a digest");
    let imports = ImportSettings { transfers_max: 3, ..ImportSettings::default() };
    let settings =
        Settings { page_keys: 7, latency: Duration::from_millis(2), ..Settings::default() };
    let mut world = World::with(objects(), Setup { settings, imports, ..Setup::default() }).await;
    let id = world.start(world.request()).await;
    world.server.until(|stats| stats.count(Op::Get) >= 90).await;
    world.restart(ImportSettings::default()).await;
    world.ended(id).await;
    // Another world has another endpoint and other ids: what is compared leaves job and time out,
    // and the connector is the same because both draw their ids from the same seed.
    let commit = &world.commits().await[0];
    let digest = engine::commit_digest(&world.engine, commit.repository, commit.id).await;
    assert_eq!(digest.expect("a digest"), expected);
}

/// Panics the first time the work reaches its site.
struct PanicOnce(&'static str, AtomicBool);

impl model::Failpoints for PanicOnce {
    fn reach(&self, site: &'static str) -> Result<(), model::Injected> {
        assert!(site != self.0 || self.1.swap(true, Ordering::SeqCst), "a bug at {site}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_the_job_at_once_and_a_retry_ends_it() {
    for site in [
        "import.opened",
        "import.page_listed",
        "import.object_read",
        "import.batch_durable",
        "import.checkpointed",
        "import.pages_durable",
    ] {
        let failpoints = Arc::new(PanicOnce(site, AtomicBool::new(false)));
        let world = World::with(objects(), Setup { failpoints, ..Setup::default() }).await;
        let job = world.import().await;
        assert_eq!((job.status, job.commit), (JobStatus::Failed, None), "{site}");
        assert!(job.error.is_some_and(|error| error.contains("log")), "{site}");
        let retried = world.engine.retry_import(&world.principal, ORG, REPO, job.id).await;
        let job = world.ended(retried.expect("retried")).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{site}");
        assert_eq!(world.commits().await.len(), 1, "{site}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_claim_left_pending_survives_the_stop_of_the_next() {
    let objects: Objects = (0..30).map(|n| (format!("k{n:02}"), vec![n; 900])).collect();
    let mut world = World::new(objects).await;
    let gate = Gate::new();
    world.server.rule(Rule::on(Op::Get, Fault::Hold(gate.clone())).keys(|key| key < "k09"));
    let id = world.start(world.request()).await;
    world.server.until(|stats| stats.count(Op::Get) >= 30).await;
    let principal = world.principal.clone();
    world.engine.cancel_import(&principal, ORG, REPO, id).await.expect("canceled");
    assert_eq!(world.ended(id).await.status, JobStatus::Canceled, "with nine on their way");
    world.server.clear_rules();
    gate.open();
    world.server.set(|settings| settings.latency = Duration::from_millis(300));
    world.restart(ImportSettings { transfers_max: 1, ..ImportSettings::default() }).await;
    let gets = world.server.stats().count(Op::Get);
    world.engine.retry_import(&principal, ORG, REPO, id).await.expect("retried");
    world.server.until(|stats| stats.count(Op::Get) >= gets + 3).await;
    world.engine.cancel_import(&principal, ORG, REPO, id).await.expect("canceled");
    assert_eq!(world.ended(id).await.status, JobStatus::Canceled, "with some not taken on yet");
    world.engine.retry_import(&principal, ORG, REPO, id).await.expect("retried");
    let job = world.ended(id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!((job.progress.objects_imported, world.paths().await.len()), (30, 30));
}
