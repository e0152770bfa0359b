//! Imports that run while everything that can be taken is taken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use blocks::ItemKind;
use catalog::{Checkpoint, ClaimKey};
use model::{Hash, JobStatus, ShardState};
use testkit::s3::{Fault, Gate, Op, Rule};

use crate::world::{AT_ONCE, Content, DAY_MS, ORG, World, content, pattern};

fn hold(world: &World, key: &str) -> Gate {
    let gate = Gate::new();
    world.server.rule(Rule::on(Op::Get, Fault::Hold(gate.clone())).key(key).nth(0));
    gate
}

/// Waits until the import asks for this key.
async fn asked(world: &World, key: &str) {
    world.server.until(|stats| stats.gets.contains_key(key)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_import_loses_neither_what_it_fetched_nor_what_it_carries() {
    let world = World::new(&["data"]).await;
    world.retain("data", Some(1)).await;
    let carried = content(20, 2_000, 1);
    world.import_of("data", &carried).await;

    let mut objects = content(20, 2_000, 1);
    objects.extend((0..40).map(|n| (format!("n{n:02}"), pattern(5_000, n))));
    objects.insert("z".to_owned(), pattern(9_000, 1));
    world.put("data", &objects);
    let gate = hold(&world, "data/z");
    let id = world.start("data").await;
    asked(&world, "data/z").await;
    // Another import replaces what the first one carries over: its base is not head any more, and
    // then past the retention too.
    let replaced: Content = carried.keys().map(|key| (key.clone(), pattern(700, 8))).collect();
    world.import_of("data", &replaced).await;
    world.clock.advance_ms(3 * DAY_MS);
    for _ in 0..2 {
        world.collect(AT_ONCE).await;
    }
    world.assert_content("data", &replaced, None).await;
    gate.open();
    let job = world.ended("data", id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    world.assert_content("data", &objects, None).await;
    world.assert_clean().await;
    for _ in 0..2 {
        world.collect(AT_ONCE).await;
    }
    world.assert_content("data", &objects, None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_import_keeps_what_a_retry_needs() {
    let world = World::new(&["data"]).await;
    let mut objects: Content = (0..60).map(|n| (format!("n{n:02}"), pattern(5_000, n))).collect();
    objects.insert("large".to_owned(), pattern(40_000_000, 3));
    objects.insert("z".to_owned(), pattern(9_000, 1));
    world.put("data", &objects);
    let gate = hold(&world, "data/z");
    let id = world.start("data").await;
    asked(&world, "data/z").await;
    let (engine, principal) = (&world.engine, &world.principal);
    engine.cancel_import(principal, ORG, "data", id).await.expect("canceled");
    assert_eq!(world.ended("data", id).await.status, JobStatus::Canceled);
    gate.open();
    for _ in 0..2 {
        world.collect(AT_ONCE).await;
    }
    engine.retry_import(principal, ORG, "data", id).await.expect("retried");
    let job = world.ended("data", id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    world.assert_content("data", &objects, None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_and_collections_side_by_side() {
    let world = World::new(&["left", "right"]).await;
    for name in ["left", "right"] {
        world.retain(name, Some(1)).await;
    }
    let ended = AtomicBool::new(false);
    let imports = async {
        for round in 0..6 {
            for name in ["left", "right"] {
                world.import_of(name, &content(10, 3_000, round)).await;
            }
            world.clock.advance_ms(DAY_MS);
        }
        ended.store(true, Ordering::Relaxed);
    };
    // Each collection comes to its end: one that is dropped keeps its writer until the next start.
    let collect = async {
        while !ended.load(Ordering::Relaxed) {
            world.collect(AT_ONCE).await;
        }
    };
    tokio::join!(imports, collect);
    for name in ["left", "right"] {
        world.assert_content(name, &content(10, 3_000, 5), None).await;
    }
    world.collect(AT_ONCE).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_writers_segments_are_out_of_reach() {
    let mut world = World::new(&["data"]).await;
    world.stop_imports().await;
    world.start("data").await;
    let now = model::Clock::now(&*world.clock);
    let claim = world.catalog.claim_import("test", 600_000, 10, now).await;
    let claim = claim.expect("the catalog answers").expect("a job");
    let key = ClaimKey { job: claim.import.id, epoch: claim.epoch };
    let writer = world.blocks.writer(claim.import.spec.repository, claim.writer);
    let mut segment = writer.open().await.expect("an open segment");
    let bytes = b"what the next checkpoint may name";
    segment.append(ItemKind::Object, bytes, Hash::of(bytes)).await.expect("appended");
    let record = segment.seal().await.expect("sealed");
    let segments = vec![record.clone()];
    let checkpoint = Checkpoint { segments, run: None, shard: ShardState::default() };
    world.catalog.checkpoint(key, &checkpoint, now).await.expect("recorded");
    let open = writer.open().await.expect("an open segment");

    let files = world.files();
    let report = world.collect(AT_ONCE).await;
    assert_eq!((report.condemned, report.trashed, report.unlinked), (0, 0, 0));
    assert_eq!(world.catalog.segment(record.id).await.expect("a row"), Some(record.clone()));
    assert_eq!(world.files(), files);

    drop(open);
    let ended = world.catalog.end_import(key, JobStatus::Failed, Some("a test"), now).await;
    assert!(ended.expect("the catalog answers"));
    assert_eq!(world.collect(AT_ONCE).await.trashed, 1, "nothing names it and nothing will");
    assert!(world.files().is_empty());
}

/// Holds the work at its site until it is told to go on.
struct HoldAt(&'static str, Sender<()>, Mutex<Receiver<()>>);

impl model::Failpoints for HoldAt {
    fn reach(&self, site: &'static str) -> Result<(), model::Injected> {
        if site == self.0 {
            self.1.send(()).expect("the test waits");
            self.2.lock().expect("nobody panics with it").recv().expect("the test goes on");
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_to_be_needed_before_anything_is_taken_is_spared() {
    let mut world = World::new(&["data"]).await;
    let (old, new) = (content(10, 3_000, 1), content(10, 3_000, 2));
    let first = world.import_of("data", &old).await;
    world.import_of("data", &new).await;
    world.retain("data", Some(1)).await;
    world.clock.advance_ms(2 * DAY_MS);

    let ((reached, wait), (go, gone)) = (channel(), channel());
    let failpoints = Arc::new(HoldAt("collect.condemned", reached, Mutex::new(gone)));
    world.reopen(failpoints).await;
    let engine = world.engine.clone();
    let collecting =
        tokio::spawn(async move { engine.collect(&crate::world::forced(), &AT_ONCE).await });
    tokio::task::spawn_blocking(move || wait.recv()).await.expect("no panic").expect("reached");
    world.retain("data", None).await;
    go.send(()).expect("it waits");
    let report = collecting.await.expect("no panic").expect("collected");
    assert_eq!(report.trashed, 0, "{report:?}");
    world.assert_content("data", &old, Some(first)).await;
    world.assert_content("data", &new, None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_and_collections_side_by_side() {
    let world = World::new(&["data"]).await;
    world.retain("data", Some(1)).await;
    world.import_of("data", &content(10, 3_000, 1)).await;
    let (ended, mut expected) = (AtomicBool::new(false), content(10, 3_000, 1));
    let sessions = async {
        for round in 0..8_usize {
            let session = world.begin("data").await;
            for number in 0..6 {
                // An object is moved on, and what it was copied from is replaced.
                let (from, to) = (format!("s{number}"), format!("s{}", number + 1));
                let bytes = pattern(4_000 + number, round);
                world.stage("data", session, &from, &bytes).await;
                world.copy("data", session, &from, &to).await;
                expected.insert(from.clone(), pattern(10, round));
                world.stage("data", session, &from, &expected[&from]).await;
                expected.insert(to, bytes);
            }
            let moved = expected["k000"].clone();
            world.copy("data", session, "k000", "moved").await;
            expected.insert("moved".to_owned(), moved);
            let before = world.commit("data", session).await.expect("committed");
            let session = world.begin("data").await;
            world.remove("data", session, "moved").await;
            let removed = world.commit("data", session).await.expect("committed");
            world.revert("data", removed).await.expect("reverted");
            assert_ne!(before, removed);
            world.clock.advance_ms(DAY_MS);
        }
        ended.store(true, Ordering::Relaxed);
    };
    let collect = async {
        while !ended.load(Ordering::Relaxed) {
            world.collect(AT_ONCE).await;
        }
    };
    tokio::join!(sessions, collect);
    world.assert_content("data", &expected, None).await;
    world.collect(AT_ONCE).await;
    world.assert_content("data", &expected, None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_under_way_keeps_what_it_has_found() {
    let mut world = World::new(&["data"]).await;
    let ((reached, wait), (go, gone)) = (channel(), channel());
    world.reopen(Arc::new(HoldAt("copy.found", reached, Mutex::new(gone)))).await;
    let session = world.begin("data").await;
    let bytes = pattern(50_000, 1);
    world.stage("data", session, "from", &bytes).await;
    let (engine, principal) = (world.engine.clone(), world.principal.clone());
    let copying = tokio::spawn(async move {
        engine.copy_object(&principal, ORG, "data", session, "from", "to").await
    });
    tokio::task::spawn_blocking(move || wait.recv()).await.expect("no panic").expect("reached");
    // What it has found is needed by nothing any more, for all that a collection can see.
    world.remove("data", session, "from").await;
    let engine = world.engine.clone();
    let collecting =
        tokio::spawn(async move { engine.collect(&crate::world::forced(), &AT_ONCE).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!collecting.is_finished(), "it waits for the copy");
    go.send(()).expect("it waits");
    copying.await.expect("no panic").expect("copied");
    collecting.await.expect("no panic").expect("collected");
    world.collect(AT_ONCE).await;
    let read = world.read_at("data", "to", &engine::At::Session(session)).await;
    assert!(read.expect("the copy") == bytes);
    world.assert_clean().await;
}
