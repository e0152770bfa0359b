//! Extent lists: the pieces of an object that has too many for its entry.

use model::limits::PIECES_MAX;
use model::{Extent, Piece, SegmentId, WriterId};

use crate::wire::{Corrupt, Input, Read, put_magic};
use crate::{Error, Result};

const KIND: u8 = b'X';
const PIECE_BYTES: usize = 52;

/// Encodes 1 to [`PIECES_MAX`] pieces, in their order.
pub fn encode(pieces: &[Piece]) -> Result<Vec<u8>> {
    if !(1..=PIECES_MAX).contains(&(pieces.len() as u64)) {
        return Err(Error::Misuse { what: "an extent list has too few or too many pieces" });
    }
    let mut out = Vec::with_capacity(8 + pieces.len() * PIECE_BYTES);
    put_magic(&mut out, KIND);
    out.extend_from_slice(&(pieces.len() as u32).to_le_bytes());
    for Piece { extent, hash } in pieces {
        out.extend_from_slice(&extent.segment.writer.0.to_le_bytes());
        for number in [extent.segment.number, extent.offset, extent.length] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&hash.0);
    }
    Ok(out)
}

/// Decodes what [`encode`] made.
pub fn decode(bytes: &[u8]) -> Result<Vec<Piece>> {
    read(bytes).map_err(|Corrupt(what)| Error::Item { item: "extent list", what })
}

fn read(bytes: &[u8]) -> Read<Vec<Piece>> {
    let mut input = Input::new(bytes);
    if input.magic()? != KIND {
        return Err(Corrupt("not an extent list"));
    }
    let count = u32::from_le_bytes(input.array()?) as usize;
    if !(1..=PIECES_MAX).contains(&(count as u64)) || input.remaining() != count * PIECE_BYTES {
        return Err(Corrupt("wrong number of pieces"));
    }
    (0..count).map(|_| read_piece(&mut input)).collect()
}

fn read_piece(input: &mut Input<'_>) -> Read<Piece> {
    let writer = WriterId(u64::from_le_bytes(input.array()?));
    let mut number = || input.array().map(u32::from_le_bytes);
    let segment = SegmentId { writer, number: number()? };
    let extent = Extent { segment, offset: number()?, length: number()? };
    if extent.length == 0 {
        return Err(Corrupt("empty extent"));
    }
    Ok(Piece { extent, hash: input.hash()? })
}
