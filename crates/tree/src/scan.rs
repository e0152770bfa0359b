//! `scan`: the entries of a range, in order, page by page.

use std::ops::Bound;

use model::{Entry, ObjectPath, Root};

use crate::cursor::Cursor;
use crate::{Result, Tree};

/// The entries of a range. After an error it is of no further use.
pub struct Scan {
    cursor: Cursor,
    /// Where to move before the next entry is read.
    from: Option<Bound<Vec<u8>>>,
    end: Option<Vec<u8>>,
}

impl Tree {
    /// Entries with paths from `start` up to, not including, `end`, ascending. Reads nothing until
    /// it is asked.
    pub fn scan(&self, root: &Root, start: Bound<Vec<u8>>, end: Option<Vec<u8>>) -> Scan {
        Scan { cursor: Cursor::new(self.clone(), *root), from: Some(start), end }
    }
}

impl Scan {
    /// The next entry.
    pub async fn next(&mut self) -> Result<Option<(ObjectPath, Entry)>> {
        match self.from.take() {
            Some(from) => self.cursor.seek(from.as_ref().map(Vec::as_slice)).await?,
            None => self.cursor.advance().await?,
        }
        match (self.cursor.key(), &self.end) {
            (Some(key), Some(end)) if key >= &end[..] => {
                self.from = Some(Bound::Unbounded);
                Ok(None)
            }
            _ => self.cursor.pair(),
        }
    }

    /// Makes the next entry the first one that has not been returned and is not before `to`. Never
    /// goes back.
    pub fn seek(&mut self, to: Bound<Vec<u8>>) {
        if self.from.is_none() {
            self.cursor.skip();
        }
        self.from = Some(to);
    }
}
