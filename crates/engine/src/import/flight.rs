//! Work in flight: each a task of its own, that lands with its result.

use std::sync::Arc;

use blocks::Segment;
use md5::{Digest as _, Md5};
use model::{Piece, SegmentRecord, limits};
use sources::{Listed, ObjectMeta};
use tokio::time::Instant;

use super::batch::AGE_MAX;
use super::fetch::{self, Failure, Whole};
use super::job::{Job, Target};

/// Bytes of a stored piece that are read back at a time.
const VERIFY_BYTES: u32 = 1 << 20;

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
    /// This piece of a large one, into a lane.
    Piece(u64),
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
    pub(super) piece: Piece,
    pub(super) meta: ObjectMeta,
}

impl Lane {
    async fn open(job: &Job) -> Result<Self, Failure> {
        let segment = job.writer.open().await?;
        Ok(Self { segment, held: Vec::new(), since: Instant::now() })
    }

    /// Whether the lane's pieces should become durable now.
    pub(super) fn is_due(&self) -> bool {
        let has_room = self.segment.len() <= limits::SEGMENT_BYTES - limits::PIECE_BYTES;
        !has_room || self.since.elapsed() >= AGE_MAX
    }
}

/// What a flight came back with.
pub(super) enum Landing {
    Whole(Unit, Result<Whole, Failure>),
    /// The lane comes back too, unless it failed.
    Piece(Unit, Option<Lane>, Result<(), Failure>),
    /// A fresh look at an object that was not what was listed.
    Looked(Unit, LookedFor, Result<Option<Listed>, sources::Error>),
    Sealed(Vec<Held>, Result<SegmentRecord, blocks::Error>),
    /// Whether a large object's bytes have the MD5 that its ETag promises.
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

/// Reads a piece into `lane`, or into a new one.
pub(super) async fn piece(job: Arc<Job>, unit: Unit, number: u64, lane: Option<Lane>) -> Landing {
    let opened = match lane {
        Some(lane) => Ok(lane),
        None => Lane::open(&job).await,
    };
    let mut lane = match opened {
        Ok(lane) => lane,
        Err(failure) => return Landing::Piece(unit, None, Err(failure)),
    };
    match fetch::piece(&job, &unit.target.listed, number, &mut lane.segment).await {
        Ok((piece, meta)) => {
            let (target, version) = (Arc::clone(&unit.target), unit.version);
            lane.held.push(Held { target, version, number, piece, meta });
            Landing::Piece(unit, Some(lane), Ok(()))
        }
        Err(failure @ Failure::Ours(_)) => Landing::Piece(unit, None, Err(failure)),
        Err(failure) => Landing::Piece(unit, Some(lane), Err(failure)),
    }
}

/// Lists the one key afresh.
pub(super) async fn look(job: Arc<Job>, unit: Unit, why: LookedFor) -> Landing {
    let result = job.source.stat(&unit.target.listed.key).await;
    Landing::Looked(unit, why, result)
}

/// Makes a lane's pieces durable.
pub(super) async fn seal(lane: Lane) -> Landing {
    Landing::Sealed(lane.held, lane.segment.seal().await)
}

/// Reads a stored object back and compares its MD5: its pieces came in any order, MD5 needs one.
pub(super) async fn verify(
    job: Arc<Job>,
    target: Arc<Target>,
    version: u32,
    pieces: Vec<Piece>,
    expected: [u8; 16],
) -> Landing {
    let md5 = md5_of(&job, &pieces).await;
    Landing::Verified(target, version, md5.map(|md5| md5 == expected))
}

async fn md5_of(job: &Job, pieces: &[Piece]) -> Result<[u8; 16], blocks::Error> {
    let mut md5 = Md5::new();
    for piece in pieces {
        let mut start = 0;
        while start < piece.extent.length {
            let end = piece.extent.length.min(start + VERIFY_BYTES);
            let blocks = &job.engine.parts.blocks;
            md5.update(&blocks.read_range(piece.extent, Some(piece.hash), start..end).await?);
            start = end;
        }
    }
    Ok(md5.finalize().into())
}
