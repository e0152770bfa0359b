//! Organizations and memberships.

use model::{OrganizationId, Role, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{Error, Result};

/// An organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct Organization {
    id: Uuid,
    name: String,
    display_name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An organization to be made.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateOrganization {
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{1,62}$")]
    pub(crate) name: String,
    /// Up to 255 bytes, no control characters; the name if empty.
    pub(crate) display_name: String,
}

/// Whether a name can be taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct NameCheck {
    available: bool,
    /// Empty if available, else `invalid`, `reserved` or `taken`.
    reason: &'static str,
}

/// A membership.
#[derive(Serialize, ToSchema)]
pub(crate) struct Membership {
    organization_id: Uuid,
    user_id: Uuid,
    username: String,
    full_name: String,
    email: String,
    #[schema(value_type = String, format = DateTime)]
    joined_at: Timestamp,
    /// `owner` or `member`.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    role: &'static str,
}

/// A member to be added.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AddMember {
    /// Of an existing user.
    pub(crate) username: String,
    /// `member` (the default) or `owner`.
    #[serde(default)]
    #[schema(pattern = "^(owner|member)$", extensions(("x-tilde-extension" = json!(true))))]
    role: Option<String>,
}

impl AddMember {
    /// What the member may do.
    pub(crate) fn role(&self) -> Result<Role> {
        match self.role.as_deref() {
            None | Some("member") => Ok(Role::Member),
            Some("owner") => Ok(Role::Owner),
            Some(_) => Err(Error::invalid("role: must be owner or member")),
        }
    }
}

impl From<model::Organization> for Organization {
    fn from(organization: model::Organization) -> Self {
        Self {
            id: organization.id.0,
            name: organization.name,
            display_name: organization.display_name,
            created_at: organization.created_at,
        }
    }
}

impl From<engine::NameCheck> for NameCheck {
    fn from(check: engine::NameCheck) -> Self {
        Self { available: check.available, reason: check.reason }
    }
}

impl Membership {
    pub(crate) fn new(organization: OrganizationId, member: model::Member) -> Self {
        Self {
            organization_id: organization.0,
            user_id: member.user.id.0,
            username: member.user.username,
            full_name: member.user.full_name,
            email: member.user.email,
            joined_at: member.joined_at,
            role: match member.role {
                Role::Owner => "owner",
                Role::Member => "member",
            },
        }
    }
}
