//! Commits.

use std::collections::BTreeMap;

use engine::CommitView;
use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::wire::USER;

/// A commit.
#[derive(Serialize, ToSchema)]
pub(crate) struct CommitLog {
    id: String,
    /// The display name of who made it.
    committer: String,
    committer_type: &'static str,
    committer_id: String,
    message: String,
    #[schema(value_type = String, format = DateTime)]
    creation_date: Timestamp,
    parents: Vec<String>,
    metadata: BTreeMap<String, String>,
    /// Whether it is past the repository's retention: its objects can no longer be read.
    is_stale: bool,
    /// Objects in it.
    object_count: u64,
    /// Bytes of all its objects.
    total_size: u64,
}

impl From<CommitView> for CommitLog {
    fn from(view: CommitView) -> Self {
        let commit = view.commit;
        Self {
            id: commit.id.to_string(),
            committer: commit.committer_name,
            committer_type: USER,
            committer_id: commit.committer.to_string(),
            message: commit.message,
            creation_date: commit.created_at,
            parents: commit.parent.iter().map(ToString::to_string).collect(),
            metadata: commit.metadata,
            is_stale: view.is_stale,
            object_count: commit.root.entries,
            total_size: commit.root.bytes,
        }
    }
}
