//! What a session has staged, read in order, a page of rows at a time.

use std::collections::VecDeque;
use std::ops::Bound;

use futures_util::{Stream, stream};
use model::limits::STAGED_ROWS;
use model::{Entry, ObjectPath, SessionId, StagedChange};
use tree::Edit;

use crate::{Engine, Error, Kind, Result};

/// Rows of the first page, and of the first one after a jump. Every further page has four times as
/// many, up to [`STAGED_ROWS`]: whoever looks at one row does not read a thousand.
const FIRST_ROWS: usize = 16;

/// Staged changes from a place on. Moves forward only.
pub(crate) struct Staged {
    engine: Engine,
    session: SessionId,
    /// Read and not taken yet.
    rows: VecDeque<StagedChange>,
    /// Where the next page begins; `None` after the last one.
    from: Option<Bound<Vec<u8>>>,
    end: Option<Vec<u8>>,
    /// Rows of the next page.
    limit: usize,
}

impl Staged {
    /// Changes at paths from `start` up to, not including, `end`. Reads nothing until it is asked.
    pub(crate) fn new(
        engine: &Engine,
        session: SessionId,
        start: Bound<Vec<u8>>,
        end: Option<Vec<u8>>,
    ) -> Self {
        let (engine, rows) = (engine.clone(), VecDeque::new());
        Self { engine, session, rows, from: Some(start), end, limit: FIRST_ROWS }
    }

    /// The path of the next change, which stays the next.
    pub(crate) async fn path(&mut self) -> Result<Option<&ObjectPath>> {
        if self.rows.is_empty() {
            self.read().await?;
        }
        Ok(self.rows.front().map(|row| &row.path))
    }

    /// Takes the next change.
    pub(crate) async fn next(&mut self) -> Result<Option<Edit>> {
        if self.rows.is_empty() {
            self.read().await?;
        }
        self.rows.pop_front().map(decode).transpose()
    }

    /// Makes the next change the first one that is not before `to`. Never goes back.
    pub(crate) fn seek(&mut self, to: Bound<Vec<u8>>) {
        let is_before = |row: &StagedChange| match &to {
            Bound::Included(to) => row.path.as_bytes() < &to[..],
            Bound::Excluded(to) => row.path.as_bytes() <= &to[..],
            Bound::Unbounded => false,
        };
        let passed = self.rows.iter().take_while(|row| is_before(row)).count();
        self.rows.drain(..passed);
        if self.rows.is_empty() && self.from.is_some() {
            (self.from, self.limit) = (Some(to), FIRST_ROWS);
        }
    }

    async fn read(&mut self) -> Result<()> {
        let Some(from) = self.from.take() else { return Ok(()) };
        let (catalog, limit) = (self.engine.catalog(), self.limit);
        let rows = catalog.staged(self.session, from, self.end.clone(), limit).await;
        let rows = rows.map_err(|error| match error {
            error @ catalog::Error::Damaged { .. } => {
                damaged("staged changes are").caused_by(error)
            }
            error => error.into(),
        })?;
        if rows.len() >= limit {
            self.from = rows.last().map(|row| Bound::Excluded(row.path.as_bytes().to_vec()));
        }
        self.rows = rows.into();
        self.limit = (limit * 4).min(STAGED_ROWS);
        Ok(())
    }

    /// All that follows, as what a tree takes.
    pub(crate) fn edits(self) -> impl Stream<Item = Result<Edit>> + Send + 'static {
        stream::try_unfold(self, |mut staged| async move {
            Ok(staged.next().await?.map(|edit| (edit, staged)))
        })
    }
}

/// Decodes a row of the catalog.
pub(crate) fn decode(change: StagedChange) -> Result<Edit> {
    let StagedChange { path, entry } = change;
    let entry = entry.map(|bytes| decode_entry(&path, bytes)).transpose()?;
    Ok(Edit { path, entry })
}

fn decode_entry(path: &ObjectPath, bytes: Vec<u8>) -> Result<Entry> {
    let damaged = || damaged(&format!("{path}: what is staged here is"));
    match tree::staged::decode(bytes) {
        Ok((encoded, entry)) if encoded == *path => Ok(entry),
        Ok(_) => Err(damaged()),
        Err(error) => Err(damaged().caused_by(error)),
    }
}

fn damaged(what: &str) -> Error {
    Error::new(Kind::Damaged, "DATA_DAMAGED", format!("{what} damaged"))
}
