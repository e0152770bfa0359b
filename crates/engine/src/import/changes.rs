//! What a dry run found, page by page.

use std::collections::BTreeMap;
use std::ops::Bound;

use model::{Content, Entry, Hash, JobId, JobStatus, Page, PageRequest};
use tree::Edit;

use super::reconcile::{Met, Status};
use crate::access::Verb;
use crate::names::check_page;
use crate::{Engine, Error, Kind, Principal, Result};

/// Metadata of an entry of a preview that tells what would happen at its path.
const STATUS: &str = "status";

/// One change that an import would make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedChange {
    /// Where.
    pub path: String,
    /// What would happen there.
    pub status: ChangeStatus,
    /// Bytes of the object that would be there, or that would be removed.
    pub size: u64,
}

/// What would happen at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeStatus {
    /// A new object.
    Added,
    /// Another object in place of one.
    Modified,
    /// A mirror would delete it.
    Removed,
}

impl ChangeStatus {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Removed => "removed",
        }
    }
}

/// What the tree of a preview holds at a path that would change.
pub(super) fn record(met: Met) -> Option<Edit> {
    let status = match met.status {
        Status::Added => ChangeStatus::Added,
        Status::Modified => ChangeStatus::Modified,
        Status::Removed => ChangeStatus::Removed,
        Status::Unchanged => return None,
    };
    let entry = Entry {
        size: met.entry.size,
        hash: Hash::of(b""),
        content_type: "".into(),
        last_modified: met.entry.last_modified,
        metadata: BTreeMap::from([(STATUS.to_owned(), status.as_str().to_owned())]),
        source: None,
        content: Content::Pieces(Vec::new()),
    };
    Some(Edit { path: met.path, entry: Some(entry) })
}

impl Engine {
    /// The changes that a dry run found, by path; the cursor is the last path. `Conflict` for a job
    /// that is no dry run or has not completed, `Gone` once the preview has expired.
    pub async fn import_changes(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        job: JobId,
        page: &PageRequest,
    ) -> Result<Page<PlannedChange>> {
        let verb = Verb::GetImportChanges;
        let (_, repository) =
            self.repository_for(principal, organization, repository, verb).await?;
        let import = self.catalog().import(repository.id, job).await?;
        let import = import.ok_or_else(|| Error::not_found("import job"))?;
        let Some(preview) = import.preview else {
            return Err(Error::conflict(match import.status {
                _ if !import.spec.options.dry_run => "the import is no dry run",
                JobStatus::Pending | JobStatus::Running => "the dry run has not ended yet",
                _ => "the dry run did not complete, so nothing is known",
            }));
        };
        let changed = preview.added.objects + preview.modified.objects + preview.removed.objects;
        if preview.changes.page.is_none() && changed > 0 {
            let message = "the changes that the dry run found have expired; run it again";
            return Err(Error::new(Kind::Gone, "PREVIEW_EXPIRED", message));
        }
        let page = check_page(page.clone())?;
        let start = match &page.after {
            Some(after) => Bound::Excluded(after.clone().into_bytes()),
            None => Bound::Unbounded,
        };
        let mut changes = self.tree.scan(&preview.changes, start, None);
        let mut rows = Vec::new();
        while let Some((path, entry)) = changes.next().await? {
            if rows.len() == page.amount {
                let next = rows.last().map(|row: &PlannedChange| row.path.clone());
                return Ok(Page { rows, next });
            }
            rows.push(planned(path.as_str(), &entry));
        }
        Ok(Page { rows, next: None })
    }
}

fn planned(path: &str, entry: &Entry) -> PlannedChange {
    let status = match entry.metadata.get(STATUS).map(String::as_str) {
        Some("added") => ChangeStatus::Added,
        Some("removed") => ChangeStatus::Removed,
        _ => ChangeStatus::Modified,
    };
    PlannedChange { path: path.to_owned(), status, size: entry.size }
}
