//! Devices that wait to be let in.

use model::limits::DEVICES_MAX;
use model::{Deed, DeviceCode, NewApiKey, Timestamp, UserId};
use rusqlite::{Connection, Row, params};

use super::columns::{count, time, uuid_if_any};
use super::query::{change, one};
use super::{accounts, audit};
use crate::{Error, Result};

pub(super) fn create(db: &Connection, code: &DeviceCode) -> Result<()> {
    let waiting = one(
        db,
        "SELECT count(*) AS waiting FROM device_codes WHERE expires_at > ?1",
        [code.created_at.0],
        |row| count(row, "waiting"),
    )?;
    if waiting.unwrap_or_default() >= DEVICES_MAX {
        return Err(Error::TooMany { what: "devices that wait to be let in" });
    }
    // A code that has ended is not in use, even if its row is still there.
    change(
        db,
        "DELETE FROM device_codes WHERE user_code = ?1 AND expires_at <= ?2",
        params![code.user_code, code.created_at.0],
    )?;
    change(
        db,
        "INSERT INTO device_codes (device_hash, user_code, created_at, expires_at, confirmed_by)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            code.device_hash,
            code.user_code,
            code.created_at.0,
            code.expires_at.0,
            code.confirmed_by.map(|id| *id.0.as_bytes())
        ],
    )
    .map_err(|error| error.or_conflict("a device with this code"))?;
    Ok(())
}

pub(super) fn code(
    db: &Connection,
    device_hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<DeviceCode>> {
    let sql = "SELECT * FROM device_codes WHERE device_hash = ?1 AND expires_at > ?2";
    one(db, sql, params![device_hash, now.0], decode)
}

pub(super) fn confirm(db: &Connection, user_code: &str, user: UserId, deed: &Deed) -> Result<bool> {
    let confirmed = change(
        db,
        "UPDATE device_codes SET confirmed_by = ?2
         WHERE user_code = ?1 AND confirmed_by IS NULL AND expires_at > ?3",
        params![user_code, user.0.as_bytes(), deed.at.0],
    )?;
    audit::record_if(db, confirmed > 0, deed)
}

pub(super) fn redeem(
    db: &Connection,
    device_hash: [u8; 32],
    key: &NewApiKey,
    deed: &Deed,
) -> Result<bool> {
    let redeemed = change(
        db,
        "DELETE FROM device_codes
         WHERE device_hash = ?1 AND confirmed_by = ?2 AND expires_at > ?3",
        params![device_hash, key.key.user.0.as_bytes(), deed.at.0],
    )?;
    if redeemed > 0 {
        accounts::insert_api_key(db, key)?;
    }
    audit::record_if(db, redeemed > 0, deed)
}

fn decode(row: &Row<'_>) -> rusqlite::Result<DeviceCode> {
    Ok(DeviceCode {
        device_hash: row.get("device_hash")?,
        user_code: row.get("user_code")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        confirmed_by: uuid_if_any(row, "confirmed_by")?.map(UserId),
    })
}
