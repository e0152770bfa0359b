//! Leaf pages: the entries of a tree, and the chunks of a run.
//!
//! A decoded leaf has its keys at hand and its tables read; an entry is read when it is asked for,
//! so that a lookup or a seek pays for one entry and not for a page of them.

use bytes::Bytes;
use model::limits::PAGE_ENTRIES_MAX;
use model::{Entry, Hash, ObjectPath};

use crate::entry::Tables;
use crate::hashing::{self, leaf_hash};
use crate::keys::{Keys, put_key};
use crate::wire::{Corrupt, Input, Read, put_magic, put_varint};
use crate::{Error, Result};

pub(crate) const KIND: u8 = b'L';

/// Writes leaf pages, one after the other, into buffers it keeps.
#[derive(Default)]
pub(crate) struct LeafWriter {
    tables: Tables,
    entries: Vec<u8>,
    canonical: Vec<u8>,
    body: Vec<u8>,
    last: Vec<u8>,
    count: usize,
    size: u64,
}

/// A page that has been encoded, and what its parent says of it.
pub(crate) struct Encoded {
    pub(crate) page: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) hash: Hash,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl LeafWriter {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Appends an entry; the caller has checked the order.
    pub(crate) fn push(&mut self, path: &ObjectPath, entry: &Entry) -> Result<()> {
        let key = path.as_bytes();
        let unstorable = |what| Error::Unstorable { path: path.clone(), what };
        hashing::put_entry(&mut self.canonical, key, entry).map_err(unstorable)?;
        if let model::Content::Pieces(pieces) = &entry.content
            && pieces.len() > model::limits::PIECES_INLINE_MAX
        {
            return Err(unstorable("too many pieces outside an extent list"));
        }
        put_key(&mut self.entries, &self.last, key);
        self.body.clear();
        self.tables.put_body(&mut self.body, path.as_str(), entry);
        put_varint(&mut self.entries, self.body.len() as u64);
        self.entries.extend_from_slice(&self.body);
        self.last.clear();
        self.last.extend_from_slice(key);
        self.count += 1;
        self.size = self.size.wrapping_add(entry.size);
        Ok(())
    }

    /// The page of the entries so far; the writer begins the next one.
    pub(crate) fn finish(&mut self) -> Encoded {
        let mut page = Vec::with_capacity(self.entries.len() + 256);
        put_magic(&mut page, KIND);
        put_varint(&mut page, self.count as u64);
        self.tables.put(&mut page);
        page.extend_from_slice(&self.entries);
        let encoded = Encoded {
            page,
            key: std::mem::take(&mut self.last),
            hash: leaf_hash(&self.canonical),
            entries: self.count as u64,
            bytes: self.size,
        };
        self.tables.clear();
        self.entries.clear();
        self.canonical.clear();
        (self.count, self.size) = (0, 0);
        encoded
    }
}

/// A decoded leaf page.
pub(crate) struct Leaf {
    bytes: Bytes,
    keys: Keys,
    /// Where the body of each entry lies in `bytes`.
    bodies: Vec<(u32, u32)>,
    tables: Tables,
}

impl Leaf {
    pub(crate) fn decode(bytes: Bytes) -> Read<Self> {
        let mut input = Input::new(&bytes);
        if input.magic()? != KIND {
            return Err(Corrupt("not a leaf page"));
        }
        let count = input.count(PAGE_ENTRIES_MAX)?;
        if count == 0 {
            return Err(Corrupt("empty page"));
        }
        let tables = Tables::read(&mut input)?;
        let mut keys = Keys::with_capacity(count);
        let mut bodies = Vec::with_capacity(count);
        for _ in 0..count {
            keys.read(&mut input)?;
            let body = input.bytes()?;
            let end = (bytes.len() - input.remaining()) as u32;
            bodies.push((end - body.len() as u32, end));
        }
        input.end()?;
        Ok(Self { keys, bodies, tables, bytes })
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + self.keys.weight() + self.bodies.len() * 8 + self.tables.weight()
    }

    fn body(&self, index: usize) -> &[u8] {
        let (start, end) = self.bodies[index];
        &self.bytes[start as usize..end as usize]
    }

    pub(crate) fn path(&self, index: usize) -> Read<ObjectPath> {
        ObjectPath::from_bytes(self.keys.get(index)).map_err(|_| Corrupt("not a path"))
    }

    pub(crate) fn entry(&self, index: usize) -> Read<Entry> {
        let path = std::str::from_utf8(self.keys.get(index)).map_err(|_| Corrupt("not a path"))?;
        self.tables.read_body(self.body(index), path)
    }

    pub(crate) fn pair(&self, index: usize) -> Read<(ObjectPath, Entry)> {
        Ok((self.path(index)?, self.entry(index)?))
    }

    /// Whether entry `index`, and entry `there` of `other`, which has the same path, hash alike.
    pub(crate) fn same(&self, index: usize, other: &Self, there: usize) -> Read<bool> {
        if self.body(index) == other.body(there) && self.tables.agree(&other.tables) {
            return Ok(true);
        }
        Ok(hashing::same(&self.entry(index)?, &other.entry(there)?))
    }
}
