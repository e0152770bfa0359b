//! The loop: on schedule, on request, and what it records.

use std::time::Duration;

use engine::{CollectSettings, CollectWorker};
use model::{CollectOptions, Collection};

use crate::world::{AT_ONCE, World, content, forced};

async fn ended(world: &World, id: u64) -> Collection {
    for _ in 0..3_000 {
        let found = world.engine.collection(id).await.expect("the catalog answers");
        match found {
            Some(collection) if collection.ended => return collection,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("collection {id} does not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_carried_out_and_its_outcome_recorded() {
    let world = World::new(&["gone", "kept"]).await;
    world.import_of("gone", &content(5, 3_000, 1)).await;
    world.import_of("kept", &content(5, 3_000, 2)).await;
    world.delete("gone").await;
    let engine = &world.engine;
    let refused = engine.request_collection(&CollectOptions::default()).await.expect("asked");
    let done = engine.request_collection(&forced()).await.expect("asked");
    let worker = CollectWorker::start(engine.clone(), AT_ONCE);
    let refused = ended(&world, refused).await;
    assert!(refused.report.is_none() && refused.error.is_some_and(|why| why.contains("force")));
    let done = ended(&world, done).await;
    assert!(done.error.is_none() && done.report.is_some_and(|report| report.trashed > 0));
    worker.stop().await;
    world.assert_content("kept", &content(5, 3_000, 2), None).await;

    for wrong in [
        CollectOptions { trash_ms: Some(-1), ..CollectOptions::default() },
        CollectOptions { undo: true, dry_run: true, ..CollectOptions::default() },
    ] {
        let refused = engine.request_collection(&wrong).await.expect_err("it makes no sense");
        assert_eq!(refused.kind, engine::Kind::Invalid);
    }
    assert_eq!(engine.collection(99).await.expect("the catalog answers"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_collects_when_the_interval_has_passed() {
    let world = World::new(&["data"]).await;
    world.import_of("data", &content(5, 3_000, 1)).await;
    let hour = Duration::from_secs(3_600);
    let settings = CollectSettings { interval: hour, ..AT_ONCE };
    let start = || CollectWorker::start(world.engine.clone(), settings);
    let worker = start();
    assert_eq!(ended(&world, 1).await.error, None, "there has been none");
    worker.stop().await;
    world.clock.advance_ms(3_600_000 - 1_000);
    // Asked for one, so that it has looked at the schedule when that has ended.
    let worker = start();
    let id = world.engine.request_collection(&forced()).await.expect("asked");
    assert_eq!((id, ended(&world, id).await.error), (2, None));
    worker.stop().await;
    world.clock.advance_ms(3_600_000);
    let worker = start();
    assert_eq!(ended(&world, 3).await.options, CollectOptions::default());
    worker.stop().await;
}
