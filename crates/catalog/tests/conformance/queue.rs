//! Who is next: the order of the queue, and who starves in it.

use std::sync::Arc;

use catalog::Catalog;
use model::JobStatus;

use super::world::{ENDED_MS, LONG_MS, World, deed, key};

pub(crate) async fn a_released_job_goes_behind_those_that_wait(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let waiting = world.start().await;
    assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
    let later = world.start().await;
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.push(world.claim().await.import.id);
    }
    assert_eq!(claimed, [waiting, claim.import.id, later]);
}

pub(crate) async fn a_retried_job_goes_behind_those_that_wait(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let failed = world.failed_with_runs(0).await;
    let waiting = world.start().await;
    catalog.retry_import(world.repository.id, failed, &deed(world.tick())).await.expect("a retry");
    assert_eq!(world.claim().await.import.id, waiting);
    assert_eq!(world.claim().await.import.id, failed);
}

pub(crate) async fn an_organization_without_a_running_job_starves(catalog: Arc<dyn Catalog>) {
    let busy = World::new(Arc::clone(&catalog)).await;
    let other = World::named(Arc::clone(&catalog), "other").await;
    let is_starving = || async { catalog.is_starving().await.expect("an answer") };
    assert!(!is_starving().await, "nothing waits");
    let first = busy.start().await;
    assert!(is_starving().await, "nobody works for it");
    let claim = busy.claim().await;
    assert_eq!((claim.import.id, claim.organization), (first, busy.organization.id));
    busy.start().await;
    assert!(!is_starving().await, "one of its jobs runs");
    let theirs = other.start().await;
    assert!(is_starving().await);
    let claim = busy.claim().await;
    assert_eq!((claim.import.id, claim.organization), (theirs, other.organization.id));
    assert!(!is_starving().await);
    let (status, now) = (JobStatus::Failed, other.tick());
    assert!(catalog.end_import(key(&claim), status, Some("x"), now).await.expect("an answer"));
    assert!(!is_starving().await, "it has nothing to be claimed");
}

pub(crate) async fn a_job_of_a_dead_worker_waits_like_any_other(catalog: Arc<dyn Catalog>) {
    let busy = World::new(Arc::clone(&catalog)).await;
    let other = World::named(Arc::clone(&catalog), "other").await;
    let claim = busy.running().await;
    let theirs = other.start().await;
    other.claim_with(ENDED_MS).await.expect("a claim");
    assert!(catalog.is_starving().await.expect("an answer"), "nobody works for the other");
    assert!(catalog.release_import(key(&claim), busy.tick()).await.expect("an answer"));
    let next = busy.claim_with(LONG_MS).await.expect("a claim");
    assert_eq!(next.import.id, theirs, "it has waited longer, and counts as running nowhere");
}
