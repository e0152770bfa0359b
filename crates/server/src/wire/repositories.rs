//! Repositories.

use engine::{RepositoryChange, RepositorySpec, RepositoryView};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::extract::given;
use crate::wire::USER;

/// A repository.
#[derive(Serialize, ToSchema)]
pub(crate) struct Repository {
    id: Uuid,
    organization_id: Uuid,
    organization_slug: String,
    organization_display_name: String,
    name: String,
    description: String,
    /// `private` or `public`; grants nothing.
    visibility: String,
    /// Days after which a commit that is not the latest can no longer be read; null keeps all.
    retention_days: Option<u32>,
    session_max_duration_days: u32,
    created_by_type: &'static str,
    created_by: Uuid,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A repository to be made.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateRepository {
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{1,62}$")]
    name: String,
    #[serde(default)]
    description: Option<String>,
    /// `private` (default) or `public`.
    #[serde(default)]
    #[schema(pattern = "^(private|public)$")]
    visibility: Option<String>,
    /// Keeps everything unless given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 36_500)]
    retention_days: Option<i64>,
    /// Default 7; must be below `retention_days`.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 36_500)]
    session_max_duration_days: Option<i64>,
}

/// What to change of a repository; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateRepository {
    #[serde(default)]
    description: Option<String>,
    /// `private` or `public`.
    #[serde(default)]
    #[schema(pattern = "^(private|public)$")]
    visibility: Option<String>,
    /// Null keeps everything.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 36_500)]
    retention_days: Option<Option<i64>>,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 36_500)]
    session_max_duration_days: Option<i64>,
}

impl From<RepositoryView> for Repository {
    fn from(view: RepositoryView) -> Self {
        let repository = view.repository;
        Self {
            id: repository.id.0,
            organization_id: repository.organization.0,
            organization_slug: view.organization_name,
            organization_display_name: view.organization_display_name,
            name: repository.name,
            description: repository.description,
            visibility: repository.visibility,
            retention_days: repository.retention_days,
            session_max_duration_days: repository.session_max_duration_days,
            created_by_type: USER,
            created_by: repository.created_by.0,
            created_at: repository.created_at,
        }
    }
}

impl From<CreateRepository> for RepositorySpec {
    fn from(request: CreateRepository) -> Self {
        Self {
            name: request.name,
            description: request.description.unwrap_or_default(),
            visibility: request.visibility,
            retention_days: request.retention_days,
            session_max_duration_days: request.session_max_duration_days,
        }
    }
}

impl From<UpdateRepository> for RepositoryChange {
    fn from(request: UpdateRepository) -> Self {
        Self {
            description: request.description,
            visibility: request.visibility,
            retention_days: request.retention_days,
            session_max_duration_days: request.session_max_duration_days,
        }
    }
}
