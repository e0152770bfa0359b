//! Commits that no import makes.

use std::ops::Bound;
use std::sync::Arc;

use catalog::{Catalog, Error, Landed, Landing};
use model::{Session, SessionId, Timestamp};
use uuid::Uuid;

use super::world::{World, change, deed};

async fn commit(world: &World, session: &Session, revision: u64, landing: &Landing) -> Landed {
    let deed = world.deed("CommitSession");
    let landed = world.catalog.commit_session(session.id, revision, landing, &deed).await;
    landed.expect("an answer")
}

/// What a landing that came to nothing must have left alone.
async fn traces(world: &World) -> (Option<model::CommitId>, usize, usize) {
    let segments = world.catalog.segments(None, 100).await.expect("segments");
    (world.head().await, segments.len(), world.log().await.len())
}

pub(crate) async fn everything_happens_at_once(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let before = world.commit().await;
    let session = world.session().await;
    assert!(world.stage(&session, &[change("a", None), change("b", Some(b"1"))]).await);
    let landing = world.landing_on(Some(before.id)).await;
    assert_eq!(commit(&world, &session, 2, &landing).await, Landed::Committed);
    assert_eq!(world.head().await, Some(landing.commit.id));
    let log = catalog.log(world.repository.id, landing.commit.id, 9).await.expect("a log");
    assert_eq!(log[0], landing.commit);
    assert_eq!(log[1].superseded_at, Some(landing.commit.created_at));
    let segment = &landing.segments[0];
    assert_eq!(catalog.segment(segment.id).await.expect("an answer").as_ref(), Some(segment));
    assert_eq!(world.actions().await.last().map(String::as_str), Some("CommitSession"));
    let found = catalog.session(session.repository, session.id, world.tick()).await;
    assert_eq!(found.expect("an answer"), None, "the session has ended");
    assert!(!world.stage(&session, &[change("c", None)]).await);
    let staged = catalog.staged(session.id, Bound::Unbounded, None, 9).await.expect("changes");
    assert_eq!(staged.len(), 2, "what it staged goes later");
    let next = world.landing_on(Some(landing.commit.id)).await;
    let before = traces(&world).await;
    assert_eq!(commit(&world, &session, 2, &next).await, Landed::Gone);
    assert_eq!(traces(&world).await, before);
}

pub(crate) async fn each_bar_leaves_nothing(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let stale = world.landing_on(None).await;
    let head = world.commit().await.id;
    let session = world.session().await;
    assert!(world.stage(&session, &[change("a", None)]).await);
    let landing = world.landing_on(Some(head)).await;
    let before = traces(&world).await;
    assert_eq!(commit(&world, &session, 0, &landing).await, Landed::Restaged);
    assert_eq!(commit(&world, &session, 2, &landing).await, Landed::Restaged);
    assert_eq!(commit(&world, &session, 1, &stale).await, Landed::HeadMoved);
    let unknown = Session { id: SessionId(Uuid::new_v4()), ..session.clone() };
    assert_eq!(commit(&world, &unknown, 1, &landing).await, Landed::Gone);
    let late = world.deed_at("CommitSession", session.expires_at);
    let landed = catalog.commit_session(session.id, 1, &landing, &late).await;
    assert_eq!(landed.expect("an answer"), Landed::Gone, "it has expired");
    let other = world.another_repository(&world.organization, "other").await;
    let mut elsewhere = world.landing_on(None).await;
    elsewhere.commit.repository = other.id;
    assert_eq!(commit(&world, &session, 1, &elsewhere).await, Landed::Gone);
    assert_eq!(traces(&world).await, before);
    assert_eq!(commit(&world, &session, 1, &landing).await, Landed::Committed, "it is still open");
}

pub(crate) async fn a_commit_without_a_session_lands_on_the_head(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (first, late) = (world.landing_on(None).await, world.landing_on(None).await);
    let land = async |landing: &Landing| catalog.land(landing, &world.deed("Revert")).await;
    assert_eq!(land(&first).await.expect("an answer"), Landed::Committed);
    let before = traces(&world).await;
    assert_eq!(before.0, Some(first.commit.id));
    assert_eq!(land(&late).await.expect("an answer"), Landed::HeadMoved);
    let mut fork = world.landing_on(None).await;
    fork.expected_head = before.0;
    assert!(matches!(land(&fork).await, Err(Error::Conflict { .. })), "history is a line");
    assert_eq!(traces(&world).await, before);
    let second = world.landing_on(Some(first.commit.id)).await;
    assert_eq!(land(&second).await.expect("an answer"), Landed::Committed);
    catalog.delete_repository(world.repository.id, &deed(world.tick())).await.expect("a deletion");
    let third = world.landing_on(Some(second.commit.id)).await;
    assert_eq!(land(&third).await.expect("an answer"), Landed::Gone);
}

pub(crate) async fn a_deleted_repository_takes_no_commit_of_a_session(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    let landing = world.landing_on(None).await;
    catalog.delete_repository(world.repository.id, &deed(world.tick())).await.expect("a deletion");
    assert_eq!(commit(&world, &session, 0, &landing).await, Landed::Gone);
    assert_eq!(catalog.segments(None, 9).await.expect("segments"), []);
}

pub(crate) async fn of_many_commits_at_once_one_wins_each_head(catalog: Arc<dyn Catalog>) {
    let world = Arc::new(World::new(catalog.clone()).await);
    let writers = (0..8).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let session = world.session().await;
            assert!(world.stage(&session, &[change("a", None)]).await);
            for tries in 1.. {
                let landing = world.landing_on(world.head().await).await;
                match commit(&world, &session, 1, &landing).await {
                    Landed::Committed => return (landing.commit.id, tries),
                    Landed::HeadMoved => {}
                    other => panic!("{other:?}"),
                }
            }
            unreachable!("it wins at last")
        })
    });
    let mut committed = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        committed.push(writer.await.expect("no panic").0);
    }
    let head = world.head().await.expect("a head");
    let log = catalog.log(world.repository.id, head, 100).await.expect("a log");
    let mut chain: Vec<_> = log.iter().map(|commit| commit.id).collect();
    chain.sort();
    committed.sort();
    assert_eq!(chain, committed, "each acknowledged commit is in one line");
    let now = Timestamp(i64::MAX);
    assert_eq!(catalog.purge_ended(now, 1_000).await.expect("an answer"), 8 * 2);
}
