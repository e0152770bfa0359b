//! Holds: for as long as one is alive, collections take nothing away. A hold that is not extended
//! ends by itself, by the database's clock, so that nobody who died keeps the trash for good.

use rusqlite::{Connection, params};

use super::columns::{count, of_count};
use super::query::{change, one};
use crate::{Error, HoldId, Result};

/// `Held` while a hold is alive. Within the transaction that takes something away.
pub(super) fn refuse(db: &Connection) -> Result<()> {
    let holder = one(
        db,
        "SELECT what FROM holds WHERE until_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER)
         ORDER BY id LIMIT 1",
        [],
        |row| row.get("what"),
    )?;
    holder.map_or(Ok(()), |what| Err(Error::Held { what }))
}

pub(super) fn hold(db: &Connection, what: &str, for_ms: i64) -> Result<HoldId> {
    change(
        db,
        "DELETE FROM holds WHERE until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        [],
    )?;
    let id = one(
        db,
        "INSERT INTO holds (what, until_ms)
         VALUES (?1, CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2) RETURNING id",
        params![what, for_ms],
        |row| count(row, "id"),
    )?;
    id.map(HoldId).ok_or(Error::Aborted)
}

pub(super) fn extend(db: &Connection, id: HoldId, for_ms: i64) -> Result<bool> {
    let changed = change(
        db,
        "UPDATE holds SET until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2
         WHERE id = ?1 AND until_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        params![of_count(id.0), for_ms],
    )?;
    Ok(changed > 0)
}

pub(super) fn release(db: &Connection, id: HoldId) -> Result<()> {
    change(db, "DELETE FROM holds WHERE id = ?1", [of_count(id.0)]).map(|_| ())
}
