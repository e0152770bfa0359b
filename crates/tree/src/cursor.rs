//! A place in a tree: the pages from the root down to it. Moves forward only.
//!
//! What lies there, the *head*, is an entry, or a page that has not been opened yet; a diff
//! compares such pages and skips them, everything else opens them down to the entries.

use std::ops::Bound;
use std::sync::Arc;

use model::{Entry, Hash, ObjectPath, Root};

use crate::leaf::Leaf;
use crate::page::{Page, Reference};
use crate::{Result, Tree, reference};

pub(crate) struct Cursor {
    tree: Tree,
    root: Root,
    /// Whether the root page has been opened or skipped.
    begun: bool,
    /// None of them is at its end.
    stack: Vec<Frame>,
}

struct Frame {
    page: Arc<Page>,
    at: Reference,
    index: usize,
}

/// What lies at a cursor.
pub(crate) enum Head<'a> {
    /// Nothing more.
    End,
    /// A page that has not been opened.
    Page { level: u8, hash: Hash },
    /// An entry, in its page.
    Entry { leaf: &'a Leaf, index: usize },
}

impl Cursor {
    pub(crate) fn new(tree: Tree, root: Root) -> Self {
        Self { tree, root, begun: root.page.is_none(), stack: Vec::new() }
    }

    pub(crate) fn head(&self) -> Head<'_> {
        if !self.begun {
            return Head::Page { level: self.root.level, hash: self.root.hash };
        }
        match self.stack.last() {
            None => Head::End,
            Some(Frame { page, index, .. }) => match &**page {
                Page::Leaf(leaf) => Head::Entry { leaf, index: *index },
                Page::Node(node) => Head::Page { level: node.level() - 1, hash: node.hash(*index) },
            },
        }
    }

    /// The path of the entry at the cursor.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self.head() {
            Head::Entry { leaf, index } => Some(leaf.keys().get(index)),
            _ => None,
        }
    }

    /// The entry at the cursor, which must be at one.
    pub(crate) fn pair(&self) -> Result<Option<(ObjectPath, Entry)>> {
        let (Head::Entry { leaf, index }, Some(frame)) = (self.head(), self.stack.last()) else {
            return Ok(None);
        };
        leaf.pair(index).map(Some).map_err(|corrupt| frame.at.damaged(corrupt))
    }

    /// Whether the entries at both cursors, which have the same path, hash alike.
    pub(crate) fn same_entry(&self, other: &Self) -> Result<bool> {
        match (self.stack.last(), other.stack.last()) {
            (Some(here), Some(there)) => match (&*here.page, &*there.page) {
                (Page::Leaf(leaf), Page::Leaf(other)) => leaf
                    .same(here.index, other, there.index)
                    .map_err(|corrupt| here.at.damaged(corrupt)),
                _ => Ok(false),
            },
            _ => Ok(false),
        }
    }

    /// A key such that whatever lies at the cursor or after it is greater.
    pub(crate) fn floor(&self) -> Option<&[u8]> {
        let frame = self.stack.iter().rev().find(|frame| frame.index > 0)?;
        Some(frame.page.keys().get(frame.index - 1))
    }

    /// Moves past the head, page or entry.
    pub(crate) fn skip(&mut self) {
        if !self.begun {
            self.begun = true;
            return;
        }
        while let Some(frame) = self.stack.last_mut() {
            frame.index += 1;
            if frame.index < frame.page.keys().len() {
                return;
            }
            self.stack.pop();
        }
    }

    /// Opens the page at the cursor and moves to what of it is not before `from`.
    pub(crate) async fn open(&mut self, from: Bound<&[u8]>) -> Result<()> {
        let at = match self.stack.last() {
            _ if !self.begun => reference(&self.root),
            Some(Frame { page, index, .. }) => match &**page {
                Page::Node(node) => Some(Reference::child(node, &node.child(*index))),
                Page::Leaf(_) => None,
            },
            None => None,
        };
        let Some(at) = at else { return Ok(()) };
        let page = self.tree.page(&at).await?;
        let index = page.keys().position(from);
        if index == page.keys().len() {
            self.skip();
        } else {
            self.begun = true;
            self.stack.push(Frame { page, at, index });
        }
        Ok(())
    }

    /// Moves to the first entry that is neither before the cursor nor before `to`.
    pub(crate) async fn seek(&mut self, to: Bound<&[u8]>) -> Result<()> {
        while let Some(frame) = self.stack.last_mut() {
            frame.index = frame.index.max(frame.page.keys().position(to));
            if frame.index < frame.page.keys().len() {
                break;
            }
            self.stack.pop();
        }
        while matches!(self.head(), Head::Page { .. }) {
            self.open(to).await?;
        }
        Ok(())
    }

    /// Moves to the entry after the one at the cursor.
    pub(crate) async fn advance(&mut self) -> Result<()> {
        self.skip();
        self.seek(Bound::Unbounded).await
    }
}
