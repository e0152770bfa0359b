//! Reading objects, and listing them.

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use engine::{ObjectRead, ObjectsQuery};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, StatusCode};
use model::Entry;
use model::limits::PAGE_ROWS_DEFAULT;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{Path, Query};
use crate::pagination::{Paged, amount, given};
use crate::routes::{RepositoryPath, reference};
use crate::wire::ListingEntry;
use crate::{App, download, range};

/// Which object.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ObjectQuery {
    /// Path of the object, exactly as it is listed.
    #[param(required = true)]
    path: Option<String>,
    /// A commit id, or the unambiguous start of one (8 digits or more); the latest if left out.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Sessions are not in this version.
    session_id: Option<String>,
    /// Not in this version: must be `false`.
    #[param(value_type = Option<bool>)]
    presign: Option<String>,
}

/// Which objects.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only paths that start with this.
    prefix: Option<String>,
    /// Paths with this after the prefix are grouped up to and including it.
    delimiter: Option<String>,
    /// The `next_offset` of the page before.
    after: Option<String>,
    /// Rows wanted; more than 1000 are 1000.
    #[param(value_type = Option<u64>, minimum = 1, default = 100)]
    amount: Option<String>,
    /// A commit id, or the unambiguous start of one (8 digits or more); the latest if left out.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Sessions are not in this version.
    session_id: Option<String>,
}

/// Read an object, or with a `Range` header one byte range of it.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/object",
    operation_id = "getObject", tag = "objects", params(ObjectQuery),
    responses(
        (status = 200, description = "The object, in its own type", content_type = "*/*"),
        (status = 206, description = "The range, likewise", content_type = "*/*"),
        (status = 304, description = "The client has it"),
        (status = 400), (status = 404), (status = 410), (status = 416),
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<ObjectQuery>,
    request: HeaderMap,
) -> Result<Response> {
    let (path, reference) = query.target()?;
    let (engine, reference) = (&app.engine, reference.as_deref());
    let mut range = range::requested(&request);
    if request.contains_key(IF_NONE_MATCH) || request.contains_key(IF_RANGE) {
        let head = engine.head_object(&principal, &organization, &repository, &path, reference);
        let entry = head.await?;
        if download::is_known(&request, &entry) {
            return Ok(answer(StatusCode::NOT_MODIFIED, download::validators(&entry)));
        }
        // The range is of a copy that the client holds: another object is sent whole.
        range = range.filter(|_| is_same(&request, &entry));
    }
    let read =
        engine.open_object(&principal, &organization, &repository, &path, reference, range).await?;
    send(&path, read).await
}

/// Tell about an object without reading it.
#[utoipa::path(
    head, path = "/organizations/{organization}/repositories/{repository}/object",
    operation_id = "headObject", tag = "objects", params(ObjectQuery),
    responses(
        (status = 200, description = "The headers of the object"),
        (status = 304, description = "The client has it"),
        (status = 400), (status = 404), (status = 410),
    ),
)]
pub(crate) async fn head(
    State(app): State<App>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<ObjectQuery>,
    request: HeaderMap,
) -> Result<Response> {
    let (path, reference) = query.target()?;
    let reference = reference.as_deref();
    let entry =
        app.engine.head_object(&principal, &organization, &repository, &path, reference).await?;
    if download::is_known(&request, &entry) {
        return Ok(answer(StatusCode::NOT_MODIFIED, download::validators(&entry)));
    }
    let mut response = answer(StatusCode::OK, download::headers(&path, &entry));
    response.headers_mut().insert(CONTENT_LENGTH, entry.size.into());
    Ok(response)
}

/// List objects in byte order of their paths.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/objects",
    operation_id = "listObjects", tag = "objects", params(ListQuery),
    responses(
        (status = 200, body = Paged<ListingEntry>), (status = 400), (status = 404), (status = 410),
    ),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Paged<ListingEntry>>> {
    let amount = amount(query.amount.as_deref(), PAGE_ROWS_DEFAULT)?;
    let objects = ObjectsQuery {
        prefix: query.prefix.unwrap_or_default(),
        delimiter: given(query.delimiter),
        after: given(query.after),
        amount,
        reference: reference(query.reference, query.session_id)?,
    };
    let page = app.engine.list_objects(&principal, &organization, &repository, objects).await?;
    Ok(Answer(Paged::new(page, amount, ListingEntry::from)))
}

impl ObjectQuery {
    /// Path and commit of the object.
    fn target(self) -> Result<(String, Option<String>)> {
        match self.presign.as_deref() {
            None | Some("false") => {}
            Some("true") => {
                let message = "presign: this version has no presigned links; leave it out";
                return Err(Error::invalid(message));
            }
            Some(_) => return Err(Error::invalid("presign: must be true or false")),
        }
        let path = given(self.path).ok_or_else(|| Error::invalid("path: required"))?;
        Ok((path, reference(self.reference, self.session_id)?))
    }
}

/// Whether the client's `If-Range`, if any, names this very object.
fn is_same(request: &HeaderMap, entry: &Entry) -> bool {
    let condition = request.get(IF_RANGE);
    request.contains_key(RANGE) && condition.is_none_or(|tag| *tag == download::etag(&entry.hash))
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
    let rest = read.body.inspect_err(|error| {
        tracing::error!(code = error.code, reason = error.message, "an object was cut off");
    });
    *response.body_mut() = Body::from_stream(stream::iter(first.map(Ok)).chain(rest));
    Ok(response)
}
