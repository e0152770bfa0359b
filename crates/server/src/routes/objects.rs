//! Reading objects, and listing them.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::{At, ObjectsQuery};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, StatusCode};
use model::limits::PAGE_ROWS_DEFAULT;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{Path, Query};
use crate::pagination::{Paged, amount, given};
use crate::reading::Reading;
use crate::routes::{RepositoryPath, required, state};
use crate::wire::ListingEntry;

/// Which object.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ObjectQuery {
    /// Path of the object, exactly as it is listed.
    #[param(required = true, min_length = 1)]
    path: Option<String>,
    /// A commit id, or the unambiguous start of one (8 digits or more); the latest if left out.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Read what this session has staged, and beneath it the commit it began on; not with `ref`.
    #[param(format = Uuid)]
    session_id: Option<String>,
    /// Whether GET answers with a link that needs no credential, instead of the object.
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
    /// List what this session has staged, merged with the commit it began on; not with `ref`.
    #[param(format = Uuid)]
    session_id: Option<String>,
}

/// Read an object, or with a `Range` header one byte range of it.
///
/// With `presign=true` the answer is 307 to a link that works for 15 minutes without a credential
/// and always shows what the object is now.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/object",
    operation_id = "getObject", tag = "objects", params(ObjectQuery),
    responses(
        (status = 200, description = "The object, in its own type", content_type = "*/*"),
        (status = 206, description = "The range, likewise", content_type = "*/*"),
        (status = 304, description = "The client has it"),
        (
            status = 307, description = "With presign=true",
            headers(("Location" = String, description = "Where the object is read")),
        ),
        (status = 400), (status = 404), (status = 410), (status = 412), (status = 416),
    ),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<ObjectQuery>,
    request: HeaderMap,
) -> Result<Response> {
    let presign = query.presign()?;
    let (path, at) = query.target()?;
    if presign {
        let token = app.engine.presign_object(&principal, &organization, &repository, &path, &at);
        let location = format!("{}/api/v1/downloads/{}", app.public_url, token.await?);
        let headers = [(LOCATION, location), (CACHE_CONTROL, "no-store".to_owned())];
        return Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response());
    }
    Reading { principal, organization, repository, path, at }.get(&app, &request).await
}

/// Tell about an object without reading it. Never a redirect.
#[utoipa::path(
    head, path = "/organizations/{organization}/repositories/{repository}/object",
    operation_id = "headObject", tag = "objects", params(ObjectQuery),
    responses(
        (status = 200, description = "The headers of the object"),
        (status = 304, description = "The client has it"),
        (status = 400), (status = 404), (status = 410), (status = 412),
    ),
)]
pub(crate) async fn head(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<ObjectQuery>,
    request: HeaderMap,
) -> Result<Response> {
    query.presign()?;
    let (path, at) = query.target()?;
    Reading { principal, organization, repository, path, at }.head(&app, &request).await
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
    State(app): State<Shared>,
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
        at: state(query.reference, query.session_id)?,
    };
    let page = app.engine.list_objects(&principal, &organization, &repository, objects).await?;
    Ok(Answer(Paged::new(page, amount, ListingEntry::from)))
}

impl ObjectQuery {
    fn presign(&self) -> Result<bool> {
        match self.presign.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid("presign: must be true or false")),
        }
    }

    /// Path of the object, and where it is read.
    fn target(self) -> Result<(String, At)> {
        Ok((required("path", self.path)?, state(self.reference, self.session_id)?))
    }
}
