//! Uploads of one request: a link for the bytes, the bytes, and the end of it; or all at once.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use engine::UploadSpec;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{Json, Path, Query};
use crate::routes::{PlaceQuery, RepositoryPath};
use crate::wire::{FinalizeObject, ObjectStaged, UploadStarted};
use crate::{App, Shared, bodies, download};

/// What a header with a pair of user metadata begins with.
const METADATA: &str = "x-tilde-meta-";

/// Begin to upload an object into a session; or, with a body or a `Content-Type`, upload it.
///
/// Without either the answer is 200 with a link to PUT the bytes to, which works for 24 hours;
/// finalize then stages the object. With either it is staged when 201 comes. Headers
/// `X-Tilde-Meta-*` become user metadata.
#[utoipa::path(
    put, path = "/organizations/{organization}/repositories/{repository}/object",
    operation_id = "putObject", tag = "objects", params(PlaceQuery),
    request_body(content_type = "application/octet-stream"),
    responses(
        (status = 200, body = UploadStarted, description = "Where to PUT the bytes"),
        (status = 201, body = ObjectStaged, description = "The body is staged"),
        (status = 400), (status = 404), (status = 409),
    ),
)]
pub(crate) async fn put(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<PlaceQuery>,
    request: Request,
) -> Result<Response> {
    let (session, path) = query.place()?;
    let engine = &app.engine;
    let content_type = request.headers().get(CONTENT_TYPE);
    if content_type.is_none() && request.body().is_end_stream() {
        let begun = engine.begin_upload(&principal, &organization, &repository, session, &path);
        let upload_token = begun.await?;
        let upload_url = link(&app, &upload_token);
        return Ok(Answer(UploadStarted { upload_url, upload_token }).into_response());
    }
    let spec = UploadSpec {
        content_type: content_type.map(|value| text(&CONTENT_TYPE, value)).transpose()?,
        metadata: metadata(request.headers())?,
        ..UploadSpec::default()
    };
    let body = bodies::of_object(request.into_body());
    let etag = engine
        .put_object(&principal, &organization, &repository, session, &path, spec, body)
        .await?;
    let staged = ObjectStaged { path, etag: etag.to_string() };
    Ok((StatusCode::CREATED, Answer(staged)).into_response())
}

/// Take the bytes of an upload, or of a part of one. The link itself is the credential.
#[utoipa::path(
    put, path = "/uploads/{token}", operation_id = "receiveUpload", tag = "objects", security(),
    request_body(content_type = "application/octet-stream"),
    extensions(("x-tilde-extension" = json!(true))),
    responses(
        (
            status = 200, description = "The bytes are there",
            headers(("ETag" = String, description = "For finalize or complete; quoted")),
        ),
        (status = 400), (status = 403), (status = 404), (status = 409),
    ),
)]
pub(crate) async fn receive(
    State(app): State<Shared>,
    Path(token): Path<String>,
    request: Request,
) -> Result<impl IntoResponse> {
    let body = bodies::of_object(request.into_body());
    let etag = app.engine.receive(&token, body).await?;
    Ok([(ETAG, download::etag(&etag))])
}

/// Stage an upload whose bytes are there. They are durable when this answers.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/object/finalize",
    operation_id = "finalizeObject", tag = "objects", params(PlaceQuery),
    request_body = FinalizeObject,
    responses(
        (status = 201, body = ObjectStaged), (status = 400), (status = 403), (status = 404),
        (status = 409),
    ),
)]
pub(crate) async fn finalize(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<PlaceQuery>,
    headers: HeaderMap,
    Json(body): Json<FinalizeObject>,
) -> Result<(StatusCode, Answer<ObjectStaged>)> {
    let (session, path) = query.place()?;
    let token = body.upload_token.clone();
    let spec = with_headers(body.spec(), &headers)?;
    let etag = app
        .engine
        .finalize_upload(&principal, &organization, &repository, session, &path, &token, spec)
        .await?;
    Ok((StatusCode::CREATED, Answer(ObjectStaged { path, etag: etag.to_string() })))
}

/// Where the bytes go that `token` stands for.
pub(crate) fn link(app: &App, token: &str) -> String {
    format!("{}/api/v1/uploads/{token}", app.public_url)
}

/// What is said of an object, with the metadata of the request's headers. The body's is stronger.
pub(crate) fn with_headers(mut spec: UploadSpec, headers: &HeaderMap) -> Result<UploadSpec> {
    let mut metadata = metadata(headers)?;
    metadata.append(&mut spec.metadata);
    Ok(UploadSpec { metadata, ..spec })
}

/// The user metadata in the headers, under keys in lower case.
fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(METADATA) else { continue };
        if key.is_empty() || pairs.insert(key.to_owned(), text(name, value)?).is_some() {
            return Err(Error::invalid(format!("{name}: needs a key, and each key once")));
        }
    }
    Ok(pairs)
}

fn text(name: &HeaderName, value: &HeaderValue) -> Result<String> {
    let text = value.to_str().map(str::to_owned);
    text.map_err(|_| Error::invalid(format!("{name}: must be printable ASCII")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("legal"));
        }
        headers
    }

    #[test]
    fn headers_become_metadata_and_the_body_is_stronger() {
        let headers = headers(&[("x-tilde-meta-a", "1"), ("x-tilde-meta-b", "2"), ("x-a", "3")]);
        let body = UploadSpec {
            metadata: BTreeMap::from([("b".to_owned(), "body".to_owned())]),
            ..UploadSpec::default()
        };
        let spec = with_headers(body, &headers).expect("good headers");
        let pairs: Vec<_> = spec.metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "body")]);
    }

    #[test]
    fn a_header_that_is_no_pair_is_refused() {
        for bad in [
            &[("x-tilde-meta-", "1")][..],
            &[("x-tilde-meta-a", "1"), ("x-tilde-meta-a", "1")],
            &[("x-tilde-meta-a", "\u{e4}")],
        ] {
            let error = metadata(&headers(bad)).expect_err("refused");
            assert_eq!(error.status(), 400, "{bad:?}");
            assert!(error.message().starts_with("x-tilde-meta-"), "{bad:?}");
        }
    }
}
