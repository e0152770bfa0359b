//! How much of a request's body is taken: up to 1 MiB, or 4 MiB where it names the parts of an
//! upload; and on the two routes that bring the bytes of objects as much as the engine takes.
//!
//! An answer that was ready before a body had been taken closes the connection, as what is left
//! of the body stands between it and the next request. It closes a little later: where bytes lie
//! unread when a connection is closed, the client may lose the answer that is on its way.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt};
use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue};
use hyper::body::{Frame, SizeHint};
use model::limits::{BODY_BYTES_MAX, COMPLETE_BYTES_MAX, LINGER_BYTES_MAX, LINGER_MS};
use tokio::runtime::Handle;

use crate::error::Error;

/// Where `PUT` brings the bytes of an object.
const OBJECT_ROUTES: [&str; 2] = [
    "/api/v1/organizations/{organization}/repositories/{repository}/object",
    "/api/v1/uploads/{token}",
];

/// Where `POST` names up to 10,000 parts.
const COMPLETE_ROUTE: &str = "/api/v1/organizations/{organization}/repositories/{repository}/object\
                              /multipart/complete";

/// Refuses a body that says it is too large before a byte of it is read; the bytes of an object
/// pass.
pub(crate) async fn limit(request: Request, next: Next) -> Response {
    let bytes_max = json_bytes_max(&request);
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > bytes_max as u64 && !brings_object(&request) => {
            Error::BodyTooLarge(bytes_max).into_response()
        }
        _ => watch(request, next).await,
    }
}

/// How many bytes of JSON a request may bring.
pub(crate) fn json_bytes_max(request: &Request) -> usize {
    match route(request) {
        Some(COMPLETE_ROUTE) => COMPLETE_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    }
}

fn route(request: &Request) -> Option<&str> {
    request.extensions().get::<MatchedPath>().map(MatchedPath::as_str)
}

fn brings_object(request: &Request) -> bool {
    *request.method() == Method::PUT
        && route(request).is_some_and(|route| OBJECT_ROUTES.contains(&route))
}

async fn watch(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let ended = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&ended);
    // Reading would ask for a body that its client keeps back until it is asked.
    let lingers = !request.headers().contains_key(EXPECT);
    let request = request.map(|inner| Body::new(Watched { inner, ended: watched, lingers }));
    let mut response = next.run(request).await;
    if !ended.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that tells when all of it has been taken. What is left when it is dropped is read for a
/// while: as long as somebody holds the body, the connection stays open.
struct Watched {
    inner: Body,
    ended: Arc<AtomicBool>,
    lingers: bool,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.lingers || self.ended.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(linger(mem::take(&mut self.inner)));
        }
    }
}

/// Reads what is left of a body that nobody wants, up to [`LINGER_BYTES_MAX`], and keeps the
/// connection open until the body ends or [`LINGER_MS`] are over.
async fn linger(body: Body) {
    let reading = async {
        let (mut bytes, mut taken) = (body.into_data_stream(), 0);
        while taken < LINGER_BYTES_MAX {
            match bytes.next().await {
                Some(Ok(chunk)) => taken += chunk.len() as u64,
                Some(Err(_)) | None => return,
            }
        }
        std::future::pending().await
    };
    let _ended_or_given_up = tokio::time::timeout(Duration::from_millis(LINGER_MS), reading).await;
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.is_none() || self.inner.is_end_stream() {
            self.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The bytes of an object on their way to the engine.
pub(crate) fn of_object(body: Body) -> engine::Body {
    let length = body.size_hint().exact();
    let bytes = body.into_data_stream().map_err(std::io::Error::other).boxed();
    engine::Body { length, bytes }
}
