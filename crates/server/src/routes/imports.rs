//! Imports: start, watch, cancel, retry.

use axum::Json as Answer;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use model::JobId;

use crate::App;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{Json, Path, id};
use crate::routes::RepositoryPath;
use crate::wire::{Import, ImportStarted, StartImport};

type JobPath = (String, String, String);

/// Start an import and return at once. Poll the job for its end.
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
    State(app): State<App>,
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

/// Get the state of an import.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/import/{job_id}",
    operation_id = "getImportStatus", tag = "imports",
    responses((status = 200, body = Import), (status = 404)),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(principal): Caller,
    Path((organization, repository, job)): Path<JobPath>,
) -> Result<Answer<Import>> {
    let job = job_id(&job)?;
    Ok(Answer(app.engine.import(&principal, &organization, &repository, job).await?.into()))
}

/// Cancel an import; one that has ended stays as it is.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/import/{job_id}/cancel",
    operation_id = "cancelImport", tag = "imports",
    extensions(("x-tilde-extension" = json!(true))),
    responses((status = 200, body = Import), (status = 404)),
)]
pub(crate) async fn cancel(
    State(app): State<App>,
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
    State(app): State<App>,
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
