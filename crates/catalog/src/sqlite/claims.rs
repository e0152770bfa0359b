//! Import jobs as their workers see them: claim, heartbeat, checkpoint, finish.
//!
//! Every write of a worker carries the epoch of its claim and changes nothing once a newer claim
//! exists or the job has ended. Leases are compared by the database's clock alone, and only to
//! decide whether a job may be claimed anew: what fences is the epoch. The words `status IN
//! ('pending', 'running')` and `status = 'running'` let a query use the indices of such jobs.

use model::{
    CommitId, Deed, Import, ImportProgress, JobId, JobStatus, OrganizationId, Phase, RepositoryId,
    Timestamp, WriterId,
};
use rusqlite::{Connection, named_params, params};

use super::columns::{commit_if_any, count, of_count, uuid};
use super::documents::{self, of_preview, of_progress};
use super::query::{change, exists, one};
use super::{audit, commits, imports, progress, segments, shards};
use crate::{Checkpoint, Claim, ClaimKey, Error, Finish, Finished, Result, Standing};

/// Why a job may not go on, by the state of everything it depends on.
const STANDING: &str = "
    SELECT jobs.repository, jobs.epoch, jobs.cancel_requested,
        jobs.status = 'running' AS is_running,
        ifnull(json_extract(jobs.options, '$.dry_run'), 0) AS is_dry_run,
        CASE
            WHEN organizations.deleted_at IS NOT NULL THEN 'the organization was deleted'
            WHEN repositories.deleted_at IS NOT NULL THEN 'the repository was deleted'
            WHEN connectors.deleted_at IS NOT NULL THEN 'the connector was deleted'
            WHEN connectors.disabled THEN 'the connector was disabled'
            WHEN jobs.connector IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM attachments
                WHERE repository = jobs.repository AND connector = jobs.connector
            ) THEN 'the connector was detached from the repository'
            WHEN NOT EXISTS (
                SELECT 1 FROM members
                WHERE organization = organizations.id AND user = jobs.created_by
            ) THEN 'the user who started the import was removed from the organization'
            WHEN sources.deleted_at IS NOT NULL THEN 'the source repository was deleted'
            WHEN jobs.source_repository IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM members
                WHERE organization = sources.organization AND user = jobs.created_by
            ) THEN 'the user who started the import lost access to the source repository'
        END AS bar
    FROM jobs
    JOIN repositories ON repositories.id = jobs.repository
    JOIN organizations ON organizations.id = repositories.organization
    LEFT JOIN connectors ON connectors.id = jobs.connector
    LEFT JOIN repositories AS sources ON sources.id = jobs.source_repository
    WHERE jobs.id = ?1";

struct State {
    repository: RepositoryId,
    is_running: bool,
    epoch: u64,
    is_cancel_requested: bool,
    is_dry_run: bool,
    bar: Option<String>,
}

impl State {
    fn of(db: &Connection, job: JobId) -> Result<Option<Self>> {
        one(db, STANDING, [job.0.as_bytes()], |row| {
            Ok(Self {
                repository: RepositoryId(uuid(row, "repository")?),
                is_running: row.get("is_running")?,
                epoch: count(row, "epoch")?,
                is_cancel_requested: row.get("cancel_requested")?,
                is_dry_run: row.get("is_dry_run")?,
                bar: row.get("bar")?,
            })
        })
    }

    /// What a heartbeat and the finishing transaction of `claim` go by.
    fn standing(self, claim: ClaimKey) -> Standing {
        if !self.is_running || self.epoch != claim.epoch {
            return Standing::Fenced;
        }
        match self.verdict() {
            Some((JobStatus::Canceled, _)) => Standing::CancelRequested,
            Some((_, bar)) => Standing::Barred(bar.unwrap_or_default()),
            None => Standing::Good,
        }
    }

    /// How the job must end, with the error, if it may not go on.
    fn verdict(self) -> Option<(JobStatus, Option<String>)> {
        if self.is_cancel_requested {
            return Some((JobStatus::Canceled, None));
        }
        let bar = self.bar?;
        let error = format!("{bar} before the import ended; nothing of it was committed");
        Some((JobStatus::Failed, Some(error)))
    }
}

pub(super) fn claim(
    db: &Connection,
    owner: &str,
    lease_ms: i64,
    attempts_max: u32,
    now: Timestamp,
) -> Result<Option<Claim>> {
    // Every round but the last ends a job.
    while let Some(next) = next_claimable(db)? {
        let job = next.import.id;
        if let Some((status, error)) = State::of(db, job)?.and_then(State::verdict) {
            end(db, job, status, error.as_deref(), now)?;
        } else if next.attempts >= u64::from(attempts_max) {
            let error = format!(
                "{} workers in a row stopped during this import without progress; \
                 the log of the server may say why",
                next.attempts
            );
            end(db, job, JobStatus::Failed, Some(&error), now)?;
        } else {
            return take(db, next, owner, lease_ms, now).map(Some);
        }
    }
    Ok(None)
}

struct Claimable {
    import: Import,
    organization: OrganizationId,
    attempts: u64,
}

/// The longest waiting claimable job of the organization that has the fewest running: many jobs of
/// one organization do not keep the others waiting.
fn next_claimable(db: &Connection) -> Result<Option<Claimable>> {
    one(
        db,
        "SELECT jobs.*, repositories.organization
         FROM jobs JOIN repositories ON repositories.id = jobs.repository
         WHERE jobs.status IN ('pending', 'running') AND (jobs.status = 'pending'
            OR jobs.lease_until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER))
         ORDER BY (SELECT count(*) FROM jobs AS others
                JOIN repositories AS theirs ON theirs.id = others.repository
                WHERE others.status = 'running'
                    AND others.lease_until_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER)
                    AND theirs.organization = repositories.organization),
            jobs.queued_at, jobs.number LIMIT 1",
        [],
        |row| {
            Ok(Claimable {
                import: imports::decode(row)?,
                organization: OrganizationId(uuid(row, "organization")?),
                attempts: count(row, "attempts")?,
            })
        },
    )
}

/// By the same measure as [`next_claimable`]: a job whose lease has ended waits, it does not run.
pub(super) fn is_starving(db: &Connection) -> Result<bool> {
    exists(
        db,
        "SELECT 1 FROM jobs JOIN repositories ON repositories.id = jobs.repository
         WHERE jobs.status IN ('pending', 'running') AND (jobs.status = 'pending'
            OR jobs.lease_until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER))
            AND NOT EXISTS (SELECT 1 FROM jobs AS others
                JOIN repositories AS theirs ON theirs.id = others.repository
                WHERE others.status = 'running'
                    AND others.lease_until_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER)
                    AND theirs.organization = repositories.organization)",
        [],
    )
}

fn take(
    db: &Connection,
    Claimable { import, organization, .. }: Claimable,
    owner: &str,
    lease_ms: i64,
    now: Timestamp,
) -> Result<Claim> {
    let gone = || Error::Damaged { what: "a claimed job is gone".to_owned() };
    let job = import.id.0.as_bytes();
    let shard = shards::state(db, import.id)?;
    let epoch = one(
        db,
        "UPDATE jobs SET status = 'running', epoch = epoch + 1, attempts = attempts + 1,
            owner = ?2, lease_until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3,
            progress = ?4, updated_at = ?5
         WHERE id = ?1 RETURNING epoch",
        params![
            job,
            owner,
            lease_ms,
            of_progress(&progress::claimed(import.progress, &shard)),
            now.0
        ],
        |row| count(row, "epoch"),
    )?
    .ok_or_else(gone)?;
    let writer = one(
        db,
        "INSERT INTO writers (job, epoch, created_at) VALUES (?1, ?2, ?3) RETURNING id",
        params![job, of_count(epoch), now.0],
        |row| count(row, "id"),
    )?
    .ok_or_else(gone)?;
    Ok(Claim {
        organization,
        epoch,
        writer: WriterId(writer),
        shard,
        runs: shards::runs(db, import.id)?,
        prior_runs: shards::prior_runs(db, import.id)?,
        import: imports::import(db, import.spec.repository, import.id)?.ok_or_else(gone)?,
    })
}

pub(super) fn void_leases(db: &Connection) -> Result<()> {
    // The epoch rises too, so that whatever the old workers left behind counts as fenced.
    change(
        db,
        "UPDATE jobs SET lease_until_ms = 0, epoch = epoch + 1 WHERE status = 'running'",
        [],
    )?;
    segments::close_writers(db)
}

pub(super) fn heartbeat(
    db: &Connection,
    claim: ClaimKey,
    lease_ms: i64,
    told: &ImportProgress,
    now: Timestamp,
) -> Result<Standing> {
    let standing = standing(db, claim)?;
    if standing == Standing::Good {
        change(
            db,
            "UPDATE jobs SET lease_until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2
             WHERE id = ?1",
            params![claim.job.0.as_bytes(), lease_ms],
        )?;
        record(db, claim, |stored| progress::told(stored, told), now)?;
    }
    Ok(standing)
}

fn standing(db: &Connection, claim: ClaimKey) -> Result<Standing> {
    let state = State::of(db, claim.job)?;
    Ok(state.map_or(Standing::Fenced, |state| state.standing(claim)))
}

/// Stores what has become of the progress, if the claim holds.
fn record(
    db: &Connection,
    claim: ClaimKey,
    become_of: impl FnOnce(ImportProgress) -> ImportProgress,
    now: Timestamp,
) -> Result<()> {
    let stored = one(
        db,
        "SELECT progress FROM jobs WHERE id = ?1 AND epoch = ?2 AND status = 'running'",
        params![claim.job.0.as_bytes(), of_count(claim.epoch)],
        |row| documents::progress(row, "progress"),
    )?;
    let progress = become_of(stored.ok_or(Error::Fenced)?);
    change(
        db,
        "UPDATE jobs SET progress = ?2, updated_at = ?3 WHERE id = ?1",
        params![claim.job.0.as_bytes(), of_progress(&progress), now.0],
    )?;
    Ok(())
}

pub(super) fn checkpoint(
    db: &Connection,
    claim: ClaimKey,
    checkpoint: &Checkpoint,
    now: Timestamp,
) -> Result<()> {
    let shard = &checkpoint.shard;
    record(db, claim, |stored| progress::checkpointed(stored, shard), now)?;
    change(db, "UPDATE jobs SET attempts = 0 WHERE id = ?1", [claim.job.0.as_bytes()])?;
    segments::insert(db, &checkpoint.segments)?;
    shards::store(db, claim.job, shard)?;
    checkpoint.run.as_ref().map_or(Ok(()), |run| shards::append(db, claim.job, run))
}

pub(super) fn finish(
    db: &Connection,
    claim: ClaimKey,
    finish: &Finish,
    deed: &Deed,
) -> Result<Finished> {
    let Some(state) = State::of(db, claim.job)? else {
        return Ok(Finished::Stopped(Standing::Fenced));
    };
    let (repository, is_dry_run) = (state.repository, state.is_dry_run);
    let standing = state.standing(claim);
    if standing != Standing::Good {
        return Ok(Finished::Stopped(standing));
    }
    let head = head(db, repository)?;
    if head != finish.expected_head {
        return Ok(Finished::HeadMoved(head));
    }
    if is_dry_run && (finish.commit.is_some() || finish.commit_id.is_some()) {
        return Err(Error::Conflict { what: "a dry run, which makes no commit," });
    }
    segments::insert(db, &finish.segments)?;
    if let Some(commit) = &finish.commit {
        if commit.repository != repository || commit.parent != head {
            return Err(Error::Conflict { what: "another history" });
        }
        commits::insert(db, commit, Some(claim.job))?;
        commits::move_head(db, commit)?;
        audit::record(db, deed)?;
    }
    complete(db, claim.job, finish, deed.at)?;
    Ok(Finished::Completed)
}

fn head(db: &Connection, repository: RepositoryId) -> Result<Option<CommitId>> {
    let sql = "SELECT head FROM repositories WHERE id = ?1";
    let head = one(db, sql, [repository.0.as_bytes()], |row| commit_if_any(row, "head"))?;
    Ok(head.flatten())
}

fn complete(db: &Connection, job: JobId, finish: &Finish, now: Timestamp) -> Result<()> {
    let progress = ImportProgress { phase: Phase::Ended, ..finish.progress.clone() };
    change(
        db,
        "UPDATE jobs SET status = 'completed', commit_id = :commit_id, progress = :progress,
            preview = :preview, owner = NULL, lease_until_ms = NULL, updated_at = :now
         WHERE id = :id",
        named_params! {
            ":id": job.0.as_bytes(),
            ":commit_id": finish.commit_id.map(|id| id.0),
            ":progress": of_progress(&progress),
            ":preview": finish.preview.as_ref().map(of_preview),
            ":now": now.0,
        },
    )?;
    shards::forget(db, job)
}

pub(super) fn end_claimed(
    db: &Connection,
    claim: ClaimKey,
    status: JobStatus,
    error: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let state = State::of(db, claim.job)?;
    let Some(state) = state.filter(|state| state.is_running && state.epoch == claim.epoch) else {
        return Ok(false);
    };
    match (status, error) {
        (JobStatus::Failed, Some(_)) => {}
        // `canceled` is an answer to a request, never a worker's own idea.
        (JobStatus::Canceled, None) if state.is_cancel_requested => {}
        _ => return Err(Error::Conflict { what: "another reason for the import to end" }),
    }
    end(db, claim.job, status, error, now)?;
    Ok(true)
}

/// Ends an open job without a commit. Its checkpoint stays.
fn end(
    db: &Connection,
    job: JobId,
    status: JobStatus,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    change(
        db,
        "UPDATE jobs SET status = ?2, error = ?3, owner = NULL, lease_until_ms = NULL,
            progress = json_set(progress, '$.phase', 'ended', '$.bytes_per_second', 0),
            updated_at = ?4
         WHERE id = ?1",
        params![job.0.as_bytes(), status.as_str(), error, now.0],
    )?;
    Ok(())
}

pub(super) fn release(db: &Connection, claim: ClaimKey, now: Timestamp) -> Result<bool> {
    // A claim given back in order was no attempt. A job that was to be canceled is now.
    let changed = change(
        db,
        "UPDATE jobs SET status = iif(cancel_requested, 'canceled', 'pending'),
            progress = json_set(progress, '$.bytes_per_second', 0,
                '$.phase', iif(cancel_requested, 'ended', 'waiting')),
            attempts = max(attempts - 1, 0), owner = NULL, lease_until_ms = NULL, updated_at = ?3,
            queued_at = ?3
         WHERE id = ?1 AND epoch = ?2 AND status = 'running'",
        params![claim.job.0.as_bytes(), of_count(claim.epoch), now.0],
    )?;
    Ok(changed > 0)
}
