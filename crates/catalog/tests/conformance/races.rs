//! Many at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{Catalog, Claim, Error, Finished, Standing};
use model::{JobId, JobStatus};

use super::world::{ATTEMPTS, LONG_MS, World, at, deed, key, new_organization, segment};

pub(crate) async fn each_job_is_claimed_once(catalog: Arc<dyn Catalog>) {
    const JOBS: usize = 60;
    let world = World::new(catalog.clone()).await;
    let mut started = BTreeSet::new();
    for _ in 0..JOBS {
        started.insert(world.start().await);
    }
    let worker = |number: usize| {
        let catalog = catalog.clone();
        tokio::spawn(async move {
            let mut claims: Vec<Claim> = Vec::new();
            let owner = format!("worker {number}");
            while let Some(claim) =
                catalog.claim_import(&owner, LONG_MS, ATTEMPTS, at(100)).await.expect("an answer")
            {
                claims.push(claim);
            }
            claims
        })
    };
    let workers: Vec<_> = (0..8).map(worker).collect();
    let mut claims = Vec::new();
    for worker in workers {
        claims.extend(worker.await.expect("a worker"));
    }
    let jobs: BTreeSet<JobId> = claims.iter().map(|claim| claim.import.id).collect();
    let writers: BTreeSet<_> = claims.iter().map(|claim| claim.writer).collect();
    assert_eq!((claims.len(), writers.len()), (JOBS, JOBS));
    assert_eq!(jobs, started);
}

pub(crate) async fn cancel_and_finish_leave_one_terminal_state(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    for round in 0..20 {
        let claim = world.running().await;
        let head = world.head().await;
        let finish = world.finish_on(&claim, head);
        let (key, repository) = (key(&claim), world.repository.id);
        let cancel = async {
            catalog.cancel_import(repository, key.job, &deed(at(100))).await.expect("a job");
        };
        let complete = async {
            let answer =
                catalog.finish_import(key, &finish, &deed(at(100))).await.expect("an answer");
            if answer == Finished::Stopped(Standing::CancelRequested) {
                let ended = catalog.end_import(key, JobStatus::Canceled, None, at(101)).await;
                assert!(ended.expect("an answer"));
            }
        };
        if round % 2 == 0 {
            tokio::join!(cancel, complete);
        } else {
            tokio::join!(complete, cancel);
        }
        let job = world.job(key.job).await;
        match job.status {
            JobStatus::Completed => assert_eq!(world.head().await, finish.commit_id),
            JobStatus::Canceled => {
                assert_eq!((world.head().await, job.commit), (head, None));
            }
            other => panic!("the job is {other}"),
        }
    }
}

pub(crate) async fn one_failing_operation_does_not_undo_the_others(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    // Every name is wanted four times: three of four neighbours in a batch fail.
    let create = |number: usize| {
        let (catalog, owner) = (catalog.clone(), world.owner.id);
        let new = new_organization(&format!("org-{:02}", number / 4));
        tokio::spawn(async move {
            let answer = catalog.create_organization(&new, owner, &deed(at(0))).await;
            (new, answer)
        })
    };
    let tasks: Vec<_> = (0..128).map(create).collect();
    let mut winners = BTreeMap::new();
    for task in tasks {
        match task.await.expect("a task") {
            (new, Ok(())) => assert!(winners.insert(new.name.clone(), new).is_none()),
            (_, Err(error)) => assert!(matches!(error, Error::Conflict { .. })),
        }
    }
    assert_eq!(winners.len(), 32);
    winners.insert("acme".to_owned(), world.organization.clone());
    let listed = catalog.organizations_of(world.owner.id).await.expect("a list");
    assert_eq!(listed, winners.into_values().collect::<Vec<_>>());
}

pub(crate) async fn of_many_finishes_one_wins_each_head(catalog: Arc<dyn Catalog>) {
    const JOBS: usize = 16;
    let world = Arc::new(World::new(catalog.clone()).await);
    let mut claims = Vec::new();
    for _ in 0..JOBS {
        claims.push(world.running().await);
    }
    let finish = |claim: Claim| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut head = None;
            loop {
                let finish = world.finish_on(&claim, head);
                match world.finish(&claim, &finish).await {
                    Finished::Completed => return finish.commit_id.expect("an id"),
                    Finished::HeadMoved(moved) => head = moved,
                    Finished::Stopped(standing) => panic!("stopped: {standing:?}"),
                }
            }
        })
    };
    let tasks: Vec<_> = claims.into_iter().map(finish).collect();
    let mut acknowledged = BTreeSet::new();
    for task in tasks {
        acknowledged.insert(task.await.expect("a task"));
    }
    let head = world.head().await.expect("a head");
    let log = catalog.log(world.repository.id, head, 99).await.expect("a log");
    assert_eq!(log.len(), JOBS);
    assert_eq!(log.iter().map(|commit| commit.id).collect::<BTreeSet<_>>(), acknowledged);
    assert!(log.iter().skip(1).all(|commit| commit.superseded_at.is_some()));
}

pub(crate) async fn many_writers_at_once_are_all_served(catalog: Arc<dyn Catalog>) {
    const WRITERS: usize = 64;
    const EACH: usize = 10;
    let world = Arc::new(World::new(catalog.clone()).await);
    let write = |_| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut started = Vec::new();
            for _ in 0..EACH {
                let job = world.start().await;
                assert_eq!(world.job(job).await.status, JobStatus::Pending, "reads its write");
                started.push(job);
            }
            started
        })
    };
    let tasks: Vec<_> = (0..WRITERS).map(write).collect();
    let mut started = BTreeSet::new();
    for task in tasks {
        started.extend(task.await.expect("a task"));
    }
    assert_eq!(started.len(), WRITERS * EACH);
    assert_eq!(catalog.integrity().await.expect("an answer"), Vec::<String>::new());
}

pub(crate) async fn idempotent_starts_at_once_make_one_job(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let start = |_| {
        let (catalog, new) = (catalog.clone(), world.new_import());
        tokio::spawn(async move {
            catalog.create_import(&new, Some(("k", at(0))), &deed(at(0))).await.expect("a job")
        })
    };
    let tasks: Vec<_> = (0..32).map(start).collect();
    let mut jobs = BTreeSet::new();
    for task in tasks {
        jobs.insert(task.await.expect("a task"));
    }
    assert_eq!(jobs.len(), 1);
    assert_eq!(world.claim().await.import.id, jobs.pop_first().expect("the job"));
    assert!(world.claim_with(LONG_MS).await.is_none());
}

pub(crate) async fn what_is_held_stays_until_the_hold_is_released(catalog: Arc<dyn Catalog>) {
    const SEGMENTS: u32 = 200;
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let mut batch = world.batch(&claim, 0, 10);
    batch.segments = (0..SEGMENTS).map(|n| segment(world.repository.id, claim.writer, n)).collect();
    let ids: Vec<_> = batch.segments.iter().map(|segment| segment.id).collect();
    catalog.checkpoint(key(&claim), &batch, world.tick()).await.expect("a checkpoint");
    catalog.condemn(&ids, at(1)).await.expect("an answer");
    let count = async |catalog: &dyn Catalog| {
        catalog.segments(None, SEGMENTS as usize).await.expect("a list").len()
    };
    let collectors: Vec<_> = ids
        .chunks(SEGMENTS as usize / 4)
        .map(|ids| {
            let (catalog, ids) = (catalog.clone(), ids.to_vec());
            tokio::spawn(async move {
                let mut dropped = 0;
                for id in ids {
                    loop {
                        match catalog.trash_segments(&[id], at(2)).await {
                            Ok(count) => break dropped += count,
                            Err(Error::Held { .. }) => tokio::task::yield_now().await,
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                }
                dropped
            })
        })
        .collect();
    for _ in 0..20 {
        let hold = catalog.hold("a backup", LONG_MS).await.expect("a hold");
        let first = count(&*catalog).await;
        let again = count(&*catalog).await;
        assert_eq!(first, again, "nothing goes while it is held");
        catalog.release_hold(hold).await.expect("an answer");
    }
    let mut dropped = 0;
    for collector in collectors {
        dropped += collector.await.expect("a collector");
    }
    assert_eq!((dropped, count(&*catalog).await), (u64::from(SEGMENTS), 0));
}

pub(crate) async fn each_segment_is_dropped_once(catalog: Arc<dyn Catalog>) {
    const SEGMENTS: u32 = 100;
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let mut batch = world.batch(&claim, 0, 10);
    batch.segments = (0..SEGMENTS).map(|n| segment(world.repository.id, claim.writer, n)).collect();
    let ids: Vec<_> = batch.segments.iter().map(|segment| segment.id).collect();
    catalog.checkpoint(key(&claim), &batch, world.tick()).await.expect("a checkpoint");
    catalog.condemn(&ids, at(1)).await.expect("an answer");
    let collect = |_| {
        let (catalog, ids) = (catalog.clone(), ids.clone());
        tokio::spawn(async move {
            let mut dropped = 0;
            for part in ids.chunks(10) {
                dropped += catalog.trash_segments(part, at(2)).await.expect("an answer");
            }
            dropped
        })
    };
    let collectors: Vec<_> = (0..4).map(collect).collect();
    let mut dropped = 0;
    for collector in collectors {
        dropped += collector.await.expect("a collector");
    }
    assert_eq!(dropped, u64::from(SEGMENTS));
    assert_eq!(catalog.restore_trash().await.expect("an answer"), u64::from(SEGMENTS));
    assert_eq!(catalog.segments(None, 999).await.expect("a list"), batch.segments);
}
