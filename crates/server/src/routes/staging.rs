//! Changes that need no bytes: copies and deletions.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Json, Path, Query};
use crate::routes::{PlaceQuery, RepositoryPath, required, session};
use crate::wire::{DeleteObjects, ObjectCopied, ObjectsDeleted};

/// What to copy where.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CopyQuery {
    /// The session that is read from and staged in.
    #[param(required = true, format = Uuid)]
    session_id: Option<String>,
    /// Path of the object, as the session sees it.
    #[param(required = true, min_length = 1)]
    source_path: Option<String>,
    /// Path of its copy.
    #[param(required = true, min_length = 1)]
    destination_path: Option<String>,
}

/// The session of a change to many objects.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionQuery {
    /// The session that the change is staged in.
    #[param(required = true, format = Uuid)]
    session_id: Option<String>,
}

/// Copy an object within a session. No bytes are copied; metadata and provenance stay.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/object/copy",
    operation_id = "copyObject", tag = "objects", params(CopyQuery),
    responses(
        (status = 201, body = ObjectCopied), (status = 400), (status = 404), (status = 409),
    ),
)]
pub(crate) async fn copy(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<CopyQuery>,
) -> Result<(StatusCode, Answer<ObjectCopied>)> {
    let session = session(query.session_id)?;
    let source_path = required("source_path", query.source_path)?;
    let destination_path = required("destination_path", query.destination_path)?;
    let (source, destination) = (&source_path, &destination_path);
    let engine = &app.engine;
    engine
        .copy_object(&principal, &organization, &repository, session, source, destination)
        .await?;
    Ok((StatusCode::CREATED, Answer(ObjectCopied { source_path, destination_path })))
}

/// Delete an object in a session, whether or not there is one.
#[utoipa::path(
    delete, path = "/organizations/{organization}/repositories/{repository}/object",
    operation_id = "deleteObject", tag = "objects", params(PlaceQuery),
    responses((status = 204), (status = 400), (status = 404), (status = 409)),
)]
pub(crate) async fn delete(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<PlaceQuery>,
) -> Result<StatusCode> {
    let (session, path) = query.place()?;
    let paths = vec![path];
    app.engine.delete_objects(&principal, &organization, &repository, session, paths).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete up to 1,000 objects in a session, whether or not they are there.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/objects/delete",
    operation_id = "deleteObjects", tag = "objects", params(SessionQuery),
    request_body = DeleteObjects,
    responses(
        (status = 200, body = ObjectsDeleted), (status = 400), (status = 404), (status = 409),
    ),
)]
pub(crate) async fn delete_many(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Query(query): Query<SessionQuery>,
    Json(body): Json<DeleteObjects>,
) -> Result<Answer<ObjectsDeleted>> {
    let (session, paths) = (session(query.session_id)?, body.paths);
    let deleted =
        app.engine.delete_objects(&principal, &organization, &repository, session, paths).await?;
    Ok(Answer(ObjectsDeleted { deleted }))
}
