//! Holds, and writers that belong to no job.

use std::sync::Arc;

use catalog::{Catalog, Error, HoldId};
use model::WriterId;

use super::world::{ENDED_MS, LONG_MS, World, at, key, segment};

/// What holds each of the operations that take something away.
async fn held(catalog: &dyn Catalog) -> Vec<Option<String>> {
    let answers = [
        catalog.trash_segments(&[], at(1)).await.err(),
        catalog.switch_segments(&[], at(1)).await.err(),
        catalog.restore_trash().await.err(),
        catalog.purge_trash(at(1)).await.err(),
    ];
    let holder = |answer: Option<Error>| {
        answer.map(|error| match error {
            Error::Held { what } => what,
            other => panic!("refused, but: {other:?}"),
        })
    };
    answers.into_iter().map(holder).collect()
}

pub(crate) async fn while_a_hold_is_alive_nothing_is_taken_away(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    world.checkpoint(&claim, 0, 10).await;
    let id = segment(world.repository.id, claim.writer, 0).id;
    catalog.condemn(&[id], at(1)).await.expect("an answer");
    assert_eq!(held(&*catalog).await, vec![None; 4]);
    let first = catalog.hold("a backup", LONG_MS).await.expect("a hold");
    let second = catalog.hold("another backup", LONG_MS).await.expect("a hold");
    assert_ne!(first, second);
    assert_eq!(held(&*catalog).await, vec![Some("a backup".to_owned()); 4]);
    let refused = catalog.trash_segments(&[id], at(2)).await;
    assert!(matches!(refused, Err(Error::Held { .. })));
    assert!(catalog.segment(id).await.expect("an answer").is_some());
    catalog.release_hold(first).await.expect("an answer");
    assert_eq!(held(&*catalog).await, vec![Some("another backup".to_owned()); 4]);
    catalog.release_hold(second).await.expect("an answer");
    catalog.release_hold(second).await.expect("an answer");
    assert_eq!(held(&*catalog).await, vec![None; 4]);
    assert_eq!(catalog.trash_segments(&[id], at(2)).await.expect("an answer"), 1);
}

pub(crate) async fn a_hold_ends_unless_it_is_extended(catalog: Arc<dyn Catalog>) {
    let extend = |id, ms| {
        let catalog = catalog.clone();
        async move { catalog.extend_hold(id, ms).await.expect("an answer") }
    };
    let hold = catalog.hold("a backup", LONG_MS).await.expect("a hold");
    assert!(extend(hold, LONG_MS).await);
    assert_eq!(held(&*catalog).await, vec![Some("a backup".to_owned()); 4]);
    assert!(extend(hold, ENDED_MS).await);
    assert_eq!(held(&*catalog).await, vec![None; 4]);
    assert!(!extend(hold, LONG_MS).await, "it had ended");
    assert_eq!(held(&*catalog).await, vec![None; 4]);
    let released = catalog.hold("a backup", LONG_MS).await.expect("a hold");
    assert_ne!(released, hold);
    catalog.release_hold(released).await.expect("an answer");
    assert!(!extend(released, LONG_MS).await);
    assert!(!extend(HoldId(u64::MAX), LONG_MS).await);
}

pub(crate) async fn a_writer_without_a_job_lives_until_it_is_closed(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let live = || async { catalog.live_writers().await.expect("writers") };
    let open = || async { catalog.open_writer(world.tick()).await.expect("a writer") };
    let first = open().await;
    let claim = world.running().await;
    let second = open().await;
    assert_eq!(live().await, [first, claim.writer, second]);
    assert_eq!(catalog.newest_writer().await.expect("an answer"), Some(second));
    catalog.close_writer(first).await.expect("an answer");
    catalog.close_writer(claim.writer).await.expect("an answer");
    catalog.close_writer(WriterId(u64::MAX)).await.expect("an answer");
    assert_eq!(live().await, [claim.writer, second], "a claim's writer is not closed");
    assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
    assert_eq!(live().await, [second]);
    catalog.void_leases().await.expect("an answer");
    assert_eq!(live().await, []);
    let third = open().await;
    assert!(third > second);
    assert_eq!(live().await, [third]);
}

pub(crate) async fn segments_of_such_a_writer_are_like_any_other(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let writer = catalog.open_writer(world.tick()).await.expect("a writer");
    let claim = world.running().await;
    let mut finish = world.finish_on(&claim, None);
    finish.segments.push(segment(world.repository.id, writer, 0));
    world.finish(&claim, &finish).await;
    let expected = &finish.segments[1];
    let found = catalog.segment(expected.id).await.expect("an answer");
    assert_eq!(found.as_ref(), Some(expected));
    assert_eq!(catalog.integrity().await.expect("an answer"), Vec::<String>::new());
}
