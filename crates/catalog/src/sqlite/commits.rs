//! Commits, and the database as a whole.

use model::{Commit, CommitId, JobId, RepositoryId, Root, Timestamp, UserId};
use rusqlite::{Connection, Row, RowIndex, named_params, params};

use super::columns::{
    EXTENT_BYTES, commit_if_any, count, extent, hash, json, of_count, of_extent, of_json, time,
    time_if_any, uuid,
};
use super::migrations;
use super::query::{all, change, exists, one};
use crate::{Error, Result, StoreInfo};

/// Hex digits of a commit's id.
const ID_DIGITS: usize = 64;
/// What [`decode_at`] reads, in its order.
pub(super) const COLUMNS: [&str; 15] = [
    "id",
    "repository",
    "parent",
    "root_page",
    "root_level",
    "root_hash",
    "root_entries",
    "root_bytes",
    "message",
    "committer",
    "committer_name",
    "created_at",
    "metadata",
    "superseded_at",
    "expired_at",
];

pub(super) fn store_info(db: &Connection) -> Result<StoreInfo> {
    let id = one(db, "SELECT value FROM meta WHERE key = 'store'", [], |row| row.get(0))?;
    let id = id.ok_or_else(|| Error::Damaged { what: "the store has no id".to_owned() })?;
    Ok(StoreInfo { id, version: migrations::version(db)? })
}

pub(super) fn ping(db: &Connection) -> Result<()> {
    exists(db, "SELECT 1 FROM meta", []).map(|_| ())
}

pub(super) fn integrity(db: &Connection) -> Result<Vec<String>> {
    let mut found = migrations::altered(db)?;
    let checked = all(db, "PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
    found.extend(checked.into_iter().filter(|line| line != "ok"));
    found.extend(migrations::dangling(db)?);
    Ok(found)
}

pub(super) fn commit(
    db: &Connection,
    repository: RepositoryId,
    id: CommitId,
) -> Result<Option<Commit>> {
    let sql = "SELECT * FROM commits WHERE repository = ?1 AND id = ?2";
    one(db, sql, params![repository.0.as_bytes(), id.0], decode)
}

pub(super) fn by_prefix(
    db: &Connection,
    repository: RepositoryId,
    prefix: &str,
) -> Result<Vec<Commit>> {
    let padded = |digit: &str| {
        let padding = digit.repeat(ID_DIGITS.saturating_sub(prefix.len()));
        format!("{prefix}{padding}").parse::<CommitId>().ok()
    };
    let (Some(first), Some(last)) = (padded("0"), padded("f")) else { return Ok(Vec::new()) };
    all(
        db,
        "SELECT * FROM commits WHERE repository = ?1 AND id BETWEEN ?2 AND ?3 LIMIT 2",
        params![repository.0.as_bytes(), first.0, last.0],
        decode,
    )
}

pub(super) fn log(
    db: &Connection,
    repository: RepositoryId,
    from: CommitId,
    limit: usize,
) -> Result<Vec<Commit>> {
    let mut commits = Vec::new();
    let mut next = Some(from);
    while let Some(id) = next.filter(|_| commits.len() < limit)
        && let Some(found) = commit(db, repository, id)?
    {
        next = found.parent;
        commits.push(found);
    }
    Ok(commits)
}

/// Stores a commit, and the job that made it.
pub(super) fn insert(db: &Connection, commit: &Commit, job: Option<JobId>) -> Result<()> {
    change(
        db,
        "INSERT INTO commits (repository, id, parent, root_page, root_level, root_hash,
            root_entries, root_bytes, message, committer, committer_name, created_at, metadata, job)
         VALUES (:repository, :id, :parent, :root_page, :root_level, :root_hash,
            :root_entries, :root_bytes, :message, :committer, :committer_name, :created_at,
            :metadata, :job)",
        named_params! {
            ":repository": commit.repository.0.as_bytes(),
            ":id": commit.id.0,
            ":parent": commit.parent.map(|id| id.0),
            ":root_page": commit.root.page.map(of_extent),
            ":root_level": commit.root.level,
            ":root_hash": commit.root.hash.0,
            ":root_entries": of_count(commit.root.entries),
            ":root_bytes": of_count(commit.root.bytes),
            ":message": commit.message,
            ":committer": commit.committer.0.as_bytes(),
            ":committer_name": commit.committer_name,
            ":created_at": commit.created_at.0,
            ":metadata": of_json(&commit.metadata),
            ":job": job.map(|id| *id.0.as_bytes()),
        },
    )
    .map_err(|error| error.or_conflict("a commit of this import or at this place"))?;
    Ok(())
}

/// Makes commits that are stale at `now` stale for good; how many were not before.
pub(super) fn expire(db: &Connection, now: Timestamp) -> Result<u64> {
    let changed = change(
        db,
        "UPDATE commits SET expired_at = ?1
         WHERE expired_at IS NULL AND superseded_at IS NOT NULL AND EXISTS (
            SELECT 1 FROM repositories WHERE id = commits.repository
                AND superseded_at + retention_days * 86400000000 < ?1)",
        [now.0],
    )?;
    Ok(changed as u64)
}

/// Takes back what [`expire`] did to commits of whose bytes nothing is gone for good.
pub(super) fn unexpire(db: &Connection) -> Result<()> {
    change(
        db,
        "UPDATE commits SET expired_at = NULL WHERE expired_at > ifnull(
            (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'purged_before'), expired_at - 1)",
        [],
    )
    .map(|_| ())
}

/// Makes `commit` the head; the one before it is superseded.
pub(super) fn move_head(db: &Connection, commit: &Commit) -> Result<()> {
    if let Some(parent) = commit.parent {
        change(
            db,
            "UPDATE commits SET superseded_at = ?3 WHERE repository = ?1 AND id = ?2",
            params![commit.repository.0.as_bytes(), parent.0, commit.created_at.0],
        )?;
    }
    change(
        db,
        "UPDATE repositories SET head = ?2 WHERE id = ?1",
        params![commit.repository.0.as_bytes(), commit.id.0],
    )?;
    Ok(())
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Commit> {
    decode_at(row, COLUMNS)
}

pub(super) fn decode_at<C: RowIndex>(
    row: &Row<'_>,
    columns: [C; COLUMNS.len()],
) -> rusqlite::Result<Commit> {
    let [id, repository, parent, page, level, root_hash, entries, bytes, columns @ ..] = columns;
    let [message, committer, committer_name, created_at, metadata, superseded, expired] = columns;
    Ok(Commit {
        id: CommitId(row.get(id)?),
        repository: RepositoryId(uuid(row, repository)?),
        parent: commit_if_any(row, parent)?,
        root: Root {
            page: row.get::<_, Option<[u8; EXTENT_BYTES]>>(page)?.map(extent),
            level: row.get(level)?,
            hash: hash(row, root_hash)?,
            entries: count(row, entries)?,
            bytes: count(row, bytes)?,
        },
        message: row.get(message)?,
        committer: UserId(uuid(row, committer)?),
        committer_name: row.get(committer_name)?,
        created_at: time(row, created_at)?,
        metadata: json(row, metadata)?,
        superseded_at: time_if_any(row, superseded)?,
        expired: time_if_any(row, expired)?.is_some(),
    })
}
