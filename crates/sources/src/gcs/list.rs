//! Listing: the query, the page as it came, and the checks that make it trustworthy.

use std::cmp::Ordering;

use serde::Deserialize;

use super::client::encode;
use super::object::{FIELDS, Resource};
use crate::{Error, ListPage, Listed, PageToken, Result};

/// Empty pages in a row that a listing may have.
pub(super) const EMPTY_PAGES_MAX: u32 = 3;
/// What the answer to a listing calls itself.
const KIND: &str = "storage#objects";

/// One page that is asked for.
pub(super) struct Query<'a> {
    pub(super) prefix: &'a [u8],
    /// Only keys behind this one.
    pub(super) after: Option<&'a [u8]>,
    pub(super) token: Option<&'a str>,
    pub(super) keys_max: u32,
}

/// A page as it came, not checked yet.
#[derive(Debug)]
pub(super) struct RawPage {
    pub(super) objects: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    kind: Option<String>,
    #[serde(default)]
    items: Vec<Resource>,
    next_page_token: Option<String>,
}

impl Query<'_> {
    /// Percent-encoded. All of it is the same for each page of a listing, but for the token.
    pub(super) fn encode(&self) -> String {
        let mut query = format!("maxResults={}&prefix={}", self.keys_max, encode(self.prefix));
        if let Some(after) = self.after {
            query += &format!("&startOffset={}", encode(after));
        }
        if let Some(token) = self.token {
            query += &format!("&pageToken={}", encode(token.as_bytes()));
        }
        query += &format!("&fields=kind,nextPageToken,items({FIELDS})");
        query
    }
}

/// Reads the body of an answer with status 200. An empty listing has no items, so only its kind
/// tells it from any other document.
pub(super) fn parse(body: &[u8]) -> std::result::Result<RawPage, &'static str> {
    let document: Document =
        serde_json::from_slice(body).map_err(|_| "it is not the JSON of a listing")?;
    if document.kind.as_deref() != Some(KIND) {
        return Err("it is another JSON document");
    }
    let objects: std::result::Result<_, _> =
        document.items.into_iter().map(Resource::listed).collect();
    let next = document.next_page_token.filter(|token| !token.is_empty());
    Ok(RawPage { objects: objects?, next })
}

/// Checks a page against what was asked and against the page before it.
pub(super) fn check(
    raw: RawPage,
    query: &Query<'_>,
    token: Option<&PageToken>,
) -> Result<ListPage> {
    let before = token.and_then(|token| token.last.as_ref());
    let mut objects: Vec<Listed> = Vec::with_capacity(raw.objects.len());
    for object in raw.objects {
        check_prefix(&object, query)?;
        // A listing starts at its offset, and an emulator's may start before it.
        if query.after.is_some_and(|after| object.key.as_slice() <= after) {
            continue;
        }
        let last = objects.last().or(before);
        match last.map(|last| (object.key.cmp(&last.key), last)) {
            Some((Ordering::Less, _)) => return Err(Error::Unordered),
            Some((Ordering::Equal, last)) if same(&object, last) => {}
            Some((Ordering::Equal, _)) => {
                return Err(Error::protocol("its listing has one key twice, as different objects"));
            }
            Some((Ordering::Greater, _)) | None => objects.push(object),
        }
    }
    let next = next(raw.next, token, objects.last().or(before).cloned())?;
    Ok(ListPage { objects, next })
}

/// The same for a listing in any order.
pub(super) fn check_unordered(
    raw: RawPage,
    query: &Query<'_>,
    token: Option<&PageToken>,
) -> Result<ListPage> {
    raw.objects.iter().try_for_each(|object| check_prefix(object, query))?;
    let next = next(raw.next, token, None)?;
    Ok(ListPage { objects: raw.objects, next })
}

fn check_prefix(object: &Listed, query: &Query<'_>) -> Result<()> {
    match object.key.starts_with(query.prefix) {
        true => Ok(()),
        false => Err(Error::protocol("its listing has keys off the prefix that was asked for")),
    }
}

fn next(
    next: Option<String>,
    asked: Option<&PageToken>,
    last: Option<Listed>,
) -> Result<Option<PageToken>> {
    let Some(next) = next else { return Ok(None) };
    let repeats = || Error::protocol("its listing repeats a page token");
    PageToken::after(asked, next, last).ok_or_else(repeats).map(Some)
}

fn same(left: &Listed, right: &Listed) -> bool {
    (left.size, &left.etag, &left.version_id) == (right.size, &right.etag, &right.version_id)
}

#[cfg(test)]
mod tests;
