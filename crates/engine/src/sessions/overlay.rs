//! What a session sees: the entries of its base with its staged changes on top, merged in order.
//!
//! Neither side is read but for what is asked: a group of a listing is passed by one seek on both.
//! Only entries that the session has deleted are looked at without being shown.

use std::ops::Bound;

use model::{Entry, ObjectPath, Page, Root, Session, successor};
use tree::{ListQuery, Listed, Scan};

use super::staged::{self, Staged};
use crate::{Engine, Result};

/// The entries of a session in a range. Moves forward only.
pub(super) struct Overlay {
    base: Scan,
    /// The entry of the base that is to come, once it has been looked for.
    ahead: Option<Option<(ObjectPath, Entry)>>,
    staged: Staged,
}

impl Overlay {
    /// Entries at paths from `start` up to, not including, `end`. Reads nothing until it is asked.
    pub(super) fn new(
        engine: &Engine,
        session: &Session,
        base: &Root,
        start: Bound<Vec<u8>>,
        end: Option<Vec<u8>>,
    ) -> Self {
        Self {
            base: engine.tree.scan(base, start.clone(), end.clone()),
            ahead: None,
            staged: Staged::new(engine, session.id, start, end),
        }
    }

    /// The next entry that is there.
    pub(super) async fn next(&mut self) -> Result<Option<(ObjectPath, Entry)>> {
        loop {
            let below = match self.ahead.take() {
                Some(below) => below,
                None => self.base.next().await?,
            };
            match (self.staged.path().await?, below) {
                (None, below) => {
                    self.ahead = below.is_none().then_some(None);
                    return Ok(below);
                }
                (Some(path), Some(below)) if below.0 < *path => return Ok(Some(below)),
                (Some(path), below) => {
                    let is_covered = below.as_ref().is_some_and(|(under, _)| under == path);
                    self.ahead = (!is_covered).then_some(below);
                }
            }
            if let Some(edit) = self.staged.next().await?
                && let Some(entry) = edit.entry
            {
                return Ok(Some((edit.path, entry)));
            }
        }
    }

    /// Makes the next entry the first one that is not before `to`. Never goes back.
    fn seek(&mut self, to: Bound<Vec<u8>>) {
        let is_past = |path: &ObjectPath| match &to {
            Bound::Included(to) => path.as_bytes() >= &to[..],
            Bound::Excluded(to) => path.as_bytes() > &to[..],
            Bound::Unbounded => true,
        };
        let stays = self
            .ahead
            .as_ref()
            .is_some_and(|ahead| ahead.as_ref().is_none_or(|(path, _)| is_past(path)));
        if !stays {
            self.ahead = None;
            self.base.seek(to.clone());
        }
        self.staged.seek(to);
    }
}

impl Engine {
    /// The entry at `path`, as the session sees it.
    pub(crate) async fn session_entry(
        &self,
        session: &Session,
        path: &ObjectPath,
    ) -> Result<Option<Entry>> {
        if let Some(change) = self.catalog().staged_at(session.id, path).await? {
            return Ok(staged::decode(change)?.entry);
        }
        let base = self.session_base(session).await?;
        Ok(self.tree.get(&base, path.as_bytes()).await?)
    }

    /// A page of what the session sees. Its `next` is set only if more rows follow.
    pub(crate) async fn list_session(
        &self,
        session: &Session,
        query: &ListQuery,
    ) -> Result<Page<Listed>> {
        let base = self.session_base(session).await?;
        let end = successor(query.prefix.as_bytes());
        let mut entries = Overlay::new(self, session, &base, query.start(), end);
        let mut rows: Vec<Listed> = Vec::new();
        while let Some((path, entry)) = entries.next().await? {
            if rows.len() >= query.limit {
                let next = rows.last().map(|row| row.name().to_owned());
                return Ok(Page { rows, next });
            }
            match query.group(path.as_bytes()) {
                Some(group) => {
                    entries.seek(ListQuery::past(group));
                    rows.push(Listed::Prefix(String::from_utf8_lossy(group).into_owned()));
                }
                None => rows.push(Listed::Entry(path, entry)),
            }
        }
        Ok(Page { rows, next: None })
    }
}
