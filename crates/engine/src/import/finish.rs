//! Finish: the runs become one commit.
//!
//! The runs are merged into the tree of the present head, so what others committed meanwhile stays,
//! and inside the import's own paths the import wins. Should the head move again before the
//! transaction, it is done anew on the new head; from the third time on under the repository's
//! commit lock, so that it comes to an end.

use std::collections::BTreeMap;

use catalog::{Finish, Finished, Standing};
use model::{Commit, CommitId, Root, Run, ShardState};
use tree::Tree;

use super::end::End;
use super::job::Job;
use super::merge;
use super::stop::Reason;

/// Times the merge is done on a head that then moves.
const HEADS_TRIED_MAX: u32 = 20;
/// From this try on nobody of this server commits to the repository beside us.
const TRY_WITH_LOCK: u32 = 3;

/// Lands the runs; gives what the job answers as its commit.
pub(super) async fn commit(
    job: &Job,
    runs: &[Run],
    state: &ShardState,
) -> Result<Option<CommitId>, End> {
    let repository = job.import.spec.repository;
    for attempt in 1..=HEADS_TRIED_MAX {
        let _held = if attempt >= TRY_WITH_LOCK {
            Some(job.engine.commit_lock(repository).await)
        } else {
            None
        };
        let head = job.engine.head_of(repository).await?;
        let finish = merge_into(job, head.as_ref(), runs, state).await?;
        let now = job.engine.now();
        match job.engine.catalog().finish_import(job.key, &finish, now).await? {
            Finished::Completed => {
                job.reach("import.finished");
                return Ok(finish.commit_id);
            }
            Finished::HeadMoved(_) => continue,
            Finished::Stopped(standing) => return Err(stopped(standing)),
        }
    }
    Err(End::failed("the head of the repository kept moving while the import finished"))
}

/// Makes the tree of `head` and the runs durable; gives what the transaction is to write.
async fn merge_into(
    job: &Job,
    head: Option<&Commit>,
    runs: &[Run],
    state: &ShardState,
) -> Result<Finish, End> {
    let base = head.map_or_else(Tree::empty, |head| head.root);
    let edits = merge::entries(&job.engine.parts.blocks, runs);
    let applied = job.engine.tree.apply(&base, edits, &job.writer).await?;
    job.reach("import.pages_durable");
    job.engine.parts.located.add(&applied.segments);
    let is_new = applied.root.hash != base.hash;
    let commit =
        if is_new { Some(new_commit(job, head, applied.root, state).await?) } else { None };
    // Without a new commit the job names the head, which holds all that matched; where nothing
    // matched it names none.
    let confirmed = head.filter(|_| !runs.is_empty());
    Ok(Finish {
        expected_head: head.map(|head| head.id),
        commit_id: commit.as_ref().or(confirmed).map(|commit| commit.id),
        commit,
        segments: applied.segments,
        objects_imported: state.objects,
        objects_missing: state.missing,
        bytes_imported: state.bytes,
    })
}

fn stopped(standing: Standing) -> End {
    End::Stopped(match standing {
        Standing::CancelRequested => Reason::Canceled,
        Standing::Barred(message) => Reason::Barred(message),
        Standing::Fenced | Standing::Good => Reason::Fenced,
    })
}

async fn new_commit(
    job: &Job,
    parent: Option<&Commit>,
    root: Root,
    state: &ShardState,
) -> Result<Commit, End> {
    let spec = &job.import.spec;
    let user = job.engine.catalog().user(spec.created_by).await?;
    let committer_name = user.map(|user| user.display_name().to_owned()).unwrap_or_default();
    let mut commit = Commit {
        id: CommitId([0; 32]),
        repository: spec.repository,
        parent: parent.map(|parent| parent.id),
        root,
        message: spec.commit_message.clone(),
        committer: spec.created_by,
        committer_name,
        created_at: job.engine.now(),
        metadata: metadata(state),
        superseded_at: None,
    };
    commit.id = commit.content_id();
    Ok(commit)
}

/// What was left out is named where nobody can overlook it.
fn metadata(state: &ShardState) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    if state.missing > 0 {
        metadata.insert("objects_missing".to_owned(), state.missing.to_string());
        metadata.insert("missing".to_owned(), state.missing_names.join("\n"));
    }
    if state.markers > 0 {
        metadata.insert("markers_left_out".to_owned(), state.markers.to_string());
    }
    metadata
}
