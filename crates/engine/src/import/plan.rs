//! List and compare: what the source holds, and what has to be done about each object.
//!
//! Runs in a task of its own, ahead of the transfers by a bounded number of objects. It emits in
//! key order, which is path order too, so that the base is read in step with the listing and
//! nothing is kept.

use std::ops::Bound;
use std::sync::Arc;

use model::{Entry, ObjectPath, PendingKey, ShardState, limits};
use sources::{Listed, Mapped};
use tokio::sync::mpsc;

use super::end::End;
use super::job::{Job, Target};

/// Objects planned ahead of the transfers: two pages of a listing.
const PLANNED_AHEAD_MAX: usize = 2_000;

/// What to do about one listed object.
pub(super) enum Planned {
    /// It is new or changed: read it. Pieces of it may be stored already.
    Fetch(Target, Vec<(u32, model::Piece)>),
    /// It is in the base as it is in the source: its entry is carried over.
    Carry(Vec<u8>, ObjectPath, Entry),
    /// It is the marker of the destination and has no path: left out and counted.
    Marker(Vec<u8>),
    /// The listing has reached its end.
    End,
}

/// Starts planning from where the checkpoint left off.
pub(super) fn start(job: &Arc<Job>, state: &ShardState) -> mpsc::Receiver<Result<Planned, End>> {
    let (sender, receiver) = mpsc::channel(PLANNED_AHEAD_MAX);
    let (job, state) = (Arc::clone(job), state.clone());
    tokio::spawn(async move {
        if let Err(end) = plan(&job, state, &sender).await {
            // A receiver that is gone has ended for a reason of its own.
            let _ = sender.send(Err(end)).await;
        }
    });
    receiver
}

type Sender = mpsc::Sender<Result<Planned, End>>;

async fn plan(job: &Job, state: ShardState, sender: &Sender) -> Result<(), End> {
    for pending in state.pending {
        let planned = again(job, pending)?;
        if sender.send(Ok(planned)).await.is_err() {
            return Ok(());
        }
    }
    if !state.listed_all {
        list(job, state.cursor, sender).await?;
    }
    let _ = sender.send(Ok(Planned::End)).await;
    Ok(())
}

/// An object that an earlier claim had listed and not finished.
fn again(job: &Job, pending: PendingKey) -> Result<Planned, End> {
    let listed = Listed {
        key: pending.key,
        size: pending.size,
        etag: pending.etag,
        last_modified: pending.last_modified,
    };
    match job.mapping.path_of(&listed.key) {
        Mapped::Path(path) => Ok(Planned::Fetch(Target { listed, path }, pending.pieces)),
        Mapped::Marker => Ok(Planned::Marker(listed.key)),
        Mapped::Invalid(reason) => Err(InvalidKeys::default().with(&listed.key, reason).end()),
    }
}

async fn list(job: &Job, cursor: Option<Vec<u8>>, sender: &Sender) -> Result<(), End> {
    let mut base = Base::new(job);
    let mut invalid = InvalidKeys::default();
    let mut token = None;
    loop {
        let page = job.source.list(cursor.as_deref(), token.as_ref()).await?;
        for listed in page.objects {
            let planned = match job.mapping.path_of(&listed.key) {
                Mapped::Invalid(reason) => {
                    invalid = invalid.with(&listed.key, reason);
                    continue;
                }
                // The job will fail: the rest is listed only to name what has to be renamed.
                _ if invalid.count > 0 => continue,
                Mapped::Marker => Planned::Marker(listed.key),
                Mapped::Path(path) => base.compare(job, listed, path).await?,
            };
            if sender.send(Ok(planned)).await.is_err() {
                return Ok(());
            }
        }
        job.reach("import.page_listed");
        match page.next {
            Some(next) if !invalid.is_full() && !sender.is_closed() => token = Some(next),
            _ => break,
        }
    }
    if invalid.count > 0 { Err(invalid.end()) } else { Ok(()) }
}

/// The base tree, read in step with the listing.
struct Base {
    /// `None` once nothing is left of it.
    scan: Option<tree::Scan>,
    /// The entry it is at.
    ahead: Option<(ObjectPath, Entry)>,
}

impl Base {
    fn new(job: &Job) -> Self {
        let scan = || job.engine.tree.scan(&job.base, Bound::Unbounded, None);
        Self { scan: (job.base.entries > 0).then(scan), ahead: None }
    }

    async fn compare(
        &mut self,
        job: &Job,
        listed: Listed,
        path: ObjectPath,
    ) -> Result<Planned, End> {
        self.seek(&path).await?;
        let carried =
            self.ahead.take_if(|(ahead, entry)| *ahead == path && job.unchanged(&listed, entry));
        Ok(match carried {
            Some((path, entry)) => Planned::Carry(listed.key, path, entry),
            None => Planned::Fetch(Target { listed, path }, Vec::new()),
        })
    }

    /// Moves to the first entry that is not before `path`, unless it is there already.
    async fn seek(&mut self, path: &ObjectPath) -> Result<(), End> {
        if self.ahead.as_ref().is_some_and(|(ahead, _)| ahead >= path) {
            return Ok(());
        }
        let Some(scan) = &mut self.scan else { return Ok(()) };
        scan.seek(Bound::Included(path.as_bytes().to_vec()));
        self.ahead = scan.next().await?;
        if self.ahead.is_none() {
            self.scan = None;
        }
        Ok(())
    }
}

/// Source keys that cannot be paths.
#[derive(Default)]
struct InvalidKeys {
    named: Vec<String>,
    count: usize,
}

impl InvalidKeys {
    fn with(mut self, key: &[u8], reason: model::PathError) -> Self {
        self.count += 1;
        if !self.is_full() {
            self.named.push(format!("{:?} ({reason})", String::from_utf8_lossy(key)));
        }
        self
    }

    fn is_full(&self) -> bool {
        self.named.len() >= limits::INVALID_KEYS_NAMED_MAX
    }

    fn end(self) -> End {
        // The listing ends early once as many are named as are to be.
        let least = if self.is_full() { "at least " } else { "" };
        let (count, named) = (self.count, self.named.join(", "));
        End::failed(format!(
            "{least}{count} source keys cannot be object paths; rename them or import another \
             prefix: {named}"
        ))
    }
}
