//! How far a job is, as its user sees it.

use std::sync::Arc;

use catalog::{Catalog, Finished, Standing};
use model::limits::SKIPPED_NAMED_MAX;
use model::{ImportProgress, JobStatus, Phase, ShardState, Skipped};

use super::world::{ENDED_MS, LONG_MS, World, deed, key, shard};

fn named(count: usize) -> Vec<Skipped> {
    let skipped = |n| Skipped { key: format!("key {n}\u{1f980}"), reason: "archived".to_owned() };
    (0..count).map(skipped).collect()
}

/// Every field different from every other.
fn told(base: u64) -> ImportProgress {
    ImportProgress {
        phase: Phase::Copying,
        objects_listed: base + 1,
        bytes_listed: base + 2,
        listed_all: true,
        objects_imported: base + 3,
        bytes_imported: base + 4,
        objects_unchanged: base + 5,
        bytes_unchanged: base + 6,
        objects_missing: base + 7,
        objects_skipped: base + 8,
        objects_deleted: base + 9,
        retries: base + 10,
        bytes_per_second: base + 11,
        skipped: named(3),
    }
}

pub(crate) async fn a_heartbeat_stores_all_of_it(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let job = claim.import.id;
    assert_eq!(claim.import.progress.phase, Phase::Listing);
    let beat = |told: ImportProgress| {
        let (catalog, key, now) = (catalog.clone(), key(&claim), world.tick());
        async move {
            let beat = catalog.heartbeat(key, LONG_MS, &told, now).await;
            assert_eq!(beat.expect("a heartbeat"), Standing::Good);
        }
    };
    beat(told(100)).await;
    assert_eq!(world.job(job).await.progress, told(100));
    let less = ImportProgress {
        phase: Phase::Listing,
        listed_all: false,
        bytes_per_second: 1,
        skipped: named(1),
        ..told(50)
    };
    let expected = ImportProgress { skipped: named(3), ..told(100) };
    beat(less.clone()).await;
    assert_eq!(
        world.job(job).await.progress,
        ImportProgress {
            phase: Phase::Listing,
            listed_all: false,
            bytes_per_second: 1,
            ..expected
        },
        "counts never fall, the rest is what was told last"
    );
    beat(ImportProgress { skipped: named(SKIPPED_NAMED_MAX + 1), ..less }).await;
    assert_eq!(world.job(job).await.progress.skipped, named(SKIPPED_NAMED_MAX));
}

pub(crate) async fn a_checkpoint_raises_what_it_knows(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let beat = catalog.heartbeat(key(&claim), LONG_MS, &told(10), world.tick()).await;
    assert_eq!(beat.expect("a heartbeat"), Standing::Good);
    let state = ShardState {
        listed: 1_000,
        listed_bytes: 2_000,
        unchanged: 3_000,
        unchanged_bytes: 4_000,
        skipped: 5_000,
        skipped_named: named(4),
        ..shard(600)
    };
    let mut batch = world.batch(&claim, 0, 0);
    batch.shard = state;
    catalog.checkpoint(key(&claim), &batch, world.tick()).await.expect("a checkpoint");
    let expected = ImportProgress {
        objects_listed: 1_000,
        bytes_listed: 2_000,
        objects_imported: 600,
        bytes_imported: 60_000,
        objects_unchanged: 3_000,
        bytes_unchanged: 4_000,
        objects_missing: 60,
        objects_skipped: 5_000,
        skipped: named(4),
        ..told(10)
    };
    assert_eq!(world.job(claim.import.id).await.progress, expected);
}

pub(crate) async fn the_phase_follows_the_life_of_the_job(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    let seen = || async {
        let progress = world.job(job).await.progress;
        (progress.phase, progress.listed_all, progress.bytes_per_second)
    };
    assert_eq!(seen().await, (Phase::Waiting, false, 0));
    let claim = world.claim_with(ENDED_MS).await.expect("a claim");
    assert_eq!(seen().await, (Phase::Listing, false, 0));
    let beat = catalog.heartbeat(key(&claim), ENDED_MS, &told(100), world.tick()).await;
    assert_eq!(beat.expect("a heartbeat"), Standing::Good);
    assert_eq!(seen().await, (Phase::Copying, true, 111));
    let claim = world.claim().await;
    assert_eq!(seen().await, (Phase::Listing, false, 0), "as the checkpoint, not as it was told");
    assert_eq!(world.job(job).await.progress.objects_listed, 101, "but counts do not fall");

    let mut batch = world.batch(&claim, 0, 10);
    batch.shard.listed_all = true;
    catalog.checkpoint(key(&claim), &batch, world.tick()).await.expect("a checkpoint");
    assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
    assert_eq!(seen().await, (Phase::Waiting, true, 0));
    let claim = world.claim().await;
    assert_eq!(seen().await, (Phase::Copying, true, 0));
    let (status, now) = (JobStatus::Failed, world.tick());
    assert!(catalog.end_import(key(&claim), status, Some("x"), now).await.expect("an answer"));
    assert_eq!(seen().await, (Phase::Ended, true, 0));
    catalog.retry_import(world.repository.id, job, &deed(world.tick())).await.expect("a retry");
    assert_eq!(seen().await, (Phase::Waiting, true, 0));
    assert_eq!(world.job(job).await.progress.objects_listed, 11, "those of the checkpoint");
    catalog.cancel_import(world.repository.id, job, &deed(world.tick())).await.expect("an answer");
    assert_eq!(seen().await, (Phase::Ended, true, 0));
}

pub(crate) async fn the_last_word_is_that_of_the_finish(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let beat = catalog.heartbeat(key(&claim), LONG_MS, &told(100), world.tick()).await;
    assert_eq!(beat.expect("a heartbeat"), Standing::Good);
    let mut finish = world.finish_on(&claim, None);
    finish.progress = told(10);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    let expected = ImportProgress { phase: Phase::Ended, ..told(10) };
    assert_eq!(world.job(claim.import.id).await.progress, expected);
}
