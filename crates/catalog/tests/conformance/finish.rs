//! The finishing transaction.

use std::sync::Arc;

use catalog::{Catalog, Error, Finish, Finished, Standing};
use model::{ImportProgress, JobStatus, Phase};

use super::world::{World, deed, key, segment};

pub(crate) async fn everything_happens_at_once(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let parent = world.commit().await;
    let claim = world.running().await;
    world.checkpoint(&claim, 0, 10).await;
    let finish = world.finish_on(&claim, Some(parent.id));
    let commit = finish.commit.clone().expect("a commit");
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);

    assert_eq!(world.head().await, Some(commit.id));
    let stored = catalog.commit(world.repository.id, commit.id).await.expect("an answer");
    assert_eq!(stored, Some(commit.clone()));
    let old = catalog.commit(world.repository.id, parent.id).await.expect("an answer");
    assert_eq!(old.expect("the parent").superseded_at, Some(commit.created_at));
    let job = world.job(claim.import.id).await;
    assert_eq!((job.status, job.commit, job.error), (JobStatus::Completed, Some(commit.id), None));
    assert_eq!(job.progress, ImportProgress { phase: Phase::Ended, ..finish.progress });
    for number in [0, 1000] {
        let expected = segment(world.repository.id, claim.writer, number);
        let found = catalog.segment(expected.id).await.expect("an answer");
        assert_eq!(found, Some(expected), "segments outlive the job");
    }
    assert_eq!(catalog.integrity().await.expect("an answer"), Vec::<String>::new());
}

pub(crate) async fn a_moved_head_stops_it(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let slow = world.running().await;
    let finish = world.finish_on(&slow, None);
    let other = world.commit().await;
    assert_eq!(world.finish(&slow, &finish).await, Finished::HeadMoved(Some(other.id)));
    assert_eq!(world.head().await, Some(other.id));
    assert_eq!(world.job(slow.import.id).await.status, JobStatus::Running);
    let written = catalog.segment(finish.segments[0].id).await.expect("an answer");
    assert_eq!(written, None, "nothing was written");
    let rebased = world.finish_on(&slow, Some(other.id));
    assert_eq!(world.finish(&slow, &rebased).await, Finished::Completed);
    assert_eq!(world.head().await, rebased.commit_id);
}

pub(crate) async fn nothing_matched_needs_no_commit(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let finish = Finish {
        expected_head: None,
        commit: None,
        commit_id: None,
        segments: vec![],
        progress: ImportProgress::default(),
        preview: None,
    };
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    let job = world.job(claim.import.id).await;
    assert_eq!((job.status, job.commit), (JobStatus::Completed, None));
    assert_eq!(world.head().await, None);
}

pub(crate) async fn an_unchanged_root_confirms_the_head(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let head = world.commit().await.id;
    let claim = world.running().await;
    let finish =
        Finish { commit: None, commit_id: Some(head), ..world.finish_on(&claim, Some(head)) };
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    assert_eq!(world.job(claim.import.id).await.commit, Some(head));
    assert_eq!(world.head().await, Some(head));
    assert_eq!(catalog.log(world.repository.id, head, 9).await.expect("a log").len(), 1);
}

pub(crate) async fn a_job_has_one_commit(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let finish = world.finish_on(&claim, None);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    let second = world.finish_on(&claim, finish.commit_id);
    for again in [&finish, &second] {
        let answer = world.finish(&claim, again).await;
        assert_eq!(answer, Finished::Stopped(Standing::Fenced));
    }
    assert_eq!(world.head().await, finish.commit_id);
    let log = catalog.log(world.repository.id, finish.commit_id.expect("an id"), 9).await;
    assert_eq!(log.expect("a log").len(), 1);
}

pub(crate) async fn history_is_a_line(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let root = world.commit().await;
    let head = world.commit().await;
    let claim = world.running().await;
    let other = world.another_repository(&world.organization, "other").await;
    let mut fork = world.finish_on(&claim, Some(root.id));
    fork.expected_head = Some(head.id);
    let mut foreign = world.finish_on(&claim, Some(head.id));
    foreign.commit.as_mut().expect("a commit").repository = other.id;
    for refused in [fork, foreign] {
        let answer = catalog.finish_import(key(&claim), &refused, &deed(world.tick())).await;
        assert!(matches!(answer, Err(Error::Conflict { .. })));
    }
    assert_eq!(world.head().await, Some(head.id));
    assert_eq!(world.job(claim.import.id).await.status, JobStatus::Running);
    assert_eq!(catalog.segments(None, 9).await.expect("a list").len(), 2);
}

pub(crate) async fn a_finished_job_stays_finished(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let finish = world.finish_on(&claim, None);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    let before = world.job(claim.import.id).await;
    let key = key(&claim);
    catalog
        .cancel_import(world.repository.id, key.job, &deed(world.tick()))
        .await
        .expect("an answer");
    let ended = catalog.end_import(key, JobStatus::Failed, Some("x"), world.tick()).await;
    assert!(!ended.expect("an answer"));
    assert!(!catalog.release_import(key, world.tick()).await.expect("an answer"));
    catalog.void_leases().await.expect("an answer");
    assert!(world.claim_with(1).await.is_none());
    assert_eq!(world.job(key.job).await, before);
}
