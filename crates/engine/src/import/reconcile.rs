//! Reconcile: what the import brings, compared path by path with the head it is merged into.
//!
//! Two sorted streams in step: the entries of the import, and the entries of the head within the
//! import's reach (the paths that start as its paths do). An overlay of copied objects needs none
//! of this; a mirror finds here what to delete, an import from a repository what is unchanged, a
//! dry run everything it tells.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use model::{Content, Count, Entry, Hash, ImportMode, ObjectPath, Root, Timestamp, successor};
use tree::Edit;

use super::job::{Job, Reads};
use super::survey;
use crate::Error;

/// The entries of an import by path.
pub(super) type Incoming = BoxStream<'static, Result<(ObjectPath, Entry), Error>>;

/// What was found. Complete once the stream has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    /// Entries of the head within reach that the filters take.
    pub(super) reach: u64,
    /// New paths.
    pub(super) added: Count,
    /// Replaced objects, by the new ones' bytes.
    pub(super) modified: Count,
    /// Deleted by a mirror.
    pub(super) removed: Count,
    /// As they were.
    pub(super) unchanged: Count,
}

impl Tally {
    /// All objects of the import.
    pub(super) fn imported(&self) -> Count {
        let parts = [self.added, self.modified, self.unchanged];
        Count {
            objects: parts.iter().map(|count| count.objects).sum(),
            bytes: parts.iter().map(|count| count.bytes).sum(),
        }
    }

    /// Why a mirror may not go on, if it would delete too much.
    pub(super) fn refusal(&self, mode: ImportMode) -> Option<String> {
        let ImportMode::Mirror { max_delete_percent } = mode else { return None };
        let removed = self.removed.objects;
        let too_many = removed * 100 > self.reach * u64::from(max_delete_percent);
        too_many.then(|| {
            format!(
                "the mirror would delete {removed} of the {} objects in its reach, more than \
                 max_delete_percent ({max_delete_percent}) allows; check the source, then raise it",
                self.reach
            )
        })
    }
}

/// A tally that a stream fills and its maker reads.
#[derive(Clone, Default)]
pub(super) struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    pub(super) fn get(&self) -> Tally {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// One path at which the head and the import are to differ, or not.
pub(super) struct Met {
    pub(super) path: ObjectPath,
    pub(super) status: Status,
    /// The import's entry; the head's, where the import has none.
    pub(super) entry: Entry,
}

/// What becomes of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    Added,
    Modified,
    Removed,
    Unchanged,
}

impl Met {
    /// The edit that brings it about.
    pub(super) fn edit(self) -> Option<Edit> {
        let entry = match self.status {
            Status::Unchanged => return None,
            Status::Removed => None,
            Status::Added | Status::Modified => Some(self.entry),
        };
        Some(Edit { path: self.path, entry })
    }
}

/// Stands in the run of a mirror for whatever the head holds at a path: the object there could not
/// be read, and so nothing is to change. Having no provenance tells it from what is imported.
pub(super) fn kept() -> Entry {
    Entry {
        size: 0,
        hash: Hash::of(b""),
        content_type: "".into(),
        last_modified: Timestamp::default(),
        metadata: BTreeMap::new(),
        source: None,
        content: Content::Pieces(Vec::new()),
    }
}

/// Every path of the import, and of a mirror every path it deletes, in order.
pub(super) fn with_head(
    job: &Arc<Job>,
    head: &Root,
    incoming: Incoming,
    tally: SharedTally,
) -> impl Stream<Item = Result<Met, Error>> + Send + 'static {
    let reach = job.mapping.reach();
    let end = successor(&reach);
    let head = job.engine.tree.scan(head, Bound::Included(reach), end);
    let join = Join { job: Arc::clone(job), head, incoming, at: None, next: None, tally };
    stream::try_unfold((join, true), |(mut join, is_first)| async move {
        if is_first {
            join.begin().await?;
        }
        Ok(join.next().await?.map(|met| (met, (join, false))))
    })
}

struct Join {
    job: Arc<Job>,
    head: tree::Scan,
    incoming: Incoming,
    /// Where the head is, ...
    at: Option<(ObjectPath, Entry)>,
    /// ... and where the import is.
    next: Option<(ObjectPath, Entry)>,
    tally: SharedTally,
}

impl Join {
    async fn begin(&mut self) -> Result<(), Error> {
        self.at = self.head.next().await?;
        self.next = self.incoming.next().await.transpose()?;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Met>, Error> {
        loop {
            let order = match (&self.at, &self.next) {
                (None, None) => return Ok(None),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((at, _)), Some((next, _))) => at.cmp(next),
            };
            if order.is_lt() {
                if let Some(met) = self.head_alone().await? {
                    return Ok(Some(met));
                }
                continue;
            }
            let older = match order.is_eq() {
                true => self.step_head().await?.map(|(_, entry)| entry),
                false => None,
            };
            let following = self.incoming.next().await.transpose()?;
            let Some((path, entry)) = std::mem::replace(&mut self.next, following) else {
                continue;
            };
            if entry.source.is_some() {
                return Ok(Some(self.meet(path, entry, older)));
            }
            self.tally.count(|tally| tally.reach += u64::from(older.is_some()));
        }
    }

    /// The head's present entry; the next one takes its place.
    async fn step_head(&mut self) -> Result<Option<(ObjectPath, Entry)>, Error> {
        let following = self.head.next().await?;
        Ok(std::mem::replace(&mut self.at, following))
    }

    /// An entry that the import does not have: a mirror deletes it, if the filters take it.
    async fn head_alone(&mut self) -> Result<Option<Met>, Error> {
        let Some((path, entry)) = self.step_head().await? else { return Ok(None) };
        if !self.job.filter.takes(self.job.mapping.below_destination(&path)) {
            return Ok(None);
        }
        let is_mirror = matches!(self.job.import.spec.options.mode, ImportMode::Mirror { .. });
        self.tally.count(|tally| {
            tally.reach += 1;
            if is_mirror {
                tally.removed.add(entry.size);
            }
        });
        Ok(is_mirror.then_some(Met { path, status: Status::Removed, entry }))
    }

    fn meet(&self, path: ObjectPath, entry: Entry, older: Option<Entry>) -> Met {
        let status = match &older {
            None => Status::Added,
            Some(older) if is_same(&self.job, &path, older, &entry) => Status::Unchanged,
            Some(_) => Status::Modified,
        };
        self.tally.count(|tally| {
            tally.reach += u64::from(older.is_some());
            match status {
                Status::Added => tally.added.add(entry.size),
                Status::Modified => tally.modified.add(entry.size),
                _ => tally.unchanged.add(entry.size),
            }
        });
        Met { path, status, entry }
    }
}

/// Whether the head holds already what the import would put there.
fn is_same(job: &Job, path: &ObjectPath, older: &Entry, entry: &Entry) -> bool {
    match &job.reads {
        Reads::Tree(_) => is_same_object(older, entry),
        Reads::Store(_) if job.import.spec.options.dry_run => {
            job.unchanged(&survey::listed(job, path, entry), older)
        }
        Reads::Store(_) => older.source == entry.source && is_same_object(older, entry),
    }
}

/// The same object from the same place, whichever job brought it and from whichever commit.
fn is_same_object(older: &Entry, entry: &Entry) -> bool {
    let is_same_place = match (older.source.as_deref(), entry.source.as_deref()) {
        (Some(older), Some(source)) => {
            older.connector_type == source.connector_type
                && older.connector_id == source.connector_id
                && older.source_path == source.source_path
                && older.source_etag == source.source_etag
        }
        (None, None) => true,
        _ => false,
    };
    is_same_place
        && older.size == entry.size
        && older.hash == entry.hash
        && older.content_type == entry.content_type
        && older.last_modified == entry.last_modified
        && older.metadata == entry.metadata
}
