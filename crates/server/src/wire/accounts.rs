//! Users and API keys.

use engine::MeChange;
use model::{Secret, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::extract::{optional_secret, secret};

/// Who is asking.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    user: User,
    organizations: Vec<OrgSummary>,
    /// Whether the user can log in with a password.
    has_password: bool,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    id: Uuid,
    username: String,
    email: String,
    full_name: String,
    /// `password`.
    source: &'static str,
    /// `active`.
    status: &'static str,
    /// What they say about themselves.
    bio: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What to change of the caller's account; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMe {
    #[serde(default)]
    full_name: Option<String>,
    #[serde(default)]
    bio: Option<String>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, min_length = 8)]
    pub(crate) new_password: Secret,
    /// Needed if there is a password.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>, format = Password)]
    pub(crate) current_password: Option<Secret>,
}

/// An organization, in short.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgSummary {
    id: Uuid,
    name: String,
    display_name: String,
}

/// An API key to be made.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateApiKey {
    /// 1 to 255 bytes, no control characters.
    #[schema(min_length = 1)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// A new API key; the only answer that shows the token.
#[derive(Serialize, ToSchema)]
#[schema(as = APITokenCreated)]
pub(crate) struct ApiKeyCreated {
    token: String,
    id: String,
    name: String,
    description: String,
}

/// An API key.
#[derive(Serialize, ToSchema)]
#[schema(as = APIToken)]
pub(crate) struct ApiKey {
    id: String,
    user_id: Uuid,
    name: String,
    description: String,
    /// The last four characters of the token.
    token_hint: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

impl From<engine::Me> for Me {
    fn from(me: engine::Me) -> Self {
        let summary = |organization: model::Organization| OrgSummary {
            id: organization.id.0,
            name: organization.name,
            display_name: organization.display_name,
        };
        Self {
            user: me.user.into(),
            organizations: me.organizations.into_iter().map(summary).collect(),
            has_password: me.has_password,
        }
    }
}

impl From<UpdateMe> for MeChange {
    fn from(request: UpdateMe) -> Self {
        Self { full_name: request.full_name, bio: request.bio }
    }
}

impl From<model::User> for User {
    fn from(user: model::User) -> Self {
        Self {
            id: user.id.0,
            username: user.username,
            email: user.email,
            full_name: user.full_name,
            source: "password",
            status: "active",
            bio: user.bio,
            created_at: user.created_at,
        }
    }
}

impl From<engine::NewKey> for ApiKeyCreated {
    fn from(new: engine::NewKey) -> Self {
        Self {
            token: new.token.expose().to_owned(),
            id: new.key.id.to_string(),
            name: new.key.name,
            description: new.key.description,
        }
    }
}

impl From<model::ApiKey> for ApiKey {
    fn from(key: model::ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            user_id: key.user.0,
            name: key.name,
            description: key.description,
            token_hint: key.hint,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}
