//! Node pages: the children of a level, each with its last key, its address, its hash and what it
//! counts.

use bytes::Bytes;
use model::limits::{PAGE_ENTRIES_MAX, TREE_LEVELS_MAX};
use model::{Extent, Hash};

use crate::hashing::{node_hash, put_child};
use crate::keys::{Keys, put_key};
use crate::leaf::Encoded;
use crate::wire::{Corrupt, Input, Read, put_extent, put_magic, put_varint};

pub(crate) const KIND: u8 = b'N';

/// What a parent says of a page.
#[derive(Clone)]
pub(crate) struct Child {
    /// Its last key.
    pub(crate) key: Vec<u8>,
    /// Where it lies.
    pub(crate) page: Extent,
    pub(crate) hash: Hash,
    /// Entries below.
    pub(crate) entries: u64,
    /// Sum of their sizes.
    pub(crate) bytes: u64,
}

/// Writes the node pages of one level.
pub(crate) struct NodeWriter {
    level: u8,
    children: Vec<u8>,
    canonical: Vec<u8>,
    last: Option<Child>,
    count: usize,
    entries: u64,
    bytes: u64,
    pages: u64,
}

impl NodeWriter {
    pub(crate) fn new(level: u8) -> Self {
        Self {
            level,
            children: Vec::new(),
            canonical: vec![level],
            last: None,
            count: 0,
            entries: 0,
            bytes: 0,
            pages: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether it has seen any child at all.
    pub(crate) fn is_unused(&self) -> bool {
        self.count == 0 && self.pages == 0
    }

    /// The child, if it is the only one the level has seen.
    pub(crate) fn only_child(&mut self) -> Option<Child> {
        if self.count == 1 && self.pages == 0 { self.last.take() } else { None }
    }

    pub(crate) fn push(&mut self, child: Child) {
        let before = self.last.as_ref().map_or(&[][..], |last| &last.key);
        put_key(&mut self.children, before, &child.key);
        put_extent(&mut self.children, child.page);
        self.children.extend_from_slice(&child.hash.0);
        put_varint(&mut self.children, child.entries);
        put_varint(&mut self.children, child.bytes);
        put_child(&mut self.canonical, &child.key, child.hash, child.entries, child.bytes);
        self.count += 1;
        self.entries = self.entries.wrapping_add(child.entries);
        self.bytes = self.bytes.wrapping_add(child.bytes);
        self.last = Some(child);
    }

    /// The page of the children so far, of which there is one; the writer begins the next one.
    pub(crate) fn finish(&mut self) -> Encoded {
        let mut page = Vec::with_capacity(self.children.len() + 8);
        put_magic(&mut page, KIND);
        page.push(self.level);
        put_varint(&mut page, self.count as u64);
        page.extend_from_slice(&self.children);
        let encoded = Encoded {
            page,
            key: self.last.take().map(|last| last.key).unwrap_or_default(),
            hash: node_hash(&self.canonical),
            entries: self.entries,
            bytes: self.bytes,
        };
        let pages = self.pages + 1;
        self.children.clear();
        self.canonical.truncate(1);
        (self.count, self.entries, self.bytes, self.pages) = (0, 0, 0, pages);
        encoded
    }
}

/// A decoded node page.
pub(crate) struct Node {
    level: u8,
    keys: Keys,
    children: Vec<Body>,
    entries: u64,
    bytes: u64,
}

/// A child without its key.
struct Body {
    page: Extent,
    hash: Hash,
    entries: u64,
    bytes: u64,
}

impl Node {
    pub(crate) fn decode(bytes: &Bytes) -> Read<Self> {
        let mut input = Input::new(bytes);
        if input.magic()? != KIND {
            return Err(Corrupt("not a node page"));
        }
        let level = input.byte()?;
        if !(1..=TREE_LEVELS_MAX).contains(&level) {
            return Err(Corrupt("wrong level"));
        }
        let count = input.count(PAGE_ENTRIES_MAX)?;
        if count == 0 {
            return Err(Corrupt("empty page"));
        }
        let keys = Keys::with_capacity(count);
        let children = Vec::with_capacity(count);
        let mut node = Self { level, keys, children, entries: 0, bytes: 0 };
        for _ in 0..count {
            node.keys.read(&mut input)?;
            let (page, hash) = (input.extent()?, input.hash()?);
            let child = Body { page, hash, entries: input.varint()?, bytes: input.varint()? };
            node.entries = node.entries.wrapping_add(child.entries);
            node.bytes = node.bytes.wrapping_add(child.bytes);
            node.children.push(child);
        }
        input.end()?;
        Ok(node)
    }

    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.keys.weight() + self.children.capacity() * size_of::<Body>()
    }

    pub(crate) fn hash(&self, index: usize) -> Hash {
        self.children[index].hash
    }

    pub(crate) fn child(&self, index: usize) -> Child {
        let Body { page, hash, entries, bytes } = self.children[index];
        Child { key: self.keys.get(index).to_vec(), page, hash, entries, bytes }
    }

    /// The hash that the page's content gives.
    pub(crate) fn content_hash(&self) -> Hash {
        let mut canonical = vec![self.level];
        for (index, child) in self.children.iter().enumerate() {
            put_child(&mut canonical, self.keys.get(index), child.hash, child.entries, child.bytes);
        }
        node_hash(&canonical)
    }
}
