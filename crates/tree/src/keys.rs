//! The keys of a decoded page: prefix-compressed on disk, whole in one buffer in memory.

use std::ops::Bound;

use model::limits::PATH_BYTES_MAX;

use crate::wire::{Corrupt, Input, Read, put_varint};

/// Keys in strictly ascending byte order.
#[derive(Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Keys {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { bytes: Vec::with_capacity(count * 32), ends: Vec::with_capacity(count) }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..self.ends[index] as usize]
    }

    pub(crate) fn last(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|last| self.get(last))
    }

    /// Index of `key`, or where it would be.
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let index = self.position(Bound::Included(key));
        if index < self.len() && self.get(index) == key { Ok(index) } else { Err(index) }
    }

    /// Index of the first key that is not before `bound`, which is a lower bound.
    pub(crate) fn position(&self, bound: Bound<&[u8]>) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(self.get(middle), bound) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Reads the next key, which must follow the last one.
    pub(crate) fn read(&mut self, input: &mut Input<'_>) -> Read<()> {
        let start = self.bytes.len();
        let before = self.len().checked_sub(2).map_or(0, |index| self.ends[index] as usize);
        let shared = input.count(start - before)?;
        let rest = input.bytes()?;
        if !(1..=PATH_BYTES_MAX).contains(&(shared + rest.len())) {
            return Err(Corrupt("wrong length of a path"));
        }
        if start > 0 && rest <= &self.bytes[before + shared..start] {
            return Err(Corrupt("paths out of order"));
        }
        self.bytes.extend_from_within(before..before + shared);
        self.bytes.extend_from_slice(rest);
        self.ends.push(self.bytes.len() as u32);
        Ok(())
    }
}

/// Whether `key` lies before the lower bound.
pub(crate) fn is_before(key: &[u8], bound: Bound<&[u8]>) -> bool {
    match bound {
        Bound::Included(first) => key < first,
        Bound::Excluded(last) => key <= last,
        Bound::Unbounded => false,
    }
}

/// Appends `key` as it follows `before` (empty for the first of a page).
pub(crate) fn put_key(out: &mut Vec<u8>, before: &[u8], key: &[u8]) {
    let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
    put_varint(out, shared as u64);
    put_varint(out, (key.len() - shared) as u64);
    out.extend_from_slice(&key[shared..]);
}
