//! The caller's API keys.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;

use crate::Shared;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Json, Path, id};
use crate::wire::{ApiKey, ApiKeyCreated, CreateApiKey, Results};

/// Create an API key. Only this answer shows its token.
#[utoipa::path(
    post, path = "/auth/keys", operation_id = "createAPIKey", tag = "auth",
    request_body = CreateApiKey,
    responses((status = 201, body = ApiKeyCreated), (status = 400)),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Json(body): Json<CreateApiKey>,
) -> Result<(StatusCode, Answer<ApiKeyCreated>)> {
    let description = body.description.unwrap_or_default();
    let key = app.engine.create_key(&principal, &body.name, &description).await?;
    Ok((StatusCode::CREATED, Answer(key.into())))
}

/// List the caller's API keys.
#[utoipa::path(
    get, path = "/auth/keys", operation_id = "listAPIKeys", tag = "auth",
    responses((status = 200, body = Results<ApiKey>)),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Caller(principal): Caller,
) -> Result<Answer<Results<ApiKey>>> {
    Ok(Answer(Results::new(app.engine.keys(&principal).await?, ApiKey::from)))
}

/// Revoke one of the caller's API keys.
#[utoipa::path(
    delete, path = "/auth/keys/{key_id}", operation_id = "revokeAPIKey", tag = "auth",
    responses((status = 204), (status = 404)),
)]
pub(crate) async fn revoke(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(key): Path<String>,
) -> Result<StatusCode> {
    app.engine.revoke_key(&principal, id(&key, "API key")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
