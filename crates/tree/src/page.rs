//! A decoded page of either kind.

use bytes::Bytes;
use model::{Extent, Hash};

use crate::keys::Keys;
use crate::leaf::{self, Leaf};
use crate::node::{Child, Node};
use crate::wire::{Corrupt, Input, Read};
use crate::{Error, Result};

pub(crate) enum Page {
    Leaf(Leaf),
    Node(Node),
}

impl Page {
    pub(crate) fn decode(bytes: Bytes) -> Read<Self> {
        match Input::new(&bytes).magic()? {
            leaf::KIND => Leaf::decode(bytes).map(Self::Leaf),
            _ => Node::decode(&bytes).map(Self::Node),
        }
    }

    pub(crate) fn keys(&self) -> &Keys {
        match self {
            Self::Leaf(leaf) => leaf.keys(),
            Self::Node(node) => node.keys(),
        }
    }

    pub(crate) fn level(&self) -> u8 {
        match self {
            Self::Leaf(_) => 0,
            Self::Node(node) => node.level(),
        }
    }

    /// Number of entries in and below it.
    pub(crate) fn entries(&self) -> u64 {
        match self {
            Self::Leaf(leaf) => leaf.keys().len() as u64,
            Self::Node(node) => node.entries(),
        }
    }

    /// Bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.weight(),
            Self::Node(node) => node.weight(),
        }
    }
}

/// A page as whatever refers to it describes it: what the page itself is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Reference {
    pub(crate) page: Extent,
    pub(crate) level: u8,
    pub(crate) hash: Hash,
    pub(crate) entries: u64,
}

impl Reference {
    /// The child of a node.
    pub(crate) fn child(node: &Node, child: &Child) -> Self {
        let (level, page) = (node.level() - 1, child.page);
        Self { page, level, hash: child.hash, entries: child.entries }
    }

    /// Whether `page` can be the one that is meant. Only a check of the whole tree compares hashes
    /// as well: the segment has vouched for the bytes.
    pub(crate) fn check(&self, page: &Page) -> Result<()> {
        if page.level() != self.level {
            return Err(self.damaged(Corrupt("it is of another level than its parent says")));
        }
        if page.entries() != self.entries {
            return Err(self.damaged(Corrupt("it has another number of entries")));
        }
        Ok(())
    }

    pub(crate) fn damaged(&self, corrupt: Corrupt) -> Error {
        Error::Page { address: self.page, what: corrupt.0 }
    }
}
