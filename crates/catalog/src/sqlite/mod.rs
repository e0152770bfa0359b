//! The catalog on SQLite: one writer thread with group commit, a few reader threads, write-ahead
//! log.
//!
//! What a call answers is durable: an operation is acknowledged after the COMMIT that holds it,
//! with `synchronous=FULL`. Each operation is one hop to a thread and one transaction there (a
//! savepoint of the writer's batch); those that read one row by its key run where they are called.
//! What is deleted is overwritten (`secure_delete`), and after the deletion of a sealed config the
//! log is emptied as well.

mod accounts;
mod audit;
mod claims;
mod collections;
mod columns;
mod commits;
mod connectors;
mod devices;
mod documents;
mod ended;
mod holds;
mod imports;
mod landing;
mod logins;
mod migrations;
mod operation;
mod operations;
mod organizations;
mod pages;
mod pins;
mod places;
mod progress;
mod query;
mod readers;
mod repositories;
mod segments;
mod sessions;
mod settings;
mod shards;
mod snapshot;
mod staged;
mod trash;
mod uploads;
mod uses;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Entropy, Timestamp};
use rusqlite::Connection;

use crate::{Error, Result};
use operation::Effect;
use readers::Readers;
use uses::Uses;
use writer::Writer;

/// Threads that read.
const READERS: usize = 4;
/// Reads of one row that can run at a time where they are called.
const POINT_READERS: usize = 4;

/// The catalog on SQLite. Dropping it finishes what is queued and closes the database.
pub struct Sqlite {
    // The readers go first: the last connection to close, the writer's, then empties the log.
    readers: Readers,
    writer: Option<Writer>,
    uses: Uses,
    path: PathBuf,
}

impl Sqlite {
    /// Opens the database at `path`; makes or migrates it where needed. `entropy` makes the id of a
    /// new store. Blocks: meant for the start of a program. `NewerVersion` if a newer program made
    /// it.
    pub fn open(path: &Path, entropy: &dyn Entropy) -> Result<Self> {
        Self::open_waiting(path, entropy, settings::BUSY_TIMEOUT)
    }

    /// As [`Self::open`]; a write waits for so long for another process that writes, before it
    /// answers `Busy`.
    pub fn open_waiting(
        path: &Path,
        entropy: &dyn Entropy,
        busy_timeout: Duration,
    ) -> Result<Self> {
        let mut connection = settings::open(path)?;
        migrations::migrate(&mut connection, entropy)?;
        let writer = Some(Writer::start(connection, busy_timeout)?);
        let readers = Self::start_readers(path)?;
        Ok(Self { readers, writer, uses: Uses::default(), path: path.to_owned() })
    }

    /// Opens the database at `path` for reading, beside a running server or without one. Operations
    /// that write answer `ReadOnly`. Blocks. `OlderVersion` if it must be migrated first.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        migrations::check(&settings::open_read_only(path)?)?;
        let readers = Self::start_readers(path)?;
        Ok(Self { readers, writer: None, uses: Uses::default(), path: path.to_owned() })
    }

    fn start_readers(path: &Path) -> Result<Readers> {
        let open = |count| (0..count).map(|_| settings::open_read_only(path)).collect();
        let threads: Result<Vec<_>> = open(READERS);
        Readers::start(threads?, open(POINT_READERS)?)
    }

    /// Runs `work` in a transaction of its own on a reader thread.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.run(work).await
    }

    /// Runs `work`, one statement that finds its row by an index, here if it can: see
    /// [`Readers::point`].
    async fn read_here<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.point(work).await
    }

    /// Runs `work` on the writer thread; undone if it fails, durable when this answers `Ok`.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.run(Effect::Rows, work).await
    }

    /// As [`Self::write`], for work that deletes sealed configs: the log is emptied before the
    /// answer.
    async fn wipe<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.run(Effect::Wipe, work).await
    }

    async fn run<T, F>(&self, effect: Effect, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.as_ref().ok_or(Error::ReadOnly)?.run(effect, work).await
    }

    /// Has the use of an API key recorded. Nobody waits for it: neither a full disk nor another
    /// process that writes may keep anybody from reading.
    fn record_use(&self, token_hash: [u8; 32], now: Timestamp) {
        let Some(writer) = &self.writer else { return };
        let Some(place) = self.uses.begin(token_hash) else { return };
        let record = move |db: &Connection| accounts::record_use(db, token_hash, now);
        writer.run_in_passing(record, move |recorded| {
            drop(place);
            if let Err(error) = recorded {
                tracing::warn!(%error, "the use of an API key could not be recorded");
            }
        });
    }
}
