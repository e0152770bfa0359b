//! Answering with an object: whole or in part, or not at all because the client has it.

use axum::body::Body;
use axum::response::Response;
use engine::{At, Kind, ObjectRead, Presigned, Principal};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderValue};
use http::{HeaderMap, StatusCode};
use model::Entry;

use crate::conditions::Verdict;
use crate::error::{Error, Result};
use crate::{App, conditions, download, range};

/// Times a read with conditions is begun anew because the object was replaced in between.
const ATTEMPTS_MAX: u32 = 3;

/// Which object is read, and for whom.
pub(crate) struct Reading {
    pub(crate) principal: Principal,
    pub(crate) organization: String,
    pub(crate) repository: String,
    pub(crate) path: String,
    pub(crate) at: At,
}

impl From<Presigned> for Reading {
    fn from(link: Presigned) -> Self {
        let Presigned { principal, organization, repository, path, at } = link;
        Self { principal, organization, repository, path, at }
    }
}

impl Reading {
    /// The object, or the range of it that `request` asks for.
    pub(crate) async fn get(&self, app: &App, request: &HeaderMap) -> Result<Response> {
        if !conditions::any(request) {
            let read = self.open(app, range::requested(request)).await?;
            return send(&self.path, read).await;
        }
        for _ in 0..ATTEMPTS_MAX {
            let entry = self.entry(app).await?;
            if let Some(answer) = judged(request, &entry)? {
                return Ok(answer);
            }
            // The range is of a copy that the client holds: another object is sent whole.
            let range = range::requested(request);
            let range = range.filter(|_| conditions::allow_range(request, &entry));
            let read = self.open(app, range).await?;
            if read.entry.hash == entry.hash {
                return send(&self.path, read).await;
            }
        }
        let message = "the object is being replaced again and again; try again";
        Err(Error::Engine(engine::Error::new(Kind::Unavailable, "OBJECT_BUSY", message)))
    }

    /// What [`Reading::get`] would say about the object, without a range.
    pub(crate) async fn head(&self, app: &App, request: &HeaderMap) -> Result<Response> {
        let entry = self.entry(app).await?;
        if let Some(answer) = judged(request, &entry)? {
            return Ok(answer);
        }
        let mut response = answer(StatusCode::OK, download::headers(&self.path, &entry));
        response.headers_mut().insert(CONTENT_LENGTH, entry.size.into());
        Ok(response)
    }

    async fn entry(&self, app: &App) -> Result<Entry> {
        let Self { principal, organization, repository, path, at } = self;
        Ok(app.engine.head_object(principal, organization, repository, path, at).await?)
    }

    async fn open(&self, app: &App, range: Option<engine::RangeRequest>) -> Result<ObjectRead> {
        let Self { principal, organization, repository, path, at } = self;
        Ok(app.engine.open_object(principal, organization, repository, path, at, range).await?)
    }
}

/// The answer to a request whose conditions rule the object out.
fn judged(request: &HeaderMap, entry: &Entry) -> Result<Option<Response>> {
    match conditions::verdict(request, entry) {
        Verdict::Proceed => Ok(None),
        Verdict::Known => Ok(Some(answer(StatusCode::NOT_MODIFIED, download::validators(entry)))),
        Verdict::Failed => Err(Error::PreconditionFailed),
    }
}

fn answer(status: StatusCode, headers: HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The object on its way. Its first bytes are read before anything is sent, so that what is wrong
/// with them is an answer. A later error cuts the connection: the client sees fewer bytes than were
/// announced and never a clean end.
async fn send(path: &str, mut read: ObjectRead) -> Result<Response> {
    let first = read.body.try_next().await?;
    let size = read.entry.size;
    let whole = read.range.is_none();
    let range = read.range.unwrap_or(0..size);
    let status = if whole { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let mut response = answer(status, download::headers(path, &read.entry));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    if !whole {
        let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        let value = HeaderValue::try_from(value).expect("digits are legal in a header");
        headers.insert(CONTENT_RANGE, value);
    }
    *response.body_mut() = match first {
        // Nothing that could go wrong follows.
        Some(all) if all.len() as u64 == range.end - range.start => Body::from(all),
        first => {
            let rest = read.body.inspect_err(|error| {
                tracing::error!(code = error.code, reason = error.message, "an object was cut off");
            });
            Body::from_stream(stream::iter(first.map(Ok)).chain(rest))
        }
    };
    Ok(response)
}
