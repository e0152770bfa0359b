//! Multipart uploads and their parts.

use model::limits::OPEN_UPLOADS_MAX;
use model::{Part, RepositoryId, SegmentRecord, SessionId, Timestamp, Upload, UploadId};
use rusqlite::{Connection, Row, params};

use super::columns::{count, hash, of_count, time, uuid};
use super::query::{all, change, exists, one};
use super::{segments, sessions, staged};
use crate::{Error, Result};

pub(super) fn create(db: &Connection, new: &Upload) -> Result<()> {
    if sessions::session(db, new.repository, new.session, new.created_at)?.is_none() {
        return Err(Error::NotFound { what: "the session" });
    }
    let open = one(
        db,
        "SELECT count(*) AS open FROM uploads WHERE session = ?1",
        [new.session.0.as_bytes()],
        |row| count(row, "open"),
    )?;
    if open.unwrap_or_default() >= OPEN_UPLOADS_MAX {
        return Err(Error::TooMany { what: "multipart uploads that are not complete" });
    }
    change(
        db,
        "INSERT INTO uploads (id, session, path, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            new.id.0.as_bytes(),
            new.session.0.as_bytes(),
            new.path.as_bytes(),
            new.created_at.0,
            new.expires_at.0
        ],
    )
    .map_err(|error| error.or_conflict("an upload with this id"))?;
    Ok(())
}

pub(super) fn upload(db: &Connection, id: UploadId, now: Timestamp) -> Result<Option<Upload>> {
    one(
        db,
        "SELECT uploads.*, repository FROM uploads
         JOIN sessions ON sessions.id = uploads.session
         WHERE uploads.id = ?1 AND uploads.expires_at > ?2
            AND sessions.ended_at IS NULL AND sessions.expires_at > ?2",
        params![id.0.as_bytes(), now.0],
        |row| {
            Ok(Upload {
                id: UploadId(uuid(row, "id")?),
                repository: RepositoryId(uuid(row, "repository")?),
                session: SessionId(uuid(row, "session")?),
                path: staged::path(row, "path")?,
                created_at: time(row, "created_at")?,
                expires_at: time(row, "expires_at")?,
            })
        },
    )
}

pub(super) fn record_part(
    db: &Connection,
    upload: UploadId,
    part: &Part,
    durable: &[SegmentRecord],
) -> Result<bool> {
    let is_open = exists(
        db,
        "SELECT 1 FROM uploads JOIN sessions ON sessions.id = uploads.session
         WHERE uploads.id = ?1 AND sessions.ended_at IS NULL",
        [upload.0.as_bytes()],
    )?;
    if !is_open {
        return Ok(false);
    }
    segments::make_known(db, durable)?;
    change(
        db,
        "INSERT INTO parts (upload, number, size, tag, start, pieces)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET size = excluded.size, tag = excluded.tag,
            start = excluded.start, pieces = excluded.pieces",
        params![
            upload.0.as_bytes(),
            part.number,
            of_count(part.size),
            part.tag.0,
            of_count(part.offset),
            part.pieces
        ],
    )?;
    Ok(true)
}

pub(super) fn parts(db: &Connection, upload: UploadId) -> Result<Vec<Part>> {
    let sql = "SELECT * FROM parts WHERE upload = ?1 ORDER BY number";
    all(db, sql, [upload.0.as_bytes()], decode_part)
}

/// Removes an upload of an open session, whose object is staged in the same transaction.
pub(super) fn complete(
    db: &Connection,
    id: UploadId,
    session: SessionId,
    now: Timestamp,
) -> Result<()> {
    match upload(db, id, now)?.is_some_and(|found| found.session == session) {
        true => remove(db, id).map(|_| ()),
        false => Err(Error::NotFound { what: "the upload" }),
    }
}

pub(super) fn remove(db: &Connection, id: UploadId) -> Result<bool> {
    change(db, "DELETE FROM parts WHERE upload = ?1", [id.0.as_bytes()])?;
    Ok(change(db, "DELETE FROM uploads WHERE id = ?1", [id.0.as_bytes()])? > 0)
}

pub(super) fn stored(db: &Connection) -> Result<Vec<UploadId>> {
    let sql = "SELECT id FROM uploads ORDER BY created_at, id";
    all(db, sql, [], |row| Ok(UploadId(uuid(row, "id")?)))
}

fn decode_part(row: &Row<'_>) -> rusqlite::Result<Part> {
    Ok(Part {
        number: row.get("number")?,
        size: count(row, "size")?,
        tag: hash(row, "tag")?,
        offset: count(row, "start")?,
        pieces: row.get("pieces")?,
    })
}
