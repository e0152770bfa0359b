//! Imports: start, list, watch, cancel, retry.

use axum::Extension;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use model::JobId;

use crate::Shared;
use crate::auth::{Caller, Proven};
use crate::error::{Error, Result};
use crate::extract::{Json, Path, Query, id};
use crate::middleware::RequestId;
use crate::pagination::{PageQuery, Paged};
use crate::routes::RepositoryPath;
use crate::watch::Watch;
use crate::wire::{Import, ImportStarted, PlannedChange, StartImport};

type JobPath = (String, String, String);

/// Start an import and return at once. Poll the job for its end, or watch its events.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/import",
    operation_id = "startImport", tag = "imports", request_body = StartImport,
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "For 24 hours the same key returns the first job and starts nothing.",
        extensions(("x-tilde-extension" = json!(true))),
    )),
    responses(
        (status = 202, body = ImportStarted), (status = 400), (status = 404), (status = 409),
        (status = 410), (status = 423),
    ),
)]
pub(crate) async fn start(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    headers: HeaderMap,
    Json(body): Json<StartImport>,
) -> Result<(StatusCode, Answer<ImportStarted>)> {
    let key = idempotency_key(&headers)?;
    let request = body.request()?;
    let job = app.engine.start_import(&principal, &organization, &repository, request, key).await?;
    Ok((StatusCode::ACCEPTED, Answer(ImportStarted { job_id: job.0 })))
}

/// List the imports into a repository, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/import",
    operation_id = "listImports", tag = "imports", params(PageQuery),
    extensions(("x-tilde-extension" = json!(true))),
    responses((status = 200, body = Paged<Import>), (status = 400), (status = 404)),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Paged<Import>>> {
    let page = query.request()?;
    let imports = app.engine.imports(&principal, &organization, &repository, &page).await?;
    Ok(Answer(Paged::new(imports, page.amount, Import::from)))
}

/// Get the state of an import.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/import/{job_id}",
    operation_id = "getImportStatus", tag = "imports",
    responses((status = 200, body = Import), (status = 404)),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, job)): Path<JobPath>,
) -> Result<Answer<Import>> {
    let job = job_id(&job)?;
    Ok(Answer(app.engine.import(&principal, &organization, &repository, job).await?.into()))
}

/// Watch an import as server-sent events.
///
/// `progress` comes at once and whenever the job has changed, `end` once it has ended, each with
/// the job as its data. Then the stream ends; close it at `end`, or a browser asks anew. `error`,
/// with the data of any other error, comes when the job can no longer be seen. A comment every 15
/// seconds shows that the stream lives. After an hour, and when the server stops, it ends without
/// `end`: ask again.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/import/{job_id}/events",
    operation_id = "watchImport", tag = "imports",
    extensions(("x-tilde-extension" = json!(true))),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"), (status = 404),
    ),
)]
pub(crate) async fn events(
    State(app): State<Shared>,
    Proven { principal, credential }: Proven,
    Extension(request_id): Extension<RequestId>,
    Path((organization, repository, job)): Path<JobPath>,
) -> Result<Response> {
    let (engine, job) = (app.engine.clone(), job_id(&job)?);
    let watch = Watch { engine, credential, principal, organization, repository, job, request_id };
    watch.answer(&app.watches).await
}

/// List what a dry run found that the import would change, by path.
///
/// 409 for a job that is no dry run or has not completed; 410 once the preview has expired.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/import/{job_id}/changes",
    operation_id = "listImportChanges", tag = "imports", params(PageQuery),
    extensions(("x-tilde-extension" = json!(true))),
    responses(
        (status = 200, body = Paged<PlannedChange>), (status = 400), (status = 404),
        (status = 409), (status = 410),
    ),
)]
pub(crate) async fn changes(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, job)): Path<JobPath>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Paged<PlannedChange>>> {
    let (job, page) = (job_id(&job)?, query.request()?);
    let changes =
        app.engine.import_changes(&principal, &organization, &repository, job, &page).await?;
    Ok(Answer(Paged::new(changes, page.amount, PlannedChange::from)))
}

/// Cancel an import; one that has ended stays as it is.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/import/{job_id}/cancel",
    operation_id = "cancelImport", tag = "imports",
    extensions(("x-tilde-extension" = json!(true))),
    responses((status = 200, body = Import), (status = 404)),
)]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, job)): Path<JobPath>,
) -> Result<Answer<Import>> {
    let job = job_id(&job)?;
    let import = app.engine.cancel_import(&principal, &organization, &repository, job).await?;
    Ok(Answer(import.into()))
}

/// Run a failed or canceled import again; only what is missing is fetched.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/import/{job_id}/retry",
    operation_id = "retryImport", tag = "imports",
    extensions(("x-tilde-extension" = json!(true))),
    responses((status = 202, body = ImportStarted), (status = 404), (status = 409)),
)]
pub(crate) async fn retry(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, job)): Path<JobPath>,
) -> Result<(StatusCode, Answer<ImportStarted>)> {
    let job = job_id(&job)?;
    let job = app.engine.retry_import(&principal, &organization, &repository, job).await?;
    Ok((StatusCode::ACCEPTED, Answer(ImportStarted { job_id: job.0 })))
}

fn job_id(text: &str) -> Result<JobId> {
    id(text, "import job")
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str();
    key.map(Some).map_err(|_| Error::invalid("Idempotency-Key: must be printable ASCII"))
}
