//! Outside of the API: is the process alive, can it work, and the page for people.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::IntoResponse;
use engine::Kind;

use crate::error::{Error, Result};
use crate::wire::Status;
use crate::{Shared, page};

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

/// The page at `/`.
pub(crate) async fn front(State(app): State<Shared>) -> impl IntoResponse {
    let ready = ready(State(app.clone())).await.is_ok();
    page::render(app.version, &app.public_url, ready)
}
