//! What is needed: the roots from which everything that must stay can be reached.
//!
//! The order in which they are read matters, see [`super`].

use std::collections::HashSet;
use std::ops::Bound;

use model::{CommitId, Content, Extent, RepositoryId, Root, Timestamp, WriterId};

use crate::commits::is_stale;
use crate::sessions::Staged;
use crate::{Engine, Error, Kind, Result};

/// Rows fetched from the catalog at a time.
const BATCH: usize = 256;

/// What is needed, as of one reading.
#[derive(Default)]
pub(super) struct Roots {
    /// Writers whose segments are needed wholly.
    pub(super) writers: HashSet<WriterId>,
    /// Trees of commits, previews and the bases of sessions.
    pub(super) trees: Vec<Root>,
    /// Runs of imports; the entries in them are needed as well.
    pub(super) runs: Vec<Extent>,
    /// Pieces of objects that are not complete, or staged.
    pub(super) pieces: Vec<Extent>,
    /// Extent lists of staged objects; the pieces in them are needed as well.
    pub(super) lists: Vec<Extent>,
}

/// The repositories that are deleted. They do not come back.
pub(super) async fn deleted(engine: &Engine) -> Result<HashSet<RepositoryId>> {
    let mut deleted = HashSet::new();
    for repository in engine.catalog().all_repositories().await? {
        if engine.catalog().repository_by_id(repository.id).await?.is_none() {
            deleted.insert(repository.id);
        }
    }
    Ok(deleted)
}

impl Roots {
    /// Reads all roots but those of the `deleted` repositories; commits are stale as of `now`.
    pub(super) async fn read(
        engine: &Engine,
        now: Timestamp,
        deleted: &HashSet<RepositoryId>,
    ) -> Result<Self> {
        let mut roots = Self::default();
        roots.writers.extend(engine.catalog().live_writers().await?);
        roots.add_pins(engine).await?;
        roots.add_uploads(engine).await?;
        roots.add_sessions(engine, deleted).await?;
        roots.add_commits(engine, now, deleted).await?;
        Ok(roots)
    }

    async fn add_pins(&mut self, engine: &Engine) -> Result<()> {
        for job in engine.catalog().pinning_jobs().await? {
            let pins = engine.catalog().pins(job).await?;
            for (repository, id) in pins.commits {
                self.trees.push(tree_of(engine, repository, id).await?);
            }
            self.trees.extend(pins.preview);
            self.runs.extend(pins.runs.iter().map(|run| run.extent));
            self.pieces.extend(pins.pieces.iter().map(|piece| piece.extent));
        }
        Ok(())
    }

    /// Parts that have arrived. Of an upload that is completed meanwhile the object is staged by
    /// the time that the sessions are read.
    async fn add_uploads(&mut self, engine: &Engine) -> Result<()> {
        for upload in engine.catalog().open_uploads().await? {
            let parts = engine.catalog().parts(upload).await?;
            for part in parts.iter().filter(|part| !part.pieces.is_empty()) {
                let pieces = tree::extent_list::decode(&part.pieces)?;
                self.pieces.extend(pieces.iter().map(|piece| piece.extent));
            }
        }
        Ok(())
    }

    /// What sessions read: their bases and what they have staged.
    async fn add_sessions(
        &mut self,
        engine: &Engine,
        deleted: &HashSet<RepositoryId>,
    ) -> Result<()> {
        for session in engine.catalog().open_sessions().await? {
            if deleted.contains(&session.repository) {
                continue;
            }
            self.trees.push(engine.session_base(&session).await?);
            let _alone = engine.carrying.write().await;
            let mut staged = Staged::new(engine, session.id, Bound::Unbounded, None);
            while let Some(edit) = staged.next().await? {
                match edit.entry.map(|entry| entry.content) {
                    Some(Content::Pieces(pieces)) => {
                        self.pieces.extend(pieces.iter().map(|piece| piece.extent));
                    }
                    Some(Content::List(list)) => self.lists.push(list),
                    None => {}
                }
            }
        }
        Ok(())
    }

    async fn add_commits(
        &mut self,
        engine: &Engine,
        now: Timestamp,
        deleted: &HashSet<RepositoryId>,
    ) -> Result<()> {
        for repository in engine.catalog().all_repositories().await? {
            if deleted.contains(&repository.id) {
                continue;
            }
            let _alone = engine.carrying.write().await;
            let mut next = repository.head;
            // A damaged row can make a commit its own ancestor.
            let mut seen = HashSet::new();
            while let Some(from) = next.filter(|from| seen.insert(*from)) {
                let batch = engine.catalog().log(repository.id, from, BATCH).await?;
                if batch.is_empty() {
                    return Err(missing(from));
                }
                let kept = batch.iter().filter(|commit| !is_stale(&repository, commit, now));
                self.trees.extend(kept.map(|commit| commit.root));
                next = batch.last().and_then(|commit| commit.parent);
            }
        }
        Ok(())
    }
}

async fn tree_of(engine: &Engine, repository: RepositoryId, id: CommitId) -> Result<Root> {
    let commit = engine.catalog().commit(repository, id).await?;
    commit.map(|commit| commit.root).ok_or_else(|| missing(id))
}

fn missing(id: CommitId) -> Error {
    let message = format!("the commit {id} is missing, so nobody knows what it needs: run check");
    Error::new(Kind::Damaged, "DATA_DAMAGED", message)
}
