//! Runs: the sorted entries of one batch of an import, in a chain of leaf pages.

use bytes::Bytes;
use model::limits::{PAGE_BYTES_MAX, RUN_ENTRIES_MAX};
use model::{Entry, ObjectPath};

use crate::leaf::{Leaf, LeafWriter};
use crate::wire::{Corrupt, Input, Read, put_magic, put_varint};
use crate::{Error, Result};

const KIND: u8 = b'R';

/// Entries of a chunk, but the last. Any number would be read.
const CHUNK_ENTRIES: usize = 128;

/// Encodes a run of 1 to [`RUN_ENTRIES_MAX`] entries, whose paths must ascend strictly.
pub fn encode(entries: &[(ObjectPath, Entry)]) -> Result<Vec<u8>> {
    if !(1..=RUN_ENTRIES_MAX).contains(&entries.len()) {
        return Err(Error::Misuse { what: "a run has too few or too many entries" });
    }
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        return Err(Error::OutOfOrder { path: pair[1].0.clone() });
    }
    let mut out = Vec::new();
    put_magic(&mut out, KIND);
    put_varint(&mut out, entries.len() as u64);
    let mut writer = LeafWriter::default();
    for chunk in entries.chunks(CHUNK_ENTRIES) {
        for (path, entry) in chunk {
            writer.push(path, entry)?;
        }
        let page = writer.finish().page;
        out.extend_from_slice(&(page.len() as u32).to_le_bytes());
        out.extend_from_slice(&page);
    }
    Ok(out)
}

/// Reads a run, one chunk in memory at a time beside the encoded bytes. Ends at the first error.
pub struct RunReader {
    rest: Bytes,
    /// Entries in the chunks that have not been decoded.
    left: usize,
    chunk: Option<(Leaf, usize)>,
    last: Vec<u8>,
}

impl RunReader {
    /// Starts to read a run, which has been encoded by [`encode`].
    pub fn new(bytes: Bytes) -> Result<Self> {
        Self::begin(bytes).map_err(damaged)
    }

    fn begin(bytes: Bytes) -> Read<Self> {
        let mut input = Input::new(&bytes);
        if input.magic()? != KIND {
            return Err(Corrupt("not a run"));
        }
        let left = input.count(RUN_ENTRIES_MAX)?;
        let rest = bytes.slice(bytes.len() - input.remaining()..);
        if left == 0 {
            return Err(Corrupt("no entries"));
        }
        Ok(Self { rest, left, chunk: None, last: Vec::new() })
    }

    fn read(&mut self) -> Read<Option<(ObjectPath, Entry)>> {
        if self.chunk.is_none() && (self.left > 0 || !self.rest.is_empty()) {
            self.chunk = Some((self.read_chunk()?, 0));
        }
        let Some((leaf, index)) = &mut self.chunk else { return Ok(None) };
        let pair = leaf.pair(*index)?;
        *index += 1;
        if *index == leaf.keys().len() {
            self.chunk = None;
        }
        Ok(Some(pair))
    }

    fn read_chunk(&mut self) -> Read<Leaf> {
        let mut input = Input::new(&self.rest);
        let length = u32::from_le_bytes(input.array()?);
        if length > PAGE_BYTES_MAX || length as usize > input.remaining() {
            return Err(Corrupt("wrong length of a chunk"));
        }
        let _length = self.rest.split_to(size_of::<u32>());
        let leaf = Leaf::decode(self.rest.split_to(length as usize))?;
        let keys = leaf.keys();
        if keys.get(0) <= &self.last[..] {
            return Err(Corrupt("paths out of order"));
        }
        self.left = self.left.checked_sub(keys.len()).ok_or(Corrupt("too many entries"))?;
        self.last = keys.last().unwrap_or_default().to_vec();
        Ok(leaf)
    }
}

impl Iterator for RunReader {
    type Item = Result<(ObjectPath, Entry)>;

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.read();
        if pair.is_err() {
            (self.rest, self.left, self.chunk) = (Bytes::new(), 0, None);
        }
        pair.map_err(damaged).transpose()
    }
}

fn damaged(corrupt: Corrupt) -> Error {
    Error::Item { item: "run", what: corrupt.0 }
}
