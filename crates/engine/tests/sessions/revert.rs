//! Reverts: what was done by a commit is undone, unless somebody has changed it since.

use engine::{At, Kind, Result};
use model::CommitId;

use crate::world::{DAY_MS, ORG, REPO, World, spec};

async fn revert(world: &World, commit: CommitId) -> Result<CommitId> {
    world.clock.advance_ms(1);
    world.engine.revert_commit(&world.owner, ORG, REPO, &commit.to_string(), spec("")).await
}

#[tokio::test]
async fn a_revert_undoes_additions_changes_and_removals() {
    let world = World::new().await;
    world.committed(&[("changed", Some(b"1")), ("removed", Some(b"2")), ("x", Some(b"3"))]).await;
    let before = world.content(&At::Head).await;
    let changes = [("added", Some(&b"4"[..])), ("changed", Some(b"5")), ("removed", None)];
    let commit = world.committed(&changes).await;
    let after = world.content(&At::Head).await;
    world.committed(&[("elsewhere", Some(b"6"))]).await;

    let reverted = revert(&world, commit).await.expect("reverted");
    let mut expected = before.clone();
    expected.insert("elsewhere".to_owned(), b"6".to_vec());
    assert_eq!(world.content(&At::Head).await, expected);
    assert_eq!(world.repository().await.head, Some(reverted));
    assert_eq!(world.find(reverted).await.message, "Revert \"a commit\"");

    // What has been undone cannot be undone again, but undoing that can be undone.
    let again = revert(&world, commit).await.expect_err("it is undone");
    assert_eq!((again.kind, again.code), (Kind::Conflict, "CONFLICT"));
    let expected = "3 paths were changed since that commit: added, changed, removed";
    assert_eq!(again.message, expected);
    revert(&world, reverted).await.expect("undone once more");
    let mut expected = after;
    expected.insert("elsewhere".to_owned(), b"6".to_vec());
    assert_eq!(world.content(&At::Head).await, expected);
    world.assert_clean().await;
}

#[tokio::test]
async fn what_was_changed_since_is_not_reverted() {
    let world = World::new().await;
    let first = world.committed(&[("a", Some(b"1")), ("b", Some(b"1"))]).await;
    let second = world.committed(&[("a", Some(b"2")), ("b", Some(b"2"))]).await;
    world.committed(&[("b", Some(b"3"))]).await;
    let error = revert(&world, second).await.expect_err("b was changed");
    assert_eq!(error.message, "1 path was changed since that commit: b");
    world.committed(&[("b", Some(b"2"))]).await;
    revert(&world, second).await.expect("b is as it was");
    let error = revert(&world, first).await.expect_err("the first one");
    assert_eq!(error.kind, Kind::Invalid);
    let (engine, owner) = (&world.engine, &world.owner);
    for absent in ["0".repeat(64), "zzz".to_owned()] {
        let error = engine.revert_commit(owner, ORG, REPO, &absent, spec("")).await;
        assert_eq!(error.expect_err("not there").kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_stale_commit_or_parent_cannot_be_reverted() {
    let world = World::new().await;
    let first = world.committed(&[("a", Some(b"1"))]).await;
    let second = world.committed(&[("a", Some(b"2"))]).await;
    world.clock.advance_ms(2 * DAY_MS);
    let third = world.committed(&[("b", Some(b"3"))]).await;
    world.retain(Some(1)).await;
    assert_eq!(revert(&world, first).await.expect_err("stale").kind, Kind::Invalid);
    let error = revert(&world, second).await.expect_err("its parent is stale");
    assert_eq!((error.kind, error.code), (Kind::Gone, "COMMIT_STALE"));
    world.collect().await;
    revert(&world, third).await.expect("both are there");
    assert_eq!(world.content(&At::Head).await, [("a".to_owned(), b"2".to_vec())].into());
    world.assert_clean().await;
}
