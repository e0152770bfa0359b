//! Connectors. A config goes in and never comes out: no answer has a field for it.

use engine::{ConnectorSpec, ConnectorUpdate};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A connector.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorInfo)]
pub(crate) struct Connector {
    id: Uuid,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    source_uri: String,
    display_source: String,
    /// A disabled connector can be seen but not used.
    disabled: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

// Holds credentials, so it has no `Debug`.
/// A connector to be made.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateConnector {
    /// Unique within the organization; 1 to 255 bytes, no control characters.
    #[schema(min_length = 1)]
    name: String,
    /// `s3` or `gcs`.
    #[schema(pattern = "^(s3|gcs)$")]
    #[serde(rename = "type")]
    kind: String,
    /// `s3://bucket/prefix/` or `gs://bucket/prefix/`; the prefix is a directory and may be empty.
    #[schema(pattern = "^(s3|gs)://")]
    source_uri: String,
    /// For `s3`: `access_key_id` and `secret_access_key`; optional `region` (default
    /// `us-east-1`), `endpoint` and `session_token`. For `gcs`: `credentials_json`, the key of a
    /// service account. Never returned.
    #[schema(value_type = Object)]
    config: serde_json::Value,
}

// Holds credentials, so it has no `Debug`.
/// What to change of a connector; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateConnector {
    /// Unique within the organization; 1 to 255 bytes, no control characters.
    #[serde(default)]
    #[schema(min_length = 1)]
    name: Option<String>,
    /// A whole new config, as for creating a connector: nothing of the old one is kept. Never
    /// returned.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    config: Option<serde_json::Value>,
    /// True to disable the connector: it can be seen but not used, and imports through it end.
    #[serde(default)]
    disabled: Option<bool>,
}

// Holds credentials, so it has no `Debug`.
/// A config to be tried out; nothing is stored.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TestConnectorConfig {
    /// `s3` or `gcs`.
    #[schema(pattern = "^(s3|gcs)$")]
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// `s3://bucket/prefix/` or `gs://bucket/prefix/`.
    #[schema(pattern = "^(s3|gs)://")]
    pub(crate) source_uri: String,
    /// As for creating a connector.
    #[schema(value_type = Object)]
    pub(crate) config: serde_json::Value,
}

/// A connector to be attached to a repository.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AttachConnector {
    #[schema(value_type = Uuid)]
    pub(crate) connector_id: String,
}

impl From<model::Connector> for Connector {
    fn from(connector: model::Connector) -> Self {
        Self {
            id: connector.id.0,
            name: connector.name,
            kind: connector.kind.as_str(),
            display_source: connector.source_uri.clone(),
            source_uri: connector.source_uri,
            disabled: connector.disabled,
            created_at: connector.created_at,
        }
    }
}

impl From<UpdateConnector> for ConnectorUpdate {
    fn from(request: UpdateConnector) -> Self {
        Self { name: request.name, config: request.config, disabled: request.disabled }
    }
}

impl From<CreateConnector> for ConnectorSpec {
    fn from(request: CreateConnector) -> Self {
        Self {
            name: request.name,
            kind: request.kind,
            source_uri: request.source_uri,
            config: request.config,
        }
    }
}
