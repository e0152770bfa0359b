//! `verify`: reads every page of a tree from the blocks and recomputes everything it says.

use std::collections::HashSet;

use model::{Entry, Extent, ObjectPath, Root};

use crate::hashing::{self, Boundary};
use crate::keys::Keys;
use crate::leaf::Leaf;
use crate::node::{Child, Node};
use crate::page::{Page, Reference};
use crate::{Error, Result, Tree, reference};

/// What a check comes upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// A page is damaged.
    Damage(Damage),
    /// An entry that can be read, for the caller to check its content. Paths ascend.
    Entry(ObjectPath, Entry),
}

/// A page that cannot be read, or is not what its parent or the format says. If it can be read at
/// all, what is below follows nevertheless.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Where the page lies.
    pub page: Extent,
    /// Its height; 0 for a leaf.
    pub level: u8,
    /// The paths it holds are greater than this one; `None`: from the first on.
    pub after: Option<Vec<u8>>,
    /// The paths it holds end with this one; `None`: up to the last.
    pub last: Option<Vec<u8>>,
    /// What is wrong with it.
    pub what: String,
}

/// A check of a tree. After an error it is of no further use.
pub struct Verify {
    tree: Tree,
    /// The root, until it has been visited.
    root: Option<Target>,
    stack: Vec<Frame>,
    entries: std::vec::IntoIter<(ObjectPath, Entry)>,
    damage: Vec<Damage>,
    /// The last key of everything visited.
    floor: Option<Vec<u8>>,
    boundary: Boundary,
    sound: HashSet<Extent>,
}

/// A page to visit.
struct Target {
    at: Reference,
    /// `None` for a root.
    key: Option<Vec<u8>>,
    bytes: u64,
    /// Whether nothing follows on its level.
    last: bool,
}

struct Frame {
    node: Node,
    page: Extent,
    index: usize,
    last: bool,
    /// Nothing below it was found damaged so far.
    sound: bool,
}

impl Tree {
    /// Checks all of a tree but the pages in `sound`, which an earlier check has found so with all
    /// that is below them. Caches are bypassed.
    pub fn verify(&self, root: &Root, sound: HashSet<Extent>) -> Verify {
        let target = |at| Target { at, key: None, bytes: root.bytes, last: true };
        Verify {
            tree: self.clone(),
            root: reference(root).map(target),
            stack: Vec::new(),
            entries: Vec::new().into_iter(),
            damage: Vec::new(),
            floor: None,
            boundary: Boundary::new(),
            sound,
        }
    }
}

/// The words for an error that is damage; any other error as it is.
fn damage(error: Error) -> Result<String> {
    use blocks::Error::{Damaged, Missing};
    match error {
        Error::Page { .. } => Ok(error.to_string()),
        Error::Blocks(error @ (Damaged { .. } | Missing { .. })) => Ok(error.to_string()),
        error => Err(error),
    }
}

impl Verify {
    /// The next thing found. An error says that the check could not be made, not that anything is
    /// damaged.
    pub async fn next(&mut self) -> Result<Option<Finding>> {
        loop {
            if let Some(damage) = self.damage.pop() {
                return Ok(Some(Finding::Damage(damage)));
            }
            if let Some((path, entry)) = self.entries.next() {
                return Ok(Some(Finding::Entry(path, entry)));
            }
            if let Some(root) = self.root.take() {
                self.visit(root).await?;
                continue;
            }
            let Some(frame) = self.stack.last_mut() else { return Ok(None) };
            if frame.index == frame.node.keys().len() {
                self.leave();
                continue;
            }
            let Child { key, page, hash, entries, bytes } = frame.node.child(frame.index);
            frame.index += 1;
            let last = frame.last && frame.index == frame.node.keys().len();
            let at = Reference { page, level: frame.node.level() - 1, hash, entries };
            self.visit(Target { at, key: Some(key), bytes, last }).await?;
        }
    }

    /// The pages found sound with all that is below them, those that were given included.
    pub fn into_sound(self) -> HashSet<Extent> {
        self.sound
    }

    /// Goes back up from a node all of whose children have been visited. The last page of a level
    /// is not held to be sound for other trees, where it may not be the last.
    fn leave(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        if frame.sound && !frame.last {
            self.sound.insert(frame.page);
        }
        if !frame.sound
            && let Some(parent) = self.stack.last_mut()
        {
            parent.sound = false;
        }
    }

    async fn visit(&mut self, target: Target) -> Result<()> {
        if self.sound.contains(&target.at.page) {
            self.floor = target.key;
            return Ok(());
        }
        let page = match self.tree.load(&target.at).await {
            Ok(page) => page,
            Err(error) => {
                let what = damage(error)?;
                self.report_unread(target, what);
                return Ok(());
            }
        };
        let what = self.examine(&target, &page);
        let sound = what.is_none();
        if let Some(what) = what {
            self.report(&target, what.to_owned());
        }
        match page {
            Page::Node(node) if node.level() == target.at.level => {
                let (page, last) = (target.at.page, target.last);
                self.stack.push(Frame { node, page, index: 0, last, sound });
            }
            page => {
                self.floor = page.keys().last().map(<[u8]>::to_vec);
                if sound && !target.last {
                    self.sound.insert(target.at.page);
                }
            }
        }
        Ok(())
    }

    /// Notes that a page, and with it all that is below, cannot be read.
    fn report_unread(&mut self, target: Target, what: String) {
        self.report(&target, what);
        self.floor = target.key.or(self.floor.take());
    }

    /// Notes damage; nothing above the page is sound.
    fn report(&mut self, target: &Target, what: String) {
        if let Some(parent) = self.stack.last_mut() {
            parent.sound = false;
        }
        let Reference { page, level, .. } = target.at;
        let (after, last) = (self.floor.clone(), target.key.clone());
        self.damage.push(Damage { page, level, after, last, what });
    }

    /// What is wrong with the page itself, if anything is; the entries of a leaf are kept.
    fn examine(&mut self, target: &Target, page: &Page) -> Option<&'static str> {
        if page.level() != target.at.level {
            return Some("it is of another level than its parent says");
        }
        let (hash, bytes) = match page {
            Page::Leaf(leaf) => match self.read_leaf(leaf) {
                Ok(read) => read,
                Err(what) => return Some(what),
            },
            Page::Node(node) => (node.content_hash(), node.bytes()),
        };
        let keys = page.keys();
        let is_alone = page.level() > 0 && keys.len() == 1 && self.stack.is_empty();
        let checks = [
            (hash == target.at.hash, "its content has another hash than its parent says"),
            (page.entries() == target.at.entries, "it has another number of entries"),
            (bytes == target.bytes, "the sizes of its entries have another sum"),
            (
                target.key.is_none() || target.key.as_deref() == keys.last(),
                "it ends with another path than its parent says",
            ),
            (
                self.floor.as_deref().is_none_or(|floor| floor < keys.get(0)),
                "its paths do not follow those of the page before",
            ),
            (self.ends_right(target, keys), "it does not begin or end where it must"),
            (!is_alone, "it is a root with a single child"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }

    /// Keeps the entries; gives their hash and the sum of their sizes.
    fn read_leaf(&mut self, leaf: &Leaf) -> Result<(model::Hash, u64), &'static str> {
        let pairs = (0..leaf.keys().len()).map(|index| leaf.pair(index));
        let pairs: Vec<_> = pairs.collect::<Result<_, _>>().map_err(|corrupt| corrupt.0)?;
        let hash = hashing::hash_entries(&pairs)?;
        let bytes = pairs.iter().fold(0u64, |sum, (_, entry)| sum.wrapping_add(entry.size));
        self.entries = pairs.into_iter();
        Ok((hash, bytes))
    }

    /// Whether the page ends where the rule says, and nowhere before.
    fn ends_right(&mut self, target: &Target, keys: &Keys) -> bool {
        let level = target.at.level;
        let mut ends = |index| self.boundary.ends(level, keys.get(index), index + 1);
        let last = keys.len() - 1;
        !(0..last).any(&mut ends) && (target.last || ends(last))
    }
}
