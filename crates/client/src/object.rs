//! One object: which state it is read from, what is known of it, and its bytes.

use clap::Args;
use http::Method;
use http::header::{CONTENT_LENGTH, ETAG, HeaderValue, IF_RANGE, RANGE};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;

use crate::Context;
use crate::address::Repository;
use crate::api::{At, Pages, header, number, text};
use crate::error::{Error, Kind, Result};

/// Which state of a repository is read.
#[derive(Args, Clone, Default)]
pub(crate) struct View {
    /// A commit, or the start of its id [default: the latest]
    #[arg(long = "ref", value_name = "COMMIT")]
    pub(crate) reference: Option<String>,
    /// What this session sees
    #[arg(long, value_name = "SESSION", conflicts_with = "reference")]
    pub(crate) session: Option<String>,
}

/// What is known of an object before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Exactly as it is listed.
    pub(crate) path: String,
    pub(crate) size: u64,
    /// BLAKE3 of its bytes, in hex.
    pub(crate) hash: String,
}

impl View {
    /// `at`, of this state.
    pub(crate) fn on(&self, at: At) -> At {
        at.maybe("ref", self.reference.as_deref()).maybe("session_id", self.session.as_deref())
    }

    /// The same state, whatever is committed meanwhile; `None` if there is no commit yet.
    pub(crate) async fn pinned(
        &self,
        context: &Context<'_>,
        repository: &Repository,
    ) -> Result<Option<Self>> {
        if self.session.is_some() {
            return Ok(Some(self.clone()));
        }
        let at = repository.at().then("/log").maybe("ref", self.reference.as_deref());
        let rows = Pages::of(at, 1).next(&context.api).await?.unwrap_or_default();
        let pinned = rows.first().map(|commit| text(commit, "id").to_owned());
        Ok(pinned.map(|id| Self { reference: Some(id), session: None }))
    }
}

impl Known {
    /// From a row of a listing; `None` for a group.
    pub(crate) fn of(row: &Value) -> Option<Self> {
        let entry = row["entry"].as_object()?;
        let entry = Value::from(entry.clone());
        let (path, hash) = (text(row, "path").to_owned(), text(&entry, "e_tag").to_owned());
        Some(Self { path, size: number(&entry, "size"), hash })
    }
}

/// What is known of the object at `path`, if it is there.
pub(crate) async fn find(
    context: &Context<'_>,
    repository: &Repository,
    view: &View,
    path: &str,
) -> Result<Option<Known>> {
    let call = context.api.call(Method::HEAD, &address(repository, view, path));
    match context.api.open(&call).await {
        Ok(answer) => {
            let size = header(&answer, &CONTENT_LENGTH).and_then(|text| text.parse().ok());
            let size = size.ok_or_else(|| Error::failed("the server does not say how long it is"));
            let hash = etag(&answer).unwrap_or_default();
            Ok(Some(Known { path: path.to_owned(), size: size?, hash }))
        }
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes of an object from `from` on, and where they begin: at `from`, or at 0 where the
/// object is not the one with this hash any more.
pub(crate) async fn read(
    context: &Context<'_>,
    repository: &Repository,
    view: &View,
    known: &Known,
    from: u64,
) -> Result<(Response<Incoming>, u64)> {
    let mut call = context.api.call(Method::GET, &address(repository, view, &known.path));
    if from > 0 {
        let value = |text: String| HeaderValue::try_from(text).expect("digits are legal in one");
        let tag = HeaderValue::try_from(format!("\"{}\"", known.hash));
        let tag = tag.map_err(|_| Error::failed("the server's ETag is not fit for a header"))?;
        call = call.header(RANGE, value(format!("bytes={from}-"))).header(IF_RANGE, tag);
    }
    let answer = context.api.open(&call).await?;
    let begins = if answer.status() == StatusCode::PARTIAL_CONTENT { from } else { 0 };
    Ok((answer, begins))
}

/// The ETag of an answer without its quotes.
pub(crate) fn etag(answer: &Response<Incoming>) -> Option<String> {
    header(answer, &ETAG).map(|tag| tag.trim_matches('"').to_owned())
}

/// `/object` with its path.
fn address(repository: &Repository, view: &View, path: &str) -> At {
    view.on(repository.at().then("/object").query("path", path))
}
