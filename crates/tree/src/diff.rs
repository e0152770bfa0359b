//! `diff`: where two trees differ, in order, at the cost of the difference.
//!
//! Both sides are walked together. Where both are at pages with the same hash, everything below is
//! the same and neither is opened; otherwise the higher one is, until there are entries to compare.

use std::cmp::Ordering;
use std::ops::Bound;

use model::{Entry, ObjectPath, Root};

use crate::cursor::{Cursor, Head};
use crate::{Result, Tree};

/// A path at which two trees differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Where.
    pub path: ObjectPath,
    /// The entry in the left tree; `None` if it was added.
    pub left: Option<Entry>,
    /// The entry in the right tree; `None` if it was removed.
    pub right: Option<Entry>,
}

/// The differences of two trees in a range. After an error it is of no further use.
pub struct Diff {
    left: Cursor,
    right: Cursor,
    start: Bound<Vec<u8>>,
    end: Option<Vec<u8>>,
}

/// What to do next.
enum Step {
    Finish,
    /// Both sides are at the same page.
    SkipBoth,
    Open {
        left: bool,
        right: bool,
    },
    /// The next path is on the sides that are true.
    Take {
        left: bool,
        right: bool,
    },
}

impl Tree {
    /// The differences between two trees at paths from `start` up to, not including, `end`,
    /// ascending. Entries that differ only in where their bytes lie are the same.
    pub fn diff(
        &self,
        left: &Root,
        right: &Root,
        start: Bound<Vec<u8>>,
        end: Option<Vec<u8>>,
    ) -> Diff {
        let cursor = |root: &Root| Cursor::new(self.clone(), *root);
        Diff { left: cursor(left), right: cursor(right), start, end }
    }
}

impl Diff {
    /// The next difference.
    pub async fn next(&mut self) -> Result<Option<Change>> {
        loop {
            match self.step()? {
                Step::Finish => return Ok(None),
                Step::SkipBoth => {
                    self.left.skip();
                    self.right.skip();
                }
                Step::Open { left, right } => {
                    let from = self.start.as_ref().map(Vec::as_slice);
                    let left = open_if(left, &mut self.left, from);
                    let right = open_if(right, &mut self.right, from);
                    futures_util::try_join!(left, right)?;
                }
                Step::Take { left, right } => {
                    let left = take_if(left, &mut self.left)?;
                    let right = take_if(right, &mut self.right)?;
                    let path = left.as_ref().or(right.as_ref()).map(|(path, _)| path.clone());
                    let (left, right) = (left.map(|pair| pair.1), right.map(|pair| pair.1));
                    return Ok(path.map(|path| Change { path, left, right }));
                }
            }
        }
    }

    fn step(&self) -> Result<Step> {
        let open = |left, right| Ok(Step::Open { left, right });
        let take = |left, right| Ok(Step::Take { left, right });
        match (self.head(&self.left), self.head(&self.right)) {
            (Head::End, Head::End) => Ok(Step::Finish),
            (Head::Page { level, hash }, Head::Page { level: other, hash: there }) => {
                if hash == there {
                    return Ok(Step::SkipBoth);
                }
                open(level >= other, other >= level)
            }
            (Head::Page { .. }, Head::End) => open(true, false),
            (Head::End, Head::Page { .. }) => open(false, true),
            (Head::Entry { .. }, Head::End) => take(true, false),
            (Head::End, Head::Entry { .. }) => take(false, true),
            (Head::Entry { leaf, index }, Head::Page { .. }) => {
                match is_past(&self.right, leaf.keys().get(index)) {
                    true => take(true, false),
                    false => open(false, true),
                }
            }
            (Head::Page { .. }, Head::Entry { leaf, index }) => {
                match is_past(&self.left, leaf.keys().get(index)) {
                    true => take(false, true),
                    false => open(true, false),
                }
            }
            (Head::Entry { leaf, index }, Head::Entry { leaf: other, index: there }) => {
                match leaf.keys().get(index).cmp(other.keys().get(there)) {
                    Ordering::Less => take(true, false),
                    Ordering::Greater => take(false, true),
                    Ordering::Equal if self.left.same_entry(&self.right)? => Ok(Step::SkipBoth),
                    Ordering::Equal => take(true, true),
                }
            }
        }
    }

    /// What lies at `cursor`, if it can be in the range.
    fn head<'a>(&self, cursor: &'a Cursor) -> Head<'a> {
        let Some(end) = &self.end else { return cursor.head() };
        let is_over = match cursor.key() {
            Some(key) => key >= &end[..],
            None => cursor.floor().is_some_and(|floor| floor >= &end[..]),
        };
        if is_over { Head::End } else { cursor.head() }
    }
}

fn take_if(is: bool, cursor: &mut Cursor) -> Result<Option<(ObjectPath, Entry)>> {
    if !is {
        return Ok(None);
    }
    let pair = cursor.pair()?;
    cursor.skip();
    Ok(pair)
}

async fn open_if(is: bool, cursor: &mut Cursor, from: Bound<&[u8]>) -> Result<()> {
    if is { cursor.open(from).await } else { Ok(()) }
}

/// Whether all that is left at `cursor` is greater than `key`.
fn is_past(cursor: &Cursor, key: &[u8]) -> bool {
    cursor.floor().is_some_and(|floor| floor >= key)
}
