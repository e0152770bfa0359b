//! Import jobs as their users see them: start, list, look at, cancel, try again.

use model::{
    CommitId, ConnectorId, Deed, Import, ImportProgress, ImportSource, ImportSpec, JobId,
    JobStatus, Page, PageRequest, Repository, RepositoryId, SourceRepository, Timestamp, UserId,
    limits,
};
use rusqlite::{Connection, Row, named_params, params};

use super::columns::{commit_if_any, count, name, of_count, time, uuid, uuid_if_any};
use super::documents::{of_options, of_progress};
use super::pages::cut;
use super::query::{all, change, one};
use super::{audit, documents, progress, repositories, shards};
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
    deed: &Deed,
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
    let start = Start {
        base: repository.head,
        source_commit: source_head(db, spec)?
            .ok_or(Error::NotFound { what: "the source repository" })?,
        prior: prior(db, spec)?,
    };
    insert(db, import, &start, idempotency.map(|(key, _)| key))?;
    audit::record(db, deed)?;
    Ok(import.id)
}

/// What a job starts from, as it is when the job is created.
struct Start {
    base: Option<CommitId>,
    source_commit: Option<CommitId>,
    prior: Option<JobId>,
}

fn insert(db: &Connection, import: &Import, start: &Start, key: Option<&str>) -> Result<()> {
    let spec = &import.spec;
    let source = match &spec.source {
        ImportSource::Connector(_) => None,
        ImportSource::Repository(source) => Some(source),
    };
    change(
        db,
        "INSERT INTO jobs (id, repository, connector, source_repository, source_organization_name,
            source_repository_name, source_commit, source_prefix, destination_path, commit_message,
            created_by, options, idempotency_key, status, progress, base, prior, created_at,
            updated_at, queued_at)
         VALUES (:id, :repository, :connector, :source_repository, :source_organization_name,
            :source_repository_name, :source_commit, :source_prefix, :destination_path,
            :commit_message, :created_by, :options, :idempotency_key, 'pending', :progress, :base,
            :prior, :created_at, :updated_at, :created_at)",
        named_params! {
            ":id": import.id.0.as_bytes(),
            ":repository": spec.repository.0.as_bytes(),
            ":connector": spec.connector().map(|id| *id.0.as_bytes()),
            ":source_repository": source.map(|source| *source.repository.0.as_bytes()),
            ":source_organization_name": source.map(|source| &source.organization_name),
            ":source_repository_name": source.map(|source| &source.name),
            ":source_commit": start.source_commit.map(|id| id.0),
            ":source_prefix": spec.source_prefix,
            ":destination_path": spec.destination_path,
            ":commit_message": spec.commit_message,
            ":created_by": spec.created_by.0.as_bytes(),
            ":options": of_options(&spec.options),
            ":idempotency_key": key,
            ":progress": of_progress(&ImportProgress::default()),
            ":base": start.base.map(|id| id.0),
            ":prior": start.prior.map(|id| *id.0.as_bytes()),
            ":created_at": import.created_at.0,
            ":updated_at": import.updated_at.0,
        },
    )
    .map_err(|error| error.or_conflict("an import with this id"))?;
    Ok(())
}

/// The head of the source repository, `None` if that is gone. A connector has none.
fn source_head(db: &Connection, spec: &ImportSpec) -> Result<Option<Option<CommitId>>> {
    match &spec.source {
        ImportSource::Connector(_) => Ok(Some(None)),
        ImportSource::Repository(source) => {
            Ok(repositories::by_id(db, source.repository)?.map(|repository| repository.head))
        }
    }
}

/// The newest ended job whose runs hold what this one would fetch.
fn prior(db: &Connection, spec: &ImportSpec) -> Result<Option<JobId>> {
    let Some(connector) = spec.connector().filter(|_| !spec.options.dry_run) else {
        return Ok(None);
    };
    one(
        db,
        "SELECT id FROM jobs
         WHERE repository = ?1 AND connector = ?2 AND destination_path = ?3
            AND status IN ('failed', 'canceled')
            AND ifnull(json_extract(options, '$.use_versioning'), 0) = ?4
            AND NOT ifnull(json_extract(options, '$.dry_run'), 0)
            AND EXISTS (SELECT 1 FROM runs WHERE runs.job = jobs.id)
         ORDER BY created_at DESC, number DESC LIMIT 1",
        params![
            spec.repository.0.as_bytes(),
            connector.0.as_bytes(),
            spec.destination_path,
            spec.options.use_versioning
        ],
        |row| Ok(JobId(uuid(row, "id")?)),
    )
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
         ORDER BY created_at, number LIMIT 1",
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

pub(super) fn of_repository(
    db: &Connection,
    repository: RepositoryId,
    page: &PageRequest,
) -> Result<Page<Import>> {
    let amount = page.amount.clamp(1, limits::PAGE_ROWS_MAX);
    let Some((created_at, number)) = place(db, repository, page.after.as_deref())? else {
        return Ok(Page { rows: Vec::new(), next: None });
    };
    let rows = all(
        db,
        "SELECT * FROM jobs WHERE repository = ?1 AND (created_at, number) < (?2, ?3)
         ORDER BY created_at DESC, number DESC LIMIT ?4",
        params![repository.0.as_bytes(), created_at, number, of_count(amount as u64 + 1)],
        decode,
    )?;
    Ok(cut(rows, amount, |last| last.id.to_string()))
}

/// Where the cursor of a listing stands in the order of jobs. `None` if it is no cursor of this
/// listing: nothing comes after it.
fn place(
    db: &Connection,
    repository: RepositoryId,
    cursor: Option<&str>,
) -> Result<Option<(i64, i64)>> {
    let Some(cursor) = cursor else { return Ok(Some((i64::MAX, i64::MAX))) };
    let Ok(last) = cursor.parse::<JobId>() else { return Ok(None) };
    one(
        db,
        "SELECT created_at, number FROM jobs WHERE repository = ?1 AND id = ?2",
        params![repository.0.as_bytes(), last.0.as_bytes()],
        |row| Ok((row.get("created_at")?, row.get("number")?)),
    )
}

pub(super) fn cancel(
    db: &Connection,
    repository: RepositoryId,
    id: JobId,
    deed: &Deed,
) -> Result<Option<Import>> {
    let changed = change(
        db,
        "UPDATE jobs SET cancel_requested = 1, updated_at = ?3,
            status = CASE status WHEN 'pending' THEN 'canceled' ELSE status END,
            progress = CASE status
                WHEN 'pending' THEN json_set(progress, '$.phase', 'ended')
                ELSE progress
            END
         WHERE repository = ?1 AND id = ?2 AND status IN ('pending', 'running')
            AND NOT cancel_requested",
        params![repository.0.as_bytes(), id.0.as_bytes(), deed.at.0],
    )?;
    audit::record_if(db, changed > 0, deed)?;
    import(db, repository, id)
}

pub(super) fn retry(
    db: &Connection,
    repository: RepositoryId,
    id: JobId,
    deed: &Deed,
) -> Result<Option<Import>> {
    let Some(ended) = import(db, repository, id)? else { return Ok(None) };
    if !matches!(ended.status, JobStatus::Failed | JobStatus::Canceled) {
        return Err(Error::Conflict { what: "a pending, running or completed import" });
    }
    let head = repositories::by_id(db, repository)?
        .ok_or(Error::NotFound { what: "the repository" })?
        .head;
    // Runs hold what was carried over from the base, so with runs the base must stay. Without a
    // checkpoint nothing has kept the commits that the job was created with.
    let (base, source_commit) = match shards::has_run(db, id)? {
        true => (ended.base, ended.source_commit),
        false => (head, source_head(db, &ended.spec)?.unwrap_or(ended.source_commit)),
    };
    let progress = progress::of_shard(&shards::state(db, id)?);
    change(
        db,
        "UPDATE jobs SET status = 'pending', error = NULL, cancel_requested = 0, attempts = 0,
            base = :base, source_commit = :source_commit, progress = :progress,
            updated_at = :now, queued_at = :now
         WHERE id = :id",
        named_params! {
            ":id": id.0.as_bytes(),
            ":base": base.map(|id| id.0),
            ":source_commit": source_commit.map(|id| id.0),
            ":progress": of_progress(&progress),
            ":now": deed.at.0,
        },
    )?;
    audit::record(db, deed)?;
    import(db, repository, id)
}

pub(super) fn expire_checkpoints(db: &Connection, before: Timestamp) -> Result<u64> {
    const EXPIRED: &str = "job IN (SELECT id FROM jobs \
        WHERE status IN ('failed', 'canceled') AND updated_at < ?1 \
        AND id NOT IN (SELECT prior FROM jobs \
            WHERE status IN ('pending', 'running') AND prior IS NOT NULL))";
    change(db, &format!("DELETE FROM runs WHERE {EXPIRED}"), [before.0])?;
    let shards = change(db, &format!("DELETE FROM shards WHERE {EXPIRED}"), [before.0])?;
    let previews = change(
        db,
        "UPDATE jobs SET preview = json_set(preview, '$.changes', NULL)
         WHERE preview IS NOT NULL AND updated_at < ?1
            AND json_extract(preview, '$.changes') IS NOT NULL",
        [before.0],
    )?;
    Ok((shards + previews) as u64)
}

pub(super) fn decode(row: &Row<'_>) -> rusqlite::Result<Import> {
    Ok(Import {
        id: JobId(uuid(row, "id")?),
        spec: ImportSpec {
            repository: RepositoryId(uuid(row, "repository")?),
            source: decode_source(row)?,
            source_prefix: row.get("source_prefix")?,
            destination_path: row.get("destination_path")?,
            commit_message: row.get("commit_message")?,
            created_by: UserId(uuid(row, "created_by")?),
            options: documents::options(row, "options")?,
        },
        status: name(row, "status")?,
        progress: documents::progress(row, "progress")?,
        commit: commit_if_any(row, "commit_id")?,
        error: row.get("error")?,
        preview: documents::preview(row, "preview")?,
        base: commit_if_any(row, "base")?,
        source_commit: commit_if_any(row, "source_commit")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn decode_source(row: &Row<'_>) -> rusqlite::Result<ImportSource> {
    if let Some(connector) = uuid_if_any(row, "connector")? {
        return Ok(ImportSource::Connector(ConnectorId(connector)));
    }
    Ok(ImportSource::Repository(SourceRepository {
        repository: RepositoryId(uuid(row, "source_repository")?),
        organization_name: row.get("source_organization_name")?,
        name: row.get("source_repository_name")?,
    }))
}
