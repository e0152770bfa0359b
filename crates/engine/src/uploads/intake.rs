//! The intake of a repository: the open segment that small bodies share, and the barrier.
//!
//! One task owns the segment. It is sealed when somebody waits for it, when it is full, and a
//! quarter of a second after its first item. While one is being sealed, what arrives goes into the
//! next: all that wait for that one are served together. A segment that cannot be sealed is lost,
//! with everything in it, and all that wait are told.

use std::io;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use blocks::{ItemKind, Segment};
use bytes::Bytes;
use model::{Extent, Hash, SegmentId, SegmentRecord};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::lease::Lease;
use crate::{Error, Located, Result};

/// How long the first item of a segment waits at most before it is sealed.
const SEAL_AFTER: Duration = Duration::from_millis(250);
/// Items that wait to be appended, and calls for a barrier.
const COMMANDS_MAX: usize = 64;

/// Where the bytes of one repository go. Holds the lease of its writer.
pub(crate) struct Intake {
    lease: Arc<Lease>,
    commands: mpsc::Sender<Command>,
}

/// What is to be stored whole.
pub(super) struct Item {
    pub(super) kind: ItemKind,
    pub(super) bytes: Bytes,
    pub(super) hash: Hash,
    /// For the memory that the bytes take.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

enum Command {
    Append(Item, oneshot::Sender<Result<Appended, Arc<Error>>>),
    Seal(SegmentId),
}

struct Appended {
    extent: Extent,
    sealed: watch::Receiver<Option<Sealed>>,
}

/// What became of a segment; the error is shared by all whose bytes were in it.
type Sealed = Result<SegmentRecord, Arc<Error>>;

/// Stands for an item in the open segment, and keeps its writer live.
pub(super) struct Ticket {
    intake: Arc<Intake>,
    segment: SegmentId,
    sealed: watch::Receiver<Option<Sealed>>,
}

impl Ticket {
    /// Waits until the item is durable; gives the segment it is in.
    pub(super) async fn durable(&self) -> Result<SegmentRecord> {
        let mut sealed = self.sealed.clone();
        if sealed.borrow().is_none() {
            // A task that has ended has told what became of the segment, or is noticed below.
            let _ = self.intake.commands.send(Command::Seal(self.segment)).await;
        }
        let outcome = sealed.wait_for(Option::is_some).await.map_err(Error::internal)?;
        match outcome.as_ref().expect("waited for") {
            Ok(record) => Ok(record.clone()),
            Err(error) => Err(again(error)),
        }
    }
}

/// An error that others are told as well.
fn again(error: &Arc<Error>) -> Error {
    Error::new(error.kind, error.code, error.message.clone()).caused_by(Arc::clone(error))
}

impl Intake {
    /// Starts the task; it ends once neither intake nor ticket is left.
    pub(super) fn start(lease: Lease, located: Arc<Located>) -> Arc<Self> {
        let lease = Arc::new(lease);
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let task = Task {
            lease: Arc::clone(&lease),
            located,
            commands: receiver,
            open: None,
            sealing: None,
        };
        tokio::spawn(task.run());
        Arc::new(Self { lease, commands })
    }

    /// Whether its task still runs: it has not panicked.
    pub(super) fn works(&self) -> bool {
        !self.commands.is_closed()
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Adds an item to the open segment. One whose caller goes away meanwhile is garbage there.
    pub(super) async fn append(self: &Arc<Self>, item: Item) -> Result<(Extent, Ticket)> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(Command::Append(item, reply)).await;
        sent.map_err(|_| stopped())?;
        let appended = answer.await.map_err(|_| stopped())?;
        let Appended { extent, sealed } = appended.map_err(|error| again(&error))?;
        let segment = extent.segment;
        Ok((extent, Ticket { intake: Arc::clone(self), segment, sealed }))
    }
}

/// The task of an intake has panicked.
fn stopped() -> Error {
    Error::internal(io::Error::other("the intake of the repository has stopped"))
}

/// Owns the open segment.
struct Task {
    lease: Arc<Lease>,
    located: Arc<Located>,
    commands: mpsc::Receiver<Command>,
    open: Option<Open>,
    sealing: Option<JoinHandle<()>>,
}

struct Open {
    segment: Segment,
    seal_at: Instant,
    /// Somebody waits, or it is time.
    is_due: bool,
    sealed: watch::Sender<Option<Sealed>>,
}

impl Task {
    async fn run(mut self) {
        loop {
            self.seal_if_due();
            let is_full = self.open.as_ref().is_some_and(|open| open.segment.is_full());
            let seal_at = self.open.as_ref().filter(|open| !open.is_due).map(|open| open.seal_at);
            tokio::select! {
                biased;
                () = ended(&mut self.sealing) => self.sealing = None,
                command = self.commands.recv(), if !is_full => match command {
                    Some(Command::Append(item, reply)) => self.append(item, reply).await,
                    Some(Command::Seal(id)) => self.mark_due(id),
                    None => break,
                },
                () = until(seal_at) => self.open.iter_mut().for_each(|open| open.is_due = true),
            }
        }
        // No ticket is left, so nobody needs what is in it.
        if let Some(open) = self.open.take() {
            open.segment.discard().await;
        }
    }

    /// Begins to seal the open segment, after the one that is being sealed, and with what is
    /// waiting to be appended.
    fn seal_if_due(&mut self) {
        if self.sealing.is_some() {
            return;
        }
        let has_work = !self.commands.is_empty();
        let is_due = |open: &mut Open| open.segment.is_full() || (open.is_due && !has_work);
        let Some(Open { segment, sealed, .. }) = self.open.take_if(is_due) else { return };
        let (lease, located) = (Arc::clone(&self.lease), Arc::clone(&self.located));
        self.sealing = Some(tokio::spawn(async move {
            let outcome = segment.seal().await;
            if let Ok(record) = &outcome {
                located.add(slice::from_ref(record));
            }
            sealed.send_replace(Some(outcome.map_err(|error| lost(error.into()))));
            drop(lease);
        }));
    }

    fn mark_due(&mut self, id: SegmentId) {
        if let Some(open) = self.open.as_mut().filter(|open| open.segment.id() == id) {
            open.is_due = true;
        }
    }

    async fn append(&mut self, item: Item, reply: oneshot::Sender<Result<Appended, Arc<Error>>>) {
        let appended = match self.try_append(&item).await {
            Ok(appended) => Ok(appended),
            Err(error) => {
                let error = lost(error);
                if let Some(Open { segment, sealed, .. }) = self.open.take() {
                    sealed.send_replace(Some(Err(Arc::clone(&error))));
                    segment.discard().await;
                }
                Err(error)
            }
        };
        // Whoever went away does not need it.
        let _ = reply.send(appended);
        drop(item.permit);
    }

    async fn try_append(&mut self, item: &Item) -> Result<Appended> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open {
                segment: self.lease.writer().open().await?,
                seal_at: Instant::now() + SEAL_AFTER,
                is_due: false,
                sealed: watch::Sender::new(None),
            }),
        };
        let extent = open.segment.append(item.kind, &item.bytes, item.hash).await?;
        Ok(Appended { extent, sealed: open.sealed.subscribe() })
    }
}

fn lost(error: Error) -> Arc<Error> {
    tracing::error!(?error, "a segment of uploads is lost");
    Arc::new(error)
}

async fn ended(task: &mut Option<JoinHandle<()>>) {
    match task {
        // One that panicked has told nobody anything, and that tells them.
        Some(task) => drop(task.await),
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
