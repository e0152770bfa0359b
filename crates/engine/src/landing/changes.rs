//! The changes of a commit that is to land: what a session has staged, or what undoes a commit.

use std::ops::Bound;

use catalog::{Landed, Landing};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, stream};
use model::{CommitId, Deed, RepositoryId, Root, Session, SessionId};
use tree::{Diff, Edit};

use super::conflicts::Paths;
use crate::sessions::{self, Staged};
use crate::{Engine, Error, Result};

/// Where changes come from.
pub(crate) enum Source {
    /// What a session has staged, on what it began with.
    Session(SessionId),
    /// What undoes this commit.
    Revert(CommitId),
}

/// Changes, as of one reading.
pub(super) enum Changes {
    Session { session: Session, base: Root },
    Revert { commit: Root, parent: Root },
}

impl Source {
    /// What to answer when it, or the repository, turns out to be gone.
    pub(super) fn gone(&self) -> Error {
        match self {
            Self::Session(_) => sessions::not_found(),
            Self::Revert(_) => Error::not_found("repository"),
        }
    }
}

impl Changes {
    /// Reads where the changes stand now.
    pub(super) async fn read(
        engine: &Engine,
        repository: RepositoryId,
        source: &Source,
    ) -> Result<Self> {
        match *source {
            Source::Session(id) => {
                let session = engine.session_of(repository, id).await?;
                let base = engine.session_base(&session).await?;
                Ok(Self::Session { session, base })
            }
            Source::Revert(id) => {
                let (commit, parent) = engine.trees_of(repository, id).await?;
                Ok(Self::Revert { commit, parent })
            }
        }
    }

    /// The tree that they were made on.
    pub(super) fn base(&self) -> &Root {
        match self {
            Self::Session { base, .. } => base,
            Self::Revert { commit, .. } => commit,
        }
    }

    /// Since when a change of somebody else's is in their way.
    pub(super) fn since(&self) -> &'static str {
        match self {
            Self::Session { .. } => "since the session began",
            Self::Revert { .. } => "since that commit",
        }
    }

    /// They themselves, in order.
    pub(super) fn edits(&self, engine: &Engine) -> BoxStream<'static, Result<Edit>> {
        match self {
            Self::Session { session, .. } => {
                Staged::new(engine, session.id, Bound::Unbounded, None).edits().boxed()
            }
            Self::Revert { commit, parent } => {
                edits(engine.tree.diff(commit, parent, Bound::Unbounded, None)).boxed()
            }
        }
    }

    /// Only their paths.
    pub(super) fn paths(&self, engine: &Engine) -> Paths {
        match self {
            Self::Session { session, .. } => {
                Paths::Staged(Staged::new(engine, session.id, Bound::Unbounded, None))
            }
            Self::Revert { commit, parent } => Paths::differing(engine, commit, parent),
        }
    }

    /// Lands the commit that was made of them, if they are still the same.
    pub(super) async fn write(
        &self,
        engine: &Engine,
        landing: &Landing,
        deed: &Deed,
    ) -> Result<Landed> {
        let catalog = engine.catalog();
        Ok(match self {
            Self::Session { session, .. } => {
                catalog.commit_session(session.id, session.revision, landing, deed).await?
            }
            Self::Revert { .. } => catalog.land(landing, deed).await?,
        })
    }
}

fn edits(diff: Diff) -> impl Stream<Item = Result<Edit>> + Send + 'static {
    stream::try_unfold(diff, |mut diff| async move {
        let edit = diff.next().await?.map(|change| Edit { path: change.path, entry: change.right });
        Ok(edit.map(|edit| (edit, diff)))
    })
}
