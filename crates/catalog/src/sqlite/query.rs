//! The four ways in which operations speak to the database. Statements are prepared once for each
//! connection.

use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Params, Row};

use crate::{Error, Result};

/// The first row, if there is one.
pub(super) fn one<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>> {
    Ok(prepare(db, sql)?.query_row(params, decode).optional()?)
}

/// All rows.
pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = prepare(db, sql)?;
    let rows = statement.query_map(params, decode)?.collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// Whether there is a row.
pub(super) fn exists(db: &Connection, sql: &str, params: impl Params) -> Result<bool> {
    Ok(prepare(db, sql)?.exists(params)?)
}

/// Changes rows; how many.
pub(super) fn change(db: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    Ok(prepare(db, sql)?.execute(params)?)
}

/// Our statements are right for the schema that we made: one that cannot be prepared says that the
/// schema is no longer that.
fn prepare<'db>(db: &'db Connection, sql: &str) -> Result<CachedStatement<'db>> {
    db.prepare_cached(sql).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::Unknown) => Error::Damaged { what: format!("its schema: {error}") },
        _ => error.into(),
    })
}
