//! A connector: the stored record of a place in a foreign store and how to reach it.
//!
//! The *config* (credentials, region, endpoint) is not part of it: the catalog keeps that sealed,
//! and only the engine opens it, for as long as a source is in use.

use std::fmt;
use std::str::FromStr;

use crate::{ConnectorId, IdError, OrganizationId, Timestamp, UserId};

/// What kind of store a connector reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectorKind {
    /// S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
}

impl ConnectorKind {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
        }
    }
}

impl fmt::Display for ConnectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ConnectorKind {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        [Self::S3, Self::Gcs]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(IdError { what: "connector type" })
    }
}

/// A connector, as the catalog keeps it, without its config.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connector {
    /// Its id; stays in the provenance of entries after it is deleted.
    pub id: ConnectorId,
    /// The organization that owns it.
    pub organization: OrganizationId,
    /// Unique among the organization's live connectors.
    pub name: String,
    /// What it reaches.
    pub kind: ConnectorKind,
    /// Where: `s3://bucket/prefix/` or `gs://bucket/prefix/`, as given.
    pub source_uri: String,
    /// A disabled connector can be seen but not used.
    pub disabled: bool,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted; its sealed config went with it.
    pub deleted_at: Option<Timestamp>,
}
