//! Collections: asked for, and how they ended.

use model::{CollectOptions, CollectReport, Collection, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::columns::{count, json, of_count, of_json, time};
use super::query::{change, one};
use crate::{Error, Result};

pub(super) fn request(db: &Connection, options: &CollectOptions, now: Timestamp) -> Result<u64> {
    let sql = "INSERT INTO collections (options, requested_at) VALUES (?1, ?2) RETURNING id";
    let id = one(db, sql, params![of_json(options), now.0], |row| count(row, "id"))?;
    id.ok_or(Error::Aborted)
}

pub(super) fn next(db: &Connection) -> Result<Option<Collection>> {
    one(db, "SELECT * FROM collections WHERE ended_at IS NULL ORDER BY id LIMIT 1", [], decode)
}

pub(super) fn collection(db: &Connection, id: u64) -> Result<Option<Collection>> {
    one(db, "SELECT * FROM collections WHERE id = ?1", [of_count(id)], decode)
}

pub(super) fn last(db: &Connection) -> Result<Option<Timestamp>> {
    one(
        db,
        "SELECT ended_at FROM collections
         WHERE report IS NOT NULL AND NOT json_extract(options, '$.dry_run')
         ORDER BY ended_at DESC LIMIT 1",
        [],
        |row| time(row, "ended_at"),
    )
}

pub(super) fn end(
    db: &Connection,
    id: u64,
    outcome: &std::result::Result<CollectReport, String>,
    now: Timestamp,
) -> Result<()> {
    change(
        db,
        "UPDATE collections SET report = ?2, error = ?3, ended_at = ?4
         WHERE id = ?1 AND ended_at IS NULL",
        params![of_count(id), outcome.as_ref().ok().map(of_json), outcome.as_ref().err(), now.0],
    )?;
    Ok(())
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Collection> {
    let has_report = row.get_ref("report")? != ValueRef::Null;
    Ok(Collection {
        id: count(row, "id")?,
        options: json(row, "options")?,
        ended: row.get::<_, Option<i64>>("ended_at")?.is_some(),
        report: if has_report { Some(json(row, "report")?) } else { None },
        error: row.get("error")?,
    })
}
