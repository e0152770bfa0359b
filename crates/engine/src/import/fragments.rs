//! Fragments: what a source sends slowly of a large object becomes durable before a piece is whole.
//!
//! A piece that takes longer than two batches is cut off: its start is sealed and reported as a
//! fragment, the rest is asked for in ranges of about the same time, and once all of them are
//! durable the piece is put together from them, without the source. So a crash costs what came in
//! the last seconds, however slow the source is and however many pieces are on their way. From a
//! source that is not slow, no piece is ever cut.

use std::sync::Arc;
use std::time::Duration;

use blocks::ItemKind;
use model::{Fragment, Piece, SegmentRecord};
use sources::{Checksum, ObjectMeta, PieceDigest};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fetch::{self, Arrived, Failure, Stored};
use super::flight::{Held, Lane, Unit};
use super::job::{Job, Target};
use crate::{Kind, pieces};

/// A piece that is cut off has brought this much.
const FRAGMENT_BYTES_MIN: u64 = 1 << 20;
/// Bytes of a fragment that are read back at a time.
const BACK_BYTES: u32 = 1 << 20;

/// Whether a body of which so many bytes have come since then is to be cut off: it has taken as
/// long as a batch may, and the `rest` will take as long again.
pub(super) fn is_slow(job: &Job, since: Instant, bytes: u64, rest: u64) -> bool {
    if bytes < FRAGMENT_BYTES_MIN || rest == 0 {
        return false;
    }
    let (took, age) = (since.elapsed(), job.batch_age());
    took >= age && took.as_secs_f64() * rest as f64 > age.as_secs_f64() * bytes as f64
}

/// A fragment that is durable, and what else lay in its segment.
pub(super) struct Cut {
    pub(super) target: Arc<Target>,
    pub(super) version: u32,
    pub(super) fragment: Fragment,
    pub(super) meta: ObjectMeta,
    pub(super) held: Vec<Held>,
    pub(super) record: SegmentRecord,
}

/// A piece on its way into a lane.
pub(super) struct Flight<'a> {
    pub(super) job: &'a Job,
    pub(super) unit: &'a Unit,
    pub(super) number: u64,
    pub(super) promised: Option<Checksum>,
    /// What is durable of the piece, from its start and without a gap.
    pub(super) fragments: Vec<Fragment>,
    /// Where it is told that more is.
    pub(super) durable: mpsc::Sender<Cut>,
}

impl Flight<'_> {
    /// Reads what is missing of the piece; when this returns, all of it lies in the lane.
    pub(super) async fn land(&mut self, lane: &mut Lane) -> Result<Stored, Failure> {
        let listed = &self.unit.target.listed;
        let range = pieces::range(listed.size, self.number);
        let mut step = FRAGMENT_BYTES_MIN;
        loop {
            let at = range.start + self.bytes();
            let since = Instant::now();
            let (piece, meta) = if at == range.start {
                let (number, promised) = (self.number, self.promised);
                match fetch::piece(self.job, listed, number, promised, &mut lane.segment).await? {
                    Arrived::Piece(stored) => return Ok(stored),
                    Arrived::Start(piece, meta) => (piece, meta),
                }
            } else if at < range.end {
                let next = at..range.end.min(at + step);
                fetch::range(self.job, listed, next, &mut lane.segment).await?
            } else {
                match self.put_together(lane).await {
                    // What was kept is of no use: all of the piece is read once more.
                    Err(Failure::Ours(error)) if error.kind == Kind::Damaged => {
                        lane.segment.abort()?;
                        self.fragments.clear();
                        continue;
                    }
                    whole => return whole,
                }
            };
            step = step_of(piece.extent.length, since.elapsed(), self.job.batch_age());
            self.keep(lane, piece, meta).await?;
        }
    }

    fn bytes(&self) -> u64 {
        self.fragments.iter().map(|fragment| u64::from(fragment.extent.length)).sum()
    }

    /// Seals the lane, so that the fragment that came last is durable; a new one takes its place.
    async fn keep(
        &mut self,
        lane: &mut Lane,
        piece: Piece,
        meta: ObjectMeta,
    ) -> Result<(), Failure> {
        let sealed = std::mem::replace(lane, Lane::open(self.job).await?);
        let Lane { segment, held, .. } = sealed;
        let record = segment.seal().await?;
        let (piece_number, offset) = (self.number as u32, self.bytes() as u32);
        let Piece { extent, hash } = piece;
        let fragment = Fragment { piece: piece_number, offset, extent, hash };
        self.fragments.push(fragment);
        let (target, version) = (Arc::clone(&self.unit.target), self.unit.version);
        // Nobody listens any more when the import has stopped: then nothing is to be told.
        let _ = self.durable.send(Cut { target, version, fragment, meta, held, record }).await;
        Ok(())
    }

    /// The piece from its fragments, each compared with its hash once more.
    async fn put_together(&mut self, lane: &mut Lane) -> Result<Stored, Failure> {
        let mut hasher = pieces::Hasher::new(self.unit.target.listed.size, self.number);
        let mut digest = self.promised.as_ref().and_then(PieceDigest::new);
        lane.segment.begin(ItemKind::Piece)?;
        for fragment in &self.fragments {
            let mut own = blake3::Hasher::new();
            let mut start = 0;
            while start < fragment.extent.length {
                let end = fragment.extent.length.min(start + BACK_BYTES);
                let blocks = &self.job.engine.parts.blocks;
                let expected = Some(fragment.hash);
                let bytes = blocks.read_range(fragment.extent, expected, start..end).await?;
                hasher.update(&bytes);
                own.update(&bytes);
                if let Some(digest) = &mut digest {
                    digest.update(&bytes);
                }
                lane.segment.write(&bytes).await?;
                start = end;
            }
            let hash = match fragment.offset {
                0 => hasher.so_far(),
                _ => model::Hash(*own.finalize().as_bytes()),
            };
            if hash != fragment.hash {
                let what = format!("a fragment at {} does not match its hash", fragment.offset);
                let file = format!("{:?}", fragment.extent.segment);
                return Err(blocks::Error::Damaged { file, what }.into());
            }
        }
        let hash = hasher.finish();
        let extent = lane.segment.finish(hash)?;
        let sum = digest.map(PieceDigest::finish);
        Ok(Stored { piece: Piece { extent, hash }, meta: None, sum })
    }
}

/// Bytes to ask for so that they take about `age`, when so many `took` so long.
fn step_of(bytes: u32, took: Duration, age: Duration) -> u64 {
    let per_second = f64::from(bytes) / took.as_secs_f64().max(1e-3);
    let wanted = per_second * age.as_secs_f64();
    // Whole mebibytes: the last range of a piece is not a scrap.
    ((wanted as u64) & !(FRAGMENT_BYTES_MIN - 1)).max(FRAGMENT_BYTES_MIN)
}
