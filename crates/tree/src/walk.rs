//! `walk`: every page of some trees, each address once, for whoever asks what they need.

use std::collections::HashSet;

use model::{Content, Extent, Root};

use crate::page::{Page, Reference};
use crate::{Result, Tree, reference};

/// A walk over trees. After an error it is of no further use: what is below the damaged page is not
/// known.
pub struct Walk {
    tree: Tree,
    /// Pages that have been visited or are about to be, by address: some 40 bytes each.
    seen: HashSet<Extent>,
    /// To be visited: of each level at most the children of one page.
    waiting: Vec<Reference>,
}

/// A page that a walk has read.
#[derive(Debug)]
pub struct Visited {
    /// Where it lies.
    pub page: Extent,
    /// Where the content of its entries lies; nothing for a page that is no leaf.
    pub contents: Vec<Content>,
}

impl Tree {
    /// A walk that has no trees yet. Caches are bypassed: it would fill them with what nobody
    /// reads.
    pub fn walk(&self) -> Walk {
        Walk { tree: self.clone(), seen: HashSet::new(), waiting: Vec::new() }
    }
}

impl Walk {
    /// Adds all pages of a tree that the walk has not seen.
    pub fn add(&mut self, root: &Root) {
        if let Some(at) = reference(root) {
            self.push(at);
        }
    }

    fn push(&mut self, at: Reference) {
        if self.seen.insert(at.page) {
            self.waiting.push(at);
        }
    }

    /// The next page; nothing once all of what was added has been visited.
    pub async fn next(&mut self) -> Result<Option<Visited>> {
        let Some(at) = self.waiting.pop() else { return Ok(None) };
        let page = self.tree.load(&at).await?;
        at.check(&page)?;
        let mut contents = Vec::new();
        match &page {
            Page::Node(node) => {
                for index in 0..node.keys().len() {
                    self.push(Reference::child(node, &node.child(index)));
                }
            }
            Page::Leaf(leaf) => {
                for index in 0..leaf.keys().len() {
                    let entry = leaf.entry(index).map_err(|corrupt| at.damaged(corrupt))?;
                    contents.push(entry.content);
                }
            }
        }
        Ok(Some(Visited { page: at.page, contents }))
    }
}
