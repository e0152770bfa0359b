//! How much of a request's body is taken: up to 1 MiB, but on the two routes that bring the bytes
//! of objects, which take as much as the engine does.
//!
//! An answer that was ready before a body had been taken closes the connection, as what is left
//! of the body stands between it and the next request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt};
use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::body::{Frame, SizeHint};
use model::limits::BODY_BYTES_MAX;

use crate::error::Error;

/// Where `PUT` brings the bytes of an object.
const OBJECT_ROUTES: [&str; 2] = [
    "/api/v1/organizations/{organization}/repositories/{repository}/object",
    "/api/v1/uploads/{token}",
];

/// Refuses a body that says it is too large before a byte of it is read; the bytes of an object
/// pass.
pub(crate) async fn limit(request: Request, next: Next) -> Response {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > BODY_BYTES_MAX as u64 && !brings_object(&request) => {
            Error::BodyTooLarge.into_response()
        }
        _ => watch(request, next).await,
    }
}

fn brings_object(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    *request.method() == Method::PUT && route.is_some_and(|route| OBJECT_ROUTES.contains(&route))
}

async fn watch(request: Request, next: Next) -> Response {
    let ended = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let watched = Arc::clone(&ended);
    let request = request.map(|inner| Body::new(Watched { inner, ended: watched }));
    let mut response = next.run(request).await;
    if !ended.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that tells when all of it has been taken.
struct Watched {
    inner: Body,
    ended: Arc<AtomicBool>,
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
