//! A long import of one organization does not keep the others waiting.

use std::time::Duration;

use engine::{ImportRequest, ImportSettings};
use model::{ImportOptions, JobStatus};
use testkit::s3::{BUCKET, Objects, Op, Settings};

use crate::world::{Setup, World, connector};

const KEYS: u64 = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_import_gives_way_and_ends_later() {
    let slow = (0..KEYS).map(|n| (format!("slow/k{n:04}"), vec![n as u8; 64]));
    let other = (0..5).map(|n| (format!("other/k{n}"), vec![n; 64]));
    let objects: Objects = slow.chain(other).collect();
    let turn = Duration::from_millis(50);
    let imports = ImportSettings { jobs_max: 1, turn, ..ImportSettings::default() };
    let settings = Settings { latency: Duration::from_millis(40), ..Settings::default() };
    let source_uri = format!("s3://{BUCKET}/slow/");
    let world = World::with(objects, Setup { imports, settings, source_uri, ..Setup::default() });
    let world = world.await;
    world.organization("other").await;
    let there = world.bare("other", "data").await;
    let spec = connector("source", &format!("s3://{BUCKET}/other/"), &world.server);
    let created = world.engine.create_connector(&world.principal, "other", spec).await;
    let id = created.expect("a connector").id;
    world.engine.attach(&world.principal, "other", "data", id).await.expect("attached");

    // At 40 ms each, one after the other, the long one takes a minute at the very least.
    let options = ImportOptions { concurrency: Some(1), ..ImportOptions::default() };
    let long = world.start(ImportRequest { options, ..world.request() }).await;
    world.server.until(|stats| stats.count(Op::Get) >= 10).await;
    let request = ImportRequest { connector_id: Some(id), ..ImportRequest::default() };
    let job = there.import(request).await;
    assert_eq!((job.status, job.progress.objects_imported), (JobStatus::Completed, 5));
    let waiting = world.job(long).await;
    assert!(!waiting.status.is_terminal(), "it has only given way: {waiting:?}");

    world.server.set(|settings| settings.latency = Duration::ZERO);
    let job = world.ended(long).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!((job.progress.objects_imported, world.commits().await.len()), (KEYS, 1));
    let gets = world.server.stats().count(Op::Get);
    assert_eq!(gets, KEYS + 5, "giving way costs no reading twice");
}

/// Where only jobs of the same organization wait, a turn has no end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_an_import_keeps_its_place() {
    let objects: Objects = (0..90).map(|n| (format!("k{n:02}"), vec![n; 64])).collect();
    let imports =
        ImportSettings { jobs_max: 1, turn: Duration::from_millis(1), ..ImportSettings::default() };
    let settings = Settings { latency: Duration::from_millis(20), ..Settings::default() };
    let world = World::with(objects, Setup { imports, settings, ..Setup::default() }).await;
    let options = ImportOptions { concurrency: Some(1), ..ImportOptions::default() };
    let request = ImportRequest { options, ..world.request() };
    let (first, second) = (world.start(request.clone()).await, world.start(request).await);
    for id in [first, second] {
        let job = world.ended(id).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    }
    assert_eq!(world.server.stats().count(Op::List), 2, "each was claimed once");
}
