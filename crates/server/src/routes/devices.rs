//! Letting a command line in: it asks for a code, its user confirms the code in a browser, and it
//! gets an API key.

use axum::Json as Answer;
use axum::extract::State;

use crate::Shared;
use crate::auth::Caller;
use crate::client_address::ClientAddress;
use crate::error::{Error, Result};
use crate::extract::Json;
use crate::wire::{ConfirmDevice, DeviceCode, DevicePoll, DeviceToken, Status};

/// Ask to let a device in. Its user is to open the page and confirm the code.
#[utoipa::path(
    post, path = "/auth/device/code", operation_id = "createDeviceCode", tag = "auth", security(),
    responses((status = 200, body = DeviceCode), (status = 429)),
)]
pub(crate) async fn code(
    State(app): State<Shared>,
    ClientAddress(from): ClientAddress,
) -> Result<Answer<DeviceCode>> {
    let login = app.engine.begin_device_login(from).await?;
    Ok(Answer(DeviceCode::new(&login, &app.public_url)))
}

/// Ask whether a device has been let in. The token of its API key is told once.
///
/// Until then the answer is an `error`: `authorization_pending`, or `slow_down` to a device that
/// asks too often. When the time is over it is 400, with `error: expired_token`.
#[utoipa::path(
    post, path = "/auth/device/token", operation_id = "getDeviceToken", tag = "auth", security(),
    request_body = DevicePoll,
    responses((status = 200, body = DeviceToken), (status = 400)),
)]
pub(crate) async fn token(
    State(app): State<Shared>,
    Json(body): Json<DevicePoll>,
) -> Result<Answer<DeviceToken>> {
    match app.engine.poll_device_login(&body.device_code).await? {
        engine::DevicePoll::Granted(token) => Ok(Answer(DeviceToken::granted(&token))),
        engine::DevicePoll::Pending => Ok(Answer(DeviceToken::refused("authorization_pending"))),
        engine::DevicePoll::SlowDown => Ok(Answer(DeviceToken::refused("slow_down"))),
        engine::DevicePoll::Expired => Err(Error::DeviceExpired),
    }
}

/// Let the device in that shows this code: it gets an API key of the caller.
#[utoipa::path(
    post, path = "/auth/device/confirm", operation_id = "confirmDevice", tag = "auth",
    request_body = ConfirmDevice,
    responses((status = 200, body = Status), (status = 400), (status = 404)),
)]
pub(crate) async fn confirm(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Json(body): Json<ConfirmDevice>,
) -> Result<Answer<Status>> {
    app.engine.confirm_device_login(&principal, &body.user_code).await?;
    Ok(Answer(Status::CONFIRMED))
}
