//! `apply`: an older tree and a sorted stream of edits become a new tree, in one pass.
//!
//! The older tree is walked from the left. A page of it, with all that is below, is taken over by
//! its address if no edit falls into its range and a page would begin and end there in the new tree
//! too; otherwise the walk descends, and leaves are merged with the edits.

use std::pin::{Pin, pin};
use std::sync::Arc;

use blocks::Writer;
use futures_util::{Stream, StreamExt};
use model::{Entry, ObjectPath, Root, SegmentRecord};

use crate::builder::Builder;
use crate::hashing;
use crate::leaf::Leaf;
use crate::node::Child;
use crate::output::Output;
use crate::page::{Page, Reference};
use crate::{Error, Result, Tree, reference};

/// One change to a tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// Where.
    pub path: ObjectPath,
    /// The entry to put there; `None` deletes.
    pub entry: Option<Entry>,
}

/// What [`Tree::apply`] made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The root of the new tree.
    pub root: Root,
    /// The segments with its new pages, durable. None if nothing changed.
    pub segments: Vec<SegmentRecord>,
}

impl Tree {
    /// The tree at `base` with `edits` applied, whose paths must ascend strictly. When it returns,
    /// the new pages are durable, in segments of `writer`; unchanged pages are referred to where
    /// they are.
    ///
    /// Deleting what is not there and putting what is there already change nothing. An entry that
    /// is put in the place of one that differs from it only in where its bytes lie leaves the older
    /// one in place: so a tree in which nothing changed is `base` itself, address included, and
    /// nothing is written.
    ///
    /// After an error, segments that had been sealed stay behind as files that nothing names.
    pub async fn apply<S, E>(&self, base: &Root, edits: S, writer: &Writer) -> Result<Applied, E>
    where
        S: Stream<Item = Result<Edit, E>>,
        E: From<Error>,
    {
        let mut edits = Edits { stream: pin!(edits), next: None };
        edits.take().await?;
        if edits.next.is_none() {
            return Ok(Applied { root: *base, segments: Vec::new() });
        }
        let mut merge =
            Merge { tree: self, builder: Builder::new(Output::new(writer)), stack: Vec::new() };
        merge.run(base, &mut edits).await?;
        let root = merge.root().await?;
        let segments = merge.builder.output.finish().await?;
        Ok(Applied { root, segments })
    }
}

/// The edits, with the next one in view.
struct Edits<'a, S> {
    stream: Pin<&'a mut S>,
    next: Option<Edit>,
}

impl<S, E> Edits<'_, S>
where
    S: Stream<Item = Result<Edit, E>>,
    E: From<Error>,
{
    /// The next edit; the one after it comes into view.
    async fn take(&mut self) -> Result<Option<Edit>, E> {
        let after = self.stream.next().await.transpose()?;
        let taken = std::mem::replace(&mut self.next, after);
        if let (Some(taken), Some(after)) = (&taken, &self.next)
            && taken.path >= after.path
        {
            return Err(Error::OutOfOrder { path: after.path.clone() }.into());
        }
        Ok(taken)
    }

    /// Takes the next edit if it lies before `key`.
    async fn take_before(&mut self, key: &[u8]) -> Result<Option<Edit>, E> {
        match &self.next {
            Some(next) if next.path.as_bytes() < key => self.take().await,
            _ => Ok(None),
        }
    }

    fn is_next(&self, key: &[u8]) -> bool {
        self.next.as_ref().is_some_and(|next| next.path.as_bytes() == key)
    }
}

struct Merge<'a> {
    tree: &'a Tree,
    builder: Builder<'a>,
    stack: Vec<Frame>,
}

/// A page of the older tree whose children are being merged.
struct Frame {
    page: Arc<Page>,
    at: Reference,
    index: usize,
    /// Whether nothing of the older tree follows the page.
    last: bool,
}

impl Merge<'_> {
    async fn run<S, E>(&mut self, base: &Root, edits: &mut Edits<'_, S>) -> Result<(), E>
    where
        S: Stream<Item = Result<Edit, E>>,
        E: From<Error>,
    {
        if let Some(root) = reference(base) {
            self.descend(root, true).await?;
        }
        while let Some(frame) = self.stack.last_mut() {
            let (page, at) = (frame.page.clone(), frame.at);
            match &*page {
                Page::Leaf(leaf) => {
                    self.stack.pop();
                    self.merge_leaf(leaf, at, edits).await?;
                }
                Page::Node(node) if frame.index == node.keys().len() => {
                    self.stack.pop();
                }
                Page::Node(node) => {
                    let child = node.child(frame.index);
                    frame.index += 1;
                    let last = frame.last && frame.index == node.keys().len();
                    let below = Reference::child(node, &child);
                    if self.can_stay(&child, below.level, last, edits.next.as_ref()) {
                        self.builder.push_page(below.level, child).await?;
                    } else {
                        self.descend(below, last).await?;
                    }
                }
            }
        }
        while let Some(edit) = edits.take().await? {
            self.put(edit).await?;
        }
        Ok(())
    }

    async fn descend(&mut self, at: Reference, last: bool) -> Result<()> {
        let page = self.tree.page(&at).await?;
        self.builder.descend(at.level, at.hash, at.page);
        self.stack.push(Frame { page, at, index: 0, last });
        Ok(())
    }

    /// Whether the child with all that is below belongs into the new tree as it is. The `last` page
    /// of the older tree may have ended only because nothing followed.
    fn can_stay(&self, child: &Child, level: u8, last: bool, next: Option<&Edit>) -> bool {
        let untouched = next.is_none_or(|edit| !last && edit.path.as_bytes() > &child.key[..]);
        untouched && self.builder.is_between_pages(level)
    }

    async fn merge_leaf<S, E>(
        &mut self,
        leaf: &Leaf,
        at: Reference,
        edits: &mut Edits<'_, S>,
    ) -> Result<(), E>
    where
        S: Stream<Item = Result<Edit, E>>,
        E: From<Error>,
    {
        for index in 0..leaf.keys().len() {
            let key = leaf.keys().get(index);
            while let Some(edit) = edits.take_before(key).await? {
                self.put(edit).await?;
            }
            let (path, older) = leaf.pair(index).map_err(|corrupt| at.damaged(corrupt))?;
            let entry = match edits.is_next(key) {
                false => Some(older),
                true => match edits.take().await?.and_then(|edit| edit.entry) {
                    Some(entry) if hashing::same(&entry, &older) => Some(older),
                    entry => entry,
                },
            };
            if let Some(entry) = entry {
                self.builder.push_entry(&path, &entry).await?;
            }
        }
        Ok(())
    }

    /// An edit of a path the older tree does not have.
    async fn put(&mut self, edit: Edit) -> Result<()> {
        match edit.entry {
            Some(entry) => self.builder.push_entry(&edit.path, &entry).await,
            None => Ok(()),
        }
    }

    /// Ends the new tree. A page of the older tree that is left alone may have been the last on its
    /// level, with a single child: then the root lies below.
    async fn root(&mut self) -> Result<Root> {
        let Some((level, child)) = self.builder.finish().await? else { return Ok(Tree::empty()) };
        let Child { page, hash, entries, bytes, .. } = child;
        let mut at = Reference { page, level, hash, entries };
        while at.level > 0 && !self.builder.output.holds(at.page) {
            match &*self.tree.page(&at).await? {
                Page::Node(node) if node.keys().len() == 1 => {
                    at = Reference::child(node, &node.child(0));
                }
                _ => break,
            }
        }
        Ok(Root { page: Some(at.page), level: at.level, hash: at.hash, entries, bytes })
    }
}
