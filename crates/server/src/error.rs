//! The one map from what went wrong to a status, headers and the error envelope.
//!
//! A failure travels as a response extension to [`crate::middleware`], which alone knows the
//! request id: it logs the cause and writes the body. So a failure looks the same wherever it
//! arose.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use engine::Kind;
use http::header::{
    CONNECTION, CONTENT_RANGE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, StatusCode};
use model::limits::COMPLETE_BYTES_MAX;

/// Seconds after which a server that could not work may be asked again.
const UNAVAILABLE_RETRY_S: u32 = 5;

/// The result of a handler.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What a client is told instead of a result.
#[derive(Debug)]
pub(crate) enum Error {
    /// The engine refused or failed.
    Engine(engine::Error),
    /// There is no such route; perhaps for a reason that can be told.
    NoRoute(Option<&'static str>),
    /// The route exists, but not for this method; perhaps for a reason that can be told.
    MethodNotAllowed(Option<&'static str>),
    /// The body has more bytes than the server accepts: so many.
    BodyTooLarge(usize),
    /// The body is not declared as JSON.
    NotJson,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The object is not the one that the request's conditions name.
    PreconditionFailed,
    /// The time of a device that asks to be let in is over.
    DeviceExpired,
}

/// A failure on its way to the middleware.
#[derive(Clone)]
pub(crate) struct Failure(pub(crate) Arc<Error>);

impl Error {
    /// Malformed input; `message` names the field.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Engine(engine::Error::invalid(message))
    }

    /// `what` is not there.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::Engine(engine::Error::not_found(what))
    }

    /// No valid credential.
    pub(crate) fn unauthenticated() -> Self {
        Self::Engine(engine::Error::unauthenticated())
    }

    /// A handler panicked.
    pub(crate) fn panicked() -> Self {
        let message = "internal error; the server's log has the details";
        Self::Engine(engine::Error::new(Kind::Internal, "INTERNAL_ERROR", message))
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Engine(error) => status_of(error.kind),
            Self::NoRoute(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::DeviceExpired => StatusCode::BAD_REQUEST,
        }
    }

    /// The `code` of the envelope.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code,
            Self::NoRoute(_) => "NOT_FOUND",
            Self::MethodNotAllowed(_) => "METHOD_NOT_ALLOWED",
            Self::BodyTooLarge(_) => "PAYLOAD_TOO_LARGE",
            Self::NotJson => "UNSUPPORTED_MEDIA_TYPE",
            Self::BodyTimeout => "REQUEST_TIMEOUT",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::DeviceExpired => "EXPIRED_TOKEN",
        }
    }

    /// The `message` of the envelope.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Engine(error) => &error.message,
            Self::NoRoute(Some(reason)) | Self::MethodNotAllowed(Some(reason)) => reason,
            Self::NoRoute(None) => {
                "there is nothing here; /api/v1/openapi.json lists what there is"
            }
            Self::MethodNotAllowed(None) => "this path does not take this method",
            Self::BodyTooLarge(COMPLETE_BYTES_MAX) => "the body is larger than 4 MiB",
            Self::BodyTooLarge(_) => "the body is larger than 1 MiB",
            Self::NotJson => "the body must be JSON (Content-Type: application/json)",
            Self::BodyTimeout => "the body did not arrive in time",
            Self::PreconditionFailed => "the object is not the one that the conditions name",
            Self::DeviceExpired => "the code has expired, or never was one; begin anew",
        }
    }

    /// The `error` of the envelope: what the protocol of device logins calls this.
    pub(crate) fn device_error(&self) -> Option<&'static str> {
        matches!(self, Self::DeviceExpired).then_some("expired_token")
    }

    fn headers(&self, headers: &mut HeaderMap) {
        let mut set = |name: HeaderName, value: HeaderValue| headers.insert(name, value);
        match self {
            Self::Engine(error) => match error.kind {
                // Basic is accepted but not announced: a browser that is asked for a password
                // sends it along from then on, also with requests that other sites cause.
                Kind::Unauthenticated => {
                    set(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tilde\""));
                }
                Kind::Throttled { retry_s } => {
                    set(RETRY_AFTER, retry_s.into());
                }
                Kind::Unavailable => {
                    set(RETRY_AFTER, UNAVAILABLE_RETRY_S.into());
                }
                Kind::Unsatisfiable { size } => {
                    let value = HeaderValue::try_from(format!("bytes */{size}"));
                    set(CONTENT_RANGE, value.expect("digits are legal in a header"));
                }
                _ => {}
            },
            // The rest of the body is not read, so the connection cannot go on.
            Self::BodyTooLarge(_) | Self::BodyTimeout => {
                set(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
    }
}

const fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unsatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Gone => StatusCode::GONE,
        Kind::Disabled => StatusCode::LOCKED,
        Kind::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::Source => StatusCode::BAD_GATEWAY,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Damaged | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        Self::Engine(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        self.headers(response.headers_mut());
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}
