//! Bodies as they arrive, and what they are once they rest in segments.
//!
//! Up to [`PACKED_OBJECT_BYTES_MAX`] a body is gathered in memory and goes into the segment that
//! the repository's uploads share; a larger one is streamed into a [`Lane`]. The memory of both is
//! bounded: who finds none left waits for another upload to end, but not for long. A body that
//! comes too slowly is given up, so that nobody holds memory for nothing.

use std::sync::Arc;
use std::time::Duration;

use blocks::ItemKind;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use model::limits::{
    OBJECT_BYTES_MAX, PACKED_OBJECT_BYTES_MAX, UPLOAD_PACE_BYTES, UPLOAD_PACE_MS, UPLOAD_WAIT_MS,
};
use model::{Content, Hash, Piece, RepositoryId, SegmentRecord};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::intake::{Intake, Item, Ticket};
use super::lane::{Landed, Lane};
use super::{Body, Uploads};
use crate::{Error, Kind, Result, pieces};

/// What a body is of its object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// All of it.
    Object,
    /// Some of its pieces, from this one on.
    From(u64),
}

impl Place {
    /// Number of its first piece.
    pub(super) fn first(self) -> u64 {
        match self {
            Self::Object => 0,
            Self::From(number) => number,
        }
    }
}

/// A body that arrives, with its length and its pace checked.
pub(super) struct Incoming {
    bytes: BoxStream<'static, Result<Bytes>>,
    length: Option<u64>,
    taken: u64,
    /// How long the next [`UPLOAD_PACE_BYTES`] may still be waited for.
    patience: Duration,
}

impl From<Body> for Incoming {
    fn from(body: Body) -> Self {
        let bytes = body.bytes.map(|chunk| chunk.map_err(|error| cut_off().caused_by(error)));
        Self::new(body.length, bytes.boxed())
    }
}

fn cut_off() -> Error {
    Error::invalid("body: it ended before it was complete")
}

impl Incoming {
    pub(super) fn new(length: Option<u64>, bytes: BoxStream<'static, Result<Bytes>>) -> Self {
        Self { bytes, length, taken: 0, patience: Duration::from_millis(UPLOAD_PACE_MS) }
    }

    /// Bytes of all of it, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(chunk) = self.awaited().await? else {
            return match self.length.is_none_or(|length| length == self.taken) {
                true => Ok(None),
                false => Err(cut_off()),
            };
        };
        let before = self.taken;
        self.taken += chunk.len() as u64;
        if before / UPLOAD_PACE_BYTES != self.taken / UPLOAD_PACE_BYTES {
            self.patience = Duration::from_millis(UPLOAD_PACE_MS);
        }
        match self.length.unwrap_or(OBJECT_BYTES_MAX) {
            most if self.taken > most => {
                Err(Error::invalid(format!("body: it has more than {most} bytes")))
            }
            _ => Ok(Some(chunk)),
        }
    }

    /// The next bytes, unless they come too slowly. What we do with them costs no patience.
    async fn awaited(&mut self) -> Result<Option<Bytes>> {
        let since = Instant::now();
        let next = timeout(self.patience, self.bytes.next()).await;
        self.patience = self.patience.saturating_sub(since.elapsed());
        next.map_err(|_| Error::invalid("body: it came too slowly; send it again"))?.transpose()
    }

    /// Takes all of it, unless it has more than [`PACKED_OBJECT_BYTES_MAX`]: then what has come of
    /// it so far, and `false`.
    async fn gather(&mut self) -> Result<(Bytes, bool)> {
        let first = self.next().await?.unwrap_or_default();
        // The common case, a body that arrives at once, is not copied.
        if self.length == Some(first.len() as u64) {
            return Ok((first, self.next().await?.is_none()));
        }
        let expected = self.length.unwrap_or_default() as usize;
        let mut gathered = BytesMut::with_capacity(expected.max(first.len()));
        gathered.extend_from_slice(&first);
        while gathered.len() as u64 <= PACKED_OBJECT_BYTES_MAX {
            match self.next().await? {
                Some(chunk) => gathered.extend_from_slice(&chunk),
                None => return Ok((gathered.freeze(), true)),
            }
        }
        Ok((gathered.freeze(), false))
    }
}

/// Keeps bytes that no row refers to yet from being collected, and knows when they are durable.
#[derive(Default)]
pub(super) struct Held {
    records: Vec<SegmentRecord>,
    tickets: Vec<Ticket>,
    /// Holds the lease of the records' writer; a ticket does so itself.
    _intake: Option<Arc<Intake>>,
}

impl Held {
    /// Waits until all of the bytes are durable; gives their segments.
    pub(super) async fn durable(&self) -> Result<Vec<SegmentRecord>> {
        let mut records = self.records.clone();
        for ticket in &self.tickets {
            let record = ticket.durable().await?;
            if !records.contains(&record) {
                records.push(record);
            }
        }
        Ok(records)
    }
}

/// Bytes that have arrived, in pieces.
pub(super) struct Arrived {
    pub(super) size: u64,
    pub(super) pieces: Vec<Piece>,
    pub(super) held: Held,
}

/// An object whose bytes have arrived.
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) hash: Hash,
    pub(super) content: Content,
    pub(super) held: Held,
}

impl Uploads {
    /// Takes a whole body in.
    pub(super) async fn take_in(
        &self,
        repository: RepositoryId,
        mut incoming: Incoming,
        place: Place,
    ) -> Result<Arrived> {
        if let Some(length) = incoming.length.filter(|length| *length > OBJECT_BYTES_MAX) {
            let message = format!("body: {length} bytes are more than an object can have");
            return Err(Error::invalid(message));
        }
        let intake = self.leases.intake(repository).await?;
        let expected = incoming.length.unwrap_or(PACKED_OBJECT_BYTES_MAX);
        if expected > PACKED_OBJECT_BYTES_MAX {
            return self.stream(intake, Bytes::new(), incoming, place).await;
        }
        let permit = permit(&self.memory, expected as u32).await?;
        match incoming.gather().await? {
            (bytes, true) => pack(&intake, bytes, place, permit).await,
            (head, false) => self.stream(intake, head, incoming, place).await,
        }
    }

    async fn stream(
        &self,
        intake: Arc<Intake>,
        head: Bytes,
        mut incoming: Incoming,
        place: Place,
    ) -> Result<Arrived> {
        let _lane = permit(&self.lanes, 1).await?;
        let located = Arc::clone(&self.parts.located);
        let mut lane = Lane::new(Arc::clone(&intake), located, place);
        lane.write(&head).await?;
        drop(head);
        while let Some(chunk) = incoming.next().await? {
            lane.write(&chunk).await?;
        }
        let Landed { size, pieces, records } = lane.finish().await?;
        let held = Held { records, tickets: Vec::new(), _intake: Some(intake) };
        Ok(Arrived { size, pieces, held })
    }

    /// The object of these pieces.
    pub(super) async fn object(
        &self,
        repository: RepositoryId,
        arrived: Arrived,
    ) -> Result<Object> {
        let Arrived { size, pieces, mut held } = arrived;
        if size > OBJECT_BYTES_MAX {
            let message = format!("{size} bytes are more than an object can have");
            return Err(Error::invalid(message));
        }
        let values: Vec<Hash> = pieces.iter().map(|piece| piece.hash).collect();
        let content = match pieces::extent_list(&pieces)? {
            None => Content::Pieces(pieces),
            Some(list) => {
                let (kind, hash) = (ItemKind::ExtentList, Hash::of(&list));
                let item = Item { kind, bytes: list.into(), hash, permit: None };
                let intake = self.leases.intake(repository).await?;
                let (extent, ticket) = intake.append(item).await?;
                held.tickets.push(ticket);
                Content::List(extent)
            }
        };
        Ok(Object { size, hash: pieces::merge(&values), content, held })
    }
}

/// Adds a small body to the segment that all share.
async fn pack(
    intake: &Arc<Intake>,
    bytes: Bytes,
    place: Place,
    permit: OwnedSemaphorePermit,
) -> Result<Arrived> {
    let size = bytes.len() as u64;
    if bytes.is_empty() {
        return Ok(Arrived { size, pieces: Vec::new(), held: Held::default() });
    }
    let (kind, hash) = match place {
        Place::Object => (ItemKind::Object, Hash::of(&bytes)),
        Place::From(number) => {
            let mut hasher = pieces::Hasher::at(number);
            hasher.update(&bytes);
            (ItemKind::Piece, hasher.so_far())
        }
    };
    let item = Item { kind, bytes, hash, permit: Some(permit) };
    let (extent, ticket) = intake.append(item).await?;
    let held = Held { tickets: vec![ticket], ..Held::default() };
    Ok(Arrived { size, pieces: vec![Piece { extent, hash }], held })
}

/// Waits for others to give back what this one needs, for [`UPLOAD_WAIT_MS`].
async fn permit(of: &Arc<Semaphore>, many: u32) -> Result<OwnedSemaphorePermit> {
    let permit = Arc::clone(of).acquire_many_owned(many);
    match timeout(Duration::from_millis(UPLOAD_WAIT_MS), permit).await {
        Ok(permit) => Ok(permit.expect("it is never closed")),
        Err(_) => Err(Error::new(
            Kind::Unavailable,
            "UPLOADS_BUSY",
            "more bodies are arriving than the server takes at a time; try again",
        )),
    }
}
