//! What a commit of a session is refused for, and what it leaves behind.

use std::collections::BTreeMap;

use engine::{At, CommitSpec, Kind};
use model::limits::{CONFLICTS_NAMED_MAX, MESSAGE_BYTES_MAX, METADATA_BYTES_MAX};
use model::{Actor, PageRequest};

use crate::world::{ORG, REPO, World, spec};

#[tokio::test]
async fn a_commit_says_what_it_was_given() {
    let world = World::new().await;
    let session = world.begin().await;
    world.put(session, "a", b"1").await;
    let metadata = BTreeMap::from([("run".to_owned(), "7".to_owned())]);
    let spec = CommitSpec { message: "Add a".to_owned(), metadata: metadata.clone() };
    let id = world.engine.commit_session(&world.owner, ORG, REPO, session, spec).await;
    let commit = world.find(id.expect("committed")).await;
    assert_eq!((commit.message.as_str(), &commit.metadata), ("Add a", &metadata));
    assert_eq!((commit.parent, commit.committer), (None, world.owner.user.id));
    assert_eq!(commit.committer_name, world.owner.user.display_name());
    assert_eq!(commit.content_id(), commit.id);

    let organization = world.repository().await.organization;
    let page = PageRequest { after: None, amount: 10 };
    let log = world.catalog.audit(organization, &page).await.expect("a page").rows;
    let deed = log.iter().find(|record| record.action == "CommitSession").expect("it is there");
    assert_eq!(deed.resource, format!("repositories/{REPO}/sessions/{session}"));
    assert_eq!(deed.details.get("commit"), Some(&commit.id.to_string()));
    assert!(matches!(&deed.actor, Actor::User { id, .. } if *id == world.owner.user.id));
    assert!(log.iter().any(|record| record.action == "CreateSession"));
}

#[tokio::test]
async fn what_cannot_be_committed_leaves_the_session_open() {
    let world = World::new().await;
    let session = world.begin().await;
    let empty = world.commit(session).await.expect_err("nothing is staged");
    assert_eq!((empty.kind, empty.code), (Kind::Invalid, "NO_CHANGES"));
    world.delete(session, &["absent"]).await.expect("staged");
    let idle = world.commit(session).await.expect_err("nothing changes");
    assert_eq!((idle.kind, idle.code), (Kind::Invalid, "NO_CHANGES"));
    world.put(session, "a", b"1").await;
    let much = BTreeMap::from([("key".to_owned(), "x".repeat(METADATA_BYTES_MAX))]);
    for spec in [
        spec(""),
        spec(" \n"),
        spec(&"x".repeat(MESSAGE_BYTES_MAX + 1)),
        CommitSpec { message: "m".to_owned(), metadata: much },
    ] {
        let refused = world.engine.commit_session(&world.owner, ORG, REPO, session, spec).await;
        assert_eq!(refused.expect_err("refused").kind, Kind::Invalid);
    }
    let longest = spec(&"x".repeat(MESSAGE_BYTES_MAX));
    let landed = world.engine.commit_session(&world.owner, ORG, REPO, session, longest).await;
    landed.expect("committed");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_conflict_names_some_paths_and_counts_all() {
    let world = World::new().await;
    let (ours, theirs) = (world.begin().await, world.begin().await);
    let names: Vec<String> = (0..CONFLICTS_NAMED_MAX + 5).map(|n| format!("k{n:02}")).collect();
    for (session, bytes) in [(ours, b"1"), (theirs, b"2")] {
        world.put_all(session, names.iter().map(|name| (name.as_str(), &bytes[..]))).await;
    }
    world.put(ours, "only/ours", b"3").await;
    world.commit(theirs).await.expect("the first one");
    let error = world.commit(ours).await.expect_err("the second one");
    assert_eq!((error.kind, error.code), (Kind::Conflict, "CONFLICT"));
    let named = names[..CONFLICTS_NAMED_MAX].join(", ");
    let expected = format!("25 paths were changed since the session began: {named} and 5 more");
    assert_eq!(error.message, expected);
    // It is still open, sees what it saw, and can be made to fit.
    assert_eq!(world.read(&At::Session(ours), "k00").await.expect("its own"), b"1");
    world.rollback(ours).await.expect("rolled back");
}

#[tokio::test]
async fn a_small_commit_fits_beside_a_large_one_and_the_other_way_round() {
    let world = World::new().await;
    let names: Vec<String> = (0..3_000).map(|n| format!("k{n:04}")).collect();
    let (small, large) = (world.begin().await, world.begin().await);
    let (late, clash) = (world.begin().await, world.begin().await);
    world.put_all(small, [("a", &b"1"[..]), ("k1500x", b"1"), ("z", b"1")]).await;
    world.put_all(large, names.iter().map(|name| (name.as_str(), &b"2"[..]))).await;
    world.put_all(late, names.iter().map(|name| (name.as_str(), &b"3"[..]))).await;
    world.put_all(clash, [("k1500x", &b"4"[..]), ("k2999", b"4"), ("k3", b"4")]).await;
    world.commit(large).await.expect("the first one");
    world.commit(small).await.expect("beside it");
    let error = world.commit(clash).await.expect_err("two of three");
    let expected = "2 paths were changed since the session began: k1500x, k2999";
    assert_eq!(error.message, expected);
    let error = world.commit(late).await.expect_err("all of them");
    assert!(error.message.starts_with("3000 paths"), "{error}");
    let content = world.content(&At::Head).await;
    assert_eq!(content.len(), names.len() + 3);
    assert_eq!((&content["k1500x"][..], &content["k2999"][..]), (&b"1"[..], &b"2"[..]));
    world.assert_clean().await;
}
