//! Brings a database to the present version of the schema: numbered steps, each run once, all in
//! one exclusive transaction. The version is `PRAGMA user_version`.
//!
//! A step may rebuild a table that others refer to. So foreign keys are off while steps run, and
//! all of them are checked before the transaction ends: a database that does not pass stays as it
//! was.

use model::Entropy;
use rusqlite::{Connection, TransactionBehavior, params};

use super::query::all;
use super::settings;
use crate::{Error, Result};

/// Step `n` leads from version `n` to `n + 1`. Published steps never change.
const STEPS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../migrations/sqlite/0002_imports_and_collection.sql"),
    include_str!("../../migrations/sqlite/0003_sessions_and_logins.sql"),
];
const VERSION: u32 = STEPS.len() as u32;

/// Runs the steps that `connection` lacks and gives a new store its id.
pub(super) fn migrate(connection: &mut Connection, entropy: &dyn Entropy) -> Result<()> {
    // The setting does nothing inside a transaction.
    settings::set(connection, "foreign_keys", 0)?;
    let outcome = run_steps(connection, entropy);
    settings::set(connection, "foreign_keys", 1)?;
    outcome
}

fn run_steps(connection: &mut Connection, entropy: &dyn Entropy) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let found = version(&transaction)?;
    if found > VERSION {
        return Err(Error::NewerVersion { found, known: VERSION });
    }
    for step in &STEPS[found as usize..] {
        transaction.execute_batch(step)?;
    }
    if found < VERSION {
        transaction.pragma_update(None, "user_version", VERSION)?;
        if let Some(what) = dangling(&transaction)?.into_iter().next() {
            return Err(Error::Damaged { what });
        }
    }
    if found == 0 {
        let id = entropy.uuid().to_string();
        transaction.execute("INSERT INTO meta (key, value) VALUES ('store', ?1)", params![id])?;
    }
    Ok(transaction.commit()?)
}

/// Rows that refer to rows that are not there, one line for each.
pub(super) fn dangling(db: &Connection) -> Result<Vec<String>> {
    all(db, "PRAGMA foreign_key_check", [], |row| {
        let (table, parent): (String, String) = (row.get("table")?, row.get("parent")?);
        Ok(format!("a row of {table} refers to a row of {parent} that is not there"))
    })
}

/// Whether `connection` can be read as it is.
pub(super) fn check(connection: &Connection) -> Result<()> {
    match version(connection)? {
        VERSION => Ok(()),
        found if found > VERSION => Err(Error::NewerVersion { found, known: VERSION }),
        found => Err(Error::OlderVersion { found, known: VERSION }),
    }
}

/// What of the schema is not as the steps make it, one line for each thing.
pub(super) fn altered(db: &Connection) -> Result<Vec<String>> {
    let made = Connection::open_in_memory()?;
    settings::set(&made, "foreign_keys", 0)?;
    for step in STEPS {
        made.execute_batch(step)?;
    }
    let (made, found) = (schema(&made)?, schema(db)?);
    let lost = made.iter().filter(|item| !found.contains(item));
    let new = found.iter().filter(|item| !made.contains(item));
    let lost = lost.map(|(name, _)| format!("{name} is missing from the schema, or altered"));
    let new = new.map(|(name, _)| format!("{name} of the schema is not what it was made"));
    Ok(lost.chain(new).collect())
}

/// The name and the definition of everything in a schema.
fn schema(db: &Connection) -> Result<Vec<(String, String)>> {
    let sql = "SELECT type || ' ' || name AS name, tbl_name || ': ' || ifnull(sql, '') AS text
         FROM sqlite_schema";
    all(db, sql, [], |row| Ok((row.get("name")?, row.get("text")?)))
}

/// The version of the schema; 0 for an empty database.
pub(super) fn version(connection: &Connection) -> Result<u32> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
