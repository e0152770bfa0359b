//! Work in flight: each a task of its own, that lands with its result.

use std::sync::Arc;

use blocks::Segment;
use model::{Fragment, SegmentRecord, limits};
use sources::{Checksum, Listed, ObjectMeta};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fetch::{self, Failure, Stored, Whole};
use super::fragments::{Cut, Flight};
use super::job::{Job, Target};
use super::lister::check_size;
use super::promise::Promise;

/// One GET to be made.
pub(super) struct Unit {
    pub(super) target: Arc<Target>,
    pub(super) version: u32,
    pub(super) part: Part,
}

/// What of the object.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// All of a small object, into memory.
    Whole,
    /// What the source says of one that is read in several pieces, before the first of them.
    Head,
    /// This piece of a large one, into a lane; with the checksum it is to be summed up for.
    Piece(u64, Option<Checksum>),
}

/// A segment that pieces are streamed into, one at a time; handed from flight to flight.
pub(super) struct Lane {
    pub(super) segment: Segment,
    pub(super) held: Vec<Held>,
    since: Instant,
}

/// A piece that lies in a segment.
pub(super) struct Held {
    pub(super) target: Arc<Target>,
    pub(super) version: u32,
    pub(super) number: u64,
    pub(super) stored: Stored,
}

impl Lane {
    pub(super) async fn open(job: &Job) -> Result<Self, Failure> {
        let segment = job.writer.open().await?;
        Ok(Self { segment, held: Vec::new(), since: Instant::now() })
    }

    /// Whether the lane's pieces should become durable now.
    pub(super) fn is_due(&self, job: &Job) -> bool {
        let has_room = self.segment.len() <= limits::SEGMENT_BYTES - limits::PIECE_BYTES;
        !has_room || self.since.elapsed() >= job.batch_age()
    }
}

/// What a flight came back with.
pub(super) enum Landing {
    Whole(Unit, Result<Whole, Failure>),
    Head(Unit, Result<ObjectMeta, Failure>),
    /// The lane comes back too, unless it failed.
    Piece(Unit, Option<Lane>, Result<(), Failure>),
    /// A fresh look at an object that was not what was listed.
    Looked(Unit, LookedFor, Result<Option<Listed>, sources::Error>),
    Sealed(Vec<Held>, Result<SegmentRecord, blocks::Error>),
    /// Whether a large object's bytes are those the source promised.
    Verified(Arc<Target>, u32, Result<bool, blocks::Error>),
}

/// Why a fresh look was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LookedFor {
    Changed,
    Vanished,
}

/// Reads a small object.
pub(super) async fn whole(job: Arc<Job>, unit: Unit) -> Landing {
    let result = fetch::whole(&job, &unit.target.listed).await;
    Landing::Whole(unit, result)
}

/// Asks what the source says of a large object.
pub(super) async fn head(job: Arc<Job>, unit: Unit) -> Landing {
    let result = job.source().head(&unit.target.listed).await;
    Landing::Head(unit, result.map_err(Failure::from))
}

/// Reads a piece into `lane`, or into a new one.
pub(super) async fn piece(
    job: Arc<Job>,
    unit: Unit,
    number: u64,
    promised: Option<Checksum>,
    lane: Option<Lane>,
    (fragments, durable): (Vec<Fragment>, mpsc::Sender<Cut>),
) -> Landing {
    let opened = match lane {
        Some(lane) => Ok(lane),
        None => Lane::open(&job).await,
    };
    let mut lane = match opened {
        Ok(lane) => lane,
        Err(failure) => return Landing::Piece(unit, None, Err(failure)),
    };
    let mut flight = Flight { job: &job, unit: &unit, number, promised, fragments, durable };
    match flight.land(&mut lane).await {
        Ok(stored) => {
            let (target, version) = (Arc::clone(&unit.target), unit.version);
            lane.held.push(Held { target, version, number, stored });
            Landing::Piece(unit, Some(lane), Ok(()))
        }
        Err(failure @ Failure::Ours(_)) => Landing::Piece(unit, None, Err(failure)),
        Err(failure) => Landing::Piece(unit, Some(lane), Err(failure)),
    }
}

/// Lists the one key afresh.
pub(super) async fn look(job: Arc<Job>, unit: Unit, why: LookedFor) -> Landing {
    let found = job.source().stat(&unit.target.listed.key).await;
    let result = found.and_then(|listed| {
        listed.as_ref().map_or(Ok(()), check_size)?;
        Ok(listed)
    });
    Landing::Looked(unit, why, result)
}

/// Makes a lane's pieces durable.
pub(super) async fn seal(lane: Lane) -> Landing {
    Landing::Sealed(lane.held, lane.segment.seal().await)
}

/// Compares a stored object with what the source promised of it.
pub(super) async fn verify(
    job: Arc<Job>,
    target: Arc<Target>,
    version: u32,
    promise: Promise,
) -> Landing {
    let kept = promise.kept(&job).await;
    Landing::Verified(target, version, kept)
}
