//! Finish: what was found becomes one commit, or the answer of a dry run.
//!
//! The import is merged into the tree of the present head, so what others committed meanwhile
//! stays, and inside the import's own paths the import wins. Should the head move again before the
//! transaction, it is done anew on the new head; from the third time on under the repository's
//! commit lock, so that it comes to an end.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Finish, Finished, Standing};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, future};
use model::{
    Actor, Commit, CommitId, Deed, ImportMode, ImportProgress, Phase, Preview, Root, Run,
    ShardState,
};
use tree::{Edit, Tree};

use super::end::End;
use super::job::{Job, Reads};
use super::patience::patiently;
use super::reconcile::{self, Incoming, SharedTally, Tally};
use super::stop::Reason;
use super::survey::Survey;
use super::{changes, merge, share};
use crate::Error;

/// Times the merge is done on a head that then moves.
const HEADS_TRIED_MAX: u32 = 20;
/// From this try on nobody of this server commits to the repository beside us.
const TRY_WITH_LOCK: u32 = 3;

/// What an import found in its source.
pub(super) enum Found {
    /// Objects that are copied, in durable runs, and what became of all that was listed.
    Copied(Vec<Run>, ShardState),
    /// Objects that are only listed, for a dry run.
    Listed(Survey),
    /// Entries of another repository's tree, which is read as it is merged.
    Shared,
}

/// Lands what was found; gives what the job answers as its commit.
pub(super) async fn commit(job: &Arc<Job>, found: &Found) -> Result<Option<CommitId>, End> {
    job.progress.enter(Phase::Committing);
    let repository = job.import.spec.repository;
    for attempt in 1..=HEADS_TRIED_MAX {
        let _held = if attempt >= TRY_WITH_LOCK {
            Some(job.engine.commit_lock(repository).await)
        } else {
            None
        };
        let head = job.engine.head_of(repository).await?;
        let finish = match job.import.spec.options.dry_run {
            true => preview(job, head.as_ref(), found).await?,
            false => merge_into(job, head.as_ref(), found).await?,
        };
        let catalog = job.engine.catalog();
        let deed = deed(job, &finish).await?;
        let finished = || async {
            let deed = Deed { at: job.engine.now(), ..deed.clone() };
            catalog.finish_import(job.key, &finish, &deed).await
        };
        match patiently(job.stop.requested(), finished).await? {
            Finished::Completed => {
                job.reach("import.finished")?;
                return Ok(finish.commit_id);
            }
            Finished::HeadMoved(_) => continue,
            Finished::Stopped(standing) => return Err(stopped(standing)),
        }
    }
    Err(End::failed("the head of the repository kept moving while the import finished"))
}

/// What the log of the organization will say of the commit, if there is one: the import was ended
/// by a worker, in the name of whoever started it.
async fn deed(job: &Job, finish: &Finish) -> Result<Deed, End> {
    let (catalog, spec) = (job.engine.catalog(), &job.import.spec);
    let user = catalog.user(spec.created_by).await?;
    let repository = catalog.repository_by_id(spec.repository).await?;
    let (organization, repository) =
        repository.map(|found| (found.organization, found.name)).unzip();
    let deed = Deed {
        at: job.engine.now(),
        organization,
        actor: Actor::User {
            id: spec.created_by,
            name: user.map(|user| user.username).unwrap_or_default(),
        },
        request_id: String::new(),
        action: "CompleteImport",
        resource: format!(
            "repositories/{}/import/{}",
            repository.unwrap_or_default(),
            job.import.id
        ),
        details: BTreeMap::new(),
    };
    let deed = finish.commit_id.iter().fold(deed, |deed, id| deed.with("commit", id));
    Ok(deed.with("objects_imported", finish.progress.objects_imported))
}

fn stopped(standing: Standing) -> End {
    End::Stopped(match standing {
        Standing::CancelRequested => Reason::Canceled,
        Standing::Barred(message) => Reason::Barred(message),
        Standing::Fenced | Standing::Good => Reason::Fenced,
    })
}

/// The entries of the import, from the first.
fn incoming(job: &Arc<Job>, found: &Found) -> Incoming {
    let blocks = &job.engine.parts.blocks;
    match (found, &job.reads) {
        (Found::Copied(runs, _), _) => merge::entries(blocks, runs).boxed(),
        (Found::Listed(survey), _) => merge::entries(blocks, &survey.runs).boxed(),
        (Found::Shared, Reads::Tree(root)) => share::entries(job, root).boxed(),
        (Found::Shared, Reads::Store(_)) => unreachable!("a store is copied or listed"),
    }
}

/// Makes the tree of `head` and the import durable; gives what the transaction is to write.
async fn merge_into(job: &Arc<Job>, head: Option<&Commit>, found: &Found) -> Result<Finish, End> {
    let base = head.map_or_else(Tree::empty, |head| head.root);
    let (mode, tally) = (job.import.spec.options.mode, SharedTally::default());
    let edits = edits(job, &base, found, &tally);
    let applied = job.engine.tree.apply(&base, edits, &job.writer).await?;
    let tally = tally.get();
    if let Some(refusal) = tally.refusal(mode) {
        return Err(End::Failed(refusal));
    }
    job.reach("import.pages_durable")?;
    job.engine.parts.located.add(&applied.segments);
    let progress = last_word(job, found, &tally);
    let is_new = applied.root.hash != base.hash;
    let commit = match is_new {
        true => Some(new_commit(job, head, applied.root, found, &progress).await?),
        false => None,
    };
    // Without a new commit the job names the head, which holds all that matched; where nothing
    // matched it names none.
    let confirmed = head.filter(|_| progress.objects_imported > 0);
    Ok(Finish {
        expected_head: head.map(|head| head.id),
        commit_id: commit.as_ref().or(confirmed).map(|commit| commit.id),
        commit,
        segments: applied.segments,
        progress,
        preview: None,
    })
}

/// What is to change in the head. Copied objects that only come on top need not be compared.
fn edits(
    job: &Arc<Job>,
    base: &Root,
    found: &Found,
    tally: &SharedTally,
) -> BoxStream<'static, Result<Edit, Error>> {
    let incoming = incoming(job, found);
    match (found, job.import.spec.options.mode) {
        (Found::Copied(..), ImportMode::Overlay) => {
            incoming.map_ok(|(path, entry)| Edit { path, entry: Some(entry) }).boxed()
        }
        _ => reconcile::with_head(job, base, incoming, tally.clone())
            .try_filter_map(|met| future::ok(met.edit()))
            .boxed(),
    }
}

/// Finds what the import would change, makes the tree of it durable, and changes nothing.
async fn preview(job: &Arc<Job>, head: Option<&Commit>, found: &Found) -> Result<Finish, End> {
    let base = head.map_or_else(Tree::empty, |head| head.root);
    let tally = SharedTally::default();
    let changes = reconcile::with_head(job, &base, incoming(job, found), tally.clone())
        .try_filter_map(|met| future::ok(changes::record(met)))
        .boxed();
    let applied = job.engine.tree.apply(&Tree::empty(), changes, &job.writer).await?;
    job.reach("import.pages_durable")?;
    job.engine.parts.located.add(&applied.segments);
    let tally = tally.get();
    let preview = Preview {
        changes: applied.root,
        added: tally.added,
        modified: tally.modified,
        removed: tally.removed,
        unchanged: tally.unchanged,
        refusal: tally.refusal(job.import.spec.options.mode),
    };
    Ok(Finish {
        expected_head: head.map(|head| head.id),
        commit_id: None,
        commit: None,
        segments: applied.segments,
        progress: last_word(job, found, &tally),
        preview: Some(preview),
    })
}

/// The counts that stay with the job.
fn last_word(job: &Job, found: &Found, tally: &Tally) -> ImportProgress {
    let mut progress = ImportProgress {
        phase: Phase::Ended,
        bytes_per_second: 0,
        objects_deleted: tally.removed.objects,
        ..job.progress.get()
    };
    progress.listed_all = true;
    match found {
        Found::Copied(_, state) => {
            (progress.objects_listed, progress.bytes_listed) = (state.listed, state.listed_bytes);
        }
        Found::Listed(_) | Found::Shared => {
            let (imported, unchanged) = (tally.imported(), tally.unchanged);
            (progress.objects_listed, progress.bytes_listed) = (imported.objects, imported.bytes);
            if job.import.spec.options.dry_run {
                progress.objects_deleted = 0;
                return progress;
            }
            (progress.objects_imported, progress.bytes_imported) =
                (imported.objects, imported.bytes);
            (progress.objects_unchanged, progress.bytes_unchanged) =
                (unchanged.objects, unchanged.bytes);
        }
    }
    progress
}

async fn new_commit(
    job: &Job,
    parent: Option<&Commit>,
    root: Root,
    found: &Found,
    progress: &ImportProgress,
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
        metadata: metadata(found, progress),
        superseded_at: None,
        expired: false,
    };
    commit.id = commit.content_id();
    Ok(commit)
}

/// What was left out is named where nobody can overlook it.
fn metadata(found: &Found, progress: &ImportProgress) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    let mut put = |name: &str, value: String| metadata.insert(name.to_owned(), value);
    if progress.objects_deleted > 0 {
        put("objects_deleted", progress.objects_deleted.to_string());
    }
    let Found::Copied(_, state) = found else { return metadata };
    if state.missing > 0 {
        put("objects_missing", state.missing.to_string());
        put("missing", state.missing_names.join("\n"));
    }
    if state.skipped > 0 {
        let named = state.skipped_named.iter();
        let lines: Vec<_> = named.map(|one| format!("{}: {}", one.key, one.reason)).collect();
        put("objects_skipped", state.skipped.to_string());
        put("skipped", lines.join("\n"));
    }
    if state.markers > 0 {
        put("markers_left_out", state.markers.to_string());
    }
    metadata
}
