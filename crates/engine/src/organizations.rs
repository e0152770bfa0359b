//! Organizations and their members.

use model::{Member, Organization, OrganizationId, Role};

use crate::access::Verb;
use crate::names::{check_label, is_organization_slug};
use crate::{Engine, Error, Kind, Principal, Result};

/// Slugs that are, or may become, something else in a URL.
const RESERVED: [&str; 14] = [
    "account",
    "admin",
    "api",
    "assets",
    "auth",
    "check-name",
    "device",
    "livez",
    "login",
    "logout",
    "metrics",
    "readyz",
    "settings",
    "static",
];

/// An organization to be made.
#[derive(Clone, Debug)]
pub struct OrganizationSpec {
    /// Slug: `^[a-z0-9][a-z0-9-]{1,62}$`, not a reserved one.
    pub name: String,
    /// What people see; the name if empty.
    pub display_name: String,
}

/// Whether a name can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameCheck {
    /// Whether an organization of this name can be made.
    pub available: bool,
    /// Empty if available, else `invalid`, `reserved` or `taken`.
    pub reason: &'static str,
}

impl Engine {
    /// Makes an organization; the principal becomes its owner. `Conflict` if the name is taken.
    pub async fn create_organization(
        &self,
        principal: &Principal,
        spec: OrganizationSpec,
    ) -> Result<Organization> {
        let OrganizationSpec { name, display_name } = spec;
        match refusal(&name) {
            Some("reserved") => return Err(Error::invalid(format!("name: {name} is reserved"))),
            Some(_) => return Err(Error::invalid("name: must match ^[a-z0-9][a-z0-9-]{1,62}$")),
            None => check_label("display_name", &display_name)?,
        }
        let organization = Organization {
            id: OrganizationId(self.entropy().uuid()),
            display_name: if display_name.is_empty() { name.clone() } else { display_name },
            name,
            created_at: self.now(),
        };
        let deed = self.deed(principal, Some(organization.id), "CreateOrganization", "");
        let deed = deed.with("name", &organization.name);
        self.catalog().create_organization(&organization, principal.user.id, &deed).await?;
        Ok(organization)
    }

    /// The principal's organizations, by name.
    pub async fn organizations(&self, principal: &Principal) -> Result<Vec<Organization>> {
        Ok(self.catalog().organizations_of(principal.user.id).await?)
    }

    /// One organization.
    pub async fn organization(&self, principal: &Principal, name: &str) -> Result<Organization> {
        self.organization_for(principal, name, Verb::GetOrganization).await
    }

    /// Deletes an organization with all it has; its name is free again.
    pub async fn delete_organization(&self, principal: &Principal, name: &str) -> Result<()> {
        let found = self.organization_for(principal, name, Verb::DeleteOrganization).await?;
        let deed = self.deed(principal, Some(found.id), "DeleteOrg", "").with("name", name);
        match self.catalog().delete_organization(found.id, &deed).await? {
            true => Ok(()),
            false => Err(Error::not_found("organization")),
        }
    }

    /// Whether an organization of this name can be made. Any user may ask.
    pub async fn check_organization_name(
        &self,
        _principal: &Principal,
        name: &str,
    ) -> Result<NameCheck> {
        let reason = match refusal(name) {
            Some(reason) => reason,
            None if self.catalog().organization_name_taken(name).await? => "taken",
            None => "",
        };
        Ok(NameCheck { available: reason.is_empty(), reason })
    }

    /// The members, by username.
    pub async fn members(&self, principal: &Principal, organization: &str) -> Result<Vec<Member>> {
        let found = self.organization_for(principal, organization, Verb::ListMembers).await?;
        Ok(self.catalog().members(found.id).await?)
    }

    /// Makes an existing user a member with this role. `NotFound` for an unknown user, `Conflict`
    /// for a member.
    pub async fn add_member(
        &self,
        principal: &Principal,
        organization: &str,
        username: &str,
        role: Role,
    ) -> Result<()> {
        let found = self.organization_for(principal, organization, Verb::ChangeMembers).await?;
        let user = self.user_named(username).await?;
        let resource = format!("members/{username}");
        let deed = self.deed(principal, Some(found.id), "AddMember", resource);
        let deed = deed.with("role", role.as_str());
        Ok(self.catalog().add_member(found.id, user.id, role, &deed).await?)
    }

    /// Ends the membership of a user, named by id or username. `NotFound` if there is none,
    /// `Conflict` for the last owner.
    pub async fn remove_member(
        &self,
        principal: &Principal,
        organization: &str,
        member: &str,
    ) -> Result<()> {
        let found = self.organization_for(principal, organization, Verb::ChangeMembers).await?;
        // A username may look like an id. Then it is taken for one, so that nobody can call
        // themselves like the member that is meant.
        let user = match member.parse() {
            Ok(id) => self.catalog().user(id).await?.ok_or_else(|| Error::not_found("member"))?,
            Err(_) => self.user_named(member).await.map_err(|error| match error.kind {
                Kind::NotFound => Error::not_found("member"),
                _ => error,
            })?,
        };
        let resource = format!("members/{}", user.username);
        let deed = self.deed(principal, Some(found.id), "RemoveMember", resource);
        match self.catalog().remove_member(found.id, user.id, &deed).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::not_found("member")),
            Err(catalog::Error::Conflict { .. }) => {
                Err(Error::conflict("the last owner of an organization cannot be removed"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Why no organization can ever have this name: `invalid`, `reserved`, or nothing.
fn refusal(name: &str) -> Option<&'static str> {
    match name {
        name if !is_organization_slug(name) => Some("invalid"),
        name if RESERVED.contains(&name) => Some("reserved"),
        _ => None,
    }
}
