//! Builds a tree from the left: one writer per level, each holding the page it is about to end.
//!
//! Entries are pushed to the leaf level; a page that ends becomes a child on the level above. Whole
//! pages of an older tree may be pushed as well, where a page of their level would begin.

use model::limits::TREE_LEVELS_MAX;
use model::{Entry, Extent, Hash, ObjectPath};

use crate::hashing::Boundary;
use crate::leaf::LeafWriter;
use crate::node::{Child, NodeWriter};
use crate::output::Output;
use crate::{Error, Result};

pub(crate) struct Builder<'a> {
    pub(crate) output: Output<'a>,
    leaf: LeafWriter,
    /// The first is of level 1.
    nodes: Vec<NodeWriter>,
    boundary: Boundary,
    /// Per level the page of the older tree whose elements are being pushed: if the same comes out,
    /// it need not be written again.
    older: Vec<(Hash, Extent)>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(output: Output<'a>) -> Self {
        Self {
            output,
            leaf: LeafWriter::default(),
            nodes: Vec::new(),
            boundary: Boundary::new(),
            older: Vec::new(),
        }
    }

    /// Says that from now on elements of the older page of `level` may be pushed.
    pub(crate) fn descend(&mut self, level: u8, hash: Hash, page: Extent) {
        let level = usize::from(level);
        if self.older.len() <= level {
            self.older.resize(level + 1, (hash, page));
        }
        self.older[level] = (hash, page);
    }

    /// Whether a page of `level` and all levels below would begin here.
    pub(crate) fn is_between_pages(&self, level: u8) -> bool {
        let mut below = self.nodes.iter().take(level.into());
        self.leaf.len() == 0 && below.all(|node| node.len() == 0)
    }

    pub(crate) async fn push_entry(&mut self, path: &ObjectPath, entry: &Entry) -> Result<()> {
        self.leaf.push(path, entry)?;
        if self.boundary.ends(0, path.as_bytes(), self.leaf.len()) {
            self.end_page(0).await?;
        }
        Ok(())
    }

    /// Adds a page of `level`, as it is.
    pub(crate) async fn push_page(&mut self, level: u8, child: Child) -> Result<()> {
        if self.push_child(level, child)? {
            self.end_page(level + 1).await?;
        }
        Ok(())
    }

    /// Ends the page of `level`, and those above that end with it.
    async fn end_page(&mut self, level: u8) -> Result<()> {
        let mut level = level;
        loop {
            let child = self.write(level).await?;
            if !self.push_child(level, child)? {
                return Ok(());
            }
            level += 1;
        }
    }

    /// Adds a page of `level` to the page above it; whether that ends there.
    fn push_child(&mut self, level: u8, child: Child) -> Result<bool> {
        let above = level + 1;
        if above > TREE_LEVELS_MAX {
            return Err(Error::Misuse { what: "the tree has too many levels" });
        }
        while self.nodes.len() <= usize::from(level) {
            self.nodes.push(NodeWriter::new(self.nodes.len() as u8 + 1));
        }
        let node = &mut self.nodes[usize::from(level)];
        let ends = self.boundary.ends(above, &child.key, node.len() + 1);
        node.push(child);
        Ok(ends)
    }

    async fn write(&mut self, level: u8) -> Result<Child> {
        let encoded = match level.checked_sub(1) {
            None => self.leaf.finish(),
            Some(index) => self.nodes[usize::from(index)].finish(),
        };
        let page = match self.older.get(usize::from(level)) {
            Some((hash, page)) if *hash == encoded.hash => *page,
            _ => self.output.append(&encoded.page).await?,
        };
        let (hash, entries, bytes) = (encoded.hash, encoded.entries, encoded.bytes);
        Ok(Child { key: encoded.key, page, hash, entries, bytes })
    }

    /// Ends all pages. Returns the one of the lowest level that has only one, with its level;
    /// `None` if nothing was pushed.
    pub(crate) async fn finish(&mut self) -> Result<Option<(u8, Child)>> {
        if self.leaf.len() > 0 {
            self.end_page(0).await?;
        }
        let mut level = 1;
        while let Some((node, above)) = self.nodes[usize::from(level) - 1..].split_first_mut() {
            if above.iter().all(NodeWriter::is_unused)
                && let Some(child) = node.only_child()
            {
                return Ok(Some((level - 1, child)));
            }
            if node.len() > 0 {
                self.end_page(level).await?;
            }
            level += 1;
        }
        Ok(None)
    }
}
