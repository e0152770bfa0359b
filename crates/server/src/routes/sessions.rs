//! Sessions: begin, look at what is staged, commit, roll back.

use axum::Json as Answer;
use axum::extract::State;
use engine::ChangesQuery;
use http::StatusCode;
use model::SessionId;
use model::limits::PAGE_ROWS_DEFAULT;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Json, Path, Query, id};
use crate::pagination::{Paged, amount, given};
use crate::routes::{RepositoryPath, session};
use crate::wire::{CommitSession, Committed, EntryRecord, SessionCreated};

type SessionPath = (String, String, String);

/// Which staged changes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangesParameters {
    /// The session.
    #[param(required = true, format = Uuid)]
    session_id: Option<String>,
    /// Only paths that start with this.
    prefix: Option<String>,
    /// The `next_offset` of the page before.
    after: Option<String>,
    /// Rows wanted; more than 1000 are 1000.
    #[param(value_type = Option<u64>, minimum = 1, default = 100)]
    amount: Option<String>,
}

/// Begin a session on the latest commit.
///
/// What is staged in it changes nothing for others until it is committed.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/sessions",
    operation_id = "createSession", tag = "sessions",
    responses((status = 201, body = SessionCreated), (status = 404), (status = 409)),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
) -> Result<(StatusCode, Answer<SessionCreated>)> {
    let session = app.engine.create_session(&principal, &organization, &repository).await?;
    Ok((StatusCode::CREATED, Answer(SessionCreated { session_id: session.id.0 })))
}

/// Commit what a session has staged, on the latest commit; then the session has ended.
///
/// 409 names paths that others have changed since the session began; it stays open then.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/sessions/{session_id}",
    operation_id = "commitSession", tag = "sessions", request_body = CommitSession,
    responses((status = 200, body = Committed), (status = 400), (status = 404), (status = 409)),
)]
pub(crate) async fn commit(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, session)): Path<SessionPath>,
    Json(body): Json<CommitSession>,
) -> Result<Answer<Committed>> {
    let (session, spec) = (session_id(&session)?, body.into());
    let commit =
        app.engine.commit_session(&principal, &organization, &repository, session, spec).await?;
    Ok(Answer(Committed { commit_id: commit.to_string() }))
}

/// End a session without a commit.
#[utoipa::path(
    delete, path = "/organizations/{organization}/repositories/{repository}/sessions/{session_id}",
    operation_id = "rollbackSession", tag = "sessions",
    responses((status = 204), (status = 404)),
)]
pub(crate) async fn roll_back(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, session)): Path<SessionPath>,
) -> Result<StatusCode> {
    let session = session_id(&session)?;
    app.engine.rollback_session(&principal, &organization, &repository, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List what a session has staged, in byte order of the paths.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/changes",
    operation_id = "listUncommittedChanges", tag = "sessions", params(ChangesParameters),
    responses((status = 200, body = Paged<EntryRecord>), (status = 400), (status = 404)),
)]
pub(crate) async fn changes(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<ChangesParameters>,
) -> Result<Answer<Paged<EntryRecord>>> {
    let session = session(query.session_id)?;
    let amount = amount(query.amount.as_deref(), PAGE_ROWS_DEFAULT)?;
    let changes = ChangesQuery {
        prefix: query.prefix.unwrap_or_default(),
        after: given(query.after),
        amount,
    };
    let page = app
        .engine
        .session_changes(&principal, &organization, &repository, session, changes)
        .await?;
    Ok(Answer(Paged::new(page, amount, EntryRecord::from)))
}

fn session_id(text: &str) -> Result<SessionId> {
    id(text, "session")
}
