//! Connectors of an organization, and which of them a repository may use.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;

use crate::Shared;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Json, Path, id, id_field};
use crate::routes::RepositoryPath;
use crate::wire::{
    AttachConnector, Connector, CreateConnector, Results, Status, TestConnectorConfig,
    UpdateConnector,
};

/// Create a connector. Its config is sealed and never returned.
#[utoipa::path(
    post, path = "/organizations/{organization}/connectors", operation_id = "createConnector",
    tag = "connectors", request_body = CreateConnector,
    responses(
        (status = 201, body = Connector), (status = 400), (status = 403), (status = 404),
        (status = 409),
    ),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
    Json(body): Json<CreateConnector>,
) -> Result<(StatusCode, Answer<Connector>)> {
    let connector = app.engine.create_connector(&principal, &organization, body.into()).await?;
    Ok((StatusCode::CREATED, Answer(connector.into())))
}

/// List the connectors of an organization.
#[utoipa::path(
    get, path = "/organizations/{organization}/connectors", operation_id = "listConnectors",
    tag = "connectors",
    responses((status = 200, body = Results<Connector>), (status = 404)),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
) -> Result<Answer<Results<Connector>>> {
    let connectors = app.engine.connectors(&principal, &organization).await?;
    Ok(Answer(Results::new(connectors, Connector::from)))
}

/// Get a connector.
#[utoipa::path(
    get, path = "/organizations/{organization}/connectors/{connector_id}",
    operation_id = "getConnector", tag = "connectors",
    responses((status = 200, body = Connector), (status = 404)),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, connector)): Path<(String, String)>,
) -> Result<Answer<Connector>> {
    let connector = id(&connector, "connector")?;
    Ok(Answer(app.engine.connector(&principal, &organization, connector).await?.into()))
}

/// Rename, disable or enable a connector, or give it a new config, such as new credentials.
///
/// The config is checked for its form, not tried out. Type and place stay, as what was imported
/// names them. Disabling ends the imports that run.
#[utoipa::path(
    patch, path = "/organizations/{organization}/connectors/{connector_id}",
    operation_id = "updateConnector", tag = "connectors", request_body = UpdateConnector,
    extensions(("x-tilde-extension" = json!(true))),
    responses(
        (status = 200, body = Connector), (status = 400), (status = 403), (status = 404),
        (status = 409),
    ),
)]
pub(crate) async fn update(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, connector)): Path<(String, String)>,
    Json(body): Json<UpdateConnector>,
) -> Result<Answer<Connector>> {
    let connector = id(&connector, "connector")?;
    let update = body.into();
    let updated = app.engine.update_connector(&principal, &organization, connector, update).await?;
    Ok(Answer(updated.into()))
}

/// Delete a connector and wipe its config. What was imported through it stays readable.
#[utoipa::path(
    delete, path = "/organizations/{organization}/connectors/{connector_id}",
    operation_id = "deleteConnector", tag = "connectors",
    responses((status = 204), (status = 403), (status = 404)),
)]
pub(crate) async fn delete(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, connector)): Path<(String, String)>,
) -> Result<StatusCode> {
    let connector = id(&connector, "connector")?;
    app.engine.delete_connector(&principal, &organization, connector).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try out a config without storing it: reach, authenticate, list and read.
#[utoipa::path(
    post, path = "/organizations/{organization}/connectors:test",
    operation_id = "testConnectorConfig", tag = "connectors",
    request_body = TestConnectorConfig,
    responses(
        (status = 200, body = Status), (status = 400), (status = 403), (status = 404),
        (status = 502),
    ),
)]
pub(crate) async fn test_config(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
    Json(body): Json<TestConnectorConfig>,
) -> Result<Answer<Status>> {
    let (kind, uri) = (&body.kind, &body.source_uri);
    app.engine.test_connector_config(&principal, &organization, kind, uri, &body.config).await?;
    Ok(Answer(Status::OK))
}

/// Try out a stored connector: reach, authenticate, list and read.
#[utoipa::path(
    post, path = "/organizations/{organization}/connectors/{connector_id}/test",
    operation_id = "testConnector", tag = "connectors",
    responses((status = 200, body = Status), (status = 404), (status = 423), (status = 502)),
)]
pub(crate) async fn test(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, connector)): Path<(String, String)>,
) -> Result<Answer<Status>> {
    let connector = id(&connector, "connector")?;
    app.engine.test_connector(&principal, &organization, connector).await?;
    Ok(Answer(Status::OK))
}

/// Let a repository import through a connector of its organization.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories/{repository}/connectors",
    operation_id = "attachConnector", tag = "connectors", request_body = AttachConnector,
    responses((status = 201, body = Status), (status = 400), (status = 404), (status = 409)),
)]
pub(crate) async fn attach(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Json(body): Json<AttachConnector>,
) -> Result<(StatusCode, Answer<Status>)> {
    let connector = id_field("connector_id", &body.connector_id)?;
    app.engine.attach(&principal, &organization, &repository, connector).await?;
    Ok((StatusCode::CREATED, Answer(Status::OK)))
}

/// List the connectors attached to a repository.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}/connectors",
    operation_id = "listRepoConnectors", tag = "connectors",
    responses((status = 200, body = Results<Connector>), (status = 404)),
)]
pub(crate) async fn list_attached(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
) -> Result<Answer<Results<Connector>>> {
    let connectors = app.engine.attached(&principal, &organization, &repository).await?;
    Ok(Answer(Results::new(connectors, Connector::from)))
}

/// Detach a connector from a repository; nothing happens if it is not attached.
#[utoipa::path(
    delete,
    path = "/organizations/{organization}/repositories/{repository}/connectors/{connector_id}",
    operation_id = "detachConnector", tag = "connectors",
    responses((status = 204), (status = 404)),
)]
pub(crate) async fn detach(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository, connector)): Path<(String, String, String)>,
) -> Result<StatusCode> {
    let connector = id(&connector, "connector")?;
    app.engine.detach(&principal, &organization, &repository, connector).await?;
    Ok(StatusCode::NO_CONTENT)
}
