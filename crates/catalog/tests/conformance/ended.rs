//! What ends by itself, and goes.

use std::ops::Bound;
use std::sync::Arc;

use catalog::Catalog;
use model::limits::STAGED_ROWS;
use model::{Deed, DeviceCode, Hash, Login, Part, Session, Timestamp, UploadId};

use super::world::{World, at, change, deed};

async fn purge(world: &World, now: Timestamp, limit: u64) -> u64 {
    world.catalog.purge_ended(now, limit).await.expect("an answer")
}

async fn staged(world: &World, session: &Session) -> usize {
    let found = world.catalog.staged(session.id, Bound::Unbounded, None, 10 * STAGED_ROWS).await;
    found.expect("changes").len()
}

async fn parts(world: &World, upload: UploadId, amount: u32) {
    for number in 1..=amount {
        let part = Part { number, size: 1, tag: Hash::of(b"x"), offset: 0, pieces: vec![1] };
        assert!(world.catalog.record_part(upload, &part, &[]).await.expect("an answer"));
    }
}

/// A session with changes and an upload with parts: 2 + `changes` + `amount` rows.
async fn full(world: &World, changes: usize, amount: u32) -> (Session, UploadId) {
    let session = world.session().await;
    let changes: Vec<_> = (0..changes).map(|n| change(&format!("{n:06}"), Some(b"e"))).collect();
    assert!(world.stage(&session, &changes).await);
    let upload = world.upload(&session).await.id;
    parts(world, upload, amount).await;
    (session, upload)
}

pub(crate) async fn ended_sessions_go_with_all_they_have(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (kept, keeps) = full(&world, 5, 3).await;
    let (ended, _) = full(&world, 20, 4).await;
    let (expired, _) = full(&world, 30, 5).await;
    let first_open = at(0);
    assert_eq!(purge(&world, first_open, 100).await, 0, "nothing has ended");
    assert!(catalog.end_session(ended.id, &world.deed("End")).await.expect("an answer"));
    assert_eq!(purge(&world, world.tick(), 100).await, 26);
    assert_eq!((staged(&world, &ended).await, staged(&world, &expired).await), (0, 30));

    // By the time that two have expired, one of them was ended just before.
    let other = full(&world, 7, 0).await.0;
    assert_eq!(purge(&world, expired.expires_at, 1_000).await, 10 + 37);
    assert_eq!((staged(&world, &kept).await, staged(&world, &expired).await), (0, 0));
    assert_eq!(staged(&world, &other).await, 7);
    assert_eq!(catalog.parts(keeps).await.expect("parts"), []);
    let open: Vec<_> = catalog.open_sessions().await.expect("sessions");
    assert_eq!(open.iter().map(|session| session.id).collect::<Vec<_>>(), [other.id]);
    assert_eq!(catalog.open_uploads().await.expect("uploads").len(), 1);
    assert_eq!(catalog.integrity().await.expect("an answer"), Vec::<String>::new());
}

pub(crate) async fn they_go_in_bites(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(full(&world, 40, 6).await.0);
    }
    let lone = full(&world, 0, 0).await.0;
    for session in &sessions {
        assert!(catalog.end_session(session.id, &world.deed("End")).await.expect("an answer"));
    }
    let mut gone = Vec::new();
    loop {
        let now = world.tick();
        let bite = purge(&world, now, 25).await;
        gone.push(bite);
        if bite < 25 {
            break;
        }
    }
    assert_eq!(gone, [25, 25, 25, 25, 25, 19], "3 times 40 changes, 6 parts, 1 upload, itself");
    assert_eq!(catalog.open_uploads().await.expect("uploads").len(), 1);
    let open = catalog.session(lone.repository, lone.id, world.tick()).await;
    assert!(open.expect("an answer").is_some());
    assert_eq!(purge(&world, world.tick(), 0).await, 0);
}

pub(crate) async fn expired_uploads_go_and_their_session_stays(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    assert!(world.stage(&session, &[change("a", None)]).await);
    let mut brief = world.new_upload(&session);
    brief.expires_at = brief.created_at.plus_ms(1);
    catalog.create_upload(&brief).await.expect("an upload");
    let other = world.upload(&session).await.id;
    for upload in [brief.id, other] {
        parts(&world, upload, 3).await;
    }
    assert_eq!(purge(&world, brief.created_at, 100).await, 0);
    assert_eq!(purge(&world, brief.expires_at, 2).await, 2);
    assert_eq!(catalog.open_uploads().await.expect("uploads").len(), 2, "a part is left");
    assert_eq!(purge(&world, brief.expires_at, 100).await, 2);
    assert_eq!(catalog.open_uploads().await.expect("uploads"), [other]);
    assert_eq!(catalog.parts(other).await.expect("parts").len(), 3);
    assert_eq!(staged(&world, &session).await, 1);
}

pub(crate) async fn sessions_of_what_was_deleted_end(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let other = World::named(catalog.clone(), "other").await;
    let third = World::named(catalog.clone(), "third").await;
    for world in [&world, &other, &third] {
        full(world, 3, 2).await;
    }
    catalog.delete_repository(world.repository.id, &deed(world.tick())).await.expect("a deletion");
    catalog
        .delete_organization(other.organization.id, &deed(world.tick()))
        .await
        .expect("a deletion");
    assert_eq!(purge(&world, world.tick(), 100).await, 2 * 7);
    let open = catalog.open_sessions().await.expect("sessions");
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].repository, third.repository.id);
}

pub(crate) async fn logins_and_device_codes_go(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    for n in 0..5 {
        let (created_at, expires_at) = (at(i64::from(n)), at(i64::from(n) + 100));
        let login = Login { user: world.owner.id, token_hash: [n; 32], created_at, expires_at };
        let deed = Deed { organization: None, ..world.deed("Login") };
        catalog.create_login(&login, &deed).await.expect("a login");
        let (device_hash, user_code) = ([n; 32], n.to_string());
        let confirmed_by = (n % 2 == 0).then_some(world.owner.id);
        let code = DeviceCode { device_hash, user_code, created_at, expires_at, confirmed_by };
        catalog.create_device_code(&code).await.expect("a code");
    }
    assert_eq!(purge(&world, at(102), 2).await, 2);
    assert_eq!(purge(&world, at(102), 100).await, 4);
    // What is left is asked for at a time at which all of them were alive.
    for n in 0..5 {
        let login = catalog.user_by_login_token([n; 32], at(50)).await.expect("an answer");
        let code = catalog.device_code([n; 32], at(50)).await.expect("an answer");
        assert_eq!((login.is_some(), code.is_some()), (n > 2, n > 2));
    }
}
