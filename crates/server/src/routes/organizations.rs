//! Organizations and their members.

use axum::Json as Answer;
use axum::extract::State;
use engine::OrganizationSpec;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{Json, Path, Query};
use crate::wire::{
    AddMember, CreateOrganization, Membership, NameCheck, Organization, Results, Status,
};

/// The name to check.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NameQuery {
    /// The name to check.
    #[param(required = true)]
    name: Option<String>,
}

/// Create an organization. The caller becomes its owner.
#[utoipa::path(
    post, path = "/organizations", operation_id = "createOrganization", tag = "organizations",
    request_body = CreateOrganization,
    responses((status = 201, body = Organization), (status = 400), (status = 409)),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Json(body): Json<CreateOrganization>,
) -> Result<(StatusCode, Answer<Organization>)> {
    let spec = OrganizationSpec { name: body.name, display_name: body.display_name };
    let organization = app.engine.create_organization(&principal, spec).await?;
    Ok((StatusCode::CREATED, Answer(organization.into())))
}

/// List the caller's organizations.
#[utoipa::path(
    get, path = "/organizations", operation_id = "listOrganizations", tag = "organizations",
    responses((status = 200, body = Results<Organization>)),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Caller(principal): Caller,
) -> Result<Answer<Results<Organization>>> {
    let organizations = app.engine.organizations(&principal).await?;
    Ok(Answer(Results::new(organizations, Organization::from)))
}

/// Tell whether an organization of this name can be made.
#[utoipa::path(
    get, path = "/organizations/check-name", operation_id = "checkOrganizationName",
    tag = "organizations", params(NameQuery),
    responses((status = 200, body = NameCheck), (status = 400)),
)]
pub(crate) async fn check_name(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Query(query): Query<NameQuery>,
) -> Result<Answer<NameCheck>> {
    let name = query.name.ok_or_else(|| Error::invalid("name: required"))?;
    Ok(Answer(app.engine.check_organization_name(&principal, &name).await?.into()))
}

/// Get an organization.
#[utoipa::path(
    get, path = "/organizations/{organization}", operation_id = "getOrg", tag = "organizations",
    responses((status = 200, body = Organization), (status = 404)),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
) -> Result<Answer<Organization>> {
    Ok(Answer(app.engine.organization(&principal, &organization).await?.into()))
}

/// Delete an organization with all it has.
#[utoipa::path(
    delete, path = "/organizations/{organization}", operation_id = "deleteOrg",
    tag = "organizations",
    responses((status = 204), (status = 403), (status = 404)),
)]
pub(crate) async fn delete(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
) -> Result<StatusCode> {
    app.engine.delete_organization(&principal, &organization).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the members of an organization.
#[utoipa::path(
    get, path = "/organizations/{organization}/members", operation_id = "listMembers",
    tag = "organizations",
    responses((status = 200, body = Results<Membership>), (status = 404)),
)]
pub(crate) async fn members(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
) -> Result<Answer<Results<Membership>>> {
    let id = app.engine.organization(&principal, &organization).await?.id;
    let members = app.engine.members(&principal, &organization).await?;
    Ok(Answer(Results::new(members, |member| Membership::new(id, member))))
}

/// Make an existing user a member.
#[utoipa::path(
    post, path = "/organizations/{organization}/members", operation_id = "addMember",
    tag = "organizations", request_body = AddMember,
    responses(
        (status = 201, body = Status), (status = 400), (status = 403), (status = 404),
        (status = 409),
    ),
)]
pub(crate) async fn add_member(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
    Json(body): Json<AddMember>,
) -> Result<(StatusCode, Answer<Status>)> {
    let role = body.role()?;
    app.engine.add_member(&principal, &organization, &body.username, role).await?;
    Ok((StatusCode::CREATED, Answer(Status::OK)))
}

/// End a membership, named by the user's id or username.
#[utoipa::path(
    delete, path = "/organizations/{organization}/members/{user_id}",
    operation_id = "removeMember", tag = "organizations",
    responses((status = 204), (status = 403), (status = 404), (status = 409)),
)]
pub(crate) async fn remove_member(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path((organization, user)): Path<(String, String)>,
) -> Result<StatusCode> {
    app.engine.remove_member(&principal, &organization, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
