//! The reader threads: each owns a connection that cannot write; they share one queue.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::operation::{Effect, Operation, queued};
use crate::{Error, Result};

/// Operations that wait for a thread; more wait at the door.
const QUEUE_LENGTH: usize = 1024;

type Queue = Arc<Mutex<mpsc::Receiver<Box<dyn Operation>>>>;

/// The threads. Dropping them finishes what is queued.
pub(super) struct Readers {
    queue: Option<mpsc::Sender<Box<dyn Operation>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts a thread for each of `connections`.
    pub(super) fn start(connections: Vec<Connection>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut readers = Self { queue: Some(sender), threads: Vec::new() };
        for connection in connections {
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
