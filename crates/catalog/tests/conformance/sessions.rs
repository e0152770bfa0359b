//! Sessions: begun, looked at, ended.

use std::sync::Arc;

use catalog::{Catalog, Error};
use model::limits::OPEN_SESSIONS_MAX;
use model::{CommitId, RepositoryId, Session, SessionId, Timestamp};
use uuid::Uuid;

use super::world::{World, change, deed, many};

async fn find(world: &World, session: &Session, now: Timestamp) -> Option<Session> {
    let found = world.catalog.session(session.repository, session.id, now).await;
    found.expect("an answer")
}

pub(crate) async fn it_begins_at_the_head(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let mut told = world.new_session();
    told.base = Some(CommitId([1; 32]));
    told.revision = 9;
    let deed = world.deed("CreateSession");
    let stored = catalog.create_session(&told, &deed).await.expect("a session");
    assert_eq!(stored, Session { base: None, revision: 0, ..told });
    assert_eq!(find(&world, &stored, world.tick()).await, Some(stored.clone()));
    let head = world.commit().await.id;
    let second = world.session().await;
    assert_eq!(second.base, Some(head));
    assert_eq!(find(&world, &stored, world.tick()).await, Some(stored), "the first keeps its base");
}

pub(crate) async fn it_belongs_to_its_repository(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let other = world.another_repository(&world.organization, "other").await;
    let session = world.session().await;
    let elsewhere = Session { repository: other.id, ..session.clone() };
    assert_eq!(find(&world, &elsewhere, world.tick()).await, None);
    let unknown = Session { id: SessionId(Uuid::new_v4()), ..session.clone() };
    assert_eq!(find(&world, &unknown, world.tick()).await, None);
    let gone = Session { repository: RepositoryId(Uuid::new_v4()), ..world.new_session() };
    let refused = catalog.create_session(&gone, &world.deed("CreateSession")).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    catalog.delete_repository(other.id, &deed(world.tick())).await.expect("a deletion");
    let deleted = Session { repository: other.id, ..world.new_session() };
    let refused = catalog.create_session(&deleted, &world.deed("CreateSession")).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
}

pub(crate) async fn one_that_has_ended_or_expired_is_not_there(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (ended, expired) = (world.session().await, world.session().await);
    let end = async |session: &Session, now| {
        let deed = world.deed_at("EndSession", now);
        catalog.end_session(session.id, &deed).await.expect("an answer")
    };
    let before = Timestamp(expired.expires_at.0 - 1);
    assert!(end(&ended, world.tick()).await);
    assert!(!end(&ended, world.tick()).await);
    assert_eq!(find(&world, &ended, world.tick()).await, None);
    assert_eq!(find(&world, &expired, before).await, Some(expired.clone()));
    assert_eq!(find(&world, &expired, expired.expires_at).await, None);
    assert!(!end(&expired, expired.expires_at).await);
    let stage = async |session: &Session, now| {
        let changes = [change("a", None)];
        catalog.stage(session.id, &changes, &[], None, now).await.expect("an answer")
    };
    assert!(stage(&expired, before).await);
    assert!(!stage(&expired, expired.expires_at).await);
    assert!(!stage(&ended, world.tick()).await);
    let open = catalog.open_sessions().await.expect("sessions");
    assert_eq!(open, [Session { revision: 1, ..expired }], "what it holds must stay");
}

pub(crate) async fn open_sessions_of_a_repository_are_limited(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let deed = world.deed("CreateSession");
    let last = world.session().await;
    many(OPEN_SESSIONS_MAX - 1, || {
        let (catalog, new, deed) = (catalog.clone(), world.new_session(), deed.clone());
        async move { catalog.create_session(&new, &deed).await.map(|_| ()).expect("a session") }
    })
    .await;
    let refused = catalog.create_session(&world.new_session(), &deed).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })));
    let other = world.another_repository(&world.organization, "other").await;
    let elsewhere = Session { repository: other.id, ..world.new_session() };
    catalog.create_session(&elsewhere, &deed).await.expect("another repository has room");
    assert!(catalog.end_session(last.id, &deed).await.expect("an answer"));
    catalog.create_session(&world.new_session(), &deed).await.expect("there is room again");
}
