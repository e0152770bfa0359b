//! Jobs as their users see them.

use std::sync::Arc;

use catalog::{Catalog, Error, Finished};
use model::{
    ConnectorId, Import, ImportMode, ImportOptions, ImportProgress, ImportSource, JobId, JobStatus,
    OnError, PageRequest,
};
use uuid::Uuid;

use super::world::{ENDED_MS, World, at, deed, key, progress, shard};

pub(crate) async fn a_job_starts_pending_at_the_head(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let head = world.commit().await.id;
    let new =
        Import { progress: progress(7, 0, 0), status: JobStatus::Completed, ..world.new_import() };
    assert_eq!(catalog.create_import(&new, None, &deed(at(0))).await.expect("a job"), new.id);
    let expected = Import {
        base: Some(head),
        progress: ImportProgress::default(),
        status: JobStatus::Pending,
        ..new.clone()
    };
    assert_eq!(world.job(new.id).await, expected);
    let twice = catalog.create_import(&new, None, &deed(at(0))).await;
    assert!(matches!(twice, Err(Error::Conflict { .. })));
    let mut dangling = world.new_import();
    dangling.spec.source = ImportSource::Connector(ConnectorId(Uuid::new_v4()));
    let refused = catalog.create_import(&dangling, None, &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    catalog.delete_repository(world.repository.id, &deed(at(99))).await.expect("a deletion");
    let refused = catalog.create_import(&world.new_import(), None, &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
}

pub(crate) async fn an_idempotency_key_returns_the_first_job(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let first = Import { created_at: at(100), ..world.new_import() };
    let create = |new: Import, key: &'static str, since: i64| {
        let catalog = catalog.clone();
        async move {
            catalog.create_import(&new, Some((key, at(since))), &deed(at(0))).await.expect("a job")
        }
    };
    assert_eq!(create(first.clone(), "k", 50).await, first.id);
    let again = world.new_import();
    assert_eq!(create(again.clone(), "k", 100).await, first.id, "at `since` still counts");
    let found = catalog.import(world.repository.id, again.id).await.expect("an answer");
    assert_eq!(found, None, "nothing was written");

    let other_key = world.new_import();
    assert_eq!(create(other_key.clone(), "K", 50).await, other_key.id);
    let bob = world.user("bob").await;
    let mut of_bob = world.new_import();
    of_bob.spec.created_by = bob.id;
    assert_eq!(create(of_bob.clone(), "k", 50).await, of_bob.id);
    let mut elsewhere = world.new_import();
    elsewhere.spec.repository = world.another_repository(&world.organization, "elsewhere").await.id;
    assert_eq!(create(elsewhere.clone(), "k", 50).await, elsewhere.id);
    let later = Import { created_at: at(300), ..world.new_import() };
    assert_eq!(create(later.clone(), "k", 101).await, later.id, "the first is too old");
    assert_eq!(create(world.new_import(), "k", 101).await, later.id);
}

pub(crate) async fn a_job_belongs_to_its_repository(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    let other = world.another_repository(&world.organization, "other").await.id;
    assert_eq!(catalog.import(other, job).await.expect("an answer"), None);
    assert_eq!(catalog.cancel_import(other, job, &deed(at(9))).await.expect("an answer"), None);
    assert_eq!(catalog.retry_import(other, job, &deed(at(9))).await.expect("an answer"), None);
    assert_eq!(world.job(job).await.status, JobStatus::Pending);
    let unknown = JobId(Uuid::new_v4());
    let repository = world.repository.id;
    assert_eq!(catalog.import(repository, unknown).await.expect("an answer"), None);
    assert_eq!(
        catalog.cancel_import(repository, unknown, &deed(at(9))).await.expect("an answer"),
        None
    );
}

pub(crate) async fn cancelling_ends_a_pending_job_and_asks_a_running_one(
    catalog: Arc<dyn Catalog>,
) {
    let world = World::new(catalog.clone()).await;
    let repository = world.repository.id;
    let pending = world.start().await;
    let cancel = |job| {
        let (catalog, now) = (catalog.clone(), world.tick());
        async move {
            let job = catalog.cancel_import(repository, job, &deed(now)).await.expect("an answer");
            (job.expect("the job"), now)
        }
    };
    let (canceled, now) = cancel(pending).await;
    assert_eq!((canceled.status, canceled.updated_at), (JobStatus::Canceled, now));
    assert_eq!(canceled, world.job(pending).await);
    assert!(world.claim_with(ENDED_MS).await.is_none());

    let claim = world.running().await;
    let (asked, _) = cancel(claim.import.id).await;
    assert_eq!(asked.status, JobStatus::Running);
    let ended = catalog.end_import(key(&claim), JobStatus::Canceled, None, world.tick()).await;
    assert!(ended.expect("an answer"));
    let before = world.job(claim.import.id).await;
    assert_eq!(before.status, JobStatus::Canceled);
    let (after, _) = cancel(claim.import.id).await;
    assert_eq!(after, before, "an ended job is left as it is");
}

pub(crate) async fn a_cancelled_job_of_a_dead_worker_ends_at_the_next_claim(
    catalog: Arc<dyn Catalog>,
) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    world.claim_with(ENDED_MS).await.expect("a claim");
    catalog.cancel_import(world.repository.id, job, &deed(world.tick())).await.expect("an answer");
    assert!(world.claim_with(ENDED_MS).await.is_none());
    assert_eq!(world.job(job).await.status, JobStatus::Canceled);
}

pub(crate) async fn a_retry_keeps_the_checkpoint_and_the_base(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let base = world.commit().await.id;
    let claim = world.running().await;
    world.checkpoint(&claim, 0, 20).await;
    let told = ImportProgress { retries: 3, ..progress(25, 4, 2500) };
    let beat = catalog.heartbeat(key(&claim), 1000, &told, world.tick()).await;
    beat.expect("a heartbeat");
    let error = Some("the source refused");
    let ended = catalog.end_import(key(&claim), JobStatus::Failed, error, world.tick()).await;
    assert!(ended.expect("an answer"));
    assert_eq!(world.job(claim.import.id).await.error.as_deref(), error);
    world.commit().await;

    let now = world.tick();
    let retried = catalog.retry_import(world.repository.id, claim.import.id, &deed(now)).await;
    let retried = retried.expect("an answer").expect("the job");
    assert_eq!(retried.status, JobStatus::Pending);
    assert_eq!((retried.error, retried.base, retried.updated_at), (None, Some(base), now));
    let checkpointed = ImportProgress { objects_listed: 22, ..progress(20, 2, 2000) };
    assert_eq!(retried.progress, checkpointed, "what the checkpoint holds");
    let again = world.claim().await;
    assert_eq!((again.import.id, again.runs.len()), (claim.import.id, 1));
    assert_eq!(again.shard, shard(20));
    assert!(again.epoch > claim.epoch);
}

pub(crate) async fn a_retry_without_a_run_starts_from_the_present_head(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    catalog.cancel_import(world.repository.id, job, &deed(world.tick())).await.expect("an answer");
    let head = world.commit().await.id;
    let retried = catalog.retry_import(world.repository.id, job, &deed(world.tick())).await;
    let retried = retried.expect("an answer").expect("the job");
    assert_eq!((retried.status, retried.base), (JobStatus::Pending, Some(head)));
    let claim = world.claim().await;
    assert_eq!(claim.import.id, job);
    let finish = world.finish_on(&claim, Some(head));
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed, "no cancel is left over");
}

pub(crate) async fn only_an_ended_job_is_retried(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let job = world.start().await;
    let is_refused = || async {
        let answer = catalog.retry_import(world.repository.id, job, &deed(world.tick())).await;
        matches!(answer, Err(Error::Conflict { .. }))
    };
    assert!(is_refused().await, "pending");
    let claim = world.claim().await;
    assert!(is_refused().await, "running");
    let finish = world.finish_on(&claim, None);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    assert!(is_refused().await, "completed");
    assert_eq!(world.job(job).await.status, JobStatus::Completed);
}

pub(crate) async fn checkpoints_expire(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let mut ends = Vec::new();
    for _ in 0..2 {
        let claim = world.running().await;
        world.checkpoint(&claim, 0, 20).await;
        let now = world.tick();
        let ended = catalog.end_import(key(&claim), JobStatus::Failed, Some("x"), now).await;
        assert!(ended.expect("an answer"));
        ends.push((claim.import.id, now));
    }
    let running = world.running().await;
    world.checkpoint(&running, 0, 20).await;
    assert_eq!(catalog.expire_checkpoints(ends[0].1).await.expect("an answer"), 0);
    assert_eq!(catalog.expire_checkpoints(ends[1].1).await.expect("an answer"), 1);
    for ((job, _), runs) in ends.into_iter().zip([0, 1]) {
        catalog.retry_import(world.repository.id, job, &deed(world.tick())).await.expect("a retry");
        let claim = world.claim().await;
        assert_eq!((claim.import.id, claim.runs.len()), (job, runs));
    }
    assert_eq!(catalog.expire_checkpoints(at(9999)).await.expect("an answer"), 0);
    assert!(catalog.release_import(key(&running), world.tick()).await.expect("an answer"));
    assert_eq!(world.claim().await.runs.len(), 1, "an open job keeps its checkpoint");
}

pub(crate) async fn the_whole_request_is_stored(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let mut new = world.new_import();
    new.spec.options = ImportOptions {
        use_versioning: true,
        mode: ImportMode::Mirror { max_delete_percent: 0 },
        include: vec!["**/*.csv".to_owned(), "a\"b\\{c,\u{e4}}".to_owned()],
        exclude: vec!["tmp/**".to_owned()],
        dry_run: true,
        on_error: OnError::Skip,
        concurrency: Some(u16::MAX),
    };
    catalog.create_import(&new, None, &deed(at(0))).await.expect("a job");
    assert_eq!(world.job(new.id).await, new);
    assert_eq!(world.claim().await.import.spec, new.spec);
}

pub(crate) async fn an_import_from_a_repository_reads_its_head(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let target = world.another_repository(&world.organization, "target").await;
    let from_data = || {
        let mut new = world.new_import_from(&world.organization, &world.repository);
        new.spec.repository = target.id;
        new
    };
    let of_target = |id| {
        let catalog = catalog.clone();
        async move { catalog.import(target.id, id).await.expect("an answer").expect("the job") }
    };
    let early = from_data();
    catalog.create_import(&early, None, &deed(at(0))).await.expect("a job");
    assert_eq!(of_target(early.id).await, early, "an empty repository has no commit");
    catalog.cancel_import(target.id, early.id, &deed(world.tick())).await.expect("an answer");

    let head = world.commit().await.id;
    let new = from_data();
    catalog.create_import(&new, None, &deed(at(0))).await.expect("a job");
    let expected = Import { source_commit: Some(head), ..new.clone() };
    assert_eq!(of_target(new.id).await, expected);
    let claim = world.claim().await;
    assert_eq!((claim.import.id, claim.import.source_commit), (new.id, Some(head)));

    let now = world.tick();
    let retried = catalog.retry_import(target.id, early.id, &deed(now)).await.expect("an answer");
    let source_commit = retried.expect("the job").source_commit;
    assert_eq!(source_commit, Some(head), "nothing has kept what it was created with");

    catalog.delete_repository(world.repository.id, &deed(at(99))).await.expect("a deletion");
    let refused = catalog.create_import(&from_data(), None, &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::NotFound { what: "the source repository" })));
}

pub(crate) async fn history_is_listed_newest_first(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let elsewhere = world.another_repository(&world.organization, "elsewhere").await.id;
    let mut created = Vec::new();
    // Two of the same time, and one that was created last with an earlier time.
    for seconds in [100, 300, 300, 400, 200] {
        let new = Import { created_at: at(seconds), ..world.new_import() };
        created.push(catalog.create_import(&new, None, &deed(at(0))).await.expect("a job"));
        let mut other = world.new_import();
        other.spec.repository = elsewhere;
        catalog.create_import(&other, None, &deed(at(0))).await.expect("a job");
    }
    let expected = [3, 2, 1, 4, 0].map(|number: usize| created[number]);
    let page = |repository, after: Option<String>, amount| {
        let catalog = catalog.clone();
        async move {
            let page = PageRequest { after, amount };
            catalog.imports(repository, &page).await.expect("a page")
        }
    };
    let all = page(world.repository.id, None, 9).await;
    let ids: Vec<_> = all.rows.iter().map(|import| import.id).collect();
    assert_eq!((&ids[..], all.next), (&expected[..], None));
    assert_eq!(all.rows[0], world.job(expected[0]).await);
    for amount in 1..=5 {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let part = page(world.repository.id, after, amount).await;
            assert!(part.rows.len() == amount || part.next.is_none());
            ids.extend(part.rows.iter().map(|import| import.id));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(ids, expected, "pages of {amount}");
    }
    let cursor = page(world.repository.id, None, 1).await.next;
    assert!(cursor.is_some());
    for (repository, after) in [
        (elsewhere, cursor),
        (world.repository.id, Some(String::new())),
        (world.repository.id, Some("'; --".to_owned())),
        (world.repository.id, Some(Uuid::new_v4().to_string())),
    ] {
        let nothing = page(repository, after, 9).await;
        assert!(nothing.rows.is_empty() && nothing.next.is_none());
    }
}

pub(crate) async fn the_prior_of_an_open_job_does_not_expire(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let prior = world.failed_with_runs(1).await;
    let job = world.start().await;
    assert_eq!(catalog.expire_checkpoints(at(9999)).await.expect("an answer"), 0);
    let claim = world.claim().await;
    assert_eq!((claim.import.id, claim.prior_runs.len()), (job, 1));
    let finish = world.finish_on(&claim, None);
    assert_eq!(world.finish(&claim, &finish).await, Finished::Completed);
    assert_eq!(catalog.expire_checkpoints(at(9999)).await.expect("an answer"), 1);
    let pins = catalog.pins(prior).await.expect("an answer");
    assert!(pins.runs.is_empty() && pins.commits.is_empty());
}
