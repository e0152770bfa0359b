//! Removes what has ended by itself, in bites: a session may have staged millions of rows, and
//! while they go nobody else can write.

use model::Timestamp;
use rusqlite::{Connection, params};

use super::columns::of_count;
use super::query::change;
use crate::Result;

/// What goes once its time is over; `?1` is now, `?2` how many rows may go.
const EXPIRED: [&str; 2] = [
    "DELETE FROM logins WHERE token_hash IN (
        SELECT token_hash FROM logins WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM device_codes WHERE device_hash IN (
        SELECT device_hash FROM device_codes WHERE expires_at <= ?1 LIMIT ?2)",
];

/// What goes with its upload or session, each before what it refers to: whatever has a budget left
/// finds only rows that nothing refers to any more. The cross joins keep the order of the tables,
/// from what has ended to what goes with it.
const ORPHANED: [&str; 6] = [
    "DELETE FROM parts WHERE (upload, number) IN (
        SELECT upload, number FROM uploads CROSS JOIN parts ON parts.upload = uploads.id
        WHERE uploads.expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM uploads WHERE id IN (
        SELECT id FROM uploads WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM parts WHERE (upload, number) IN (
        SELECT upload, number FROM sessions CROSS JOIN uploads ON uploads.session = sessions.id
        CROSS JOIN parts ON parts.upload = uploads.id
        WHERE sessions.ended_at <= ?1 LIMIT ?2)",
    "DELETE FROM uploads WHERE id IN (
        SELECT uploads.id FROM sessions CROSS JOIN uploads ON uploads.session = sessions.id
        WHERE sessions.ended_at <= ?1 LIMIT ?2)",
    "DELETE FROM staged WHERE (session, path) IN (
        SELECT session, path FROM sessions CROSS JOIN staged ON staged.session = sessions.id
        WHERE sessions.ended_at <= ?1 LIMIT ?2)",
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended_at <= ?1 LIMIT ?2)",
];

pub(super) fn purge(db: &Connection, now: Timestamp, limit: u64) -> Result<u64> {
    end_sessions(db, now, limit)?;
    let mut left = limit;
    for sql in EXPIRED.into_iter().chain(ORPHANED) {
        if left == 0 {
            break;
        }
        let gone = change(db, sql, params![now.0, of_count(left)])?;
        left = left.saturating_sub(gone as u64);
    }
    Ok(limit - left)
}

/// Ends sessions that have expired, and those of deleted repositories.
fn end_sessions(db: &Connection, now: Timestamp, limit: u64) -> Result<()> {
    change(
        db,
        "UPDATE sessions SET ended_at = ?1 WHERE id IN (
            SELECT id FROM sessions WHERE ended_at IS NULL AND expires_at <= ?1 LIMIT ?2)",
        params![now.0, of_count(limit)],
    )?;
    change(
        db,
        "UPDATE sessions SET ended_at = ?1 WHERE id IN (
            SELECT sessions.id FROM repositories
            JOIN sessions ON sessions.repository = repositories.id
            WHERE repositories.deleted_at IS NOT NULL AND sessions.ended_at IS NULL LIMIT ?2)",
        params![now.0, of_count(limit)],
    )?;
    Ok(())
}
