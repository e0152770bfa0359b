//! Sessions: begun, looked at, ended.

use model::limits::OPEN_SESSIONS_MAX;
use model::{Deed, RepositoryId, Session, SessionId, Timestamp, UserId};
use rusqlite::{Connection, Row, params};

use super::columns::{commit_if_any, count, time, uuid};
use super::query::{all, change, one};
use super::{audit, repositories};
use crate::{Error, Result};

pub(super) fn create(db: &Connection, new: &Session, deed: &Deed) -> Result<Session> {
    let repository = repositories::by_id(db, new.repository)?
        .ok_or(Error::NotFound { what: "the repository" })?;
    let open = one(
        db,
        "SELECT count(*) AS open FROM sessions
         WHERE repository = ?1 AND ended_at IS NULL AND expires_at > ?2",
        params![new.repository.0.as_bytes(), deed.at.0],
        |row| count(row, "open"),
    )?;
    if open.unwrap_or_default() >= OPEN_SESSIONS_MAX {
        return Err(Error::TooMany { what: "open sessions" });
    }
    let stored = Session { base: repository.head, revision: 0, ..new.clone() };
    change(
        db,
        "INSERT INTO sessions (id, repository, base, created_by, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            stored.id.0.as_bytes(),
            stored.repository.0.as_bytes(),
            stored.base.map(|id| id.0),
            stored.created_by.0.as_bytes(),
            stored.created_at.0,
            stored.expires_at.0
        ],
    )
    .map_err(|error| error.or_conflict("a session with this id"))?;
    audit::record(db, deed)?;
    Ok(stored)
}

pub(super) fn session(
    db: &Connection,
    repository: RepositoryId,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Session>> {
    one(
        db,
        "SELECT * FROM sessions
         WHERE id = ?1 AND repository = ?2 AND ended_at IS NULL AND expires_at > ?3",
        params![id.0.as_bytes(), repository.0.as_bytes(), now.0],
        decode,
    )
}

pub(super) fn open(db: &Connection) -> Result<Vec<Session>> {
    let sql = "SELECT * FROM sessions WHERE ended_at IS NULL ORDER BY created_at, id";
    all(db, sql, [], decode)
}

/// Ends an open session. What it has staged stays until it is purged: in this transaction, millions
/// of rows would keep everybody else waiting.
pub(super) fn end(db: &Connection, id: SessionId, deed: &Deed) -> Result<bool> {
    let ended = close(db, id, deed.at)?;
    audit::record_if(db, ended, deed)
}

/// As [`end`], as a part of something else.
pub(super) fn close(db: &Connection, id: SessionId, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE sessions SET ended_at = ?2
         WHERE id = ?1 AND ended_at IS NULL AND expires_at > ?2";
    Ok(change(db, sql, params![id.0.as_bytes(), now.0])? > 0)
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId(uuid(row, "id")?),
        repository: RepositoryId(uuid(row, "repository")?),
        base: commit_if_any(row, "base")?,
        created_by: UserId(uuid(row, "created_by")?),
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        revision: count(row, "revision")?,
    })
}
