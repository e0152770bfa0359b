//! An operation on its way to a database thread and its answer on the way back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{Error, Result};

/// What an operation leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Rows at most.
    Rows,
    /// Deleted secrets, of which the log must keep no copy.
    Wipe,
}

/// A queued operation: the database thread runs it, then answers once its fate is known.
pub(super) trait Operation: Send {
    /// Runs it within an open transaction; `false` if its changes must be undone.
    fn run(&mut self, db: &Connection) -> bool;
    /// See [`Effect`].
    fn effect(&self) -> Effect;
    /// Gives the caller its result, or the reason why the transaction as a whole came to nothing.
    fn answer(self: Box<Self>, fate: Result<()>);
}

/// The operation `work` and where its answer arrives.
pub(super) fn queued<T, F>(
    effect: Effect,
    work: F,
) -> (Box<dyn Operation>, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T> + Send + 'static,
{
    let (answer, response) = oneshot::channel();
    // A caller that no longer waits does not need the answer.
    let operation = queued_then(effect, work, move |result| drop(answer.send(result)));
    (operation, response)
}

/// The operation `work`, the result of which the database thread gives to `then`.
pub(super) fn queued_then<T, F, A>(effect: Effect, work: F, then: A) -> Box<dyn Operation>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    A: FnOnce(Result<T>) + Send + 'static,
{
    Box::new(Queued { effect, work: Some(work), result: Ok(None), then })
}

struct Queued<T, F, A> {
    effect: Effect,
    work: Option<F>,
    /// `Ok(None)` until it has run.
    result: Result<Option<T>>,
    then: A,
}

impl<T, F, A> Operation for Queued<T, F, A>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    A: FnOnce(Result<T>) + Send + 'static,
{
    fn run(&mut self, db: &Connection) -> bool {
        if let Some(work) = self.work.take() {
            // A panic must cost this operation only, not the thread that all others need.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(db)));
            self.result = outcome.unwrap_or(Err(Error::Aborted)).map(Some);
        }
        self.result.is_ok()
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    fn answer(self: Box<Self>, fate: Result<()>) {
        let result = self.result.and_then(|value| fate.and_then(|()| value.ok_or(Error::Aborted)));
        (self.then)(result);
    }
}
