//! What happens around every request: its id, its span and metrics, the error envelope, headers
//! that make answers safe to receive, and the panic that stays one request's problem.
//!
//! Logged are method, matched route, status, latency and request id: never a query string, a
//! header or a body.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode};
use model::Entropy;
use tokio::time::Instant;
use tracing::Instrument;

use crate::Shared;
use crate::error::{Error, Failure};
use crate::wire;

/// Carries the id of a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a request id that is taken over from the client.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// The id of a request, for a handler that goes on telling after the head of its answer is out.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Wraps a request: see the head of this file.
pub(crate) async fn observe(
    State(app): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let request_id = request_id(request.headers(), &*app.entropy);
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("request", method = label(&method), route, request_id);

    let answering = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match answering.instrument(span.clone()).await {
        Ok(response) => response,
        Err(panic) => {
            span.in_scope(|| tracing::error!(panic = panic_text(&*panic), "a handler panicked"));
            Error::panicked().into_response()
        }
    };
    if let Some(Failure(error)) = response.extensions_mut().remove() {
        span.in_scope(|| log_failure(&error));
        envelope(&mut response, &error, &request_id, method == Method::HEAD);
    }
    protect(response.headers_mut());
    let value = HeaderValue::try_from(request_id).expect("it was checked or made here");
    response.headers_mut().insert(REQUEST_ID, value);

    let (status, latency) = (response.status(), start.elapsed());
    crate::metrics::answered(label(&method), route, status, latency);
    let latency_ms = latency.as_secs_f64() * 1_000.0;
    let status = status.as_u16();
    span.in_scope(|| match (route, status) {
        // Asked every few seconds by whatever watches the server: worth a line only when bad.
        ("/livez" | "/readyz", 200) => tracing::debug!(status, latency_ms, "answered"),
        _ => tracing::info!(status, latency_ms, "answered"),
    });
    response
}

/// The client's id of the request if it is a plain word, or a new one.
fn request_id(headers: &HeaderMap, entropy: &dyn Entropy) -> String {
    let legal = |id: &&str| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(legal);
    given.map_or_else(|| entropy.uuid().to_string(), str::to_owned)
}

/// The method as a label: bounded, whatever clients invent.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Logs what a client was told, and the cause that it was not told.
pub(crate) fn log_failure(error: &Error) {
    // Not as the field `message`, which a text log would write as it is, line ends included.
    let (code, reason) = (error.code(), error.message());
    if !error.status().is_server_error() {
        return tracing::debug!(code, reason, "refused");
    }
    let cause = match error {
        Error::Engine(error) => causes(error),
        _ => String::new(),
    };
    match error.status() {
        StatusCode::BAD_GATEWAY => tracing::warn!(code, reason, cause, "the source failed"),
        _ => tracing::error!(code, reason, cause, "failed"),
    }
}

/// The causes of an error, outermost first, but for those that it has told itself.
fn causes(error: &engine::Error) -> String {
    let first = std::error::Error::source(error);
    let chain = std::iter::successors(first, |error| error.source()).map(ToString::to_string);
    chain.filter(|cause| !error.message.contains(cause)).collect::<Vec<_>>().join(": ")
}

fn envelope(response: &mut Response, error: &Error, request_id: &str, head: bool) {
    if head {
        return;
    }
    let body = wire::Error::new(error, request_id);
    let body = serde_json::to_vec(&body).expect("three strings are always JSON");
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    // The empty body of the failure may have left its length behind.
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
}

/// Headers that every answer has unless its handler chose others.
fn protect(headers: &mut HeaderMap) {
    let policy = "default-src 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}
