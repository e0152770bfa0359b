//! A session that has ended, expired, or never was: nothing can be done with it.

use engine::{At, ChangesQuery, DiffQuery, Kind, ObjectsQuery, RepositorySpec, Result};
use model::{Entropy, SessionId};

use crate::world::{DAY_MS, ORG, REPO, World, spec};

/// Everything that can be asked of a session.
async fn refusals(world: &World, repository: &str, id: SessionId) -> Vec<Result<()>> {
    let (engine, owner, at) = (&world.engine, &world.owner, At::Session(id));
    let changes = ChangesQuery { amount: 1, ..ChangesQuery::default() };
    let list = ObjectsQuery { at: at.clone(), amount: 1, ..ObjectsQuery::default() };
    let diff = DiffQuery { session: Some(id), amount: 1, ..DiffQuery::default() };
    let paths = || vec!["a".to_owned()];
    vec![
        engine.head_object(owner, ORG, repository, "a", &at).await.map(drop),
        engine.open_object(owner, ORG, repository, "a", &at, None).await.map(drop),
        engine.list_objects(owner, ORG, repository, list).await.map(drop),
        engine.session_changes(owner, ORG, repository, id, changes).await.map(drop),
        engine.diff(owner, ORG, repository, diff).await.map(drop),
        engine.copy_object(owner, ORG, repository, id, "a", "b").await,
        engine.delete_objects(owner, ORG, repository, id, paths()).await.map(drop),
        engine.commit_session(owner, ORG, repository, id, spec("m")).await.map(drop),
        engine.rollback_session(owner, ORG, repository, id).await,
    ]
}

async fn assert_gone(world: &World, repository: &str, id: SessionId) {
    for (number, refused) in refusals(world, repository, id).await.into_iter().enumerate() {
        let error = refused.expect_err("it has ended");
        let seen = (error.kind, error.message.as_str());
        assert_eq!(seen, (Kind::NotFound, "session not found"), "{number}");
    }
}

#[tokio::test]
async fn whatever_is_asked_of_an_ended_session_is_not_found() {
    let world = World::new().await;
    let spec = RepositorySpec { name: "other".to_owned(), ..RepositorySpec::default() };
    world.engine.create_repository(&world.owner, ORG, spec).await.expect("another repository");
    let (committed, rolled_back, expired) =
        (world.begin().await, world.begin().await, world.begin().await);
    for session in [committed, rolled_back, expired] {
        world.put(session, "a", b"1").await;
        assert_gone(&world, "other", session).await;
    }
    world.commit(committed).await.expect("committed");
    world.rollback(rolled_back).await.expect("rolled back");
    assert_gone(&world, REPO, committed).await;
    assert_gone(&world, REPO, rolled_back).await;
    assert_gone(&world, REPO, SessionId(world.entropy.uuid())).await;

    world.clock.advance_ms(7 * DAY_MS - 10);
    assert!(world.read(&At::Session(expired), "a").await.is_ok(), "not yet");
    world.clock.advance_ms(10);
    assert_gone(&world, REPO, expired).await;
    world.collect().await;
    assert_eq!(world.content(&At::Head).await, [("a".to_owned(), b"1".to_vec())].into());
    world.assert_clean().await;
}

#[tokio::test]
async fn sessions_are_for_members() {
    let world = World::new().await;
    let session = world.begin().await;
    let user = engine::NewUserSpec {
        username: "sam".to_owned(),
        email: "sam@example.com".to_owned(),
        full_name: String::new(),
        password: None,
    };
    world.engine.add_user(user).await.expect("a user");
    let key = world.engine.issue_key("sam", "test").await.expect("a key");
    let credential = engine::Credential::Token(key.token);
    let stranger = world.engine.authenticate(&credential, None).await.expect("a stranger");
    let engine = &world.engine;
    for refused in [
        engine.create_session(&stranger, ORG, REPO).await.map(drop),
        engine.commit_session(&stranger, ORG, REPO, session, spec("m")).await.map(drop),
        engine.rollback_session(&stranger, ORG, REPO, session).await,
        engine.delete_objects(&stranger, ORG, REPO, session, vec!["a".to_owned()]).await.map(drop),
        engine.copy_object(&stranger, ORG, REPO, session, "a", "b").await,
        engine.revert_commit(&stranger, ORG, REPO, "00000000", spec("m")).await.map(drop),
    ] {
        let error = refused.expect_err("a stranger");
        assert_eq!(error.message, "organization not found");
    }
    engine.add_member(&world.owner, ORG, "sam", model::Role::Member).await.expect("a member");
    // Whoever may use sessions may use everybody's.
    let deleted = engine.delete_objects(&stranger, ORG, REPO, session, vec!["a".to_owned()]).await;
    assert_eq!(deleted.expect("staged"), 1);
}

#[tokio::test]
async fn requests_are_bounded() {
    let world = World::new().await;
    let session = world.begin().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let many: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    for paths in [Vec::new(), many, vec![String::new()], vec!["a".to_owned(), "a\0b".to_owned()]] {
        let refused = engine.delete_objects(owner, ORG, REPO, session, paths).await;
        assert_eq!(refused.expect_err("refused").kind, Kind::Invalid);
    }
    for (from, to) in [("", "b"), ("a", ""), ("a\0", "b")] {
        assert_eq!(world.copy(session, from, to).await.expect_err("refused").kind, Kind::Invalid);
    }
    let both = DiffQuery {
        session: Some(session),
        right: Some("00000000".to_owned()),
        amount: 1,
        ..DiffQuery::default()
    };
    let refused = engine.diff(owner, ORG, REPO, both).await.expect_err("one or the other");
    assert_eq!(refused.kind, Kind::Invalid);
    let none = ChangesQuery::default();
    let refused = engine.session_changes(owner, ORG, REPO, session, none).await;
    assert_eq!(refused.expect_err("no rows asked for").kind, Kind::Invalid);
}
