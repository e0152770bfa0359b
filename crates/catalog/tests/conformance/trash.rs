//! Segments on their way out, and back.

use std::sync::Arc;

use catalog::{Catalog, Error};
use model::{Hash, SegmentId, SegmentRecord, WriterId};

use super::world::{World, at, segment};

/// Stores `count` segments; they are named in no commit.
async fn stored(world: &World, count: u32) -> Vec<SegmentRecord> {
    let claim = world.running().await;
    let mut batch = world.batch(&claim, 0, 10);
    batch.segments =
        (0..count).map(|number| segment(world.repository.id, claim.writer, number)).collect();
    let key = super::world::key(&claim);
    world.catalog.checkpoint(key, &batch, world.tick()).await.expect("a checkpoint");
    batch.segments
}

fn ids(segments: &[SegmentRecord]) -> Vec<SegmentId> {
    segments.iter().map(|segment| segment.id).collect()
}

/// `segment` as it is once its items lie in `file`.
fn packed(segment: &SegmentRecord, file: &str) -> SegmentRecord {
    SegmentRecord {
        file: file.to_owned(),
        length: 777,
        directory: Hash::of(file.as_bytes()),
        ..segment.clone()
    }
}

struct Trash<'a>(&'a dyn Catalog);

impl Trash<'_> {
    async fn condemn(&self, dead: &[SegmentId], seconds: i64) {
        self.0.condemn(dead, at(seconds)).await.expect("an answer");
    }

    async fn condemned(&self, seconds: i64) -> Vec<SegmentId> {
        ids(&self.0.condemned(at(seconds)).await.expect("a list"))
    }

    async fn drop(&self, segments: &[SegmentId], seconds: i64) -> u64 {
        self.0.trash_segments(segments, at(seconds)).await.expect("an answer")
    }

    async fn switch(&self, segments: &[SegmentRecord], seconds: i64) {
        self.0.switch_segments(segments, at(seconds)).await.expect("an answer");
    }

    async fn purge(&self, seconds: i64) -> Vec<String> {
        self.0.purge_trash(at(seconds)).await.expect("a list")
    }

    async fn all(&self) -> Vec<SegmentRecord> {
        self.0.segments(None, 9_999).await.expect("a list")
    }

    async fn is_named(&self, file: &str) -> bool {
        self.0.is_file_named(file).await.expect("an answer")
    }
}

pub(crate) async fn the_condemned_are_just_the_dead(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let trash = Trash(&*catalog);
    let all = ids(&stored(&world, 4).await);
    let unknown = SegmentId { writer: WriterId(99), number: 0 };
    trash.condemn(&[all[2], all[0], unknown, all[0]], 100).await;
    assert_eq!(trash.condemned(99).await, []);
    assert_eq!(trash.condemned(100).await, [all[0], all[2]]);
    trash.condemn(&[all[0], all[3]], 200).await;
    assert_eq!(trash.condemned(100).await, [all[0]], "since the first time; the third is absolved");
    assert_eq!(trash.condemned(200).await, [all[0], all[3]]);
    trash.condemn(&[], 300).await;
    assert_eq!(trash.condemned(999).await, []);
    trash.condemn(&[all[0]], 400).await;
    assert_eq!(trash.condemned(399).await, [], "absolved, it starts anew");
}

pub(crate) async fn thousands_are_condemned_and_dropped_at_once(catalog: Arc<dyn Catalog>) {
    const SEGMENTS: u32 = 3_000;
    let world = World::new(catalog.clone()).await;
    let trash = Trash(&*catalog);
    let all = ids(&stored(&world, SEGMENTS).await);
    trash.condemn(&all[1..], 100).await;
    assert_eq!(trash.condemned(100).await, all[1..]);
    assert_eq!(trash.drop(&all, 200).await, u64::from(SEGMENTS) - 1);
    assert_eq!(ids(&trash.all().await), all[..1]);
    assert_eq!(catalog.restore_trash().await.expect("an answer"), u64::from(SEGMENTS) - 1);
    assert_eq!(ids(&trash.all().await), all);
}

pub(crate) async fn only_the_condemned_are_dropped(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let trash = Trash(&*catalog);
    let all = stored(&world, 3).await;
    trash.condemn(&[all[0].id, all[1].id], 100).await;
    let dropped = [all[1].id, all[2].id, all[1].id, SegmentId { number: 77, ..all[0].id }];
    assert_eq!(trash.drop(&dropped, 200).await, 1);
    assert_eq!(trash.all().await, [all[0].clone(), all[2].clone()]);
    assert_eq!(catalog.segment(all[1].id).await.expect("an answer"), None);
    assert_eq!(trash.condemned(999).await, [all[0].id]);
    assert!(trash.is_named(&all[1].file).await, "the trash still names it");
}

pub(crate) async fn what_is_restored_is_as_it_was(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let trash = Trash(&*catalog);
    let all = stored(&world, 4).await;
    // One is packed twice, one packed and then dropped, one only dropped, one left alone.
    trash.switch(&[packed(&all[0], "p1"), packed(&all[1], "p1")], 100).await;
    trash.switch(&[packed(&all[0], "p2")], 200).await;
    assert_eq!(trash.all().await[0], packed(&all[0], "p2"));
    trash.condemn(&[all[1].id, all[2].id], 300).await;
    assert_eq!(trash.drop(&[all[1].id, all[2].id], 400).await, 2);
    assert_eq!(trash.all().await, [packed(&all[0], "p2"), all[3].clone()]);
    let oldest_first = [
        all[0].clone(),
        all[1].clone(),
        packed(&all[0], "p1"),
        packed(&all[1], "p1"),
        all[2].clone(),
    ];
    assert_eq!(catalog.trashed().await.expect("a list"), oldest_first);
    assert_eq!(catalog.restore_trash().await.expect("an answer"), 5);
    assert_eq!(catalog.trashed().await.expect("a list"), []);
    assert_eq!(trash.all().await, all);
    assert_eq!(trash.condemned(999).await, [], "they are in use again");
    for unnamed in ["p1", "p2"] {
        assert!(!trash.is_named(unnamed).await);
    }
    assert_eq!(catalog.restore_trash().await.expect("an answer"), 0, "the trash is empty");
    assert_eq!(trash.purge(999).await, Vec::<String>::new());
}

pub(crate) async fn a_packed_segment_that_is_gone_is_passed_over(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let trash = Trash(&*catalog);
    let all = stored(&world, 1).await;
    trash.condemn(&ids(&all), 100).await;
    // The row that was dropped is forgotten; a younger one that was packed is not.
    trash.switch(&[packed(&all[0], "p1")], 300).await;
    assert_eq!(trash.drop(&ids(&all), 200).await, 1);
    assert_eq!(trash.purge(200).await, ["p1"]);
    assert_eq!(catalog.restore_trash().await.expect("an answer"), 0);
    assert_eq!(trash.all().await, []);
}

pub(crate) async fn a_switch_is_all_or_nothing(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let trash = Trash(&*catalog);
    let all = stored(&world, 2).await;
    let mut gone = packed(&all[1], "p1");
    gone.id.number = 77;
    let refused = catalog.switch_segments(&[packed(&all[0], "p1"), gone], at(100)).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
    assert_eq!(trash.all().await, all);
    assert!(!trash.is_named("p1").await);
    assert_eq!(catalog.restore_trash().await.expect("an answer"), 0);
    trash.switch(&[packed(&all[0], "p1")], 100).await;
    assert_eq!(catalog.segment(all[0].id).await.expect("found"), Some(packed(&all[0], "p1")));
    assert!(trash.is_named("p1").await && trash.is_named(&all[0].file).await);
}

pub(crate) async fn a_file_is_given_up_with_the_last_row_that_names_it(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let trash = Trash(&*catalog);
    let all = stored(&world, 3).await;
    trash.switch(&[packed(&all[0], "p1"), packed(&all[1], "p1")], 100).await;
    assert_eq!(trash.purge(99).await, Vec::<String>::new());
    assert_eq!(trash.purge(100).await, [all[0].file.clone(), all[1].file.clone()]);
    assert!(!trash.is_named(&all[0].file).await);

    trash.condemn(&[all[0].id, all[1].id, all[2].id], 200).await;
    assert_eq!(trash.drop(&[all[0].id], 300).await, 1);
    assert_eq!(trash.purge(300).await, Vec::<String>::new(), "a segment in use names it, too");
    assert_eq!(trash.drop(&[all[1].id, all[2].id], 400).await, 2);
    assert!(trash.is_named("p1").await);
    assert_eq!(trash.purge(400).await, ["p1".to_owned(), all[2].file.clone()]);
    assert!(!trash.is_named("p1").await);
    assert_eq!(trash.all().await, []);
    assert_eq!(catalog.integrity().await.expect("an answer"), Vec::<String>::new());
}
