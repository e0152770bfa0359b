//! Commits and segments.

use std::sync::Arc;

use catalog::Catalog;
use model::{Commit, CommitId, SegmentId, WriterId};

use super::world::{World, at, deed, key, segment};

pub(crate) async fn commits_are_found_by_id_and_prefix_in_their_repository(
    catalog: Arc<dyn Catalog>,
) {
    let world = World::new(catalog.clone()).await;
    let first = world.commit().await;
    let second = world.commit().await;
    let repository = world.repository.id;
    let found = catalog.commit(repository, second.id).await.expect("an answer");
    assert_eq!(found, Some(second.clone()), "the head is not superseded");
    let found = catalog.commit(repository, first.id).await.expect("an answer").expect("a commit");
    assert_eq!(found.superseded_at, Some(second.created_at));
    assert_eq!(found.content_id(), first.id);

    let id = second.id.to_string();
    for digits in [8, 9, 63, 64] {
        let found = catalog.commits_by_prefix(repository, &id[..digits]).await.expect("a list");
        assert_eq!(found, std::slice::from_ref(&second), "{digits} digits");
    }
    assert_eq!(catalog.commits_by_prefix(repository, "").await.expect("a list").len(), 2);
    let long = format!("{id}0");
    for odd in ["xyz", &*long, "ABCDEF01", "%", "\u{e4}\u{e4}"] {
        let found = catalog.commits_by_prefix(repository, odd).await.expect("a list");
        assert!(found.is_empty(), "{odd}");
    }
    let other = world.another_repository(&world.organization, "other").await.id;
    assert_eq!(catalog.commit(other, second.id).await.expect("an answer"), None);
    assert!(catalog.commits_by_prefix(other, &id[..8]).await.expect("a list").is_empty());
    assert!(catalog.log(other, second.id, 9).await.expect("a log").is_empty());
}

pub(crate) async fn the_log_goes_back_from_a_commit(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (a, b, c) = (world.commit().await, world.commit().await, world.commit().await);
    assert_eq!((b.parent, c.parent), (Some(a.id), Some(b.id)));
    for (from, limit, expected) in [
        (c.id, 9, vec![c.id, b.id, a.id]),
        (c.id, 2, vec![c.id, b.id]),
        (b.id, 9, vec![b.id, a.id]),
        (c.id, 0, vec![]),
        (CommitId([7; 32]), 9, vec![]),
    ] {
        let log = catalog.log(world.repository.id, from, limit).await.expect("a log");
        assert_eq!(log.iter().map(|commit| commit.id).collect::<Vec<_>>(), expected);
    }
}

pub(crate) async fn stale_commits_expire_for_good(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (first, second, head) = (world.commit().await, world.commit().await, world.commit().await);
    let a_day_after = |superseded: &Commit| superseded.created_at.plus_ms(86_400_000);
    let mut repository = world.repository.clone();
    let expire = async |now| catalog.expire_commits(now).await.expect("an answer");
    assert_eq!(expire(a_day_after(&head).plus_ms(1)).await, 0, "everything is kept");
    repository.retention_days = Some(1);
    catalog.update_repository(&repository, &deed(at(0))).await.expect("updated");
    assert_eq!(expire(a_day_after(&second)).await, 0, "kept for the whole of the day");
    assert_eq!(expire(a_day_after(&second).plus_ms(1)).await, 1);
    assert_eq!(expire(a_day_after(&head).plus_ms(1)).await, 1, "those that are new");
    repository.retention_days = None;
    catalog.update_repository(&repository, &deed(at(0))).await.expect("updated");
    for (commit, expired) in [(first, true), (second, true), (head, false)] {
        let found = catalog.commit(repository.id, commit.id).await.expect("an answer");
        assert_eq!(found.expect("the commit").expired, expired);
    }
}

pub(crate) async fn the_log_of_a_long_history_is_bounded(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    for _ in 0..50 {
        world.commit().await;
    }
    let head = world.head().await.expect("a head");
    let log = catalog.log(world.repository.id, head, 40).await.expect("a log");
    assert_eq!(log.len(), 40);
    assert!(log.windows(2).all(|pair| pair[0].parent == Some(pair[1].id)));
}

pub(crate) async fn segments_are_found_and_listed(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let first = world.running().await;
    world.checkpoint(&first, 0, 10).await;
    world.checkpoint(&first, 1, 20).await;
    assert!(catalog.release_import(key(&first), world.tick()).await.expect("an answer"));
    let second = world.claim().await;
    world.checkpoint(&second, 2, 30).await;
    let expected = [(first.writer, 0), (first.writer, 1), (second.writer, 2)]
        .map(|(writer, number)| segment(world.repository.id, writer, number));
    let all = catalog.segments(None, 9).await.expect("a list");
    assert_eq!(all, expected);
    let after = Some(expected[0].id);
    assert_eq!(catalog.segments(after, 1).await.expect("a list"), expected[1..2]);
    assert!(catalog.segments(Some(expected[2].id), 9).await.expect("a list").is_empty());
    let found = catalog.segment(expected[1].id).await.expect("an answer");
    assert_eq!(found.as_ref(), Some(&expected[1]));
    let unknown = SegmentId { writer: WriterId(u64::MAX), number: u32::MAX };
    assert_eq!(catalog.segment(unknown).await.expect("an answer"), None);
}
