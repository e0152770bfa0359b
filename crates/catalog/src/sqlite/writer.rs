//! The writer thread: it owns the only connection that writes and commits in groups.
//!
//! It takes what is queued, up to a bound, and runs it as one transaction: each operation in a
//! savepoint that is rolled back alone if the operation fails, one COMMIT (one fsync) for all, and
//! only then the answers. Under load the cost of a durable commit is shared; alone nobody waits.

use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::operation::{Effect, Operation, queued, queued_then};
use crate::{Error, Result};

/// Operations that wait for the thread; more wait at the door.
const QUEUE_LENGTH: usize = 256;
/// Operations of one transaction.
const BATCH_MAX: usize = 256;
/// How long emptying the log waits for readers in other processes before it is put off.
const WIPE_TIMEOUT: Duration = Duration::from_secs(1);

/// The thread. Dropping it finishes what is queued.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on `connection`. A batch waits for `busy_timeout` for another process that
    /// writes; then all its operations answer [`Error::Busy`], and none of them was done.
    pub(super) fn start(connection: Connection, busy_timeout: Duration) -> Result<Self> {
        connection.busy_timeout(busy_timeout)?;
        let (queue, operations) = mpsc::channel(QUEUE_LENGTH);
        let thread = std::thread::Builder::new()
            .name("catalog-writer".to_owned())
            .spawn(move || serve(&connection, operations, busy_timeout))
            .map_err(Error::Thread)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in a batch; durable when this answers `Ok`.
    pub(super) async fn run<T, F>(&self, effect: Effect, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (operation, response) = queued(effect, work);
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        queue.send(operation).await.map_err(|_| Error::Closed)?;
        response.await.map_err(|_| Error::Closed)?
    }

    /// Queues `work` and waits for nothing. If the queue is full it is left out, and `then` is
    /// dropped without a result.
    pub(super) fn run_in_passing<F, A>(&self, work: F, then: A)
    where
        F: FnOnce(&Connection) -> Result<()> + Send + 'static,
        A: FnOnce(Result<()>) + Send + 'static,
    {
        if let Some(queue) = &self.queue {
            // Under such load whoever waits for an answer comes first.
            let _ = queue.try_send(queued_then(Effect::Rows, work, then));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            // It has nobody left to report to; a panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn serve(
    db: &Connection,
    mut operations: mpsc::Receiver<Box<dyn Operation>>,
    busy_timeout: Duration,
) {
    let mut must_wipe = false;
    while let Some(first) = operations.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = operations.try_recv()
        {
            batch.push(next);
        }
        must_wipe |= batch.iter().any(|operation| operation.effect() == Effect::Wipe);
        let fate = transact(db, &mut batch);
        if must_wipe && fate.is_ok() {
            must_wipe = !empty_log(db, busy_timeout);
        }
        for operation in batch {
            operation.answer(fate.as_ref().copied().map_err(again));
        }
    }
}

/// Runs the batch as one transaction. An error means that nothing of it was kept.
fn transact(db: &Connection, batch: &mut [Box<dyn Operation>]) -> rusqlite::Result<()> {
    let outcome = run_and_commit(db, batch);
    if outcome.is_err()
        && !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "the catalog could not roll a transaction back");
    }
    outcome
}

fn run_and_commit(db: &Connection, batch: &mut [Box<dyn Operation>]) -> rusqlite::Result<()> {
    let execute = |sql| db.prepare_cached(sql)?.execute([]).map(|_| ());
    execute("BEGIN IMMEDIATE")?;
    for operation in batch {
        execute("SAVEPOINT operation")?;
        // After some errors (a full disk) SQLite itself has rolled everything back: then there is
        // no savepoint any more, and the error of these lines undoes the neighbours as well.
        if !operation.run(db) {
            execute("ROLLBACK TO operation")?;
        }
        execute("RELEASE operation")?;
    }
    execute("COMMIT")
}

/// The error of a transaction for one more of its operations.
fn again(error: &rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, text) => {
            rusqlite::Error::SqliteFailure(*failure, text.clone()).into()
        }
        _ => Error::Aborted,
    }
}

/// Moves the log into the database and cuts it to nothing, so that no old page is left in it.
/// `false` if a reader in another process still needs it: then it is tried after the next batch.
fn empty_log(db: &Connection, busy_timeout: Duration) -> bool {
    let checkpoint = || -> rusqlite::Result<bool> {
        db.busy_timeout(WIPE_TIMEOUT)?;
        let is_busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        db.busy_timeout(busy_timeout)?;
        Ok(!is_busy?)
    };
    let emptied = checkpoint().unwrap_or_else(|error| {
        tracing::warn!(%error, "the catalog's log could not be emptied");
        false
    });
    if !emptied {
        tracing::warn!("deleted configs stay, sealed, in the catalog's log until a later write");
    }
    emptied
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    type Answer = oneshot::Receiver<Result<usize>>;

    fn database() -> Connection {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT;
             CREATE TABLE u (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED) STRICT;",
        )
        .expect("tables");
        db
    }

    fn insert(sql: &'static str) -> (Box<dyn Operation>, Answer) {
        queued(Effect::Rows, move |db: &Connection| Ok(db.execute(sql, [])?))
    }

    fn run(db: &Connection, operations: Vec<(Box<dyn Operation>, Answer)>) -> Vec<Result<usize>> {
        let (mut batch, answers): (Vec<_>, Vec<_>) = operations.into_iter().unzip();
        let fate = transact(db, &mut batch);
        batch.into_iter().for_each(|o| o.answer(fate.as_ref().copied().map_err(again)));
        answers.into_iter().map(|mut answer| answer.try_recv().expect("an answer")).collect()
    }

    fn rows(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("a count")
    }

    #[test]
    fn one_failing_operation_does_not_undo_its_neighbours() {
        let db = database();
        let half_done = queued(Effect::Rows, |db: &Connection| {
            db.execute("INSERT INTO t VALUES (2)", [])?;
            Ok(db.execute("INSERT INTO t VALUES (1)", [])?)
        });
        let panics = queued(Effect::Rows, |db: &Connection| -> Result<usize> {
            db.execute("INSERT INTO t VALUES (3)", [])?;
            panic!("on purpose");
        });
        let first = insert("INSERT INTO t VALUES (1)");
        let last = insert("INSERT INTO t VALUES (4)");
        let results = run(&db, vec![first, half_done, panics, last]);
        assert!(matches!(
            &results[..],
            [Ok(1), Err(Error::Database(_)), Err(Error::Aborted), Ok(1)]
        ));
        assert_eq!(rows(&db), 2);
    }

    #[test]
    fn nothing_is_acknowledged_when_the_commit_fails() {
        let db = database();
        let dangling = insert("INSERT INTO u VALUES (77)");
        let results = run(&db, vec![insert("INSERT INTO t VALUES (1)"), dangling]);
        assert!(results.iter().all(Result::is_err));
        assert_eq!(rows(&db), 0);
        let results = run(&db, vec![insert("INSERT INTO t VALUES (1)")]);
        assert!(matches!(&results[..], [Ok(1)]), "the connection goes on");
    }

    #[test]
    fn nothing_is_acknowledged_when_an_operation_loses_the_transaction() {
        let db = database();
        let loses = queued(Effect::Rows, |db: &Connection| -> Result<usize> {
            db.execute_batch("ROLLBACK")?;
            Err(Error::Aborted)
        });
        let first = insert("INSERT INTO t VALUES (1)");
        let last = insert("INSERT INTO t VALUES (2)");
        let results = run(&db, vec![first, loses, last]);
        assert!(results.iter().all(Result::is_err));
        assert_eq!(rows(&db), 0);
    }
}
