//! A consistent copy of the whole database in one file.
//!
//! It is made by a connection and a thread of its own: it reads one state of the database for as
//! long as it takes, while the writer goes on. What was deleted is not in it, nor are holds, logins
//! and device codes: whoever has them has them of the original. Sessions and uploads are. Nobody
//! but the owner of the process may read it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::oneshot;

use super::settings;
use crate::{Error, Result};

const OWNER_ONLY: u32 = 0o600;

/// Writes a copy of `database` to `path`; durable when this answers `Ok`, gone when it fails.
pub(super) async fn write(database: PathBuf, path: PathBuf) -> Result<()> {
    let (answer, response) = oneshot::channel();
    std::thread::Builder::new()
        .name("catalog-snapshot".to_owned())
        // A caller that no longer waits does not need the answer.
        .spawn(move || drop(answer.send(copy(&database, &path))))
        .map_err(Error::Thread)?;
    response.await.map_err(|_| Error::Aborted)?
}

fn copy(database: &Path, path: &Path) -> Result<()> {
    // An absolute path is never taken for a URI, whatever its characters.
    let path = &std::path::absolute(path).map_err(Error::Snapshot)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path);
    let file = made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Conflict { what: "a file at the place of the copy" },
        _ => Error::Snapshot(error),
    })?;
    let outcome = fill(database, path).and_then(|()| sync(&file, path).map_err(Error::Snapshot));
    if outcome.is_err()
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::warn!(%error, "an unfinished copy of the catalog could not be removed");
    }
    outcome
}

fn fill(database: &Path, path: &Path) -> Result<()> {
    let name = path.to_str().ok_or_else(|| {
        Error::Snapshot(io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"))
    })?;
    // The file may be there if it is empty.
    settings::open_read_only(database)?.execute("VACUUM INTO ?1", params![name])?;
    // Whoever holds the original, such as the one who makes the copy, does not hold the copy; and
    // signing out of the original must not leave a login behind in a copy that is opened later.
    let copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    settings::set(&copy, "secure_delete", 1)?;
    for table in ["holds", "logins", "device_codes"] {
        copy.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

fn sync(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
