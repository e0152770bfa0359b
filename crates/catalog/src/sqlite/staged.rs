//! What sessions have staged.

use std::ops::Bound;

use model::limits::STAGED_CHANGES_MAX;
use model::{ObjectPath, SegmentRecord, SessionId, StagedChange, Timestamp, UploadId};
use rusqlite::{Connection, Row, params};

use super::columns::{count, of_count, undecodable};
use super::query::{all, change, one};
use super::{segments, uploads};
use crate::{Error, Result};

pub(super) fn stage(
    db: &Connection,
    session: SessionId,
    changes: &[StagedChange],
    durable: &[SegmentRecord],
    completes: Option<UploadId>,
    now: Timestamp,
) -> Result<bool> {
    let Some(revision) = revise(db, session, changes.len(), now)? else { return Ok(false) };
    if revision > STAGED_CHANGES_MAX {
        return Err(Error::TooMany { what: "changes staged in one session" });
    }
    if let Some(upload) = completes {
        uploads::complete(db, upload, session, now)?;
    }
    segments::make_known(db, durable)?;
    for staged in changes {
        change(
            db,
            "INSERT INTO staged (session, path, entry) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET entry = excluded.entry",
            params![session.0.as_bytes(), staged.path.as_bytes(), staged.entry],
        )?;
    }
    Ok(true)
}

/// The revision of an open session after so many changes.
fn revise(
    db: &Connection,
    session: SessionId,
    changes: usize,
    now: Timestamp,
) -> Result<Option<u64>> {
    one(
        db,
        "UPDATE sessions SET revision = revision + ?2
         WHERE id = ?1 AND ended_at IS NULL AND expires_at > ?3 RETURNING revision",
        params![session.0.as_bytes(), of_count(changes as u64), now.0],
        |row| count(row, "revision"),
    )
}

pub(super) fn at(
    db: &Connection,
    session: SessionId,
    path: &ObjectPath,
) -> Result<Option<StagedChange>> {
    let sql = "SELECT path, entry FROM staged WHERE session = ?1 AND path = ?2";
    one(db, sql, params![session.0.as_bytes(), path.as_bytes()], decode)
}

pub(super) fn between(
    db: &Connection,
    session: SessionId,
    start: &Bound<Vec<u8>>,
    end: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<StagedChange>> {
    let first = match start {
        Bound::Included(path) => path.clone(),
        // Nothing lies between a path and the same with a byte 0 behind it.
        Bound::Excluded(path) => [path, &[0][..]].concat(),
        Bound::Unbounded => Vec::new(),
    };
    let (session, limit) = (session.0.as_bytes(), of_count(limit as u64));
    // Two statements, so that the index ends the search in both cases.
    match end {
        Some(end) => all(
            db,
            "SELECT path, entry FROM staged WHERE session = ?1 AND path >= ?2 AND path < ?3
             ORDER BY path LIMIT ?4",
            params![session, first, end, limit],
            decode,
        ),
        None => all(
            db,
            "SELECT path, entry FROM staged WHERE session = ?1 AND path >= ?2
             ORDER BY path LIMIT ?3",
            params![session, first, limit],
            decode,
        ),
    }
}

fn decode(row: &Row<'_>) -> rusqlite::Result<StagedChange> {
    Ok(StagedChange { path: path(row, "path")?, entry: row.get("entry")? })
}

/// A path in a column.
pub(super) fn path(row: &Row<'_>, column: &str) -> rusqlite::Result<ObjectPath> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|error| undecodable(row, column, error))?;
    ObjectPath::from_bytes(bytes).map_err(|error| undecodable(row, column, error))
}
