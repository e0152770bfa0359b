//! A session reads what was head when it began, whatever becomes of that, and its own changes.

use engine::At;

use crate::world::{DAY_MS, World};

#[tokio::test]
async fn a_session_keeps_its_base_beyond_retention_and_collection() {
    let world = World::new().await;
    let large = vec![7; 300_000];
    let base = world.committed(&[("kept", Some(&large)), ("replaced", Some(b"old"))]).await;
    world.retain(Some(3)).await;
    let session = world.begin().await;
    let at = At::Session(session);
    world.put(session, "mine", b"staged").await;
    world.copy(session, "replaced", "copied").await.expect("copied");
    let seen = world.content(&at).await;
    assert_eq!(seen.len(), 4);

    // Others replace everything, and the base's retention ends before the session does.
    world.clock.advance_ms(DAY_MS / 2);
    world.committed(&[("kept", None), ("replaced", Some(b"new")), ("theirs", Some(b"1"))]).await;
    world.retain(Some(1)).await;
    world.clock.advance_ms(DAY_MS + 1_000);
    world.collect().await;
    world.read(&At::Commit(base.to_string()), "kept").await.expect_err("it is stale");
    assert!(world.find(base).await.expired);
    assert_eq!(world.content(&at).await, seen);
    assert_eq!(world.read(&at, "kept").await.expect("its base"), large);
    world.copy(session, "kept", "kept/copy").await.expect("copied");
    world.assert_clean().await;

    world.commit(session).await.expect("nothing of it was touched");
    world.collect().await;
    let head = world.content(&At::Head).await;
    let names: Vec<&str> = head.keys().map(String::as_str).collect();
    assert_eq!(names, ["copied", "kept/copy", "mine", "replaced", "theirs"]);
    assert_eq!((&head["copied"][..], &head["replaced"][..]), (&b"old"[..], &b"new"[..]));
    assert_eq!(head["kept/copy"], large);
    world.assert_clean().await;
}

#[tokio::test]
async fn what_a_session_no_longer_stages_is_collected_when_it_ends() {
    let world = World::new().await;
    world.committed(&[("a", Some(b"1"))]).await;
    let session = world.begin().await;
    world.put(session, "big", &vec![1; 200_000]).await;
    let stored = || async {
        let segments = world.catalog.segments(None, 1_000).await.expect("rows");
        segments.iter().map(|segment| segment.length).sum::<u64>()
    };
    // The world's own writer is live, and nothing of a live writer goes.
    world.catalog.void_leases().await.expect("voided");
    world.collect().await;
    assert!(stored().await > 200_000, "it is staged");
    assert_eq!(world.read(&At::Session(session), "big").await.expect("staged").len(), 200_000);
    world.rollback(session).await.expect("rolled back");
    world.collect().await;
    assert!(stored().await < 10_000, "{}", stored().await);
    world.assert_clean().await;
}
