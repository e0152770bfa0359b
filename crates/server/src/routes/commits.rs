//! History: the log, a commit, the difference of two.

use axum::Json as Answer;
use axum::extract::State;
use engine::{DiffQuery, LogQuery};
use http::StatusCode;
use model::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{OptionalJson, Path, Query, id_field};
use crate::pagination::{Paged, amount, given};
use crate::routes::RepositoryPath;
use crate::wire::{CommitLog, Committed, ListingEntry, RevertCommit};

/// Which commits.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParameters {
    /// The commit to start from; the latest if left out.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Only commits that changed a path that starts with this.
    prefix: Option<String>,
    /// Only commits that changed the object at this path.
    object: Option<String>,
    /// The `next_offset` of the page before.
    after: Option<String>,
    /// Rows wanted; more than 1000 are 1000.
    #[param(value_type = Option<u64>, minimum = 1, default = 100)]
    amount: Option<String>,
}

/// What to compare.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffParameters {
    /// The older commit; nothing at all if left out.
    left: Option<String>,
    /// The newer commit; required unless there is a session.
    right: Option<String>,
    /// Compare what this session has staged with the commit it began on; not with `left` or
    /// `right`.
    #[param(format = Uuid)]
    session_id: Option<String>,
    /// Only paths that start with this.
    prefix: Option<String>,
    /// Paths with this after the prefix are grouped up to and including it.
    delimiter: Option<String>,
    /// The `next_offset` of the page before.
    after: Option<String>,
    /// Rows wanted; more than 1000 are 1000.
    #[param(value_type = Option<u64>, minimum = 1, default = 1000)]
    amount: Option<String>,
}

/// List commits, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/log",
    operation_id = "getLog", tag = "commits", params(LogParameters),
    responses((status = 200, body = Paged<CommitLog>), (status = 400), (status = 404)),
)]
pub(crate) async fn log(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<LogParameters>,
) -> Result<Answer<Paged<CommitLog>>> {
    let amount = amount(query.amount.as_deref(), PAGE_ROWS_DEFAULT)?;
    let log = LogQuery {
        reference: given(query.reference),
        prefix: given(query.prefix),
        object: given(query.object),
        after: given(query.after),
        amount,
    };
    let page = app.engine.log(&principal, &organization, &repository, log).await?;
    Ok(Answer(Paged::new(page, amount, CommitLog::from)))
}

/// Get a commit.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/commits/{commit_id}",
    operation_id = "getCommit", tag = "commits",
    responses((status = 200, body = CommitLog), (status = 404)),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, commit)): Path<(String, String, String)>,
) -> Result<Answer<CommitLog>> {
    Ok(Answer(app.engine.commit(&principal, &organization, &repository, &commit).await?.into()))
}

/// List what differs between two commits, or what a session changes, in byte order of the paths.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/diff",
    operation_id = "diffRefs", tag = "commits", params(DiffParameters),
    responses(
        (status = 200, body = Paged<ListingEntry>), (status = 400), (status = 404), (status = 410),
    ),
)]
pub(crate) async fn diff(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<DiffParameters>,
) -> Result<Answer<Paged<ListingEntry>>> {
    let amount = amount(query.amount.as_deref(), PAGE_ROWS_MAX)?;
    let (left, right) = (given(query.left), given(query.right));
    let session = given(query.session_id).map(|id| id_field("session_id", &id)).transpose()?;
    if session.is_some() && (left.is_some() || right.is_some()) {
        return Err(Error::invalid("session_id: give either it or left and right, not both"));
    }
    let diff = DiffQuery {
        left,
        right,
        session,
        prefix: query.prefix.unwrap_or_default(),
        delimiter: given(query.delimiter),
        after: given(query.after),
        amount,
    };
    let page = app.engine.diff(&principal, &organization, &repository, diff).await?;
    Ok(Answer(Paged::new(page, amount, ListingEntry::from)))
}

/// Undo one commit by a new one on top of the latest.
///
/// 400 for the first commit of a repository; 409 if what it changed has been changed since.
#[utoipa::path(
    post,
    path = "/organizations/{organization}/repositories/{repository}/commits/{commit_id}/revert",
    operation_id = "revertCommit", tag = "commits", request_body = Option<RevertCommit>,
    responses(
        (status = 201, body = Committed), (status = 400), (status = 404), (status = 409),
        (status = 410),
    ),
)]
pub(crate) async fn revert(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, commit)): Path<(String, String, String)>,
    OptionalJson(body): OptionalJson<RevertCommit>,
) -> Result<(StatusCode, Answer<Committed>)> {
    let (engine, spec) = (&app.engine, body.into());
    let commit =
        engine.revert_commit(&principal, &organization, &repository, &commit, spec).await?;
    Ok((StatusCode::CREATED, Answer(Committed { commit_id: commit.to_string() })))
}
