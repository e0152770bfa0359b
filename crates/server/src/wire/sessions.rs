//! Sessions, what they have staged, and the commits that come of them.

use std::collections::BTreeMap;

use engine::{CommitSpec, StagedRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::wire::objects::Entry;

/// A session that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionCreated {
    pub(crate) session_id: Uuid,
}

/// How a session is to be committed.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CommitSession {
    /// 1 byte to 64 KiB.
    #[schema(min_length = 1)]
    message: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// How a commit is to be reverted.
#[derive(Deserialize, Default, ToSchema)]
pub(crate) struct RevertCommit {
    /// `Revert "..."` unless given.
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// A commit just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Committed {
    pub(crate) commit_id: String,
}

/// A staged change.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryRecord {
    path: String,
    /// Null where the object is to be deleted.
    #[schema(required)]
    entry: Option<Entry>,
}

impl From<CommitSession> for CommitSpec {
    fn from(request: CommitSession) -> Self {
        Self { message: request.message, metadata: request.metadata.unwrap_or_default() }
    }
}

impl From<RevertCommit> for CommitSpec {
    fn from(request: RevertCommit) -> Self {
        Self {
            message: request.message.unwrap_or_default(),
            metadata: request.metadata.unwrap_or_default(),
        }
    }
}

impl From<StagedRow> for EntryRecord {
    fn from(row: StagedRow) -> Self {
        Self { path: row.path.as_str().to_owned(), entry: row.entry.map(Entry::from) }
    }
}
