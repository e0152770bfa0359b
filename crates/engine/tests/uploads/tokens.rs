//! Who may send and stage what, for how long, and how often.

use std::sync::Arc;

use engine::{At, Kind, PartOf, UploadSpec};
use model::UploadId;

use crate::world::{DAY_MS, ORG, REPO, World, body, noise, stating};

#[tokio::test]
async fn a_token_is_for_one_path_of_one_session() {
    let mut world = World::new().await;
    let token = world.begin("a").await;
    world.engine.receive(&token, body(b"1")).await.expect("received");
    let refused = world.finalize("b", &token, UploadSpec::default()).await.expect_err("refused");
    assert_eq!((refused.kind, refused.code), (Kind::Forbidden, "LINK_INVALID"));
    let (first, second) = (world.session, world.open_session().await);
    world.session = second;
    let refused = world.finalize("a", &token, UploadSpec::default()).await.expect_err("refused");
    assert_eq!((refused.kind, refused.code), (Kind::Forbidden, "LINK_INVALID"));
    world.session = first;
    let stranger = world.user("sam").await;
    let (engine, spec) = (&world.engine, UploadSpec::default());
    let refused = engine.finalize_upload(&stranger, ORG, REPO, first, "a", &token, spec).await;
    assert_eq!(refused.expect_err("not a member").kind, Kind::NotFound);
    world.finalize("a", &token, UploadSpec::default()).await.expect("staged");
}

#[tokio::test]
async fn a_token_is_spent_once_staged() {
    let world = World::new().await;
    let token = world.begin("a").await;
    world.engine.receive(&token, body(b"1")).await.expect("received");
    world.finalize("a", &token, UploadSpec::default()).await.expect("staged");
    let again = world.engine.receive(&token, body(b"2")).await.expect_err("replayed");
    assert_eq!(again.kind, Kind::NotFound);
    let again = world.finalize("a", &token, UploadSpec::default()).await.expect_err("replayed");
    assert_eq!(again.kind, Kind::NotFound);
    world.assert_staged("a", b"1").await;
}

#[tokio::test]
async fn an_upload_ends_after_a_day() {
    let world = World::new().await;
    let token = world.begin("a").await;
    world.clock.advance_ms(DAY_MS - 1);
    world.engine.keep_house().await.expect("kept");
    world.engine.receive(&token, body(b"1")).await.expect("received");
    world.engine.keep_house().await.expect("kept");
    world.clock.advance_ms(1);
    world.engine.keep_house().await.expect("kept");
    let late = world.engine.receive(&token, body(b"2")).await.expect_err("too late");
    assert_eq!((late.kind, late.code), (Kind::Forbidden, "LINK_EXPIRED"));
    let late = world.finalize("a", &token, UploadSpec::default()).await.expect_err("too late");
    assert_eq!((late.kind, late.code), (Kind::Forbidden, "LINK_EXPIRED"));
}

#[tokio::test]
async fn tokens_of_one_kind_are_worth_nothing_as_another() {
    let world = World::new().await;
    let (engine, owner, session) = (&world.engine, &world.owner, world.session);
    world.upload("there", body(b"1")).await.expect("uploaded");
    let single = world.begin("a").await;
    let begun = engine.begin_multipart(owner, ORG, REPO, session, "a").await.expect("begun");
    let upload = PartOf { id: begun.id, token: Some(begun.token.clone()) };
    let part = engine.sign_part(owner, ORG, REPO, session, "a", &upload, 1).await.expect("a link");
    let at = At::Session(session);
    let download = engine.presign_object(owner, ORG, REPO, "there", &at).await.expect("a link");
    for token in [&begun.token, &download, &String::new(), &format!("{single}A")] {
        let refused = engine.receive(token, body(b"1")).await.expect_err("refused");
        assert_eq!((refused.kind, refused.code), (Kind::Forbidden, "LINK_INVALID"));
    }
    for token in [&begun.token, &part, &download] {
        let refused = world.finalize("a", token, UploadSpec::default()).await;
        assert_eq!(refused.expect_err("refused").code, "LINK_INVALID");
    }
    for token in [&single, &begun.token, &part] {
        assert_eq!(engine.presigned(token).await.err().map(|e| e.code), Some("LINK_INVALID"));
    }
    for token in [&single, &part, &download] {
        let upload = PartOf { id: begun.id, token: Some(token.clone()) };
        let refused = engine.sign_part(owner, ORG, REPO, session, "a", &upload, 1).await;
        assert_eq!(refused.expect_err("refused").code, "LINK_INVALID");
        let refused = engine.abort_multipart(owner, ORG, REPO, session, "a", &upload).await;
        assert_eq!(refused.expect_err("refused").code, "LINK_INVALID");
    }
}

#[tokio::test]
async fn uploads_need_an_open_session_of_a_member() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let stranger = world.user("sam").await;
    let refused = engine.begin_upload(&stranger, ORG, REPO, world.session, "a").await;
    assert_eq!(refused.expect_err("not a member").kind, Kind::NotFound);
    let invalid = engine.begin_upload(owner, ORG, REPO, world.session, "").await;
    assert_eq!(invalid.expect_err("no path").kind, Kind::Invalid);
    let token = world.begin("a").await;
    let received = world.begin("b").await;
    engine.receive(&received, body(b"1")).await.expect("received");
    engine.rollback_session(owner, ORG, REPO, world.session).await.expect("rolled back");
    for path in ["a", "b"] {
        let refused = engine.begin_upload(owner, ORG, REPO, world.session, path).await;
        assert_eq!(refused.expect_err("ended").kind, Kind::NotFound);
    }
    let refused = engine.receive(&token, body(b"1")).await.expect_err("ended");
    assert_eq!(refused.kind, Kind::NotFound);
    let refused = world.finalize("b", &received, stating(b"1")).await.expect_err("ended");
    assert_eq!(refused.kind, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_finalizes_wins() {
    let world = Arc::new(World::new().await);
    for round in 0..20 {
        let (path, bytes) = (format!("race/{round}"), noise(100, round));
        let token = world.begin(&path).await;
        world.engine.receive(&token, body(&bytes)).await.expect("received");
        let finalize = || {
            let (world, path, token) = (Arc::clone(&world), path.clone(), token.clone());
            tokio::spawn(async move { world.finalize(&path, &token, UploadSpec::default()).await })
        };
        let (first, second) = (finalize(), finalize());
        let ended = [first.await.expect("no panic"), second.await.expect("no panic")];
        let lost: Vec<_> = ended.iter().filter_map(|ended| ended.as_ref().err()).collect();
        assert_eq!(lost.len(), 1, "{ended:?}");
        assert_eq!(lost[0].kind, Kind::NotFound);
        world.assert_staged(&path, &bytes).await;
    }
}

#[tokio::test]
async fn a_restart_forgets_single_uploads() {
    let mut world = World::new().await;
    let token = world.begin("a").await;
    world.engine.receive(&token, body(b"1")).await.expect("received");
    world.restart().await;
    let gone = world.engine.receive(&token, body(b"1")).await.expect_err("forgotten");
    assert_eq!(gone.kind, Kind::NotFound);
    let gone = world.finalize("a", &token, UploadSpec::default()).await.expect_err("forgotten");
    assert_eq!(gone.kind, Kind::NotFound);
    world.upload("a", body(b"2")).await.expect("uploaded anew");
    world.assert_staged("a", b"2").await;
}

#[tokio::test]
async fn a_download_link_shows_one_state_of_one_object() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let head = At::Head;
    let none = engine.presign_object(owner, ORG, REPO, "a", &head).await.expect_err("no commit");
    assert_eq!(none.kind, Kind::NotFound);
    world.upload("a", body(b"first")).await.expect("uploaded");
    let staged = At::Session(world.session);
    let token = engine.presign_object(owner, ORG, REPO, "a", &staged).await.expect("a link");
    let stands = engine.presigned(&token).await.expect("a link");
    assert_eq!((&*stands.path, &stands.at), ("a", &staged));
    let spec = engine::CommitSpec { message: "one".into(), ..engine::CommitSpec::default() };
    let commit = engine.commit_session(owner, ORG, REPO, world.session, spec).await;
    let commit = commit.expect("a commit").to_string();
    for at in [head, At::Commit(commit[..8].to_owned())] {
        let token = engine.presign_object(owner, ORG, REPO, "a", &at).await.expect("a link");
        let stands = engine.presigned(&token).await.expect("a link");
        assert_eq!(stands.at, At::Commit(commit.clone()));
        assert_eq!(stands.principal.user, owner.user);
        let named = (&*stands.organization, &*stands.repository, &*stands.path);
        assert_eq!(named, (ORG, REPO, "a"));
        let missing = engine.presign_object(owner, ORG, REPO, "b", &At::Head).await;
        assert_eq!(missing.expect_err("no object").kind, Kind::NotFound);
    }
    let token = engine.presign_object(owner, ORG, REPO, "a", &At::Head).await.expect("a link");
    world.clock.advance_ms(15 * 60_000);
    let late = engine.presigned(&token).await.err().map(|error| error.code);
    assert_eq!(late, Some("LINK_EXPIRED"));
}

#[tokio::test]
async fn a_download_link_does_not_outlive_the_repository_it_is_for() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    world.upload("a", body(b"1")).await.expect("uploaded");
    let at = At::Session(world.session);
    let token = engine.presign_object(owner, ORG, REPO, "a", &at).await.expect("a link");
    engine.delete_repository(owner, ORG, REPO).await.expect("deleted");
    assert_eq!(engine.presigned(&token).await.err().map(|e| e.kind), Some(Kind::NotFound));
    let spec = engine::RepositorySpec { name: REPO.into(), ..Default::default() };
    engine.create_repository(owner, ORG, spec).await.expect("another of the same name");
    let code = engine.presigned(&token).await.err().map(|error| error.code);
    assert_eq!(code, Some("LINK_INVALID"));
}

#[tokio::test]
async fn an_upload_that_never_was_is_not_found() {
    let world = World::new().await;
    let (engine, owner, session) = (&world.engine, &world.owner, world.session);
    let upload = PartOf { id: UploadId(uuid::Uuid::from_u128(5)), token: None };
    let part = engine.sign_part(owner, ORG, REPO, session, "a", &upload, 1).await;
    assert_eq!(part.expect_err("no upload").kind, Kind::NotFound);
    engine.abort_multipart(owner, ORG, REPO, session, "a", &upload).await.expect("gone already");
}
