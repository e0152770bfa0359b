//! The job that a new one may take fetched entries from.

use std::sync::Arc;

use catalog::Catalog;
use model::{ImportOptions, ImportSource, JobId, SegmentId};

use super::world::{World, at, deed, key, new_connector};

/// The segments of the prior runs of the next claim; the claim ends.
async fn claimed(world: &World, expected: JobId) -> Vec<SegmentId> {
    let claim = world.claim().await;
    assert_eq!(claim.import.id, expected);
    let finish = world.finish_on(&claim, world.head().await);
    world.finish(&claim, &finish).await;
    claim.prior_runs.iter().map(|run| run.extent.segment).collect()
}

pub(crate) async fn it_is_the_newest_that_ended_with_runs(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    assert_eq!(claimed(&world, job).await, [], "a completed job has no runs left");
    world.failed_with_runs(1).await;
    let claim = world.running().await;
    world.checkpoint(&claim, 0, 10).await;
    world.checkpoint(&claim, 1, 20).await;
    let open = claim.import.id;
    assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
    catalog.cancel_import(world.repository.id, open, &deed(world.tick())).await.expect("an answer");
    world.failed_with_runs(0).await;
    let job = world.start().await;
    let expected = [0, 1].map(|number| SegmentId { writer: claim.writer, number });
    assert_eq!(claimed(&world, job).await, expected, "a canceled one, all of its runs, in order");
}

pub(crate) async fn it_has_the_same_target_source_and_destination(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let archive = new_connector(world.organization.id, world.owner.id, "archive");
    catalog.create_connector(&archive, "tc1:a:x", &deed(at(0))).await.expect("a connector");
    let elsewhere = world.another_repository(&world.organization, "elsewhere").await.id;
    for (repository, connector) in
        [(world.repository.id, archive.id), (elsewhere, world.connector.id)]
    {
        catalog.attach(repository, connector, &deed(world.tick())).await.expect("an attachment");
    }
    world.failed_with_runs(1).await;
    let versions = ImportOptions { use_versioning: true, ..ImportOptions::default() };
    let filtered = ImportOptions { exclude: vec!["b".to_owned()], ..ImportOptions::default() };
    let dry_run = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let mut variants = vec![(world.new_import(), 1)];
    let mut add = |change: &dyn Fn(&mut model::ImportSpec), runs| {
        let mut new = world.new_import();
        change(&mut new.spec);
        variants.push((new, runs));
    };
    add(&|spec| spec.source_prefix = "elsewhere/".to_owned(), 1);
    add(&|spec| spec.options = filtered.clone(), 1);
    add(&|spec| spec.destination_path = "imported".to_owned(), 0);
    add(&|spec| spec.options = versions.clone(), 0);
    add(&|spec| spec.source = ImportSource::Connector(archive.id), 0);
    add(&|spec| spec.repository = elsewhere, 0);
    add(&|spec| spec.options = dry_run.clone(), 0);
    for (new, runs) in variants {
        catalog.create_import(&new, None, &deed(at(0))).await.expect("a job");
        let claim = world.claim().await;
        assert_eq!((claim.import.id, claim.prior_runs.len()), (new.id, runs), "{:?}", new.spec);
    }
}

pub(crate) async fn a_dry_run_is_nobodys_prior(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let mut dry_run = world.new_import();
    dry_run.spec.options.dry_run = true;
    world.failed(&dry_run, 1).await;
    let job = world.start().await;
    assert_eq!(claimed(&world, job).await, []);
}

pub(crate) async fn it_stays_the_same_after_a_retry(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    world.failed_with_runs(2).await;
    let job = world.failed_with_runs(1).await;
    world.failed_with_runs(3).await;
    catalog.retry_import(world.repository.id, job, &deed(world.tick())).await.expect("a retry");
    let claim = world.claim().await;
    assert_eq!((claim.import.id, claim.runs.len(), claim.prior_runs.len()), (job, 1, 2));
}
