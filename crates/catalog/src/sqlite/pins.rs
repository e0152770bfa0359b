//! What jobs keep from being collected although no commit holds it.
//!
//! A job pins as long as it may go on: while it is open, and while its checkpoint is kept. After
//! that only the tree of a preview is left, for as long as that is kept.

use model::{CommitId, Fragment, JobId, JobPins, Piece, Preview, RepositoryId};
use rusqlite::{Connection, Row};

use super::columns::{commit_if_any, uuid};
use super::query::{all, one};
use super::{documents, shards};
use crate::Result;

pub(super) fn pinning_jobs(db: &Connection) -> Result<Vec<JobId>> {
    all(
        db,
        "SELECT id FROM jobs WHERE status IN ('pending', 'running')
         UNION SELECT job FROM shards
         UNION SELECT id FROM jobs
            WHERE preview IS NOT NULL AND json_extract(preview, '$.changes.page') IS NOT NULL
         ORDER BY id",
        [],
        |row| Ok(JobId(uuid(row, "id")?)),
    )
}

pub(super) fn pins(db: &Connection, job: JobId) -> Result<JobPins> {
    let found = one(
        db,
        "SELECT repository, base, source_repository, source_commit, preview,
            status IN ('pending', 'running')
                OR EXISTS (SELECT 1 FROM shards WHERE shards.job = jobs.id) AS may_go_on
         FROM jobs WHERE id = ?1",
        [job.0.as_bytes()],
        |row| {
            let preview = documents::preview(row, "preview")?;
            Ok((row.get::<_, bool>("may_go_on")?, commits(row)?, preview))
        },
    )?;
    let Some((may_go_on, commits, preview)) = found else { return Ok(nothing(None)) };
    if !may_go_on {
        return Ok(nothing(preview));
    }
    let mut runs = shards::runs(db, job)?;
    runs.extend(shards::prior_runs(db, job)?);
    let pending = shards::state(db, job)?.pending;
    let mut pieces = Vec::new();
    for key in pending {
        pieces.extend(key.pieces.into_iter().map(|(_, piece)| piece));
        let fragments = key.fragments.into_iter();
        pieces.extend(fragments.map(|Fragment { extent, hash, .. }| Piece { extent, hash }));
    }
    Ok(JobPins { commits, runs, pieces, ..nothing(preview) })
}

fn nothing(preview: Option<Preview>) -> JobPins {
    // The empty tree has nothing to be pinned.
    let preview = preview.map(|preview| preview.changes).filter(|root| root.page.is_some());
    JobPins { commits: Vec::new(), runs: Vec::new(), pieces: Vec::new(), preview }
}

fn commits(row: &Row<'_>) -> rusqlite::Result<Vec<(RepositoryId, CommitId)>> {
    let mut commits = Vec::new();
    for (repository, commit) in [("repository", "base"), ("source_repository", "source_commit")] {
        if let Some(id) = commit_if_any(row, commit)? {
            commits.push((RepositoryId(uuid(row, repository)?), id));
        }
    }
    Ok(commits)
}
