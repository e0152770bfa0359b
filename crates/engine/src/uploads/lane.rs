//! A lane: bytes of a large body, cut into pieces as they arrive, in segments of their own.
//!
//! A full segment is sealed while the next one fills. A lane that is dropped leaves nothing that
//! anything refers to.

use std::sync::Arc;

use blocks::{ItemKind, Segment};
use model::limits::PIECE_BYTES;
use model::{Piece, SegmentRecord};
use tokio::task::JoinHandle;

use super::Place;
use super::intake::Intake;
use crate::{Error, Located, Result, pieces};

/// Where the bytes of one body go.
pub(super) struct Lane {
    intake: Arc<Intake>,
    located: Arc<Located>,
    place: Place,
    segment: Option<Segment>,
    /// Of the piece that has begun.
    hasher: Option<pieces::Hasher>,
    /// Bytes of the piece that has begun.
    begun_bytes: u64,
    size: u64,
    pieces: Vec<Piece>,
    sealing: Option<JoinHandle<Result<SegmentRecord>>>,
    records: Vec<SegmentRecord>,
}

/// What a lane made of its bytes, durable.
pub(super) struct Landed {
    pub(super) size: u64,
    pub(super) pieces: Vec<Piece>,
    pub(super) records: Vec<SegmentRecord>,
}

impl Lane {
    pub(super) fn new(intake: Arc<Intake>, located: Arc<Located>, place: Place) -> Self {
        Self {
            intake,
            located,
            place,
            segment: None,
            hasher: None,
            begun_bytes: 0,
            size: 0,
            pieces: Vec::new(),
            sealing: None,
            records: Vec::new(),
        }
    }

    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.begun_bytes == PIECE_BYTES {
                self.end_piece(false).await?;
            }
            let room = PIECE_BYTES - self.begun_bytes;
            let (now, later) = bytes.split_at(room.min(bytes.len() as u64) as usize);
            self.add(now).await?;
            bytes = later;
        }
        Ok(())
    }

    /// Adds to the piece that has begun, or begins the next.
    async fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(self.intake.lease().writer().open().await?),
        };
        let hasher = match &mut self.hasher {
            Some(hasher) => hasher,
            none => {
                segment.begin(ItemKind::Piece)?;
                let number = self.place.first() + self.pieces.len() as u64;
                none.insert(pieces::Hasher::at(number))
            }
        };
        hasher.update(bytes);
        self.begun_bytes += bytes.len() as u64;
        Ok(segment.write(bytes).await?)
    }

    async fn end_piece(&mut self, is_whole: bool) -> Result<()> {
        let (Some(segment), Some(hasher)) = (&mut self.segment, self.hasher.take()) else {
            return Ok(());
        };
        let hash = match is_whole {
            true => hasher.finish_whole(),
            false => hasher.so_far(),
        };
        if is_whole {
            segment.recast(ItemKind::Object)?;
        }
        let extent = segment.finish(hash)?;
        self.pieces.push(Piece { extent, hash });
        self.begun_bytes = 0;
        match segment.is_full() {
            true => self.seal().await,
            false => Ok(()),
        }
    }

    /// Begins to seal the segment, once the one before is sealed.
    async fn seal(&mut self) -> Result<()> {
        self.sealed().await?;
        let Some(segment) = self.segment.take() else { return Ok(()) };
        let lease = Arc::clone(self.intake.lease());
        self.sealing = Some(tokio::spawn(async move {
            let record = segment.seal().await;
            drop(lease);
            Ok(record?)
        }));
        Ok(())
    }

    /// Waits for the segment that is being sealed.
    async fn sealed(&mut self) -> Result<()> {
        let Some(sealing) = &mut self.sealing else { return Ok(()) };
        let sealed = sealing.await;
        self.sealing = None;
        self.records.push(sealed.map_err(Error::internal)??);
        Ok(())
    }

    /// Ends the last piece and makes everything durable.
    pub(super) async fn finish(mut self) -> Result<Landed> {
        let is_whole = self.place == Place::Object && self.pieces.is_empty();
        self.end_piece(is_whole).await?;
        self.seal().await?;
        self.sealed().await?;
        self.located.add(&self.records);
        let Self { size, pieces, records, .. } = self;
        Ok(Landed { size, pieces, records })
    }
}
