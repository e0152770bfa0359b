//! Sessions with more than fits a page of anything.

use engine::At;

use crate::world::{ORG, Objects, REPO, World};

/// Three folders of which the middle one is larger than any page of rows.
fn names() -> Vec<String> {
    let folder =
        |name: &'static str, count: usize| (0..count).map(move |n| format!("{name}/{n:05}"));
    folder("a", 2_500).chain(folder("b", 5_000)).chain(folder("c", 2_500)).collect()
}

#[tokio::test]
async fn ten_thousand_changes_are_listed_in_small_pages_and_committed() {
    let world = World::new().await;
    let names = names();
    let session = world.begin().await;
    for chunk in names.chunks(1_000) {
        world.put_all(session, chunk.iter().map(|name| (name.as_str(), name.as_bytes()))).await;
    }
    let at = At::Session(session);
    assert_eq!(world.names(&at, "", None, 333).await, names);
    assert_eq!(world.names(&at, "", Some("/"), 1).await, ["a/", "b/", "c/"]);
    assert_eq!(world.names(&at, "b/0123", None, 7).await, names[3_730..3_740]);
    world.commit(session).await.expect("committed");
    assert_eq!(world.names(&At::Head, "", None, 1_000).await, names);

    // Over a base as large: every second one goes, one folder goes wholly, one gets a new last.
    let session = world.begin().await;
    let at = At::Session(session);
    let gone = |name: &&String| name.starts_with("b/") || name.ends_with(['1', '3', '5', '7', '9']);
    let deleted: Vec<&str> = names.iter().filter(gone).map(String::as_str).collect();
    for chunk in deleted.chunks(1_000) {
        assert_eq!(world.delete(session, chunk).await.expect("deleted"), chunk.len() as u64);
    }
    let mut left: Vec<String> = names.iter().filter(|name| !gone(name)).cloned().collect();
    assert_eq!(world.names(&at, "", None, 41).await, left);
    assert_eq!(world.names(&at, "", Some("/"), 1).await, ["a/", "c/"]);
    assert_eq!(world.names(&at, "b/", None, 1).await, [""; 0]);
    world.put(session, "b/99999", b"the last").await;
    assert_eq!(world.names(&at, "", Some("/"), 2).await, ["a/", "b/", "c/"]);
    world.commit(session).await.expect("committed");
    left.push("b/99999".to_owned());
    left.sort();
    assert_eq!(world.names(&At::Head, "", None, 1_000).await, left);
    world.collect().await;
    let content: Objects = world.content(&At::Head).await;
    let is_own = |(name, bytes): (&String, &Vec<u8>)| name == "b/99999" || name.as_bytes() == bytes;
    assert!(content.iter().all(is_own));
    world.assert_clean().await;
}

/// Says how long it takes; run with `--ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_hundred_thousand_changes_take_seconds() {
    let world = World::new().await;
    let names: Vec<String> = (0..100_000).map(|n| format!("dir{:03}/{n:06}", n % 317)).collect();
    let start = std::time::Instant::now();
    let session = world.begin().await;
    for chunk in names.chunks(1_000) {
        world.put_all(session, chunk.iter().map(|name| (name.as_str(), name.as_bytes()))).await;
    }
    println!("staged 100,000 objects: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    world.assert_clean().await;
    println!("checked them, with the catalog's integrity: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    world.commit(session).await.expect("committed");
    println!("committed them: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let session = world.begin().await;
    for chunk in names.chunks(1_000) {
        let paths = chunk.to_vec();
        let deleted = world.engine.delete_objects(&world.owner, ORG, REPO, session, paths).await;
        deleted.expect("deleted");
    }
    println!("staged 100,000 deletions: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    assert_eq!(world.names(&At::Session(session), "", Some("/"), 100).await, [""; 0]);
    println!("listed what is left of them, nothing: {:?}", start.elapsed());
    world.put(session, "one", b"1").await;
    let start = std::time::Instant::now();
    world.commit(session).await.expect("committed");
    println!("committed the deletions: {:?}", start.elapsed());
    assert_eq!(world.names(&At::Head, "", None, 10).await, ["one"]);
}
