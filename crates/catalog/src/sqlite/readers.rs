//! Reading: threads that each own a connection that cannot write and share one queue, and more such
//! connections for reads that are over sooner than a thread would wake up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::operation::{Effect, Operation, queued};
use crate::{Error, Result};

/// Operations that wait for a thread; more wait at the door.
const QUEUE_LENGTH: usize = 1024;

type Queue = Arc<Mutex<mpsc::Receiver<Box<dyn Operation>>>>;

/// The threads and the connections in place. Dropping them finishes what is queued.
pub(super) struct Readers {
    queue: Option<mpsc::Sender<Box<dyn Operation>>>,
    threads: Vec<JoinHandle<()>>,
    in_place: Vec<Mutex<Connection>>,
}

impl Readers {
    /// Starts a thread for each of `threads`; `in_place` serves [`Self::point`].
    pub(super) fn start(threads: Vec<Connection>, in_place: Vec<Connection>) -> Result<Self> {
        // Whoever reads in place must not sleep there.
        in_place.iter().try_for_each(|db| db.busy_timeout(Duration::ZERO))?;
        let in_place = in_place.into_iter().map(Mutex::new).collect();
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut readers = Self { queue: Some(sender), threads: Vec::new(), in_place };
        for connection in threads {
            let queue = Arc::clone(&receiver);
            let thread = std::thread::Builder::new()
                .name("catalog-reader".to_owned())
                .spawn(move || serve(&connection, &queue))
                .map_err(Error::Thread)?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs `work` on one state of the database.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (operation, response) = queued(Effect::Rows, work);
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        queue.send(operation).await.map_err(|_| Error::Closed)?;
        response.await.map_err(|_| Error::Closed)?
    }

    /// Runs `work`, which is one statement that finds its row by an index, on the caller's thread:
    /// a few microseconds where a hop to another thread and back is several times that. Where all
    /// connections are taken, or one would have to wait, a thread runs it.
    pub(super) async fn point<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T> + Send + 'static,
    {
        match self.try_point(&work) {
            None | Some(Err(Error::Busy(_))) => self.run(work).await,
            Some(result) => result,
        }
    }

    /// `None` while all connections are taken.
    fn try_point<T>(&self, work: impl Fn(&Connection) -> Result<T>) -> Option<Result<T>> {
        let db = self.in_place.iter().find_map(free)?;
        // As on the threads, a panic costs this operation only.
        Some(catch_unwind(AssertUnwindSafe(|| work(&db))).unwrap_or(Err(Error::Aborted)))
    }
}

/// The connection, if nobody uses it.
fn free(place: &Mutex<Connection>) -> Option<MutexGuard<'_, Connection>> {
    match place.try_lock() {
        Ok(db) => Some(db),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.take();
        for thread in self.threads.drain(..) {
            // It has nobody left to report to; a panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn serve(db: &Connection, queue: &Queue) {
    while let Some(mut operation) = next(queue) {
        let fate = transact(db, operation.as_mut());
        operation.answer(fate.map_err(Error::from));
    }
}

/// The next operation; the lock is held while waiting, so that one thread waits and the others
/// wait for it.
fn next(queue: &Queue) -> Option<Box<dyn Operation>> {
    queue.lock().ok()?.blocking_recv()
}

fn transact(db: &Connection, operation: &mut dyn Operation) -> rusqlite::Result<()> {
    let transaction = db.unchecked_transaction()?;
    operation.run(&transaction);
    transaction.finish()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn readers(in_place: usize) -> Readers {
        let open = |count| (0..count).map(|_| Connection::open_in_memory().expect("memory"));
        Readers::start(open(1).collect(), open(in_place).collect()).expect("threads start")
    }

    fn place(_: &Connection) -> Result<Option<String>> {
        Ok(thread::current().name().map(str::to_owned))
    }

    #[tokio::test]
    async fn a_point_read_runs_where_it_is_called_unless_all_connections_are_taken() {
        let here = thread::current().name().map(str::to_owned);
        let some = readers(2);
        assert_eq!(some.point(place).await.expect("a place"), here);
        {
            let _first = free(&some.in_place[0]).expect("nobody has it");
            assert!(some.try_point(place).is_some(), "the other one is free");
            let _second = free(&some.in_place[1]).expect("nobody has it");
            assert!(some.try_point(place).is_none());
        }
        assert_eq!(some.point(place).await.expect("a place"), here);
        let thread = readers(0).point(place).await.expect("a place");
        assert_eq!(thread.as_deref(), Some("catalog-reader"));
    }

    #[tokio::test]
    async fn a_point_read_that_would_wait_is_left_to_a_thread() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db");
        let open = || Connection::open(&path).expect("a database");
        let holder = open();
        holder.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE").expect("it is ours");
        let readers = Readers::start(vec![open()], vec![open()]).expect("threads start");
        let read = |db: &Connection| {
            let count = db.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
            Ok((count?, place(db)?))
        };
        let (found, ()) = tokio::join!(readers.point(read), async {
            // The thread waits for as long as rusqlite lets it by default: seconds.
            holder.execute_batch("COMMIT").expect("nobody else writes");
        });
        assert_eq!(found.expect("a count"), (0, Some("catalog-reader".to_owned())));
    }

    #[tokio::test]
    async fn a_panic_in_place_costs_its_own_read_only() {
        let readers = readers(1);
        let failed = readers.point(|_| -> Result<()> { panic!("on purpose") }).await;
        assert!(matches!(failed, Err(Error::Aborted)));
        let here = thread::current().name().map(str::to_owned);
        assert_eq!(readers.point(place).await.expect("a place"), here);
    }
}
