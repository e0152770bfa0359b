//! What becomes of segments that nothing needs: condemned, then in the trash, then forgotten; and
//! of those whose items were packed into another file. Until a file is forgotten, its rows can be
//! brought back as they were.
//!
//! A file may be named by many rows, since a packed one holds the items of several segments: it is
//! given up only with the last of them.

use std::collections::HashSet;

use model::{SegmentId, SegmentRecord, Timestamp, WriterId};
use rusqlite::{Connection, Row, params};

use super::columns::{count, of_count};
use super::query::{all, change, exists};
use super::{commits, holds, segments};
use crate::{Error, Result};

pub(super) fn condemn(db: &Connection, dead: &[SegmentId], now: Timestamp) -> Result<()> {
    let dead: HashSet<SegmentId> = dead.iter().copied().collect();
    let condemned: HashSet<SegmentId> = all(
        db,
        "SELECT writer, number FROM segments WHERE condemned_at IS NOT NULL",
        [],
        decode_id,
    )?
    .into_iter()
    .collect();
    let set = |id: &SegmentId, at: Option<Timestamp>| {
        change(
            db,
            "UPDATE segments SET condemned_at = ?3 WHERE writer = ?1 AND number = ?2",
            params![of_count(id.writer.0), id.number, at.map(|at| at.0)],
        )
    };
    for id in condemned.difference(&dead) {
        set(id, None)?;
    }
    for id in dead.difference(&condemned) {
        set(id, Some(now))?;
    }
    Ok(())
}

fn decode_id(row: &Row<'_>) -> rusqlite::Result<SegmentId> {
    Ok(SegmentId { writer: WriterId(count(row, "writer")?), number: row.get("number")? })
}

pub(super) fn condemned(db: &Connection, before: Timestamp) -> Result<Vec<SegmentRecord>> {
    all(
        db,
        "SELECT * FROM segments WHERE condemned_at <= ?1 ORDER BY writer, number",
        [before.0],
        segments::decode,
    )
}

pub(super) fn drop_segments(db: &Connection, ids: &[SegmentId], now: Timestamp) -> Result<u64> {
    holds::refuse(db)?;
    let mut dropped = 0;
    for id in ids {
        let key = (of_count(id.writer.0), id.number);
        let changed = change(
            db,
            "INSERT INTO trash (kind, trashed_at, writer, number, repository, file, length,
                directory)
             SELECT 'dropped', ?3, writer, number, repository, file, length, directory
             FROM segments WHERE writer = ?1 AND number = ?2 AND condemned_at IS NOT NULL",
            params![key.0, key.1, now.0],
        )?;
        if changed > 0 {
            let sql = "DELETE FROM segments WHERE writer = ?1 AND number = ?2";
            change(db, sql, params![key.0, key.1])?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

pub(super) fn switch(db: &Connection, packed: &[SegmentRecord], now: Timestamp) -> Result<()> {
    holds::refuse(db)?;
    for segment in packed {
        let changed = change(
            db,
            "INSERT INTO trash (kind, trashed_at, writer, number, repository, file, length,
                directory)
             SELECT 'packed', ?3, writer, number, repository, file, length, directory
             FROM segments WHERE writer = ?1 AND number = ?2",
            params![of_count(segment.id.writer.0), segment.id.number, now.0],
        )?;
        if changed == 0 {
            return Err(Error::Conflict { what: "another state of a packed segment" });
        }
        point_at(db, segment)?;
    }
    Ok(())
}

/// Whether there is a row for this segment; it names the file of `segment` now.
fn point_at(db: &Connection, segment: &SegmentRecord) -> Result<bool> {
    let changed = change(
        db,
        "UPDATE segments SET file = ?3, length = ?4, directory = ?5
         WHERE writer = ?1 AND number = ?2",
        params![
            of_count(segment.id.writer.0),
            segment.id.number,
            segment.file,
            of_count(segment.length),
            segment.directory.0
        ],
    )?;
    Ok(changed > 0)
}

pub(super) fn restore(db: &Connection) -> Result<u64> {
    // What the packed files hold would be given up by it: it takes away, too.
    holds::refuse(db)?;
    let sql = "SELECT * FROM trash ORDER BY id DESC";
    let rows = all(db, sql, [], |row| {
        let was_dropped = row.get::<_, String>("kind")? == "dropped";
        Ok((was_dropped, segments::decode(row)?))
    })?;
    let mut restored = 0;
    // From the newest to the oldest: a segment may have been packed, and dropped afterwards.
    for (was_dropped, segment) in rows {
        if was_dropped {
            segments::insert(db, &[segment])?;
            restored += 1;
        } else if point_at(db, &segment)? {
            restored += 1;
        }
    }
    change(db, "DELETE FROM trash", [])?;
    commits::unexpire(db)?;
    Ok(restored)
}

pub(super) fn trashed(db: &Connection) -> Result<Vec<SegmentRecord>> {
    all(db, "SELECT * FROM trash ORDER BY id", [], segments::decode)
}

pub(super) fn purge(db: &Connection, before: Timestamp) -> Result<Vec<String>> {
    holds::refuse(db)?;
    let sql = "SELECT DISTINCT file FROM trash WHERE trashed_at <= ?1 ORDER BY file";
    let files: Vec<String> = all(db, sql, [before.0], |row| row.get("file"))?;
    change(db, "DELETE FROM trash WHERE trashed_at <= ?1", [before.0])?;
    // What a commit lost to the trash, it lost after it had expired.
    change(
        db,
        "INSERT INTO meta (key, value) VALUES ('purged_before', ?1)
         ON CONFLICT DO UPDATE SET value =
            CAST(max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)) AS TEXT)",
        [before.0.to_string()],
    )?;
    let mut given_up = Vec::new();
    for file in files {
        if !is_file_named(db, &file)? {
            given_up.push(file);
        }
    }
    Ok(given_up)
}

pub(super) fn is_file_named(db: &Connection, file: &str) -> Result<bool> {
    exists(
        db,
        "SELECT 1 FROM segments WHERE file = ?1 UNION ALL SELECT 1 FROM trash WHERE file = ?1",
        [file],
    )
}
