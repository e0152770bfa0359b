//! Commits that meet: each lands wholly, on what was head, or is refused.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use engine::{At, Kind};
use model::CommitId;

use crate::world::World;

/// The commits from the head to the first.
async fn chain(world: &World) -> Vec<CommitId> {
    let mut chain = Vec::new();
    let mut next = world.repository().await.head;
    while let Some(id) = next {
        chain.push(id);
        next = world.find(id).await.parent;
    }
    chain
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_acknowledged_commit_is_in_one_unbroken_chain() {
    const WRITERS: usize = 16;
    // At least five each, and for about a minute where the random tests are to look harder.
    let commits = proptest::test_runner::Config::default().cases as usize / 50;
    let commits = commits.max(5);
    let world = Arc::new(World::new().await);
    let writers = (0..WRITERS).map(|writer| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..commits {
                let session = world.begin().await;
                world.put(session, &format!("{writer:02}/{number}"), b"mine").await;
                // Every fourth writer fights for one path.
                if writer % 4 == 0 {
                    world.put(session, "shared", format!("{writer} {number}").as_bytes()).await;
                }
                match world.commit(session).await {
                    Ok(commit) => acknowledged.push((commit, format!("{writer:02}/{number}"))),
                    Err(error) => {
                        assert_eq!((error.kind, writer % 4), (Kind::Conflict, 0), "{error}");
                        world.rollback(session).await.expect("it stays open");
                    }
                }
            }
            acknowledged
        })
    });
    let mut acknowledged = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        acknowledged.extend(writer.await.expect("no panic"));
    }
    let (ids, paths): (BTreeSet<CommitId>, BTreeSet<String>) = acknowledged.into_iter().unzip();
    let chain = chain(&world).await;
    assert!(ids.len() >= WRITERS * commits * 3 / 4, "{}", ids.len());
    assert_eq!(chain.iter().copied().collect::<BTreeSet<_>>(), ids);
    assert_eq!(chain.len(), ids.len(), "each of them once");
    let mut names: BTreeSet<String> =
        world.names(&At::Head, "", None, 1_000).await.into_iter().collect();
    assert!(names.remove("shared"));
    assert_eq!(names, paths);
    world.assert_clean().await;
}

/// Holds the first commit that gets there until it is told to go on.
struct HoldOnce(Sender<()>, Mutex<Option<Receiver<()>>>);

impl model::Failpoints for HoldOnce {
    fn reach(&self, site: &'static str) -> Result<(), model::Injected> {
        if site == "land.pages_durable"
            && let Some(go) = self.1.lock().expect("nobody panics with it").take()
        {
            self.0.send(()).expect("the test waits");
            go.recv().expect("the test goes on");
        }
        Ok(())
    }
}

/// A world whose first commit is held once its pages are durable, and how to wait for that and go
/// on.
async fn held() -> (Arc<World>, Receiver<()>, Sender<()>) {
    let ((reached, wait), (go, gone)) = (channel(), channel());
    let world = World::failing(Arc::new(HoldOnce(reached, Mutex::new(Some(gone))))).await;
    (Arc::new(world), wait, go)
}

async fn reached(wait: Receiver<()>) {
    tokio::task::spawn_blocking(move || wait.recv()).await.expect("no panic").expect("reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_staged_while_a_commit_is_made_is_in_it() {
    let (world, wait, go) = held().await;
    let session = world.begin().await;
    world.put_all(session, [("a", &b"1"[..]), ("b", b"1")]).await;
    let committing = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.commit(session).await }
    });
    reached(wait).await;
    world.put(session, "a", b"2").await;
    world.delete(session, &["b"]).await.expect("deleted");
    world.copy(session, "a", "c").await.expect("copied");
    go.send(()).expect("it waits");
    committing.await.expect("no panic").expect("committed");
    let expected = [("a".to_owned(), b"2".to_vec()), ("c".to_owned(), b"2".to_vec())].into();
    assert_eq!(world.content(&At::Head).await, expected);
    assert_eq!(chain(&world).await.len(), 1);
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_head_that_moves_while_a_commit_is_made_is_taken_along() {
    let (world, wait, go) = held().await;
    let session = world.begin().await;
    world.put(session, "a", b"1").await;
    let committing = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.commit(session).await }
    });
    reached(wait).await;
    let beside = world.land_beside("b", b"2").await;
    go.send(()).expect("it waits");
    let commit = committing.await.expect("no panic").expect("committed");
    assert_eq!(world.find(commit).await.parent, Some(beside));
    let expected = [("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())].into();
    assert_eq!(world.content(&At::Head).await, expected);
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_head_that_moves_in_the_way_refuses_the_commit() {
    let (world, wait, go) = held().await;
    let session = world.begin().await;
    world.put(session, "a", b"1").await;
    let committing = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.commit(session).await }
    });
    reached(wait).await;
    let beside = world.land_beside("a", b"2").await;
    go.send(()).expect("it waits");
    let error = committing.await.expect("no panic").expect_err("it was changed");
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(chain(&world).await, [beside]);
    assert_eq!(world.read(&At::Session(session), "a").await.expect("still open"), b"1");
    world.rollback(session).await.expect("rolled back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_ends_while_it_is_committed_is_not() {
    let (world, wait, go) = held().await;
    let session = world.begin().await;
    world.put(session, "a", b"1").await;
    let committing = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.commit(session).await }
    });
    reached(wait).await;
    world.rollback(session).await.expect("rolled back");
    go.send(()).expect("it waits");
    let error = committing.await.expect("no panic").expect_err("it has ended");
    assert_eq!((error.kind, error.message.as_str()), (Kind::NotFound, "session not found"));
    assert_eq!(chain(&world).await, []);
}
