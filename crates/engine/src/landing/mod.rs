//! How a commit of a session or a revert lands: on the present head, in one transaction.
//!
//! Its changes were made on an older tree. If others have changed the same paths since, it is
//! refused; else the changes are applied to the head, the new pages become durable, and one
//! transaction moves the head, if that is still the same. Commits of this server to a repository
//! wait for each other; an import can move the head in between, and more can be staged: then all
//! of it is done anew.

mod changes;
mod conflicts;

use std::collections::BTreeMap;

use blocks::Writer;
use catalog::{Landed, Landing};
use model::limits::MESSAGE_BYTES_MAX;
use model::{Commit, CommitId, Deed, RepositoryId, Root, Timestamp};
use tree::Tree;

use self::changes::Changes;
use crate::names::check_metadata;
use crate::{Engine, Error, Kind, Principal, Result};

pub(crate) use changes::Source;

/// Times a commit is made anew.
const TRIES_MAX: u32 = 20;

/// What a commit says beside its content.
#[derive(Clone, Debug, Default)]
pub struct CommitSpec {
    /// Must not be empty, at most [`model::limits::MESSAGE_BYTES_MAX`] bytes.
    pub message: String,
    /// Free key-value pairs, bounded as those of an entry.
    pub metadata: BTreeMap<String, String>,
}

/// A commit that is asked for.
pub(crate) struct Request<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) repository: RepositoryId,
    pub(crate) source: Source,
    /// Checked.
    pub(crate) spec: CommitSpec,
    /// What the audit log records; the commit's id is added.
    pub(crate) deed: Deed,
}

/// A commit whose pages are durable.
struct Prepared {
    changes: Changes,
    landing: Landing,
}

impl Engine {
    /// Lands a commit. Kinds: `Invalid` (`NO_CHANGES`), `Conflict` naming paths, `NotFound` if the
    /// session or the repository is gone, `Unavailable` if the head kept moving.
    pub(crate) async fn land(&self, request: Request<'_>) -> Result<CommitId> {
        let _alone = self.commit_lock(request.repository).await;
        // What only the parent of a reverted commit holds goes back into the head.
        let _carrying = match request.source {
            Source::Revert(_) => Some(self.carrying.read().await),
            Source::Session(_) => None,
        };
        // Held until after the transaction: what a writer that is gone has not recorded is swept.
        let pages = self.page_writer(request.repository).await?;
        self.land_with(request, pages.writer()).await
    }

    async fn land_with(&self, request: Request<'_>, writer: &Writer) -> Result<CommitId> {
        for _ in 0..TRIES_MAX {
            let head = self.present_head(request.repository).await?;
            // Not when it was asked for: it may have waited for others, and history is in order.
            let mut deed = Deed { at: self.now(), ..request.deed.clone() };
            let prepared = self.prepare(&request, deed.at, head.as_ref(), writer).await?;
            self.reach("land.pages_durable")?;
            let id = prepared.landing.commit.id;
            deed.details.insert("commit".to_owned(), id.to_string());
            match prepared.changes.write(self, &prepared.landing, &deed).await? {
                Landed::Committed => return Ok(id),
                Landed::HeadMoved | Landed::Restaged => {}
                Landed::Gone => return Err(request.source.gone()),
            }
        }
        Err(Error::new(
            Kind::Unavailable,
            "HEAD_MOVED",
            "others kept changing this while the commit was made, so nothing was committed; try \
             again",
        ))
    }

    /// Makes the tree of the changes on `head`, durable.
    async fn prepare(
        &self,
        request: &Request<'_>,
        at: Timestamp,
        head: Option<&Commit>,
        writer: &Writer,
    ) -> Result<Prepared> {
        let changes = Changes::read(self, request.repository, &request.source).await?;
        let onto = head.map_or_else(Tree::empty, |head| head.root);
        conflicts::refuse(self, &changes, &onto).await?;
        let applied = self.tree.apply(&onto, changes.edits(self), writer).await?;
        if applied.root.hash == onto.hash {
            let message = "there is nothing to commit: every path is as it was";
            return Err(Error::new(Kind::Invalid, "NO_CHANGES", message));
        }
        self.parts.located.add(&applied.segments);
        let commit = new_commit(request, at, head, applied.root);
        let expected_head = commit.parent;
        Ok(Prepared {
            changes,
            landing: Landing { expected_head, commit, segments: applied.segments },
        })
    }

    /// The present head of a repository; `None` while it has no commit.
    async fn present_head(&self, repository: RepositoryId) -> Result<Option<Commit>> {
        let found = self.catalog().repository_by_id(repository).await?;
        let repository = found.ok_or_else(|| Error::not_found("repository"))?;
        self.resolve(&repository, None).await
    }
}

impl CommitSpec {
    /// Itself, if it keeps the bounds.
    pub(crate) fn checked(self) -> Result<Self> {
        if self.message.trim().is_empty() {
            return Err(Error::invalid("message: must not be empty"));
        }
        if self.message.len() > MESSAGE_BYTES_MAX {
            return Err(Error::invalid(format!("message: at most {MESSAGE_BYTES_MAX} bytes")));
        }
        check_metadata(&self.metadata)?;
        Ok(self)
    }
}

fn new_commit(
    request: &Request<'_>,
    created_at: Timestamp,
    parent: Option<&Commit>,
    root: Root,
) -> Commit {
    let user = &request.principal.user;
    let mut commit = Commit {
        id: CommitId([0; 32]),
        repository: request.repository,
        parent: parent.map(|parent| parent.id),
        root,
        message: request.spec.message.clone(),
        committer: user.id,
        committer_name: user.display_name().to_owned(),
        created_at,
        metadata: request.spec.metadata.clone(),
        superseded_at: None,
        expired: false,
    };
    commit.id = commit.content_id();
    commit
}
