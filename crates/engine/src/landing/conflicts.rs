//! Conflicts: paths that others have changed since the changes of a commit were made.
//!
//! Both sides are sorted, and each goes to where the other one is, by a jump if that is far: a
//! small commit after a large import costs what is small, and so does a large one after a small
//! change.

use std::ops::Bound;

use model::limits::CONFLICTS_NAMED_MAX;
use model::{ObjectPath, Root};
use tree::Diff;

use super::changes::Changes;
use crate::sessions::Staged;
use crate::{Engine, Error, Result};

/// Differences of two trees that are stepped over before it is worth a jump.
const STEPS_MAX: u32 = 32;

/// `Conflict`, naming paths, if `head` differs at any path of the changes from the tree that they
/// were made on.
pub(super) async fn refuse(engine: &Engine, changes: &Changes, head: &Root) -> Result<()> {
    let mut found = Found::default();
    let mut ours = changes.paths(engine);
    let mut theirs = Paths::differing(engine, changes.base(), head);
    let mut from = Vec::new();
    while let Some(our) = ours.first(&from).await?
        && let Some(their) = theirs.first(our.as_bytes()).await?
    {
        from = their.as_bytes().to_vec();
        if our == their {
            // The next byte string in order: nothing lies between.
            from.push(0);
            found.add(our);
        }
    }
    found.refuse(changes.since())
}

/// Paths of changes, in order. Moves forward only.
pub(super) enum Paths {
    /// Those that a session has staged.
    Staged(Staged),
    /// Those at which two trees differ.
    Differing(Box<Differing>),
}

impl Paths {
    pub(super) fn differing(engine: &Engine, left: &Root, right: &Root) -> Self {
        let diff = engine.tree.diff(left, right, Bound::Unbounded, None);
        let (engine, left, right) = (engine.clone(), *left, *right);
        Self::Differing(Box::new(Differing { engine, left, right, diff, at: None }))
    }

    /// The first one that is not before `from`.
    async fn first(&mut self, from: &[u8]) -> Result<Option<ObjectPath>> {
        match self {
            Self::Staged(staged) => {
                staged.seek(Bound::Included(from.to_vec()));
                Ok(staged.path().await?.cloned())
            }
            Self::Differing(differing) => differing.first(from).await,
        }
    }
}

pub(super) struct Differing {
    engine: Engine,
    left: Root,
    right: Root,
    diff: Diff,
    /// The path that `diff` gave last.
    at: Option<ObjectPath>,
}

impl Differing {
    async fn first(&mut self, from: &[u8]) -> Result<Option<ObjectPath>> {
        let mut steps = 0;
        while self.at.as_ref().is_none_or(|at| at.as_bytes() < from) {
            if steps == STEPS_MAX {
                let start = Bound::Included(from.to_vec());
                self.diff = self.engine.tree.diff(&self.left, &self.right, start, None);
            }
            steps += 1;
            let Some(change) = self.diff.next().await? else { return Ok(None) };
            self.at = Some(change.path);
        }
        Ok(self.at.clone())
    }
}

/// The conflicts that were found.
#[derive(Default)]
struct Found {
    count: u64,
    named: Vec<ObjectPath>,
}

impl Found {
    fn add(&mut self, path: ObjectPath) {
        self.count += 1;
        if self.named.len() < CONFLICTS_NAMED_MAX {
            self.named.push(path);
        }
    }

    fn refuse(self, since: &str) -> Result<()> {
        let named: Vec<&str> = self.named.iter().map(ObjectPath::as_str).collect();
        let others = match self.count - named.len() as u64 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        match self.count {
            0 => Ok(()),
            1 => Err(Error::conflict(format!("1 path was changed {since}: {}", named[0]))),
            count => {
                let named = named.join(", ");
                Err(Error::conflict(format!("{count} paths were changed {since}: {named}{others}")))
            }
        }
    }
}
