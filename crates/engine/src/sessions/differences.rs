//! What a session changes: its staged changes compared with its base.
//!
//! A staged change that leaves what the base holds is none.

use std::ops::Bound;

use model::{Entry, ObjectPath, Root, Session, successor};
use tree::{Change, Edit, Scan};

use super::overlay::Overlay;
use super::staged::Staged;
use crate::commits::{DiffQuery, DiffRow, Status};
use crate::{Engine, Result};

/// The differences of a session in a range. Moves forward only.
struct Differences {
    staged: Staged,
    base: Scan,
    /// The entry of the base that was looked for last, or the first one after it.
    at: Option<(ObjectPath, Entry)>,
}

impl Differences {
    /// The next difference.
    async fn next(&mut self) -> Result<Option<Change>> {
        while let Some(Edit { path, entry: right }) = self.staged.next().await? {
            let left = self.base_at(&path).await?;
            let is_same = match (&left, &right) {
                (None, None) => true,
                (Some(left), Some(right)) => tree::same(left, right),
                _ => false,
            };
            if !is_same {
                return Ok(Some(Change { path, left, right }));
            }
        }
        Ok(None)
    }

    /// The entry of the base at `path`, which is greater than that asked for before.
    async fn base_at(&mut self, path: &ObjectPath) -> Result<Option<Entry>> {
        if self.at.as_ref().is_none_or(|(at, _)| at < path) {
            self.base.seek(Bound::Included(path.as_bytes().to_vec()));
            self.at = self.base.next().await?;
        }
        Ok(self.at.as_ref().filter(|(at, _)| at == path).map(|(_, entry)| entry.clone()))
    }
}

impl Engine {
    /// The first `limit` rows of what the session changes.
    pub(crate) async fn session_diff_rows(
        &self,
        session: &Session,
        query: &DiffQuery,
        limit: usize,
    ) -> Result<Vec<DiffRow>> {
        let base = self.session_base(session).await?;
        let (start, end) = (query.start(), successor(query.prefix.as_bytes()));
        let mut differences = Differences {
            staged: Staged::new(self, session.id, start, end),
            base: self.tree.scan(&base, Bound::Unbounded, None),
            at: None,
        };
        let mut rows = Vec::new();
        while rows.len() < limit {
            let Some(change) = differences.next().await? else { break };
            let Some(group) = query.group_of(change.path.as_str()) else {
                rows.extend(DiffRow::of(change));
                continue;
            };
            rows.push(self.session_group_row(session, &base, group).await?);
            let Some(behind) = successor(group.as_bytes()) else { break };
            differences.staged.seek(Bound::Included(behind));
        }
        Ok(rows)
    }

    async fn session_group_row(
        &self,
        session: &Session,
        base: &Root,
        group: &str,
    ) -> Result<DiffRow> {
        let (start, end) = (Bound::Included(group.into()), successor(group.as_bytes()));
        let mut now = Overlay::new(self, session, base, start, end);
        let status = Status::of_group(self.has(base, group).await?, now.next().await?.is_some());
        Ok(DiffRow { path: group.to_owned(), entry: None, status })
    }
}
