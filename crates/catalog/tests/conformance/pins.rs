//! What jobs pin.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::{Catalog, Finish, Finished};
use model::{Extent, Fragment, Hash, JobId, JobPins, PendingKey, Piece, SegmentId};
use uuid::Uuid;

use super::dry_runs::preview;
use super::world::{World, at, deed, key, run};

fn nothing() -> JobPins {
    JobPins { commits: vec![], runs: vec![], pieces: vec![], preview: None }
}

async fn pinning(world: &World) -> BTreeSet<JobId> {
    let jobs = world.catalog.pinning_jobs().await.expect("a list");
    let distinct: BTreeSet<_> = jobs.iter().copied().collect();
    assert_eq!(distinct.len(), jobs.len(), "each job once");
    distinct
}

pub(crate) async fn an_open_job_pins_commits_runs_and_pieces(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let base = world.commit().await.id;
    let prior = world.failed_with_runs(2).await;
    let prior_runs = catalog.pins(prior).await.expect("an answer").runs;
    assert_eq!(prior_runs.len(), 2);
    let claim = world.running().await;
    let job = claim.import.id;
    let pins = || async { catalog.pins(job).await.expect("an answer") };
    let mut expected = nothing();
    expected.commits.push((world.repository.id, base));
    expected.runs.clone_from(&prior_runs);
    assert_eq!(pins().await, expected);

    let piece = |number| Piece {
        extent: Extent {
            segment: SegmentId { writer: claim.writer, number },
            offset: 44,
            length: 16 << 20,
        },
        hash: Hash::of(&number.to_be_bytes()),
    };
    let pending = |name: &[u8], pieces| PendingKey {
        key: name.to_vec(),
        size: 1 << 30,
        etag: None,
        last_modified: at(1),
        version_id: None,
        pieces,
        fragments: vec![],
    };
    let mut batch = world.batch(&claim, 0, 10);
    batch.shard.pending = vec![
        pending(b"a", vec![(0, piece(7)), (2, piece(8))]),
        pending(b"b", vec![]),
        pending(b"c", vec![(1, piece(9))]),
    ];
    let Piece { extent, hash } = piece(10);
    batch.shard.pending[2].fragments = vec![Fragment { piece: 2, offset: 0, extent, hash }];
    catalog.checkpoint(key(&claim), &batch, world.tick()).await.expect("a checkpoint");
    expected.runs = vec![run(claim.writer, 0)];
    expected.runs.extend(prior_runs);
    expected.pieces = vec![piece(7), piece(8), piece(9), piece(10)];
    assert_eq!(pins().await, expected);
    assert_eq!(pinning(&world).await, BTreeSet::from([prior, job]));
}

pub(crate) async fn an_import_from_a_repository_pins_its_source(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let source = world.commit().await.id;
    let target = world.another_repository(&world.organization, "target").await.id;
    let mut new = world.new_import_from(&world.organization, &world.repository);
    new.spec.repository = target;
    catalog.create_import(&new, None, &deed(at(0))).await.expect("a job");
    let mut expected = nothing();
    expected.commits.push((world.repository.id, source));
    assert_eq!(catalog.pins(new.id).await.expect("an answer"), expected);
    catalog.cancel_import(target, new.id, &deed(world.tick())).await.expect("an answer");
    assert_eq!(catalog.pins(new.id).await.expect("an answer"), nothing());
}

pub(crate) async fn an_ended_job_pins_while_its_checkpoint_is_kept(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let base = world.commit().await.id;
    let bare = world.failed_with_runs(0).await;
    let kept = world.failed_with_runs(1).await;
    assert_eq!(pinning(&world).await, BTreeSet::from([kept]));
    assert_eq!(catalog.pins(bare).await.expect("an answer"), nothing());
    let pins = catalog.pins(kept).await.expect("an answer");
    assert_eq!((pins.commits, pins.runs.len()), (vec![(world.repository.id, base)], 1));
    assert_eq!(catalog.expire_checkpoints(at(9999)).await.expect("an answer"), 1);
    assert_eq!(pinning(&world).await, BTreeSet::new());
    assert_eq!(catalog.pins(kept).await.expect("an answer"), nothing());
    let unknown = JobId(Uuid::new_v4());
    assert_eq!(catalog.pins(unknown).await.expect("an answer"), nothing());
}

pub(crate) async fn a_completed_job_pins_its_preview_at_most(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    world.checkpoint(&claim, 0, 10).await;
    let finish = world.finish_on(&claim, None);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    assert_eq!(pinning(&world).await, BTreeSet::new());
    assert_eq!(catalog.pins(claim.import.id).await.expect("an answer"), nothing());

    let mut dry_run = world.new_import();
    dry_run.spec.options.dry_run = true;
    catalog.create_import(&dry_run, None, &deed(at(0))).await.expect("a job");
    let claim = world.claim().await;
    let preview = preview(&claim);
    let finish = Finish {
        commit: None,
        commit_id: None,
        preview: Some(preview.clone()),
        ..world.finish_on(&claim, world.head().await)
    };
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    assert_eq!(pinning(&world).await, BTreeSet::from([dry_run.id]));
    let expected = JobPins { preview: Some(preview.changes), ..nothing() };
    assert_eq!(catalog.pins(dry_run.id).await.expect("an answer"), expected);
}
