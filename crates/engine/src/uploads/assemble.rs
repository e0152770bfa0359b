//! One object of many parts.
//!
//! As long as each part begins where its pieces were hashed for and ends with a whole piece, its
//! pieces are the object's. From the first part on that does not, the bytes are read back and cut
//! anew, piece by piece.

use blocks::Blocks;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use futures_util::{Stream, TryStreamExt};
use model::limits::PIECE_BYTES;
use model::{Part, Piece, RepositoryId};

use super::arrival::{Arrived, Held, Incoming, Place};
use crate::{Engine, Error, Result, objects, pieces};

impl Engine {
    /// The object of these parts, in this order. Where it has to be cut anew the new bytes are
    /// held; all others are those of the parts' rows.
    pub(super) async fn assemble(
        &self,
        repository: RepositoryId,
        mut parts: Vec<Part>,
    ) -> Result<Arrived> {
        let size = parts.iter().map(|part| part.size).sum();
        let moved = parts.split_off(in_place(&parts));
        let mut all = Vec::new();
        for part in &parts {
            all.extend(pieces_of(part)?);
        }
        let rest: u64 = moved.iter().map(|part| part.size).sum();
        let mut held = Held::default();
        if rest > 0 {
            let place = match all.len() {
                0 => Place::Object,
                kept => Place::From(kept as u64),
            };
            let bytes = bytes_of(self.parts.blocks.clone(), moved);
            let incoming = Incoming::new(Some(rest), bytes.boxed());
            let arrived = self.uploads.take_in(repository, incoming, place).await?;
            all.extend(arrived.pieces);
            held = arrived.held;
        }
        Ok(Arrived { size, pieces: all, held })
    }
}

/// How many parts from the first on have pieces that are the object's.
fn in_place(parts: &[Part]) -> usize {
    let size: u64 = parts.iter().map(|part| part.size).sum();
    // An object of one piece has another hash than a piece of several.
    if pieces::count(size) <= 1 {
        return 0;
    }
    let mut at = 0;
    let fits = |part: &&Part| {
        let (start, end) = (at, at + part.size);
        at = end;
        part.offset == start && (end.is_multiple_of(PIECE_BYTES) || end == size)
    };
    parts.iter().take_while(fits).count()
}

fn pieces_of(part: &Part) -> Result<Vec<Piece>> {
    match part.pieces.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(tree::extent_list::decode(&part.pieces)?),
    }
}

/// The bytes of the parts, one after the other, verified.
fn bytes_of(blocks: Blocks, parts: Vec<Part>) -> impl Stream<Item = Result<Bytes>> + Send {
    let pieces = parts.into_iter().map(|part| pieces_of(&part).map(|found| (part.size, found)));
    stream::iter(pieces).flat_map(move |part| {
        let blocks = blocks.clone();
        match part {
            Err(error) => stream::iter([Err(error)]).boxed(),
            Ok((size, found)) => stream::iter(found.into_iter().enumerate())
                .flat_map(move |(number, piece)| {
                    let range = pieces::range(size, number as u64);
                    objects::read_chunks(&blocks, piece, range).map_err(Error::from)
                })
                .boxed(),
        }
    })
}

#[cfg(test)]
mod tests {
    use model::Hash;

    use super::*;

    const PIECE: u64 = PIECE_BYTES;

    fn kept(parts: &[(u64, u64)]) -> usize {
        let part = |(index, (offset, size)): (usize, &(u64, u64))| Part {
            number: index as u32 + 1,
            size: *size,
            tag: Hash([0; 32]),
            offset: *offset,
            pieces: Vec::new(),
        };
        in_place(&parts.iter().enumerate().map(part).collect::<Vec<_>>())
    }

    #[test]
    fn parts_stay_where_they_are_as_long_as_each_begins_and_ends_with_a_piece() {
        assert_eq!(kept(&[]), 0);
        assert_eq!(kept(&[(0, PIECE)]), 0, "one piece is hashed otherwise");
        assert_eq!(kept(&[(0, PIECE + 1)]), 1);
        assert_eq!(kept(&[(0, 4 * PIECE), (4 * PIECE, 5)]), 2);
        assert_eq!(kept(&[(0, 2 * PIECE), (2 * PIECE, 2 * PIECE), (4 * PIECE, PIECE)]), 3);
        assert_eq!(kept(&[(0, 2 * PIECE), (PIECE, PIECE), (3 * PIECE, PIECE)]), 1, "assumed wrong");
        assert_eq!(kept(&[(0, PIECE), (PIECE, PIECE + 1), (2 * PIECE + 1, 1)]), 1, "a short end");
        assert_eq!(kept(&[(0, 5), (0, 2 * PIECE)]), 0);
        assert_eq!(kept(&[(0, 2 * PIECE), (0, 0), (2 * PIECE, 7)]), 1);
        assert_eq!(kept(&[(0, 0), (0, 2 * PIECE)]), 2, "nothing before it");
    }
}
