//! Why a running import should stop, told to all its tasks at once.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    /// The server stops: checkpoint, give the claim back.
    Shutdown,
    /// Another organization waits and this job has had its turn: checkpoint, give the claim back.
    Turn,
    /// The cancel endpoint was called.
    Canceled,
    /// Access to something the import needs is gone; the text says what.
    Barred(String),
    /// Another claim took over: write nothing any more.
    Fenced,
}

/// Set once, seen by all clones.
#[derive(Clone, Default)]
pub(super) struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
}

impl Stop {
    /// Asks for a stop; the first reason stays.
    pub(super) fn request(&self, reason: Reason) {
        // A later reason finds the cell full: the first one is already being acted on.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Whether somebody asked.
    pub(super) fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits for a reason.
    pub(super) async fn requested(&self) -> Reason {
        self.token.cancelled().await;
        self.reason.get().expect("it is set before the token is cancelled").clone()
    }
}
