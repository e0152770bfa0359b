//! Imports.

use engine::ImportRequest;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Result;
use crate::extract::id_field;
use crate::wire::USER;

/// An import to be started. Exactly one source: `connector_id`, or `source_organization` with
/// `source_repository` (not in this version).
#[derive(Deserialize, ToSchema)]
pub(crate) struct StartImport {
    /// A connector that is attached to the repository.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    connector_id: Option<String>,
    #[serde(default)]
    source_organization: Option<String>,
    #[serde(default)]
    source_repository: Option<String>,
    /// Which part of the source: absolute if it starts with the connector's own prefix, else
    /// below it.
    #[serde(default)]
    source_prefix: Option<String>,
    /// Where the objects go; empty for the root of the repository.
    destination_path: String,
    #[serde(default)]
    commit_message: Option<String>,
    /// Not in this version: must be false.
    #[serde(default)]
    use_versioning: Option<bool>,
}

/// An import that was started.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportStarted {
    pub(crate) job_id: Uuid,
}

/// An import job.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportJob)]
pub(crate) struct Import {
    id: Uuid,
    repository_id: Uuid,
    connector_id: Option<Uuid>,
    /// Of an import from another repository, which this version does not do: null.
    source_repository_id: Option<Uuid>,
    source_organization: Option<String>,
    source_repository: Option<String>,
    source_prefix: String,
    destination_path: String,
    commit_message: String,
    /// `pending`, `running`, `completed`, `failed` or `canceled`.
    status: &'static str,
    /// Objects that are in place so far, unchanged ones included.
    objects_imported: u64,
    /// Objects that were listed and had vanished when they were to be read.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    objects_missing: u64,
    /// Bytes of the objects that are in place so far.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    bytes_imported: u64,
    /// The commit, once completed; left out where nothing matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_id: Option<String>,
    /// Once failed: what happened and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    created_by_type: &'static str,
    created_by: Uuid,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl StartImport {
    /// The engine's request; 400 if an id is none.
    pub(crate) fn request(self) -> Result<ImportRequest> {
        let id = self.connector_id.map(|id| id_field("connector_id", &id)).transpose()?;
        Ok(ImportRequest {
            connector_id: id,
            source_organization: self.source_organization,
            source_repository: self.source_repository,
            source_prefix: self.source_prefix,
            destination_path: self.destination_path,
            commit_message: self.commit_message,
            use_versioning: self.use_versioning.unwrap_or(false),
        })
    }
}

impl From<model::Import> for Import {
    fn from(import: model::Import) -> Self {
        Self {
            id: import.id.0,
            repository_id: import.spec.repository.0,
            connector_id: Some(import.spec.connector.0),
            source_repository_id: None,
            source_organization: None,
            source_repository: None,
            source_prefix: import.spec.source_prefix,
            destination_path: import.spec.destination_path,
            commit_message: import.spec.commit_message,
            status: import.status.as_str(),
            objects_imported: import.objects_imported,
            objects_missing: import.objects_missing,
            bytes_imported: import.bytes_imported,
            commit_id: import.commit.map(|id| id.to_string()),
            error: import.error,
            created_by_type: USER,
            created_by: import.spec.created_by.0,
            created_at: import.created_at,
            updated_at: import.updated_at,
        }
    }
}
