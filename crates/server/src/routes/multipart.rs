//! Uploads in parts: begin, a link for each part, complete or give up.

use axum::Json as Answer;
use axum::extract::State;
use engine::PartOf;
use http::{HeaderMap, StatusCode};
use model::limits::PARTS_MAX;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{Json, Path, Query, id_field};
use crate::pagination::given;
use crate::routes::uploads::{link, with_headers};
use crate::routes::{PlaceQuery, RepositoryPath, required, session};
use crate::wire::{CompleteMultipart, MultipartStarted, ObjectStaged, PartLink};

/// Which upload.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// The session that the object will be staged in.
    #[param(required = true, format = Uuid)]
    session_id: Option<String>,
    /// Path of the object.
    #[param(required = true, min_length = 1)]
    path: Option<String>,
    /// The upload.
    #[param(required = true, format = Uuid)]
    upload_id: Option<String>,
    /// Its token.
    upload_token: Option<String>,
}

/// Which part of it.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PartQuery {
    /// The session that the object will be staged in.
    #[param(required = true, format = Uuid)]
    session_id: Option<String>,
    /// Path of the object.
    #[param(required = true, min_length = 1)]
    path: Option<String>,
    /// The upload.
    #[param(required = true, format = Uuid)]
    upload_id: Option<String>,
    /// Its token.
    upload_token: Option<String>,
    /// The place of the part in the object.
    #[param(value_type = u32, required = true, minimum = 1, maximum = 10_000)]
    part_number: Option<String>,
}

/// Begin to upload an object in parts.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/object/multipart",
    operation_id = "createMultipartUpload", tag = "objects", params(PlaceQuery),
    responses(
        (status = 200, body = MultipartStarted), (status = 400), (status = 404), (status = 409),
    ),
)]
pub(crate) async fn begin(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<PlaceQuery>,
) -> Result<Answer<MultipartStarted>> {
    let (session, path) = query.place()?;
    let engine = &app.engine;
    let ticket =
        engine.begin_multipart(&principal, &organization, &repository, session, &path).await?;
    Ok(Answer(MultipartStarted { upload_id: ticket.id.0, upload_token: ticket.token }))
}

/// Get the link that takes the bytes of a part; sent again, they replace what was sent before.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/object/multipart/part",
    operation_id = "getMultipartPart", tag = "objects", params(PartQuery),
    responses((status = 200, body = PartLink), (status = 400), (status = 403), (status = 404)),
)]
pub(crate) async fn part(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<PartQuery>,
) -> Result<Answer<PartLink>> {
    let session = session(query.session_id)?;
    let path = required("path", query.path)?;
    let upload = upload(query.upload_id, query.upload_token)?;
    let number = part_number(query.part_number)?;
    let token = app
        .engine
        .sign_part(&principal, &organization, &repository, session, &path, &upload, number)
        .await?;
    Ok(Answer(PartLink { upload_url: link(&app, &token) }))
}

/// Make one object of the parts and stage it. It is durable when this answers.
#[utoipa::path(
    post,
    path = "/organizations/{organization}/repositories/{repository}/object/multipart/complete",
    operation_id = "completeMultipartUpload", tag = "objects", params(PlaceQuery),
    request_body = CompleteMultipart,
    responses(
        (status = 201, body = ObjectStaged), (status = 400), (status = 403), (status = 404),
        (status = 409),
    ),
)]
pub(crate) async fn complete(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<PlaceQuery>,
    headers: HeaderMap,
    Json(body): Json<CompleteMultipart>,
) -> Result<(StatusCode, Answer<ObjectStaged>)> {
    let (session, path) = query.place()?;
    let id = id_field("upload_id", &body.upload_id)?;
    let upload = PartOf { id, token: Some(body.upload_token.clone()) };
    let (parts, spec) = body.into_parts();
    let spec = with_headers(spec, &headers)?;
    let (engine, organization) = (&app.engine, &organization);
    let etag = engine
        .complete_multipart(
            &principal,
            organization,
            &repository,
            session,
            &path,
            &upload,
            parts,
            spec,
        )
        .await?;
    Ok((StatusCode::CREATED, Answer(ObjectStaged { path, etag: etag.to_string() })))
}

/// Give an upload in parts up.
#[utoipa::path(
    delete, path = "/organizations/{organization}/repositories/{repository}/object/multipart",
    operation_id = "abortMultipartUpload", tag = "objects", params(UploadQuery),
    responses((status = 204), (status = 400), (status = 403), (status = 404)),
)]
pub(crate) async fn abort(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<UploadQuery>,
) -> Result<StatusCode> {
    let session = session(query.session_id)?;
    let path = required("path", query.path)?;
    let upload = upload(query.upload_id, query.upload_token)?;
    let engine = &app.engine;
    engine.abort_multipart(&principal, &organization, &repository, session, &path, &upload).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn upload(id: Option<String>, token: Option<String>) -> Result<PartOf> {
    let id = id_field("upload_id", &required("upload_id", id)?)?;
    Ok(PartOf { id, token: given(token) })
}

fn part_number(text: Option<String>) -> Result<u32> {
    let number = required("part_number", text)?.parse().ok();
    number.filter(|number| (1..=PARTS_MAX).contains(number)).ok_or_else(|| {
        Error::invalid(format!("part_number: must be a whole number from 1 to {PARTS_MAX}"))
    })
}
