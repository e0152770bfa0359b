//! Organizations, users, members and API keys.

use crate::{ApiKeyId, OrganizationId, Timestamp, UserId};

/// An organization.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Slug, unique on the server: `^[a-z0-9][a-z0-9-]{1,62}$`.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A user. The password hash stays in the catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Unique on the server.
    pub username: String,
    /// May be empty: a self-hosted server sends no mail.
    pub email: String,
    /// May be empty.
    pub full_name: String,
    /// What they say about themselves; may be empty.
    pub bio: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Whether a password is set.
    pub has_password: bool,
}

impl User {
    /// What commits call this user.
    pub fn display_name(&self) -> &str {
        if self.full_name.is_empty() { &self.username } else { &self.full_name }
    }
}

/// What a member may do: an owner everything; a member everything but change members, make or
/// delete connectors, test a config that is not stored, and delete organization or repository.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Uses the organization.
    Member,
    /// Rules the organization.
    Owner,
}

impl Role {
    /// Its name in the catalog and its log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }
}

/// A user's membership of an organization.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Who.
    pub user: User,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}

/// A user's API key, without its token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub user: UserId,
    /// Given by the user.
    pub name: String,
    /// Given by the user, may be empty.
    pub description: String,
    /// Last four characters of the token.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A key to be stored: only the hash of its token.
#[derive(Clone)]
pub struct NewApiKey {
    /// The record.
    pub key: ApiKey,
    /// SHA-256 of the whole token.
    pub token_hash: [u8; 32],
}
