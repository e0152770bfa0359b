//! Collections beside uploads, and writers that do not live longer than they are needed.

use std::time::Duration;

use engine::{CollectSettings, UploadSpec};
use model::CollectOptions;

use crate::world::{HOUR_MS, MIB, ORG, REPO, World, body, noise, stating};

/// Nothing waits: what is dead goes at once, and is unlinked at once.
const AT_ONCE: CollectSettings =
    CollectSettings { interval: Duration::ZERO, grace: Duration::ZERO, trash: Duration::ZERO };

impl World {
    async fn collect(&self) {
        let options = CollectOptions { force: true, ..CollectOptions::default() };
        self.engine.collect(&options, &AT_ONCE).await.expect("collected");
    }

    /// Two minutes of housekeeping in which nothing else happens.
    async fn idle(&self) {
        for _ in 0..3 {
            self.clock.advance_ms(60_000);
            self.engine.keep_house().await.expect("kept");
            // Tasks that have nothing to do any more end now.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn live_writers(&self) -> usize {
        self.catalog.live_writers().await.expect("a list").len()
    }
}

#[tokio::test]
async fn what_has_arrived_outlives_collections_until_it_is_staged() {
    let world = World::new().await;
    for (path, bytes) in [("small", noise(10, 1)), ("large", noise(70 * MIB, 2))] {
        let token = world.begin(path).await;
        world.engine.receive(&token, body(&bytes)).await.expect("received");
        // The open segment is sealed by itself, and nothing names it.
        tokio::time::sleep(Duration::from_millis(400)).await;
        world.assert_nothing_open().await;
        world.idle().await;
        assert!(world.live_writers().await >= 1, "{path}: its writer was closed");
        world.collect().await;
        world.finalize(path, &token, stating(&bytes)).await.expect("staged");
        world.collect().await;
        world.assert_staged(path, &bytes).await;
    }
}

#[tokio::test]
async fn what_nobody_staged_is_collected_once_it_has_expired() {
    let world = World::new().await;
    let token = world.begin("kept").await;
    world.engine.receive(&token, body(b"kept")).await.expect("received");
    world.finalize("kept", &token, UploadSpec::default()).await.expect("staged");
    for (path, size) in [("small", 10), ("large", 3 * MIB)] {
        let token = world.begin(path).await;
        world.engine.receive(&token, body(&noise(size, 3))).await.expect("received");
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    let files = world.files().await.len();
    world.collect().await;
    assert_eq!(world.files().await.len(), files);
    world.clock.advance_ms(HOUR_MS - 4 * 60_000);
    world.idle().await;
    assert_eq!(world.live_writers().await, 1, "they can still be staged");
    world.idle().await;
    assert_eq!(world.live_writers().await, 0, "an hour has passed since they came");
    world.engine.sweep().await.expect("swept");
    assert!(world.files().await.len() < files, "{:?}", world.files().await);
    world.assert_staged("kept", b"kept").await;
}

#[tokio::test]
async fn what_was_for_a_session_that_has_ended_is_let_go_at_once() {
    let mut world = World::new().await;
    let (open, ended) = (world.session, world.open_session().await);
    let kept = world.begin("kept").await;
    world.engine.receive(&kept, body(b"kept")).await.expect("received");
    // The lease of what is kept is another one by then.
    world.clock.advance_ms(5 * 60_000);
    world.session = ended;
    for path in ["a", "b"] {
        let token = world.begin(path).await;
        world.engine.receive(&token, body(&noise(3 * MIB, 3))).await.expect("received");
    }
    let rolled_back = world.engine.rollback_session(&world.owner, ORG, REPO, ended).await;
    rolled_back.expect("rolled back");
    world.idle().await;
    assert_eq!(world.live_writers().await, 1, "only what can be staged is held");
    world.session = open;
    world.finalize("kept", &kept, stating(b"kept")).await.expect("staged");
    world.idle().await;
    assert_eq!(world.live_writers().await, 0);
    world.collect().await;
    world.assert_staged("kept", b"kept").await;
}

#[tokio::test]
async fn parts_outlive_collections_and_what_they_replaced_does_not() {
    let world = World::new().await;
    let bytes = noise(37 * MIB, 4);
    let (aligned, odd) = (world.begin_parts("aligned").await, world.begin_parts("odd").await);
    let mut parts = [Vec::new(), Vec::new()];
    for (number, range) in [(1, 0..32 * MIB), (2, 32 * MIB..37 * MIB)] {
        world.send("aligned", &aligned, number, body(&noise(20 * MIB, 5))).await;
        parts[0].push(world.send("aligned", &aligned, number, body(&bytes[range])).await);
    }
    for (number, range) in [(1, 0..5), (2, 5..37 * MIB)] {
        parts[1].push(world.send("odd", &odd, number, body(&bytes[range])).await);
    }
    world.idle().await;
    assert_eq!(world.live_writers().await, 0, "rows keep what the parts need");
    world.collect().await;
    world.complete("aligned", &aligned, &parts[0], stating(&bytes)).await.expect("completed");
    world.complete("odd", &odd, &parts[1], stating(&bytes)).await.expect("completed");
    world.idle().await;
    world.collect().await;
    world.assert_staged("aligned", &bytes).await;
    world.assert_staged("odd", &bytes).await;
    // Two objects; the parts that were replaced, and those that were cut anew, are gone.
    let mut stored = 0;
    for file in world.files().await {
        stored += world.blocks.store().length(&file.file).await.expect("a file");
    }
    assert!((74..80).contains(&(stored / MIB as u64)), "{stored} bytes");
}

#[tokio::test]
async fn writers_are_replaced_and_closed() {
    let world = World::new().await;
    assert_eq!(world.live_writers().await, 0);
    world.upload("a", body(b"1")).await.expect("uploaded");
    let first = world.catalog.live_writers().await.expect("a list");
    assert_eq!(first.len(), 1);
    for minute in 0..6 {
        world.upload("a", body(&[minute])).await.expect("uploaded");
        world.clock.advance_ms(59_000);
        world.engine.keep_house().await.expect("kept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.upload("a", body(b"2")).await.expect("uploaded");
    world.engine.keep_house().await.expect("kept");
    let later = world.catalog.live_writers().await.expect("a list");
    assert_eq!(later.len(), 1, "one at a time");
    assert_ne!(later, first, "replaced after five minutes though in use");
    world.idle().await;
    assert_eq!(world.live_writers().await, 0, "closed when idle");
    world.upload("a", body(b"3")).await.expect("a new one");
    world.assert_staged("a", b"3").await;
}

#[tokio::test]
async fn sessions_of_a_repository_share_its_writer() {
    let mut world = World::new().await;
    for number in 0..3 {
        world.session = world.open_session().await;
        world.upload("a", body(&noise(3 * MIB, number))).await.expect("uploaded");
        world.upload("b", body(b"1")).await.expect("uploaded");
    }
    assert_eq!(world.live_writers().await, 1);
    let (engine, owner, spec) = (&world.engine, &world.owner, UploadSpec::default());
    let put = engine.put_object(owner, ORG, REPO, world.session, "c", spec, body(b"2")).await;
    put.expect("put");
    assert_eq!(world.live_writers().await, 1);
}
