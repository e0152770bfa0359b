//! Signing in and out with a browser. Nobody can sign up by themselves.

use axum::Extension;
use axum::Json as Answer;
use axum::extract::State;
use engine::Kind;
use http::{HeaderMap, StatusCode};

use crate::auth::{Proven, refuse_cross_site};
use crate::client_address::ClientAddress;
use crate::error::{Error, Result};
use crate::extract::Json;
use crate::middleware::RequestId;
use crate::wire::{LogIn, LoggedIn};
use crate::{Shared, cookies};

/// Sign a browser in: it gets a cookie with a login, which ends after seven days.
///
/// The cookie `tilde_csrf` that comes with it is to be shown in the header `X-CSRF-Token` of each
/// request that changes something.
#[utoipa::path(
    post, path = "/auth/login", operation_id = "login", tag = "auth", security(),
    request_body = LogIn,
    responses(
        (
            status = 200, body = LoggedIn,
            headers(("Set-Cookie" = String, description = "tilde_session and tilde_csrf")),
        ),
        (status = 400), (status = 401), (status = 403), (status = 429),
    ),
)]
pub(crate) async fn log_in(
    State(app): State<Shared>,
    ClientAddress(from): ClientAddress,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    Json(body): Json<LogIn>,
) -> Result<(HeaderMap, Answer<LoggedIn>)> {
    refuse_cross_site(&headers)?;
    let LogIn { login, password } = body;
    let login = app.engine.log_in(&login, &password, from, &request_id).await?;
    let mut headers = HeaderMap::new();
    cookies::set(&mut headers, &login.token, &app.public_url);
    Ok((headers, Answer(LoggedIn { user: login.user.into() })))
}

/// Sign a browser out. With another credential than its cookie nothing ends.
#[utoipa::path(
    post, path = "/auth/logout", operation_id = "logout", tag = "auth",
    responses((status = 204)),
)]
pub(crate) async fn log_out(
    State(app): State<Shared>,
    proven: Proven,
) -> Result<(StatusCode, HeaderMap)> {
    let mut headers = HeaderMap::new();
    if let Some(token) = proven.login() {
        app.engine.log_out(&proven.principal, token).await?;
        cookies::clear(&mut headers, &app.public_url);
    }
    Ok((StatusCode::NO_CONTENT, headers))
}

/// Refuse to make an account: on this server its operator makes them.
#[utoipa::path(
    post, path = "/auth/signup", operation_id = "signup", tag = "auth", security(),
    responses((status = 403)),
)]
pub(crate) async fn sign_up() -> Result<()> {
    let message = "signup is closed; whoever runs the server makes accounts with tilde admin user \
                   add";
    Err(Error::Engine(engine::Error::new(Kind::Forbidden, "SIGNUP_CLOSED", message)))
}
