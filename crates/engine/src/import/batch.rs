//! Batches: entries gather beside their bytes until they become a durable run and a checkpoint.

use std::sync::Arc;

use blocks::{ItemKind, Segment};
use catalog::Checkpoint;
use model::{Entry, Extent, Hash, ObjectPath, Run, SegmentRecord, ShardState, limits};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::end::End;
use super::job::Job;
use super::patience::patiently;

/// Batches that may wait to become durable while the next one fills.
const CLOSED_AHEAD_MAX: usize = 1;

/// The open batch.
#[derive(Default)]
pub(super) struct Batch {
    segment: Option<Segment>,
    entries: Vec<(ObjectPath, Entry)>,
    /// Bytes of the entries' texts.
    text_bytes: usize,
    /// Sealed segments that no checkpoint knows yet.
    records: Vec<SegmentRecord>,
    since: Option<Instant>,
}

impl Batch {
    /// Stores bytes beside the entries of this batch.
    pub(super) async fn append(
        &mut self,
        job: &Job,
        kind: ItemKind,
        bytes: &[u8],
        hash: Hash,
    ) -> Result<Extent, End> {
        self.touch();
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(job.writer.open().await?),
        };
        Ok(segment.append(kind, bytes, hash).await?)
    }

    /// Adds an entry whose bytes are in this batch or durable.
    pub(super) fn add(&mut self, path: ObjectPath, entry: Entry) {
        self.touch();
        self.text_bytes += text_bytes(&path, &entry);
        self.entries.push((path, entry));
    }

    /// Adds a segment that is durable.
    pub(super) fn add_segment(&mut self, record: SegmentRecord) {
        self.touch();
        self.records.push(record);
    }

    /// Starts the batch's clock: something waits for a checkpoint.
    pub(super) fn touch(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether the batch should become durable now.
    pub(super) fn is_due(&self, job: &Job) -> bool {
        self.entries.len() >= limits::RUN_ENTRIES_MAX
            || self.text_bytes >= limits::RUN_TEXT_BYTES
            || self.segment.as_ref().is_some_and(Segment::is_full)
            || self.since.is_some_and(|since| since.elapsed() >= job.batch_age())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.since.is_none()
    }
}

/// What of an entry has no fixed size.
fn text_bytes(path: &ObjectPath, entry: &Entry) -> usize {
    let metadata = entry.metadata.iter().map(|(key, value)| key.len() + value.len());
    let source = entry.source.as_ref().map_or(0, |source| source.source_path.len());
    path.as_bytes().len() + entry.content_type.len() + metadata.sum::<usize>() + source
}

/// A batch and the state of the shard once it is durable.
struct Closed {
    batch: Batch,
    state: ShardState,
}

/// Makes batches durable, in order, in a task of its own.
pub(super) struct Checkpointer {
    closed: mpsc::Sender<Closed>,
    task: JoinHandle<Result<(Vec<Run>, ShardState), End>>,
}

impl Checkpointer {
    /// Goes on after these runs.
    pub(super) fn start(job: &Arc<Job>, runs: Vec<Run>, state: ShardState) -> Self {
        let (closed, receiver) = mpsc::channel(CLOSED_AHEAD_MAX);
        let task = tokio::spawn(record_all(Arc::clone(job), runs, state, receiver));
        Self { closed, task }
    }

    /// Hands a batch over; waits while too many are under way. `false` if the task has failed:
    /// `finish` says why.
    pub(super) async fn hand_over(&self, batch: Batch, state: ShardState) -> bool {
        self.closed.send(Closed { batch, state }).await.is_ok()
    }

    /// Waits for what was handed over; gives all runs and the last recorded state.
    pub(super) async fn finish(self) -> Result<(Vec<Run>, ShardState), End> {
        drop(self.closed);
        self.task.await.map_err(|error| End::Broken(crate::Error::internal(error)))?
    }
}

async fn record_all(
    job: Arc<Job>,
    mut runs: Vec<Run>,
    mut state: ShardState,
    mut receiver: mpsc::Receiver<Closed>,
) -> Result<(Vec<Run>, ShardState), End> {
    while let Some(closed) = receiver.recv().await {
        let number = runs.last().map_or(0, |run| run.number + 1);
        state = closed.state;
        runs.extend(record(&job, closed.batch, number, state.clone()).await?);
    }
    Ok((runs, state))
}

/// Segment durable first, then the row that names it.
async fn record(
    job: &Job,
    batch: Batch,
    number: u32,
    shard: ShardState,
) -> Result<Option<Run>, End> {
    let Batch { mut segment, mut entries, records: mut segments, .. } = batch;
    let mut run = None;
    if !entries.is_empty() {
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let segment = match &mut segment {
            Some(segment) => segment,
            none => none.insert(job.writer.open().await?),
        };
        run = Some(write_run(segment, &entries, number).await?);
    }
    if let Some(segment) = segment {
        segments.push(segment.seal().await?);
    }
    job.reach("import.batch_durable")?;
    job.engine.parts.located.add(&segments);
    let checkpoint = Checkpoint { segments, run: run.clone(), shard };
    let catalog = job.engine.catalog();
    let checkpointed = || catalog.checkpoint(job.key, &checkpoint, job.engine.now());
    patiently(job.stop.requested(), checkpointed).await?;
    job.reach("import.checkpointed")?;
    metrics::counter!("tilde_import_objects_total").increment(entries.len() as u64);
    let bytes: u64 = entries.iter().map(|(_, entry)| entry.size).sum();
    metrics::counter!("tilde_import_bytes_total").increment(bytes);
    Ok(run)
}

/// Appends the run of `entries`, whose paths ascend strictly.
pub(super) async fn write_run(
    segment: &mut Segment,
    entries: &[(ObjectPath, Entry)],
    number: u32,
) -> Result<Run, End> {
    let bytes = tree::run::encode(entries)?;
    let hash = Hash::of(&bytes);
    let extent = segment.append(ItemKind::Run, &bytes, hash).await?;
    let edge = |edge: Option<&(ObjectPath, Entry)>| {
        edge.map(|(path, _)| path.as_bytes().to_vec()).unwrap_or_default()
    };
    Ok(Run {
        number,
        extent,
        entries: entries.len() as u64,
        first: edge(entries.first()),
        last: edge(entries.last()),
    })
}
