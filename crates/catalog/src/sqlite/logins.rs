//! Logins: browsers that are signed in.

use model::limits::LOGINS_MAX;
use model::{Deed, Login, Timestamp, User, UserId};
use rusqlite::{Connection, params};

use super::accounts::decode_user;
use super::audit;
use super::columns::of_count;
use super::query::{change, one};
use crate::Result;

pub(super) fn create(db: &Connection, login: &Login, deed: &Deed) -> Result<()> {
    let user = login.user.0.as_bytes();
    change(
        db,
        "INSERT INTO logins (token_hash, user, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![login.token_hash, user, login.created_at.0, login.expires_at.0],
    )
    .map_err(|error| error.or_conflict("this login"))?;
    // The new one stays, whatever the clocks of the others said.
    change(
        db,
        "DELETE FROM logins WHERE token_hash IN (
            SELECT token_hash FROM logins WHERE user = ?1 AND token_hash <> ?2
            ORDER BY created_at DESC LIMIT -1 OFFSET ?3)",
        params![user, login.token_hash, of_count(LOGINS_MAX as u64 - 1)],
    )?;
    audit::record(db, deed)
}

pub(super) fn user(db: &Connection, token_hash: [u8; 32], now: Timestamp) -> Result<Option<User>> {
    one(
        db,
        "SELECT users.* FROM logins JOIN users ON users.id = logins.user
         WHERE token_hash = ?1 AND expires_at > ?2",
        params![token_hash, now.0],
        decode_user,
    )
}

pub(super) fn end(db: &Connection, token_hash: [u8; 32], deed: &Deed) -> Result<bool> {
    let sql = "DELETE FROM logins WHERE token_hash = ?1 AND expires_at > ?2";
    let ended = change(db, sql, params![token_hash, deed.at.0])?;
    audit::record_if(db, ended > 0, deed)
}

/// Ends all logins of a user but for the one with the token hash `keep`.
pub(super) fn end_others(db: &Connection, user: UserId, keep: Option<[u8; 32]>) -> Result<()> {
    let sql = "DELETE FROM logins WHERE user = ?1 AND token_hash IS NOT ?2";
    change(db, sql, params![user.0.as_bytes(), keep]).map(|_| ())
}
