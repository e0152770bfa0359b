//! The caller's own account.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;

use crate::Shared;
use crate::auth::{Caller, Proven};
use crate::error::Result;
use crate::extract::Json;
use crate::wire::{ChangePassword, Me, UpdateMe, User};

/// Tell who is asking.
#[utoipa::path(
    get, path = "/auth/me", operation_id = "getMe", tag = "auth",
    responses((status = 200, body = Me)),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Caller(principal): Caller,
) -> Result<Answer<Me>> {
    Ok(Answer(app.engine.me(&principal).await?.into()))
}

/// Change the caller's account.
#[utoipa::path(
    patch, path = "/auth/me", operation_id = "updateMe", tag = "auth", request_body = UpdateMe,
    responses((status = 200, body = User), (status = 400)),
)]
pub(crate) async fn update(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Json(body): Json<UpdateMe>,
) -> Result<Answer<User>> {
    Ok(Answer(app.engine.update_me(&principal, body.into()).await?.into()))
}

/// Change the caller's password. All browsers but the one that asks are signed out.
#[utoipa::path(
    put, path = "/auth/me/password", operation_id = "changePassword", tag = "auth",
    request_body = ChangePassword,
    responses((status = 204), (status = 400)),
)]
pub(crate) async fn change_password(
    State(app): State<Shared>,
    proven: Proven,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode> {
    let ChangePassword { new_password, current_password } = body;
    let (engine, keep) = (&app.engine, proven.login());
    let current = current_password.as_ref();
    engine.change_password(&proven.principal, current, new_password, keep).await?;
    Ok(StatusCode::NO_CONTENT)
}
