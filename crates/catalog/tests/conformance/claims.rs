//! Leases, epochs, checkpoints and attempts.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Checkpoint, Error, Finished, Standing};
use model::{JobStatus, ShardState, Skipped, WriterId};

use super::world::{
    ATTEMPTS, ENDED_MS, LONG_MS, World, at, counts, deed, key, progress, run, segment, shard,
};

pub(crate) async fn jobs_are_claimed_oldest_first(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    assert!(world.claim_with(LONG_MS).await.is_none());
    let first = world.start().await;
    let second = world.start().await;
    let now = world.tick();
    let claim = catalog.claim_import("w", LONG_MS, ATTEMPTS, now).await.expect("an answer");
    let claim = claim.expect("a claim");
    assert_eq!((claim.import.id, claim.import.status), (first, JobStatus::Running));
    assert_eq!(claim.import.updated_at, now);
    assert_eq!((claim.shard, claim.runs.len()), (ShardState::default(), 0));
    assert_eq!(world.claim().await.import.id, second);
    assert!(world.claim_with(LONG_MS).await.is_none());
}

pub(crate) async fn a_lease_that_ended_is_claimed_anew(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    let first = world.claim_with(250).await.expect("a claim");
    assert!(world.claim_with(LONG_MS).await.is_none(), "the lease holds");
    tokio::time::sleep(Duration::from_millis(150)).await;
    let beat = catalog.heartbeat(key(&first), 400, &progress(1, 0, 1), world.tick()).await;
    assert_eq!(beat.expect("a heartbeat"), Standing::Good);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(world.claim_with(LONG_MS).await.is_none(), "the heartbeat extended it");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = world.claim_with(LONG_MS).await.expect("the lease has ended");
    assert_eq!(second.import.id, job);
    assert!(second.epoch > first.epoch);
    assert_ne!(second.writer, first.writer);
}

pub(crate) async fn voided_leases_are_claimed_at_once(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let first = world.running().await;
    let done = world.commit().await;
    catalog.void_leases().await.expect("an answer");
    assert!(catalog.live_writers().await.expect("writers").is_empty());
    assert_eq!(heartbeat(&world, &first).await, Standing::Fenced);
    let second = world.claim().await;
    assert_eq!(second.import.id, first.import.id);
    assert!(second.epoch > first.epoch);
    assert!(world.claim_with(LONG_MS).await.is_none(), "ended jobs stay ended");
    assert_eq!(world.head().await, Some(done.id));
}

async fn heartbeat(world: &World, claim: &catalog::Claim) -> Standing {
    let beat = world.catalog.heartbeat(key(claim), LONG_MS, &progress(1, 0, 1), world.tick()).await;
    beat.expect("a heartbeat")
}

pub(crate) async fn an_old_claim_writes_nothing(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    let old = world.claim_with(ENDED_MS).await.expect("a claim");
    assert_eq!(heartbeat(&world, &old).await, Standing::Good, "late, but nobody took over");
    assert!(world.claim_with(LONG_MS).await.is_none(), "and the lease is extended");
    catalog.void_leases().await.expect("an answer");
    let new = world.claim().await;
    world.checkpoint(&new, 0, 10).await;
    let before = world.job(job).await;

    assert_eq!(heartbeat(&world, &old).await, Standing::Fenced);
    let batch = world.batch(&old, 1, 99);
    let refused = catalog.checkpoint(key(&old), &batch, world.tick()).await;
    assert!(matches!(refused, Err(Error::Fenced)));
    let finish = world.finish_on(&old, None);
    assert_eq!(world.finish(&old, &finish).await, Finished::Stopped(Standing::Fenced));
    let ended = catalog.end_import(key(&old), JobStatus::Failed, Some("x"), world.tick()).await;
    assert!(!ended.expect("an answer"));
    assert!(!catalog.release_import(key(&old), world.tick()).await.expect("an answer"));
    assert_eq!(world.job(job).await, before);
    assert_eq!(world.head().await, None);
    assert_eq!(catalog.segments(None, 9).await.expect("a list").len(), 1);
    assert_eq!(heartbeat(&world, &new).await, Standing::Good);
}

pub(crate) async fn a_claim_resumes_from_the_checkpoint(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let first = world.running().await;
    let id = |number| segment(world.repository.id, first.writer, number).id;
    let piece = |number| model::Piece {
        extent: model::Extent { segment: id(number), offset: 0, length: 16 << 20 },
        hash: model::Hash::of(&number.to_be_bytes()),
    };
    let fragment =
        model::Fragment { piece: 1, offset: 1 << 20, extent: piece(7).extent, hash: piece(7).hash };
    let state = ShardState {
        cursor: Some(vec![0, 255, b'k']),
        listed_all: true,
        pending: vec![model::PendingKey {
            key: vec![255, 0],
            size: 5 << 30,
            etag: Some("\"abc-2\"".into()),
            last_modified: world.tick(),
            version_id: Some("3/L4kqtJ".into()),
            pieces: vec![(0, piece(0)), (319, piece(u32::MAX))],
            fragments: vec![fragment],
        }],
        listed: 47,
        listed_bytes: 4711,
        unchanged: 5,
        unchanged_bytes: 500,
        skipped: 1,
        skipped_named: vec![Skipped { key: "a\"b".to_owned(), reason: "archived".to_owned() }],
        missing_names: vec!["gone/\u{1f980}".to_owned()],
        markers: 1,
        ..shard(40)
    };
    for number in 0..3 {
        let segments = vec![segment(world.repository.id, first.writer, number)];
        let run = (number < 2).then(|| run(first.writer, number));
        let checkpoint = Checkpoint { segments, run, shard: state.clone() };
        catalog.checkpoint(key(&first), &checkpoint, world.tick()).await.expect("a checkpoint");
    }
    assert!(catalog.release_import(key(&first), world.tick()).await.expect("an answer"));
    let second = world.claim().await;
    assert_eq!(second.shard, state);
    assert_eq!(second.runs, [run(first.writer, 0), run(first.writer, 1)]);
    assert_eq!(catalog.segments(None, 9).await.expect("a list").len(), 3);
}

pub(crate) async fn live_counts_never_fall(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let now = || async { counts(&world.job(claim.import.id).await) };
    let beat = |objects, missing, bytes| {
        let (catalog, told) = (catalog.clone(), progress(objects, missing, bytes));
        let (key, now) = (key(&claim), world.tick());
        async move { catalog.heartbeat(key, LONG_MS, &told, now).await.expect("a heartbeat") }
    };
    assert_eq!(beat(15, 0, 1500).await, Standing::Good);
    assert_eq!(now().await, (15, 0, 1500));
    world.checkpoint(&claim, 0, 10).await;
    assert_eq!(now().await, (15, 1, 1500));
    assert_eq!(beat(12, 0, 1200).await, Standing::Good);
    assert_eq!(now().await, (15, 1, 1500));
    world.checkpoint(&claim, 1, 30).await;
    assert_eq!(now().await, (30, 3, 3000));
    let finish = world.finish_on(&claim, None);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    assert_eq!(now().await, (10, 1, 1000), "the final counts are what the finish says");
}

pub(crate) async fn runs_are_numbered_without_gaps(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    world.checkpoint(&claim, 0, 10).await;
    for number in [0, 2] {
        let batch = Checkpoint { segments: vec![], ..world.batch(&claim, number, 20) };
        let refused = catalog.checkpoint(key(&claim), &batch, world.tick()).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "run {number} after run 0");
    }
    world.checkpoint(&claim, 1, 20).await;
}

pub(crate) async fn a_refused_checkpoint_leaves_nothing(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    world.checkpoint(&claim, 0, 10).await;
    let before = world.job(claim.import.id).await;
    let mut twice = world.batch(&claim, 1, 20);
    twice.segments.push(twice.segments[0].clone());
    let refused = catalog.checkpoint(key(&claim), &twice, world.tick()).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
    let mut unknown_writer = world.batch(&claim, 1, 20);
    unknown_writer.segments[0].id.writer = WriterId(1 << 40);
    let refused = catalog.checkpoint(key(&claim), &unknown_writer, world.tick()).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    assert_eq!(world.job(claim.import.id).await, before);
    assert_eq!(catalog.segments(None, 9).await.expect("a list").len(), 1);
    assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
    let again = world.claim().await;
    assert_eq!((again.shard, again.runs.len()), (shard(10), 1));
}

pub(crate) async fn attempts_without_progress_are_counted(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    for _ in 0..ATTEMPTS {
        assert!(world.claim_with(ENDED_MS).await.is_some());
    }
    let next = world.start().await;
    let claim = world.claim().await;
    assert_eq!(claim.import.id, next, "the poisoned job ends, the next one is claimed");
    let failed = world.job(job).await;
    assert_eq!(failed.status, JobStatus::Failed);
    let error = failed.error.expect("an error");
    assert!(error.starts_with("5 workers in a row"), "{error}");
    let retried = catalog.retry_import(world.repository.id, job, &deed(world.tick())).await;
    retried.expect("a retry");
    assert_eq!(world.claim().await.import.id, job, "a retry starts to count anew");
}

pub(crate) async fn a_checkpoint_resets_the_attempts(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    world.start().await;
    for number in 0..3 * ATTEMPTS {
        let claim = world.claim_with(ENDED_MS).await.expect("a claim");
        if number % 3 == 0 {
            world.checkpoint(&claim, number / 3, u64::from(number)).await;
        }
    }
}

pub(crate) async fn a_released_claim_is_no_attempt(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    for _ in 0..3 * ATTEMPTS {
        let claim = world.claim().await;
        assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
        assert!(!catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
        assert_eq!(world.job(job).await.status, JobStatus::Pending);
        assert_eq!(heartbeat(&world, &claim).await, Standing::Fenced);
    }
    for _ in 0..ATTEMPTS {
        assert!(world.claim_with(ENDED_MS).await.is_some());
    }
    assert!(world.claim_with(ENDED_MS).await.is_none());
}

pub(crate) async fn a_released_job_that_was_to_be_cancelled_ends(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let job = claim.import.id;
    catalog.cancel_import(world.repository.id, job, &deed(world.tick())).await.expect("an answer");
    assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
    assert_eq!(world.job(job).await.status, JobStatus::Canceled);
}

pub(crate) async fn every_claim_has_a_writer_of_its_own(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let first = world.running().await;
    let second = world.running().await;
    let live = || async { catalog.live_writers().await.expect("writers") };
    assert_eq!(live().await, [first.writer, second.writer]);
    let newest = catalog.newest_writer().await.expect("an answer");
    assert_eq!(newest, Some(first.writer.max(second.writer)));
    assert!(catalog.release_import(key(&first), world.tick()).await.expect("an answer"));
    assert_eq!(live().await, [second.writer]);
    let third = world.claim_with(ENDED_MS).await.expect("a claim");
    assert_eq!(live().await, [second.writer, third.writer], "nobody took over from the third");
    let fourth = world.claim().await;
    assert_eq!(live().await, [second.writer, fourth.writer]);
    let finish = world.finish_on(&second, None);
    assert_eq!(world.finish(&second, &finish).await, Finished::Completed);
    assert_eq!(live().await, [fourth.writer]);
}

pub(crate) async fn a_worker_ends_its_job(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let end = |status, error| {
        let (catalog, key, now) = (catalog.clone(), key(&claim), world.tick());
        async move { catalog.end_import(key, status, error, now).await }
    };
    for (status, error) in [
        (JobStatus::Completed, None),
        (JobStatus::Pending, None),
        (JobStatus::Failed, None),
        (JobStatus::Canceled, Some("why")),
        (JobStatus::Canceled, None),
    ] {
        assert!(matches!(end(status, error).await, Err(Error::Conflict { .. })), "{status}");
    }
    assert_eq!(world.job(claim.import.id).await.status, JobStatus::Running);
    assert!(end(JobStatus::Failed, Some("the bucket is gone")).await.expect("an answer"));
    assert!(!end(JobStatus::Failed, Some("again")).await.expect("an answer"));
    let job = world.job(claim.import.id).await;
    assert_eq!(job.error.as_deref(), Some("the bucket is gone"));
    assert_eq!((job.status, job.commit), (JobStatus::Failed, None));
}

pub(crate) async fn an_organization_with_many_jobs_does_not_keep_others_waiting(
    catalog: Arc<dyn Catalog>,
) {
    let busy = World::new(Arc::clone(&catalog)).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(busy.start().await);
    }
    let other = World::named(catalog, "other").await;
    let theirs = other.start().await;
    let mut claimed = Vec::new();
    for _ in 0..4 {
        claimed.push(busy.claim().await.import.id);
    }
    assert_eq!(claimed, [waiting[0], theirs, waiting[1], waiting[2]]);
}

pub(crate) async fn open_jobs_of_an_organization_are_limited(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog).await;
    for _ in 0..model::limits::OPEN_IMPORTS_MAX {
        world.start().await;
    }
    let refused = world.catalog.create_import(&world.new_import(), None, &deed(at(0))).await;
    assert!(matches!(refused, Err(catalog::Error::TooMany { .. })), "{refused:?}");
    let ended = world.claim().await;
    let failed = JobStatus::Failed;
    world.catalog.end_import(key(&ended), failed, Some("x"), world.tick()).await.expect("ended");
    world.start().await;
}
