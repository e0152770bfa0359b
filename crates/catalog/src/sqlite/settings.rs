//! Opens connections with the settings that durability, integrity and deletion depend on, and
//! makes sure that the database accepted them.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OpenFlags};

use crate::{Error, Result};

/// How long a statement waits for another process that writes, unless it is told otherwise.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS_CACHED: usize = 256;
/// The layout of `sealed_configs` counts on it.
const PAGE_BYTES: i64 = 4096;
/// The value of `PRAGMA synchronous` that is called FULL.
const SYNCHRONOUS_FULL: i64 = 2;

/// Opens `path` for writing; makes the file if there is none.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    set(&connection, "journal_mode", "wal".to_owned())?;
    set(&connection, "synchronous", SYNCHRONOUS_FULL)?;
    set(&connection, "foreign_keys", 1)?;
    set(&connection, "secure_delete", 1)?;
    expect(&connection, "page_size", &PAGE_BYTES)?;
    Ok(connection)
}

/// Opens `path`, which must exist, for reading.
pub(super) fn open_read_only(path: &Path) -> Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection> {
    // No URI names: a path is a path, whatever its characters.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    set(&connection, "cell_size_check", 1)?;
    // Else each new value of a parameter that some partial index depends on is a new plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Sets a pragma and makes sure that it holds.
pub(super) fn set<T>(connection: &Connection, setting: &'static str, value: T) -> Result<()>
where
    T: FromSql + ToSql + PartialEq + ToString,
{
    // Some pragmas answer with a row, some do not: the value is asked for afterwards.
    connection.pragma_update(None, setting, &value)?;
    expect(connection, setting, &value)
}

fn expect<T>(connection: &Connection, setting: &'static str, value: &T) -> Result<()>
where
    T: FromSql + PartialEq + ToString,
{
    let found: T = connection.pragma_query_value(None, setting, |row| row.get(0))?;
    if found == *value { Ok(()) } else { Err(Error::Setting { setting, found: found.to_string() }) }
}
