//! The whole life of a claimed import, on one screen.

use std::sync::Arc;

use catalog::Claim;
use model::{CommitId, Phase, Run, ShardState};

use super::end::End;
use super::finish::{self, Found};
use super::job::{Job, Reads};
use super::lister::Lister;
use super::patience::patiently;
use super::progress::Progress;
use super::stop::Stop;
use super::survey::Survey;
use super::{plan, transfer};
use crate::Engine;

/// Carries a claimed import to its end: every object of the source is in the head's tree, in one
/// commit.
///
/// A claim resumes from the job's last checkpoint. What this promises, wherever it is cut off:
/// nothing of the import is visible before the commit is, and the next claim ends with the same
/// root.
pub(super) async fn run(
    engine: &Engine,
    claim: Claim,
    progress: Progress,
    stop: Stop,
) -> Result<Option<CommitId>, End> {
    let open = || Job::open(engine, &claim, progress.clone(), stop.clone());
    let job = patiently(stop.requested(), open).await?;
    job.reach("import.opened")?;
    job.progress.enter(Phase::Listing);

    // What the source holds: copied into durable runs, for a dry run only listed; entries of
    // another repository are where they should be already.
    let found = match &job.reads {
        Reads::Tree(_) => Found::Shared,
        Reads::Store(_) if job.import.spec.options.dry_run => survey(&job).await?,
        Reads::Store(_) => copy(&job, claim).await?,
    };
    job.reach("import.transferred")?;

    // Merge it into the head's tree; head, commit and job change in one transaction.
    let commit = job.unless_stopped(finish::commit(&job, &found)).await?;
    if let Found::Listed(survey) = found {
        survey.discard(&job).await?;
    }
    Ok(commit)
}

/// Lists everything, whatever the order.
async fn survey(job: &Arc<Job>) -> Result<Found, End> {
    match job.unless_stopped(Survey::take(job, Lister::ordered(job.source(), None))).await {
        Err(End::Unordered) => {
            job.progress.update(|counts| (counts.objects_listed, counts.bytes_listed) = (0, 0));
            let survey = Survey::take(job, Lister::as_is(job.source()));
            Ok(Found::Listed(job.unless_stopped(survey).await?))
        }
        survey => Ok(Found::Listed(survey?)),
    }
}

/// Lists, compares and copies, from where the last checkpoint left off.
async fn copy(job: &Arc<Job>, claim: Claim) -> Result<Found, End> {
    let Claim { runs, shard, mut prior_runs, .. } = claim;
    if shard.unordered {
        // The pass that found the disorder has copied keys that this one is still to come to.
        prior_runs.extend(runs.iter().cloned());
    }
    let (runs, state) = match attempt(job, runs, shard, &prior_runs).await {
        Err((End::Unordered, runs)) => {
            // Keys may have been passed over: list them all, sorted, from the beginning. What is
            // copied by now is copied.
            prior_runs.extend(runs.iter().cloned());
            job.progress.update(|counts| (counts.objects_listed, counts.bytes_listed) = (0, 0));
            let state = ShardState { unordered: true, ..ShardState::default() };
            attempt(job, runs, state, &prior_runs).await.map_err(|(end, _)| end)?
        }
        copied => copied.map_err(|(end, _)| end)?,
    };
    Ok(Found::Copied(runs, state))
}

/// One pass over the listing. After an error, gives the runs that are recorded by then too.
async fn attempt(
    job: &Arc<Job>,
    runs: Vec<Run>,
    state: ShardState,
    prior: &[Run],
) -> Result<(Vec<Run>, ShardState), (End, Vec<Run>)> {
    // Compare the listing with the base: fetch, or carry over.
    let planned = plan::start(job, &state, prior);
    // Copy what is to be fetched into segments; every batch ends in a durable run and a
    // checkpoint.
    transfer::all(job, planned, runs, state).await
}
