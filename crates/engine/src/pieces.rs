//! How a large object is cut into pieces, and how the pieces' hashes make the object's.

use std::ops::Range;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use model::limits::{PIECE_BYTES, PIECES_INLINE_MAX};
use model::{Hash, Piece};

/// Number of pieces of an object of `size` bytes.
pub(crate) fn count(size: u64) -> u64 {
    size.div_ceil(PIECE_BYTES)
}

/// The bytes of the object that piece `number` holds.
pub(crate) fn range(size: u64, number: u64) -> Range<u64> {
    let start = number * PIECE_BYTES;
    start..size.min(start + PIECE_BYTES)
}

/// Hashes one piece as its bytes arrive.
pub(crate) struct Hasher {
    inner: blake3::Hasher,
    whole: bool,
}

impl Hasher {
    /// For piece `number` of an object of `size` bytes.
    pub(crate) fn new(size: u64, number: u64) -> Self {
        Self { whole: count(size) <= 1, ..Self::at(number) }
    }

    /// For piece `number` of an object of unknown size, taken for one of several.
    pub(crate) fn at(number: u64) -> Self {
        let mut inner = blake3::Hasher::new();
        inner.set_input_offset(number * PIECE_BYTES);
        Self { inner, whole: false }
    }

    /// The next bytes of the piece.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    /// The subtree value of what has come of a piece of several so far.
    pub(crate) fn so_far(&self) -> Hash {
        Hash(self.inner.finalize_non_root())
    }

    /// The hash of the object that turned out to be this piece, the first, alone.
    pub(crate) fn finish_whole(self) -> Hash {
        Hash(*self.inner.finalize().as_bytes())
    }

    /// The object's hash if the piece is the whole object, else the piece's subtree value.
    pub(crate) fn finish(self) -> Hash {
        if self.whole { self.finish_whole() } else { self.so_far() }
    }
}

/// The hash of the object whose pieces, in order, have these subtree values; that of the empty
/// object for none.
pub(crate) fn merge(values: &[Hash]) -> Hash {
    match values {
        [] => Hash::of(b""),
        [whole] => *whole,
        values => {
            let (left, right) = values.split_at(left_of(values.len()));
            let merged = merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash);
            Hash(*merged.as_bytes())
        }
    }
}

fn subtree(values: &[Hash]) -> [u8; 32] {
    match values {
        [one] => one.0,
        values => {
            let (left, right) = values.split_at(left_of(values.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// BLAKE3 trees lean left: the left side is the largest power of two that leaves something for the
/// right.
fn left_of(pieces: usize) -> usize {
    pieces.div_ceil(2).next_power_of_two()
}

/// The extent list of these pieces, where they are too many for an entry to name them itself.
pub(crate) fn extent_list(pieces: &[Piece]) -> tree::Result<Option<Vec<u8>>> {
    let too_many = pieces.len() > PIECES_INLINE_MAX;
    too_many.then(|| tree::extent_list::encode(pieces)).transpose()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash_by_pieces(bytes: &[u8]) -> Hash {
        let size = bytes.len() as u64;
        let values: Vec<Hash> = (0..count(size))
            .map(|number| {
                let range = range(size, number);
                let mut hasher = Hasher::new(size, number);
                hasher.update(&bytes[range.start as usize..range.end as usize]);
                hasher.finish()
            })
            .collect();
        merge(&values)
    }

    #[test]
    fn merged_pieces_give_the_hash_of_the_whole_at_every_edge() {
        let bytes: Vec<u8> = (0..5 * PIECE_BYTES + 3).map(|n| (n % 251) as u8).collect();
        for pieces in 0..=5 {
            for around in [-1_i64, 0, 1, 1024] {
                let size = (pieces * PIECE_BYTES) as i64 + around;
                if (0..=bytes.len() as i64).contains(&size) {
                    let part = &bytes[..size as usize];
                    assert_eq!(hash_by_pieces(part), Hash::of(part), "{size} bytes");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_left_side_is_the_largest_power_of_two_below(pieces in 2usize..10_000) {
            let left = left_of(pieces);
            prop_assert!(left.is_power_of_two() && left < pieces && 2 * left >= pieces);
        }
    }
}
