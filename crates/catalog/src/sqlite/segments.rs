//! Segments, and who writes them.

use model::{RepositoryId, SegmentId, SegmentRecord, Timestamp, WriterId};
use rusqlite::{Connection, Row, params};

use super::columns::{count, hash, of_count, uuid};
use super::query::{all, change, one};
use crate::{Error, Result};

pub(super) fn segment(db: &Connection, id: SegmentId) -> Result<Option<SegmentRecord>> {
    let sql = "SELECT * FROM segments WHERE writer = ?1 AND number = ?2";
    one(db, sql, params![of_count(id.writer.0), id.number], decode)
}

pub(super) fn segments(
    db: &Connection,
    after: Option<SegmentId>,
    limit: usize,
) -> Result<Vec<SegmentRecord>> {
    let (writer, number) =
        after.map_or((-1, 0), |id| (of_count(id.writer.0), i64::from(id.number)));
    all(
        db,
        "SELECT * FROM segments WHERE (writer, number) > (?1, ?2)
         ORDER BY writer, number LIMIT ?3",
        params![writer, number, of_count(limit as u64)],
        decode,
    )
}

pub(super) fn insert(db: &Connection, segments: &[SegmentRecord]) -> Result<()> {
    for segment in segments {
        if !put(db, segment)? {
            return Err(Error::Conflict { what: "a segment with this number" });
        }
    }
    Ok(())
}

/// As [`insert`]; one that is known already stays as it is, since operations may share a segment.
pub(super) fn make_known(db: &Connection, segments: &[SegmentRecord]) -> Result<()> {
    segments.iter().try_for_each(|segment| put(db, segment).map(|_| ()))
}

/// Whether it was not known before.
fn put(db: &Connection, segment: &SegmentRecord) -> Result<bool> {
    let changed = change(
        db,
        "INSERT INTO segments (writer, number, repository, file, length, directory)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![
            of_count(segment.id.writer.0),
            segment.id.number,
            segment.repository.0.as_bytes(),
            segment.file,
            of_count(segment.length),
            segment.directory.0
        ],
    )?;
    Ok(changed > 0)
}

/// A row of `segments`, or of `trash`.
pub(super) fn decode(row: &Row<'_>) -> rusqlite::Result<SegmentRecord> {
    Ok(SegmentRecord {
        id: SegmentId { writer: WriterId(count(row, "writer")?), number: row.get("number")? },
        repository: RepositoryId(uuid(row, "repository")?),
        file: row.get("file")?,
        length: count(row, "length")?,
        directory: hash(row, "directory")?,
    })
}

pub(super) fn live_writers(db: &Connection) -> Result<Vec<WriterId>> {
    all(
        db,
        "SELECT writers.id FROM jobs
         JOIN writers ON writers.job = jobs.id AND writers.epoch = jobs.epoch
         WHERE status = 'running'
         UNION SELECT id FROM writers WHERE is_closed = 0
         ORDER BY id",
        [],
        |row| Ok(WriterId(count(row, "id")?)),
    )
}

pub(super) fn newest_writer(db: &Connection) -> Result<Option<WriterId>> {
    let sql = "SELECT id FROM writers ORDER BY id DESC LIMIT 1";
    one(db, sql, [], |row| Ok(WriterId(count(row, "id")?)))
}

pub(super) fn open_writer(db: &Connection, now: Timestamp) -> Result<WriterId> {
    let sql = "INSERT INTO writers (created_at, is_closed) VALUES (?1, 0) RETURNING id";
    let id = one(db, sql, [now.0], |row| count(row, "id"))?;
    id.map(WriterId).ok_or(Error::Aborted)
}

pub(super) fn close_writer(db: &Connection, id: WriterId) -> Result<()> {
    // The writer of a claim is not closed: it lives and dies with its epoch.
    let sql = "UPDATE writers SET is_closed = 1 WHERE id = ?1 AND is_closed = 0";
    change(db, sql, [of_count(id.0)]).map(|_| ())
}

/// Closes every writer that belongs to no job.
pub(super) fn close_writers(db: &Connection) -> Result<()> {
    change(db, "UPDATE writers SET is_closed = 1 WHERE is_closed = 0", []).map(|_| ())
}
