//! History: the log, a commit, the difference of two.

use axum::Json as Answer;
use axum::extract::State;
use engine::{DiffQuery, LogQuery};
use model::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::App;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{Path, Query};
use crate::pagination::{Paged, amount, given};
use crate::routes::{RepositoryPath, reference};
use crate::wire::{CommitLog, ListingEntry};

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
    /// The newer commit.
    #[param(required = true, min_length = 1)]
    right: Option<String>,
    /// Only paths that start with this.
    prefix: Option<String>,
    /// Paths with this after the prefix are grouped up to and including it.
    delimiter: Option<String>,
    /// The `next_offset` of the page before.
    after: Option<String>,
    /// Rows wanted; more than 1000 are 1000.
    #[param(value_type = Option<u64>, minimum = 1, default = 1000)]
    amount: Option<String>,
    /// Sessions are not in this version.
    session_id: Option<String>,
}

/// List commits, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/log",
    operation_id = "getLog", tag = "commits", params(LogParameters),
    responses((status = 200, body = Paged<CommitLog>), (status = 400), (status = 404)),
)]
pub(crate) async fn log(
    State(app): State<App>,
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
    State(app): State<App>,
    Caller(principal): Caller,
    Path((organization, repository, commit)): Path<(String, String, String)>,
) -> Result<Answer<CommitLog>> {
    Ok(Answer(app.engine.commit(&principal, &organization, &repository, &commit).await?.into()))
}

/// List what differs between two commits, in byte order of the paths.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/diff",
    operation_id = "diffRefs", tag = "commits", params(DiffParameters),
    responses(
        (status = 200, body = Paged<ListingEntry>), (status = 400), (status = 404), (status = 410),
    ),
)]
pub(crate) async fn diff(
    State(app): State<App>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<DiffParameters>,
) -> Result<Answer<Paged<ListingEntry>>> {
    let amount = amount(query.amount.as_deref(), PAGE_ROWS_MAX)?;
    let right = reference(query.right, query.session_id)?;
    let diff = DiffQuery {
        left: given(query.left),
        right: right.ok_or_else(|| Error::invalid("right: required"))?,
        prefix: query.prefix.unwrap_or_default(),
        delimiter: given(query.delimiter),
        after: given(query.after),
        amount,
    };
    let page = app.engine.diff(&principal, &organization, &repository, diff).await?;
    Ok(Answer(Paged::new(page, amount, ListingEntry::from)))
}
