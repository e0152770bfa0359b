//! `list`: one page of a listing, with the prefix and delimiter of S3.
//!
//! Every row has a name: an entry its path, a group of entries what their paths share up to and
//! including the first delimiter after the prefix. Rows come in byte order of their names; a group
//! is passed by one seek, however large.

use std::ops::Bound;

use model::{Entry, ObjectPath, Page, Root, successor};

use crate::cursor::Cursor;
use crate::{Result, Tree};

/// What to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListQuery {
    /// Only paths that start with it.
    pub prefix: String,
    /// If set and not empty, paths that have it after the prefix are grouped.
    pub delimiter: Option<String>,
    /// Only rows whose name is greater: the [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Most rows.
    pub limit: usize,
}

/// A row of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listed {
    /// An entry.
    Entry(ObjectPath, Entry),
    /// A group: the prefix its paths share.
    Prefix(String),
}

impl Listed {
    /// What it is ordered by.
    pub fn name(&self) -> &str {
        match self {
            Self::Entry(path, _) => path.as_str(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

impl ListQuery {
    /// The name of the group `key` falls into, if it does. `key` starts with the prefix.
    pub fn group<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        let delimiter = self.delimiter.as_ref()?.as_bytes();
        let rest = key.get(self.prefix.len()..)?;
        let first = *delimiter.first()?;
        let mut starts = (0..rest.len()).filter(|start| rest[*start] == first);
        let start = starts.find(|start| rest[*start..].starts_with(delimiter))?;
        Some(&key[..self.prefix.len() + start + delimiter.len()])
    }

    /// Where the listing begins.
    pub fn start(&self) -> Bound<Vec<u8>> {
        match &self.after {
            Some(after) if after.starts_with(&self.prefix) => match self.group(after.as_bytes()) {
                Some(group) => Self::past(group),
                None => Bound::Excluded(after.clone().into_bytes()),
            },
            Some(after) if after > &self.prefix => Bound::Excluded(after.clone().into_bytes()),
            _ => Bound::Included(self.prefix.clone().into_bytes()),
        }
    }

    /// Where the listing goes on behind everything that starts with the name of a group.
    pub fn past(group: &[u8]) -> Bound<Vec<u8>> {
        Bound::Included(successor(group).expect("a group is UTF-8 and has no byte 0xFF"))
    }
}

impl Tree {
    /// One page of a listing. Its `next` is set only if more rows follow.
    pub async fn list(&self, root: &Root, query: &ListQuery) -> Result<Page<Listed>> {
        let mut rows: Vec<Listed> = Vec::new();
        if query.limit == 0 {
            return Ok(Page { rows, next: None });
        }
        let mut cursor = Cursor::new(self.clone(), *root);
        let mut to = query.start();
        loop {
            cursor.seek(to.as_ref().map(Vec::as_slice)).await?;
            let key = cursor.key().filter(|key| key.starts_with(query.prefix.as_bytes()));
            let Some(key) = key else { return Ok(Page { rows, next: None }) };
            if rows.len() >= query.limit {
                let next = rows.last().map(|row| row.name().to_owned());
                return Ok(Page { rows, next });
            }
            if let Some(group) = query.group(key) {
                to = ListQuery::past(group);
                rows.push(Listed::Prefix(String::from_utf8_lossy(group).into_owned()));
            } else if let Some((path, entry)) = cursor.pair()? {
                rows.push(Listed::Entry(path, entry));
                cursor.skip();
                to = Bound::Unbounded;
            }
        }
    }
}
