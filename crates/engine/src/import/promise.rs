//! What the source promised of an object that was read in several pieces, compared with what is
//! stored.
//!
//! A CRC is summed up from those of the pieces, computed as they arrived. What cannot be had that
//! way, an MD5 and the sums of pieces that an earlier claim read, is computed by reading the stored
//! bytes back.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use model::Piece;
use sources::{Checksum, PieceDigest};

use super::job::Job;

/// Bytes of a stored piece that are read back at a time.
const BACK_BYTES: u32 = 1 << 20;

/// What is to be compared.
pub(super) struct Promise {
    /// In order.
    pub(super) pieces: Vec<Piece>,
    /// A CRC of the whole object, and those of its pieces that are known, by number.
    pub(super) sum: Option<(Checksum, BTreeMap<u64, u64>)>,
    /// The MD5 of the whole object.
    pub(super) md5: Option<[u8; 16]>,
}

impl Promise {
    /// Whether there is nothing to compare.
    pub(super) fn is_empty(&self) -> bool {
        self.sum.is_none() && self.md5.is_none()
    }

    /// Whether the stored bytes are those that were promised.
    pub(super) async fn kept(mut self, job: &Job) -> Result<bool, blocks::Error> {
        if let Some((whole, known)) = self.sum.take() {
            let mut sums = Vec::new();
            for (number, piece) in (0..).zip(&self.pieces) {
                let sum = match known.get(&number) {
                    Some(sum) => *sum,
                    None => sum_of(job, &whole, piece).await?,
                };
                sums.push((sum, u64::from(piece.extent.length)));
            }
            if !whole.matches_crc(whole.combine(sums)) {
                return Ok(false);
            }
        }
        match self.md5 {
            Some(expected) => Ok(md5_of(job, &self.pieces).await? == expected),
            None => Ok(true),
        }
    }
}

async fn sum_of(job: &Job, whole: &Checksum, piece: &Piece) -> Result<u64, blocks::Error> {
    let Some(mut digest) = PieceDigest::new(whole) else { return Ok(0) };
    read_back(job, piece, |bytes| digest.update(bytes)).await?;
    Ok(digest.finish())
}

async fn md5_of(job: &Job, pieces: &[Piece]) -> Result<[u8; 16], blocks::Error> {
    let mut md5 = Md5::new();
    for piece in pieces {
        read_back(job, piece, |bytes| md5.update(bytes)).await?;
    }
    Ok(md5.finalize().into())
}

async fn read_back(
    job: &Job,
    piece: &Piece,
    mut each: impl FnMut(&[u8]),
) -> Result<(), blocks::Error> {
    let mut start = 0;
    while start < piece.extent.length {
        let end = piece.extent.length.min(start + BACK_BYTES);
        let blocks = &job.engine.parts.blocks;
        each(&blocks.read_range(piece.extent, Some(piece.hash), start..end).await?);
        start = end;
    }
    Ok(())
}
