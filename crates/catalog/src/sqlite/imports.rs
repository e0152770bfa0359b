//! Import jobs as their users see them: start, look at, cancel, try again.

use model::{
    ConnectorId, Import, ImportSpec, JobId, JobStatus, Repository, RepositoryId, Timestamp, UserId,
    limits,
};
use rusqlite::{Connection, Row, named_params, params};

use super::columns::{commit_if_any, count, name, of_count, time, uuid};
use super::query::{change, one};
use super::{repositories, shards};
use crate::{Error, Result};

/// Jobs of the repository's organization that have not ended.
fn open_imports(db: &Connection, repository: &Repository) -> Result<u64> {
    let found = one(
        db,
        "SELECT count(*) AS open FROM jobs JOIN repositories ON repositories.id = jobs.repository
         WHERE jobs.status IN ('pending', 'running') AND repositories.organization = ?1",
        [repository.organization.0.as_bytes()],
        |row| count(row, "open"),
    )?;
    Ok(found.unwrap_or_default())
}

pub(super) fn create(
    db: &Connection,
    import: &Import,
    idempotency: Option<(&str, Timestamp)>,
) -> Result<JobId> {
    let spec = &import.spec;
    let repository = repositories::by_id(db, spec.repository)?
        .ok_or(Error::NotFound { what: "the repository" })?;
    if let Some((key, since)) = idempotency
        && let Some(first) = by_idempotency_key(db, spec, key, since)?
    {
        return Ok(first);
    }
    if open_imports(db, &repository)? >= limits::OPEN_IMPORTS_MAX {
        return Err(Error::TooMany { what: "imports that have not ended" });
    }
    change(
        db,
        "INSERT INTO jobs (id, repository, connector, source_prefix, destination_path,
            commit_message, created_by, idempotency_key, status, base, created_at, updated_at)
         VALUES (:id, :repository, :connector, :source_prefix, :destination_path,
            :commit_message, :created_by, :idempotency_key, 'pending', :base, :created_at,
            :updated_at)",
        named_params! {
            ":id": import.id.0.as_bytes(),
            ":repository": spec.repository.0.as_bytes(),
            ":connector": spec.connector.0.as_bytes(),
            ":source_prefix": spec.source_prefix,
            ":destination_path": spec.destination_path,
            ":commit_message": spec.commit_message,
            ":created_by": spec.created_by.0.as_bytes(),
            ":idempotency_key": idempotency.map(|(key, _)| key),
            ":base": repository.head.map(|id| id.0),
            ":created_at": import.created_at.0,
            ":updated_at": import.updated_at.0,
        },
    )
    .map_err(|error| error.or_conflict("an import with this id"))?;
    Ok(import.id)
}

fn by_idempotency_key(
    db: &Connection,
    spec: &ImportSpec,
    key: &str,
    since: Timestamp,
) -> Result<Option<JobId>> {
    one(
        db,
        "SELECT id FROM jobs
         WHERE repository = ?1 AND created_by = ?2 AND idempotency_key = ?3 AND created_at >= ?4
         ORDER BY created_at, rowid LIMIT 1",
        params![spec.repository.0.as_bytes(), spec.created_by.0.as_bytes(), key, since.0],
        |row| Ok(JobId(uuid(row, "id")?)),
    )
}

pub(super) fn import(
    db: &Connection,
    repository: RepositoryId,
    id: JobId,
) -> Result<Option<Import>> {
    let sql = "SELECT * FROM jobs WHERE repository = ?1 AND id = ?2";
    one(db, sql, params![repository.0.as_bytes(), id.0.as_bytes()], decode)
}

pub(super) fn cancel(
    db: &Connection,
    repository: RepositoryId,
    id: JobId,
    now: Timestamp,
) -> Result<Option<Import>> {
    change(
        db,
        "UPDATE jobs SET cancel_requested = 1, updated_at = ?3,
            status = CASE status WHEN 'pending' THEN 'canceled' ELSE status END
         WHERE repository = ?1 AND id = ?2 AND status IN ('pending', 'running')",
        params![repository.0.as_bytes(), id.0.as_bytes(), now.0],
    )?;
    import(db, repository, id)
}

pub(super) fn retry(
    db: &Connection,
    repository: RepositoryId,
    id: JobId,
    now: Timestamp,
) -> Result<Option<Import>> {
    let Some(ended) = import(db, repository, id)? else { return Ok(None) };
    if !matches!(ended.status, JobStatus::Failed | JobStatus::Canceled) {
        return Err(Error::Conflict { what: "a pending, running or completed import" });
    }
    let head = repositories::by_id(db, repository)?
        .ok_or(Error::NotFound { what: "the repository" })?
        .head;
    // Runs hold what was carried over from the base, so with runs the base must stay.
    let base = if shards::has_run(db, id)? { ended.base } else { head };
    let shard = shards::state(db, id)?;
    change(
        db,
        "UPDATE jobs SET status = 'pending', error = NULL, cancel_requested = 0, attempts = 0,
            base = :base, objects_imported = :objects, objects_missing = :missing,
            bytes_imported = :bytes, updated_at = :now
         WHERE id = :id",
        named_params! {
            ":id": id.0.as_bytes(),
            ":base": base.map(|id| id.0),
            ":objects": of_count(shard.objects),
            ":missing": of_count(shard.missing),
            ":bytes": of_count(shard.bytes),
            ":now": now.0,
        },
    )?;
    import(db, repository, id)
}

pub(super) fn expire_checkpoints(db: &Connection, before: Timestamp) -> Result<u64> {
    const EXPIRED: &str = "job IN (SELECT id FROM jobs \
        WHERE status IN ('failed', 'canceled') AND updated_at < ?1)";
    change(db, &format!("DELETE FROM runs WHERE {EXPIRED}"), [before.0])?;
    let shards = change(db, &format!("DELETE FROM shards WHERE {EXPIRED}"), [before.0])?;
    Ok(shards as u64)
}

pub(super) fn decode(row: &Row<'_>) -> rusqlite::Result<Import> {
    Ok(Import {
        id: JobId(uuid(row, "id")?),
        spec: ImportSpec {
            repository: RepositoryId(uuid(row, "repository")?),
            connector: ConnectorId(uuid(row, "connector")?),
            source_prefix: row.get("source_prefix")?,
            destination_path: row.get("destination_path")?,
            commit_message: row.get("commit_message")?,
            created_by: UserId(uuid(row, "created_by")?),
        },
        status: name(row, "status")?,
        objects_imported: count(row, "objects_imported")?,
        objects_missing: count(row, "objects_missing")?,
        bytes_imported: count(row, "bytes_imported")?,
        commit: commit_if_any(row, "commit_id")?,
        error: row.get("error")?,
        base: commit_if_any(row, "base")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}
