//! Users and API keys.

use model::{ApiKey, ApiKeyId, Deed, NewApiKey, Timestamp, User, UserId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, RowIndex, params};

use super::columns::{self, time, time_if_any, uuid};
use super::query::{all, change, exists, one};
use super::{audit, logins};
use crate::{NewUser, Result};

/// The step in which the last use of a key is recorded.
const USE_STEP_US: i64 = 60_000_000;
/// What [`decode_user_at`] reads, in its order.
const USER_COLUMNS: [&str; 7] =
    ["id", "username", "email", "full_name", "bio", "created_at", "password_hash"];

pub(super) fn bootstrap(
    db: &Connection,
    admin: &NewUser,
    key: &NewApiKey,
    deed: &Deed,
) -> Result<bool> {
    if exists(db, "SELECT 1 FROM users", [])? {
        return Ok(false);
    }
    insert_user(db, admin)?;
    insert_api_key(db, key)?;
    audit::record(db, deed)?;
    Ok(true)
}

pub(super) fn create_user(db: &Connection, new: &NewUser, deed: &Deed) -> Result<()> {
    insert_user(db, new)?;
    audit::record(db, deed)
}

fn insert_user(db: &Connection, NewUser { user, password_hash }: &NewUser) -> Result<()> {
    change(
        db,
        "INSERT INTO users (id, username, email, full_name, bio, password_hash, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            user.id.0.as_bytes(),
            user.username,
            user.email,
            user.full_name,
            user.bio,
            password_hash,
            user.created_at.0
        ],
    )
    .map_err(|error| error.or_conflict("a user with this name or email"))?;
    Ok(())
}

pub(super) fn user_by_login(db: &Connection, login: &str) -> Result<Option<NewUser>> {
    // A name goes before somebody else's email of the same text.
    one(
        db,
        "SELECT * FROM users WHERE username = ?1 OR (email = ?1 AND email <> '')
         ORDER BY username = ?1 DESC LIMIT 1",
        [login],
        |row| Ok(NewUser { user: decode_user(row)?, password_hash: row.get("password_hash")? }),
    )
}

pub(super) fn user(db: &Connection, id: UserId) -> Result<Option<User>> {
    one(db, "SELECT * FROM users WHERE id = ?1", [id.0.as_bytes()], decode_user)
}

pub(super) fn update_user(db: &Connection, user: &User, deed: &Deed) -> Result<bool> {
    let changed = change(
        db,
        "UPDATE users SET full_name = ?2, bio = ?3 WHERE id = ?1",
        params![user.id.0.as_bytes(), user.full_name, user.bio],
    )?;
    audit::record_if(db, changed > 0, deed)
}

pub(super) fn set_password(
    db: &Connection,
    user: UserId,
    password_hash: &str,
    keep: Option<[u8; 32]>,
    deed: &Deed,
) -> Result<bool> {
    let sql = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
    if change(db, sql, params![user.0.as_bytes(), password_hash])? == 0 {
        return Ok(false);
    }
    logins::end_others(db, user, keep)?;
    audit::record(db, deed)?;
    Ok(true)
}

pub(super) fn create_api_key(db: &Connection, new: &NewApiKey, deed: &Deed) -> Result<()> {
    insert_api_key(db, new)?;
    audit::record(db, deed)
}

pub(super) fn insert_api_key(db: &Connection, new: &NewApiKey) -> Result<()> {
    let key = &new.key;
    change(
        db,
        "INSERT INTO api_keys (id, user, name, description, hint, token_hash, created_at,
            last_used_at, revoked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            key.id.0.as_bytes(),
            key.user.0.as_bytes(),
            key.name,
            key.description,
            key.hint,
            new.token_hash,
            key.created_at.0,
            key.last_used_at.map(|time| time.0),
            key.revoked_at.map(|time| time.0)
        ],
    )
    .map_err(|error| error.or_conflict("this API key"))?;
    Ok(())
}

pub(super) fn api_keys(db: &Connection, user: UserId) -> Result<Vec<ApiKey>> {
    all(
        db,
        "SELECT * FROM api_keys WHERE user = ?1 AND revoked_at IS NULL ORDER BY created_at, rowid",
        [user.0.as_bytes()],
        decode_key,
    )
}

pub(super) fn revoke_api_key(
    db: &Connection,
    user: UserId,
    key: ApiKeyId,
    deed: &Deed,
) -> Result<bool> {
    let changed = change(
        db,
        "UPDATE api_keys SET revoked_at = ?3 WHERE id = ?2 AND user = ?1 AND revoked_at IS NULL",
        params![user.0.as_bytes(), key.0.as_bytes(), deed.at.0],
    )?;
    audit::record_if(db, changed > 0, deed)
}

/// The user of a live key, and whether this use is to be recorded.
pub(super) fn user_by_token(
    db: &Connection,
    token_hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<(User, bool)>> {
    one(
        db,
        "SELECT users.id, username, email, full_name, bio, users.created_at, password_hash,
            ifnull(last_used_at < ?2, 1)
         FROM api_keys JOIN users ON users.id = api_keys.user
         WHERE token_hash = ?1 AND revoked_at IS NULL",
        params![token_hash, use_step(now)],
        |row| Ok((decode_user_at(row, columns::from(0))?, row.get(USER_COLUMNS.len())?)),
    )
}

pub(super) fn record_use(db: &Connection, token_hash: [u8; 32], now: Timestamp) -> Result<()> {
    change(
        db,
        "UPDATE api_keys SET last_used_at = max(ifnull(last_used_at, ?2), ?2)
         WHERE token_hash = ?1",
        params![token_hash, use_step(now)],
    )?;
    Ok(())
}

fn use_step(now: Timestamp) -> i64 {
    now.0 - now.0.rem_euclid(USE_STEP_US)
}

pub(super) fn decode_user(row: &Row<'_>) -> rusqlite::Result<User> {
    decode_user_at(row, USER_COLUMNS)
}

fn decode_user_at<C: RowIndex>(
    row: &Row<'_>,
    [id, username, email, full_name, bio, created_at, password_hash]: [C; USER_COLUMNS.len()],
) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(uuid(row, id)?),
        username: row.get(username)?,
        email: row.get(email)?,
        full_name: row.get(full_name)?,
        bio: row.get(bio)?,
        created_at: time(row, created_at)?,
        has_password: row.get_ref(password_hash)? != ValueRef::Null,
    })
}

fn decode_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: ApiKeyId(uuid(row, "id")?),
        user: UserId(uuid(row, "user")?),
        name: row.get("name")?,
        description: row.get("description")?,
        hint: row.get("hint")?,
        created_at: time(row, "created_at")?,
        last_used_at: time_if_any(row, "last_used_at")?,
        revoked_at: time_if_any(row, "revoked_at")?,
    })
}
