//! Outside of the API: is the process alive, and can it work.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use engine::Kind;

use crate::Shared;
use crate::error::{Error, Result};
use crate::wire::Status;

/// How long the catalog may take to answer.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// The process answers.
pub(crate) async fn live() -> Answer<Status> {
    Answer(Status::OK)
}

/// The catalog answers too.
pub(crate) async fn ready(State(app): State<Shared>) -> Result<Answer<Status>> {
    let late = || engine::Error::new(Kind::Unavailable, "NOT_READY", "the catalog does not answer");
    match tokio::time::timeout(READY_TIMEOUT, app.engine.ready()).await {
        Ok(Ok(())) => Ok(Answer(Status::OK)),
        Ok(Err(error)) => Err(Error::Engine(late().caused_by(error))),
        Err(_) => Err(Error::Engine(late())),
    }
}
