//! The same import again, as a new job, after one that failed or was canceled.

use engine::{ImportRequest, ImportSettings};
use model::{Import, ImportOptions, JobStatus};
use sample::Object;
use testkit::s3::{Fault, Gate, Objects, Op, Rule};

use crate::world::{ORG, REPO, Setup, World, waiting};

const KEYS: u64 = 60;

fn objects() -> Objects {
    (0..KEYS).map(|n| (format!("k{n:02}"), vec![n as u8; 900 + n as usize])).collect()
}

fn denied() -> Fault {
    Fault::Status { code: 403, s3_code: "AccessDenied", headers: Vec::new() }
}

fn gets(world: &World) -> u64 {
    world.server.stats().count(Op::Get)
}

/// A world in which an import has failed because of this object, and how many of the others are
/// durable.
async fn failed(key: &str) -> (World, Import, u64) {
    // One after the other: what comes behind the key is not read before it.
    let imports = ImportSettings { transfers_max: 1, ..ImportSettings::default() };
    let world = World::with(objects(), Setup { imports, ..Setup::default() }).await;
    world.server.rule(Rule::on(Op::Get, denied()).key(key));
    let job = world.import().await;
    assert_eq!(job.status, JobStatus::Failed, "{job:?}");
    world.server.clear_rules();
    let durable = world.durable(job.id).await;
    (world, job, durable)
}

async fn undisturbed() -> String {
    let world = World::new(objects()).await;
    world.import().await;
    world.home().digest().await
}

/// A new job lands everything, reads only what was not durable, and is named by every entry.
async fn assert_goes_on(world: &World, first: &Import, durable: u64) {
    let before = gets(world);
    let job = world.import().await;
    assert_ne!(job.id, first.id);
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!((job.progress.objects_imported, job.progress.objects_unchanged), (KEYS, 0));
    assert!(durable > 0, "the first job got somewhere");
    assert_eq!(gets(world) - before, KEYS - durable, "{durable} were durable");
    for entry in world.home().entries().await.values() {
        let source = entry.source.as_ref().expect("provenance");
        assert_eq!((source.import_job_id, source.import_time), (job.id, job.created_at));
    }
    assert_eq!(world.commits().await.len(), 1);
    assert_eq!(world.home().digest().await, undisturbed().await);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_import_only_what_is_missing_is_read() {
    for key in ["k40", "k59"] {
        let (world, job, durable) = failed(key).await;
        assert_goes_on(&world, &job, durable).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_canceled_import_only_what_is_missing_is_read() {
    let setup = Setup { timeouts: waiting(60), ..Setup::default() };
    let world = World::with(objects(), setup).await;
    let gate = Gate::new();
    world.server.rule(Rule::on(Op::Get, Fault::Hold(gate.clone())).keys(|key| key >= "k30"));
    let options = ImportOptions { concurrency: Some(2), ..ImportOptions::default() };
    let id = world.start(ImportRequest { options, ..world.request() }).await;
    world.server.until(|stats| stats.count(Op::Get) >= 32).await;
    world.engine.cancel_import(&world.principal, ORG, REPO, id).await.expect("canceled");
    let job = world.ended(id).await;
    assert_eq!(job.status, JobStatus::Canceled);
    world.server.clear_rules();
    gate.open();
    let durable = world.durable(id).await;
    assert_eq!(durable, 30, "what was read before is kept");
    assert_goes_on(&world, &job, durable).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_since_the_failed_import_is_read_again() {
    let (world, _, durable) = failed("k59").await;
    let before = gets(&world);
    world.server.put("k05", Object::new("another content"));
    world.server.remove("k06");
    world.server.put("k61", Object::new("a new one"));
    let job = world.import().await;
    assert_eq!((job.status, job.progress.objects_imported), (JobStatus::Completed, KEYS));
    assert_eq!(gets(&world) - before, KEYS - durable + 2);
    assert_eq!(world.read("k05").await, b"another content");
    let paths = world.paths().await;
    assert!(!paths.contains(&"k06".to_owned()), "what the first job read and is gone is not there");
    assert!(paths.contains(&"k61".to_owned()));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_to_another_place_reads_everything() {
    let (world, _, durable) = failed("k59").await;
    assert!(durable > 0);
    let before = gets(&world);
    let request = ImportRequest { destination_path: "elsewhere".to_owned(), ..world.request() };
    assert_eq!(world.home().import(request).await.status, JobStatus::Completed);
    assert_eq!(gets(&world) - before, KEYS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_failures_in_a_row_lose_nothing_that_was_read() {
    let world = World::new(objects()).await;
    for refused in [&["k20", "k59"][..], &["k20", "k59"], &["k59"]] {
        world.server.rule(Rule::on(Op::Get, denied()).keys(|key| refused.contains(&key)));
        assert_eq!(world.import().await.status, JobStatus::Failed, "{refused:?}");
        world.server.clear_rules();
    }
    let job = world.import().await;
    assert_eq!((job.status, job.progress.objects_imported), (JobStatus::Completed, KEYS));
    let mut gets = world.server.stats().gets;
    gets.retain(|key, count| *count != 1 && !matches!(&**key, "k20" | "k59"));
    assert!(gets.is_empty(), "but for what was refused each was read once: {gets:?}");
    assert_eq!(world.home().digest().await, undisturbed().await);
}
