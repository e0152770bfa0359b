//! Repositories.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;

use crate::Shared;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Json, Path, Query};
use crate::pagination::{PageQuery, Paged};
use crate::routes::RepositoryPath;
use crate::wire::{CreateRepository, Repository, UpdateRepository};

/// List the repositories of all the caller's organizations.
#[utoipa::path(
    get, path = "/repositories", operation_id = "listAllRepositories", tag = "repositories",
    params(PageQuery),
    responses((status = 200, body = Paged<Repository>), (status = 400)),
)]
pub(crate) async fn list_all(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Paged<Repository>>> {
    let page = query.request()?;
    let amount = page.amount;
    let repositories = app.engine.all_repositories(&principal, page).await?;
    Ok(Answer(Paged::new(repositories, amount, Repository::from)))
}

/// Create a repository.
#[utoipa::path(
    post, path = "/organizations/{organization}/repositories", operation_id = "createRepository",
    tag = "repositories", request_body = CreateRepository,
    responses(
        (status = 201, body = Repository), (status = 400), (status = 404), (status = 409),
    ),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
    Json(body): Json<CreateRepository>,
) -> Result<(StatusCode, Answer<Repository>)> {
    let repository = app.engine.create_repository(&principal, &organization, body.into()).await?;
    Ok((StatusCode::CREATED, Answer(repository.into())))
}

/// List the repositories of an organization.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories", operation_id = "listRepositories",
    tag = "repositories", params(PageQuery),
    responses((status = 200, body = Paged<Repository>), (status = 400), (status = 404)),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Paged<Repository>>> {
    let page = query.request()?;
    let amount = page.amount;
    let repositories = app.engine.repositories(&principal, &organization, page).await?;
    Ok(Answer(Paged::new(repositories, amount, Repository::from)))
}

/// Get a repository.
#[utoipa::path(
    get, path = "/organizations/{organization}/repositories/{repository}",
    operation_id = "getRepository", tag = "repositories",
    responses((status = 200, body = Repository), (status = 404)),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
) -> Result<Answer<Repository>> {
    Ok(Answer(app.engine.repository(&principal, &organization, &repository).await?.into()))
}

/// Change a repository.
#[utoipa::path(
    put, path = "/organizations/{organization}/repositories/{repository}",
    operation_id = "updateRepository", tag = "repositories", request_body = UpdateRepository,
    responses(
        (status = 200, body = Repository), (status = 400), (status = 403), (status = 404),
    ),
)]
pub(crate) async fn update(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
    Json(body): Json<UpdateRepository>,
) -> Result<Answer<Repository>> {
    let change = body.into();
    let repository =
        app.engine.update_repository(&principal, &organization, &repository, change).await?;
    Ok(Answer(repository.into()))
}

/// Delete a repository.
#[utoipa::path(
    delete, path = "/organizations/{organization}/repositories/{repository}",
    operation_id = "deleteRepository", tag = "repositories",
    responses((status = 204), (status = 403), (status = 404)),
)]
pub(crate) async fn delete(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, repository)): Path<RepositoryPath>,
) -> Result<StatusCode> {
    app.engine.delete_repository(&principal, &organization, &repository).await?;
    Ok(StatusCode::NO_CONTENT)
}
