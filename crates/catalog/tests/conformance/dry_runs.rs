//! Dry runs and their previews.

use std::sync::Arc;

use catalog::{Catalog, Claim, Error, Finish, Finished};
use model::{Count, Extent, Hash, JobStatus, Preview, Root, SegmentId, Timestamp};

use super::world::{World, at, deed, key};

pub(crate) fn preview(claim: &Claim) -> Preview {
    let segment = SegmentId { writer: claim.writer, number: 1000 };
    let page = Some(Extent { segment, offset: 44, length: 700 });
    let count = |objects| Count { objects, bytes: objects * 100 };
    Preview {
        changes: Root { page, level: 2, hash: Hash::of(b"changes"), entries: 60, bytes: 6000 },
        added: count(10),
        modified: count(20),
        removed: count(30),
        unchanged: count(40),
        refusal: Some("it would delete \"too many\"".to_owned()),
    }
}

/// A claimed dry run, and what it ends with.
async fn running(world: &World) -> (Claim, Finish) {
    let mut new = world.new_import();
    new.spec.options.dry_run = true;
    world.catalog.create_import(&new, None, &deed(at(0))).await.expect("a job");
    let claim = world.claim().await;
    assert_eq!(claim.import.id, new.id);
    let finish = Finish {
        commit: None,
        commit_id: None,
        preview: Some(preview(&claim)),
        ..world.finish_on(&claim, world.head().await)
    };
    (claim, finish)
}

pub(crate) async fn a_dry_run_leaves_a_preview_and_no_commit(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let head = world.commit().await.id;
    let (claim, finish) = running(&world).await;
    world.checkpoint(&claim, 0, 10).await;
    let commit = world.new_commit(Some(head), claim.writer);
    for refused in [
        Finish { commit_id: Some(commit.id), commit: Some(commit), ..finish.clone() },
        Finish { commit_id: Some(head), ..finish.clone() },
    ] {
        let answer = catalog.finish_import(key(&claim), &refused, &deed(world.tick())).await;
        assert!(matches!(answer, Err(Error::Conflict { .. })));
    }
    assert_eq!(world.job(claim.import.id).await.status, JobStatus::Running);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    let job = world.job(claim.import.id).await;
    assert_eq!((job.status, job.commit), (JobStatus::Completed, None));
    assert_eq!(job.preview, finish.preview);
    assert_eq!(world.head().await, Some(head));
    assert_eq!(catalog.log(world.repository.id, head, 9).await.expect("a log").len(), 1);
    assert!(catalog.segment(finish.segments[0].id).await.expect("an answer").is_some());
}

pub(crate) async fn of_an_expired_preview_the_counts_stay(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (claim, finish) = running(&world).await;
    let ended: Timestamp = at(1000);
    let answer = catalog.finish_import(key(&claim), &finish, &deed(ended)).await;
    assert_eq!(answer.expect("a finish"), Finished::Completed);
    let kept = finish.preview.expect("a preview");
    assert_eq!(catalog.expire_checkpoints(ended).await.expect("an answer"), 0);
    let before = world.job(claim.import.id).await;
    assert_eq!(before.preview, Some(kept.clone()));
    let pins = || async { catalog.pins(claim.import.id).await.expect("an answer") };
    assert_eq!(pins().await.preview, Some(kept.changes));

    assert_eq!(catalog.expire_checkpoints(at(1001)).await.expect("an answer"), 1);
    let expired = world.job(claim.import.id).await;
    let changes = expired.preview.as_ref().expect("a preview").changes;
    assert_eq!((changes.page, changes.entries, changes.bytes, changes.level), (None, 0, 0, 0));
    let preview = Some(Preview { changes, ..kept });
    assert_eq!(expired, model::Import { preview, ..before });
    assert_eq!(pins().await.preview, None);
    assert_eq!(catalog.expire_checkpoints(at(9999)).await.expect("an answer"), 0);
}

pub(crate) async fn a_preview_without_changes_is_kept_as_it_is(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (claim, mut finish) = running(&world).await;
    let empty = Root { page: None, level: 0, hash: Hash::of(b"x"), entries: 0, bytes: 0 };
    finish.preview.as_mut().expect("a preview").changes = empty;
    finish.preview.as_mut().expect("a preview").refusal = None;
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    assert_eq!(world.job(claim.import.id).await.preview, finish.preview);
    assert_eq!(catalog.pinning_jobs().await.expect("a list"), [], "there is nothing to pin");
}
