//! The whole life of a claimed import, on one screen.

use catalog::Claim;
use model::CommitId;

use super::end::End;
use super::job::Job;
use super::progress::Progress;
use super::stop::Stop;
use super::{finish, plan, transfer};
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
    let job = Job::open(engine, &claim, progress, stop).await?;
    job.reach("import.opened");

    // List the source where the checkpoint left off and compare with the base: fetch, or carry
    // over.
    let planned = plan::start(&job, &claim.shard);

    // Copy what is to be fetched into segments; every batch ends in a durable run and a checkpoint.
    let (runs, state) = transfer::all(&job, planned, claim.runs, claim.shard).await?;
    job.reach("import.transferred");

    // Merge the runs into the head's tree; head, commit and job change in one transaction.
    finish::commit(&job, &runs, &state).await
}
