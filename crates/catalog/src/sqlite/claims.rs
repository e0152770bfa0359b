//! Import jobs as their workers see them: claim, heartbeat, checkpoint, finish.
//!
//! Every write of a worker carries the epoch of its claim and changes nothing once a newer claim
//! exists or the job has ended. Leases are compared by the database's clock alone, and only to
//! decide whether a job may be claimed anew: what fences is the epoch. The words `status IN
//! ('pending', 'running')` let a query use the index of open jobs.

use model::{CommitId, Import, JobId, JobStatus, RepositoryId, Timestamp, WriterId};
use rusqlite::{Connection, named_params, params};

use super::columns::{commit_if_any, count, of_count, uuid};
use super::query::{all, change, one};
use super::{commits, imports, shards};
use crate::{Checkpoint, Claim, ClaimKey, Error, Finish, Finished, Result, Standing};

/// Why a job may not go on, by the state of everything it depends on.
const STANDING: &str = "
    SELECT jobs.repository, jobs.epoch, jobs.cancel_requested,
        jobs.status = 'running' AS is_running,
        CASE
            WHEN organizations.deleted_at IS NOT NULL THEN 'the organization was deleted'
            WHEN repositories.deleted_at IS NOT NULL THEN 'the repository was deleted'
            WHEN connectors.deleted_at IS NOT NULL THEN 'the connector was deleted'
            WHEN connectors.disabled THEN 'the connector was disabled'
            WHEN NOT EXISTS (
                SELECT 1 FROM attachments
                WHERE repository = jobs.repository AND connector = jobs.connector
            ) THEN 'the connector was detached from the repository'
            WHEN NOT EXISTS (
                SELECT 1 FROM members
                WHERE organization = organizations.id AND user = jobs.created_by
            ) THEN 'the user who started the import was removed from the organization'
        END AS bar
    FROM jobs
    JOIN repositories ON repositories.id = jobs.repository
    JOIN organizations ON organizations.id = repositories.organization
    JOIN connectors ON connectors.id = jobs.connector
    WHERE jobs.id = ?1";

struct State {
    repository: RepositoryId,
    is_running: bool,
    epoch: u64,
    is_cancel_requested: bool,
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
    while let Some((import, attempts)) = next_claimable(db)? {
        if let Some((status, error)) = State::of(db, import.id)?.and_then(State::verdict) {
            end(db, import.id, status, error.as_deref(), now)?;
        } else if attempts >= u64::from(attempts_max) {
            let error = format!(
                "{attempts} workers in a row stopped during this import without progress; \
                 the log of the server may say why"
            );
            end(db, import.id, JobStatus::Failed, Some(&error), now)?;
        } else {
            return take(db, import, owner, lease_ms, now).map(Some);
        }
    }
    Ok(None)
}

/// The oldest claimable job of the organization that has the fewest running: many jobs of one
/// organization do not keep the others waiting.
fn next_claimable(db: &Connection) -> Result<Option<(Import, u64)>> {
    one(
        db,
        "SELECT jobs.* FROM jobs JOIN repositories ON repositories.id = jobs.repository
         WHERE jobs.status IN ('pending', 'running') AND (jobs.status = 'pending'
            OR jobs.lease_until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER))
         ORDER BY (SELECT count(*) FROM jobs AS others
                JOIN repositories AS theirs ON theirs.id = others.repository
                WHERE others.status = 'running' AND others.status IN ('pending', 'running')
                    AND theirs.organization = repositories.organization),
            jobs.created_at, jobs.rowid LIMIT 1",
        [],
        |row| Ok((imports::decode(row)?, count(row, "attempts")?)),
    )
}

fn take(
    db: &Connection,
    import: Import,
    owner: &str,
    lease_ms: i64,
    now: Timestamp,
) -> Result<Claim> {
    let gone = || Error::Damaged { what: "a claimed job is gone".to_owned() };
    let job = import.id.0.as_bytes();
    let epoch = one(
        db,
        "UPDATE jobs SET status = 'running', epoch = epoch + 1, attempts = attempts + 1,
            owner = ?2, lease_until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3,
            updated_at = ?4
         WHERE id = ?1 RETURNING epoch",
        params![job, owner, lease_ms, now.0],
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
        epoch,
        writer: WriterId(writer),
        shard: shards::state(db, import.id)?,
        runs: shards::runs(db, import.id)?,
        import: imports::import(db, import.spec.repository, import.id)?.ok_or_else(gone)?,
    })
}

pub(super) fn void_leases(db: &Connection) -> Result<()> {
    // The epoch rises too, so that whatever the old workers left behind counts as fenced.
    change(
        db,
        "UPDATE jobs SET lease_until_ms = 0, epoch = epoch + 1
         WHERE status = 'running' AND status IN ('pending', 'running')",
        [],
    )
    .map(|_| ())
}

pub(super) fn live_writers(db: &Connection) -> Result<Vec<WriterId>> {
    all(
        db,
        "SELECT writers.id FROM jobs
         JOIN writers ON writers.job = jobs.id AND writers.epoch = jobs.epoch
         WHERE status = 'running' AND status IN ('pending', 'running') ORDER BY writers.id",
        [],
        |row| Ok(WriterId(count(row, "id")?)),
    )
}

pub(super) fn newest_writer(db: &Connection) -> Result<Option<WriterId>> {
    let sql = "SELECT id FROM writers ORDER BY id DESC LIMIT 1";
    one(db, sql, [], |row| Ok(WriterId(count(row, "id")?)))
}

/// What a worker reports beside its life.
pub(super) struct Progress {
    pub(super) objects_imported: u64,
    pub(super) objects_missing: u64,
    pub(super) bytes_imported: u64,
}

pub(super) fn heartbeat(
    db: &Connection,
    claim: ClaimKey,
    lease_ms: i64,
    progress: &Progress,
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
        record(db, claim, progress, now)?;
    }
    Ok(standing)
}

fn standing(db: &Connection, claim: ClaimKey) -> Result<Standing> {
    let state = State::of(db, claim.job)?;
    Ok(state.map_or(Standing::Fenced, |state| state.standing(claim)))
}

/// Stores live counts, if the claim holds. They never fall: after a crash a new worker starts from
/// the checkpoint, behind what the old one had told.
fn record(db: &Connection, claim: ClaimKey, progress: &Progress, now: Timestamp) -> Result<()> {
    let changed = change(
        db,
        "UPDATE jobs SET objects_imported = max(objects_imported, :objects),
            objects_missing = max(objects_missing, :missing),
            bytes_imported = max(bytes_imported, :bytes), updated_at = :now
         WHERE id = :id AND epoch = :epoch AND status = 'running'",
        named_params! {
            ":id": claim.job.0.as_bytes(),
            ":epoch": of_count(claim.epoch),
            ":objects": of_count(progress.objects_imported),
            ":missing": of_count(progress.objects_missing),
            ":bytes": of_count(progress.bytes_imported),
            ":now": now.0,
        },
    )?;
    if changed == 0 { Err(Error::Fenced) } else { Ok(()) }
}

pub(super) fn checkpoint(
    db: &Connection,
    claim: ClaimKey,
    checkpoint: &Checkpoint,
    now: Timestamp,
) -> Result<()> {
    let shard = &checkpoint.shard;
    let progress = Progress {
        objects_imported: shard.objects,
        objects_missing: shard.missing,
        bytes_imported: shard.bytes,
    };
    record(db, claim, &progress, now)?;
    change(db, "UPDATE jobs SET attempts = 0 WHERE id = ?1", [claim.job.0.as_bytes()])?;
    commits::insert_segments(db, &checkpoint.segments)?;
    shards::store(db, claim.job, shard)?;
    checkpoint.run.as_ref().map_or(Ok(()), |run| shards::append(db, claim.job, run))
}

pub(super) fn finish(
    db: &Connection,
    claim: ClaimKey,
    finish: &Finish,
    now: Timestamp,
) -> Result<Finished> {
    let Some(state) = State::of(db, claim.job)? else {
        return Ok(Finished::Stopped(Standing::Fenced));
    };
    let repository = state.repository;
    let standing = state.standing(claim);
    if standing != Standing::Good {
        return Ok(Finished::Stopped(standing));
    }
    let head = head(db, repository)?;
    if head != finish.expected_head {
        return Ok(Finished::HeadMoved(head));
    }
    commits::insert_segments(db, &finish.segments)?;
    if let Some(commit) = &finish.commit {
        if commit.repository != repository || commit.parent != head {
            return Err(Error::Conflict { what: "another history" });
        }
        commits::insert(db, commit, claim.job)?;
        commits::move_head(db, commit)?;
    }
    complete(db, claim.job, finish, now)?;
    Ok(Finished::Completed)
}

fn head(db: &Connection, repository: RepositoryId) -> Result<Option<CommitId>> {
    let sql = "SELECT head FROM repositories WHERE id = ?1";
    let head = one(db, sql, [repository.0.as_bytes()], |row| commit_if_any(row, "head"))?;
    Ok(head.flatten())
}

fn complete(db: &Connection, job: JobId, finish: &Finish, now: Timestamp) -> Result<()> {
    change(
        db,
        "UPDATE jobs SET status = 'completed', commit_id = :commit_id,
            objects_imported = :objects, objects_missing = :missing, bytes_imported = :bytes,
            owner = NULL, lease_until_ms = NULL, updated_at = :now
         WHERE id = :id",
        named_params! {
            ":id": job.0.as_bytes(),
            ":commit_id": finish.commit_id.map(|id| id.0),
            ":objects": of_count(finish.objects_imported),
            ":missing": of_count(finish.objects_missing),
            ":bytes": of_count(finish.bytes_imported),
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
            attempts = max(attempts - 1, 0), owner = NULL, lease_until_ms = NULL, updated_at = ?3
         WHERE id = ?1 AND epoch = ?2 AND status = 'running'",
        params![claim.job.0.as_bytes(), of_count(claim.epoch), now.0],
    )?;
    Ok(changed > 0)
}
