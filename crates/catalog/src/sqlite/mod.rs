//! The catalog on SQLite: one writer thread with group commit, a few reader threads, write-ahead
//! log.
//!
//! What a call answers is durable: an operation is acknowledged after the COMMIT that holds it,
//! with `synchronous=FULL`. Each operation is one hop to a thread and one transaction there (a
//! savepoint of the writer's batch). What is deleted is overwritten (`secure_delete`), and after
//! the deletion of a sealed config the log is emptied as well.

mod accounts;
mod claims;
mod columns;
mod commits;
mod connectors;
mod imports;
mod migrations;
mod operation;
mod operations;
mod organizations;
mod query;
mod readers;
mod repositories;
mod settings;
mod shards;
mod writer;

use std::path::Path;

use model::Entropy;
use rusqlite::Connection;

use crate::{Error, Result};
use operation::Effect;
use readers::Readers;
use writer::Writer;

/// Threads that read.
const READERS: usize = 4;

/// The catalog on SQLite. Dropping it finishes what is queued and closes the database.
pub struct Sqlite {
    // The readers go first: the last connection to close, the writer's, then empties the log.
    readers: Readers,
    writer: Option<Writer>,
}

impl Sqlite {
    /// Opens the database at `path`; makes or migrates it where needed. `entropy` makes the id of a
    /// new store. Blocks: meant for the start of a program. `NewerVersion` if a newer program made
    /// it.
    pub fn open(path: &Path, entropy: &dyn Entropy) -> Result<Self> {
        let mut connection = settings::open(path)?;
        migrations::migrate(&mut connection, entropy)?;
        let writer = Some(Writer::start(connection)?);
        Ok(Self { readers: Self::start_readers(path)?, writer })
    }

    /// Opens the database at `path` for reading, beside a running server or without one. Operations
    /// that write answer `ReadOnly`. Blocks. `OlderVersion` if it must be migrated first.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        migrations::check(&settings::open_read_only(path)?)?;
        Ok(Self { readers: Self::start_readers(path)?, writer: None })
    }

    fn start_readers(path: &Path) -> Result<Readers> {
        let connections: Result<Vec<_>> =
            (0..READERS).map(|_| settings::open_read_only(path)).collect();
        Readers::start(connections?)
    }

    /// Runs `work` in a transaction of its own on a reader thread.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.run(work).await
    }

    /// Runs `work` on the writer thread; undone if it fails, durable when this answers `Ok`.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.as_ref().ok_or(Error::ReadOnly)?.run(Effect::Rows, work).await
    }

    /// As [`Self::write`], for work that deletes sealed configs: the log is emptied before the
    /// answer.
    async fn wipe<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.as_ref().ok_or(Error::ReadOnly)?.run(Effect::Wipe, work).await
    }
}
