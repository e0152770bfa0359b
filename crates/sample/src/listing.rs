//! ListObjectsV2: one page of a bucket, from any ordered set of keys.
//!
//! The set is reached through one function, `seek`, so that a page costs what it holds: keys
//! under a common prefix are jumped over, not walked.

use std::ops::Bound;

use time::OffsetDateTime;

use crate::route::Target;
use crate::{Error, hex};

/// The most keys and common prefixes in one page.
pub const PAGE_KEYS: usize = 1000;

/// The parameters of a listing request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only keys that start with it.
    pub prefix: String,
    /// Groups keys up to its first occurrence behind the prefix.
    pub delimiter: Option<String>,
    /// Only keys behind this one; a token overrides it.
    pub start_after: Option<String>,
    /// Where the page before ended, as that page said.
    pub continuation_token: Option<String>,
    /// Keys and common prefixes together, at most `PAGE_KEYS`.
    pub max_keys: usize,
    /// `encoding-type=url`: keys are percent-encoded in the answer.
    pub url_encoding: bool,
}

/// One listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// With its quotes.
    pub etag: String,
    /// To the millisecond.
    pub last_modified: OffsetDateTime,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In byte order of their keys.
    pub entries: Vec<Entry>,
    /// In byte order, each ending in the delimiter.
    pub common_prefixes: Vec<String>,
    /// Whether more follows.
    pub truncated: bool,
    /// The token of the next page, when more follows.
    pub next_token: Option<String>,
}

impl Query {
    /// Reads the query parameters of a bucket; `Error::InvalidArgument` names the wrong one.
    pub fn parse(target: &Target) -> Result<Self, Error> {
        let owned = |name| target.parameter(name).filter(|value| !value.is_empty());
        let max_keys = match owned("max-keys") {
            None => PAGE_KEYS,
            Some(text) => text.parse().map_err(|_| Error::InvalidArgument("max-keys"))?,
        };
        let url_encoding = match owned("encoding-type") {
            None => false,
            Some("url") => true,
            Some(_) => return Err(Error::InvalidArgument("encoding-type")),
        };
        Ok(Self {
            prefix: owned("prefix").unwrap_or_default().to_owned(),
            delimiter: owned("delimiter").map(str::to_owned),
            start_after: owned("start-after").map(str::to_owned),
            continuation_token: target.parameter("continuation-token").map(str::to_owned),
            max_keys: max_keys.min(PAGE_KEYS),
            url_encoding,
        })
    }

    /// The page that answers this query. `seek` gives the first entry at or behind a bound.
    pub fn page(&self, seek: impl Fn(Bound<&str>) -> Option<Entry>) -> Result<Page, Error> {
        let mut page = Page::default();
        let mut from = self.start()?;
        let mut last = None;
        if self.max_keys == 0 {
            return Ok(page);
        }
        while let Some(entry) = seek(from.as_ref().map(String::as_str)) {
            if !entry.key.starts_with(&self.prefix) {
                break;
            }
            if page.entries.len() + page.common_prefixes.len() == self.max_keys {
                page.truncated = true;
                page.next_token = last.map(|bound| token(&bound));
                break;
            }
            from = match self.common_prefix(&entry.key) {
                Some(common) => {
                    let behind = behind_all(common);
                    page.common_prefixes.push(common.to_owned());
                    match behind {
                        Some(behind) => Bound::Included(behind),
                        None => break,
                    }
                }
                None => {
                    let behind = Bound::Excluded(entry.key.clone());
                    page.entries.push(entry);
                    behind
                }
            };
            last = Some(from.clone());
        }
        Ok(page)
    }

    fn start(&self) -> Result<Bound<String>, Error> {
        let after = match (&self.continuation_token, &self.start_after) {
            (Some(text), _) => parse_token(text)?,
            (None, Some(key)) => Bound::Excluded(key.clone()),
            (None, None) => return Ok(Bound::Included(self.prefix.clone())),
        };
        let (Bound::Included(key) | Bound::Excluded(key)) = &after else { return Ok(after) };
        let before_prefix = *key < self.prefix;
        Ok(if before_prefix { Bound::Included(self.prefix.clone()) } else { after })
    }

    fn common_prefix<'a>(&self, key: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref()?;
        let found = key[self.prefix.len()..].find(delimiter)?;
        Some(&key[..self.prefix.len() + found + delimiter.len()])
    }
}

/// The least string behind every string that starts with `prefix`, if there is one. The byte
/// order of UTF-8 is that of its code points, so the last character that has a next one is raised.
fn behind_all(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next =
            if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

fn token(bound: &Bound<String>) -> String {
    match bound {
        Bound::Included(key) => format!("at-{}", hex::encode(key.as_bytes())),
        Bound::Excluded(key) => format!("behind-{}", hex::encode(key.as_bytes())),
        Bound::Unbounded => String::new(),
    }
}

fn parse_token(text: &str) -> Result<Bound<String>, Error> {
    let key = |digits: &str| hex::decode(digits).and_then(|bytes| String::from_utf8(bytes).ok());
    let at = text.strip_prefix("at-").and_then(key).map(Bound::Included);
    at.or_else(|| text.strip_prefix("behind-").and_then(key).map(Bound::Excluded))
        .ok_or(Error::InvalidArgument("continuation-token"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const KEYS: &[&str] = &[
        "a",
        "a/",
        "a/b",
        "a//c",
        "b/1",
        "b/2",
        "b\u{d7ff}x",
        "c",
        "d/e/f",
        "d/e/g",
        "e+ f",
        "\u{10ffff}/z",
    ];

    fn seek(from: Bound<&str>) -> Option<Entry> {
        let keys: BTreeSet<&str> = KEYS.iter().copied().collect();
        let key = keys.range::<str, _>((from, Bound::Unbounded)).next()?.to_string();
        let last_modified = OffsetDateTime::UNIX_EPOCH;
        Some(Entry { size: 1, etag: "\"e\"".into(), last_modified, key })
    }

    fn all(mut query: Query) -> (Vec<String>, Vec<String>) {
        let (mut keys, mut prefixes) = (vec![], vec![]);
        loop {
            let page = query.page(seek).expect("a good query");
            assert!(page.entries.len() + page.common_prefixes.len() <= query.max_keys);
            assert_eq!(page.truncated, page.next_token.is_some());
            keys.extend(page.entries.into_iter().map(|entry| entry.key));
            prefixes.extend(page.common_prefixes);
            match page.next_token {
                Some(token) => query.continuation_token = Some(token),
                None => return (keys, prefixes),
            }
        }
    }

    fn query(prefix: &str, delimiter: Option<&str>, max_keys: usize) -> Query {
        let delimiter = delimiter.map(str::to_owned);
        Query { prefix: prefix.into(), delimiter, max_keys, ..Query::default() }
    }

    #[test]
    fn pages_of_every_size_hold_every_key_in_order() {
        let sorted: BTreeSet<String> = KEYS.iter().map(ToString::to_string).collect();
        for max_keys in 1..=KEYS.len() + 1 {
            let (keys, prefixes) = all(query("", None, max_keys));
            assert_eq!(keys, sorted.iter().cloned().collect::<Vec<_>>(), "{max_keys}");
            assert!(prefixes.is_empty());
        }
    }

    #[test]
    fn pages_of_every_size_group_by_delimiter() {
        for max_keys in 1..=KEYS.len() {
            let (keys, prefixes) = all(query("", Some("/"), max_keys));
            assert_eq!(keys, ["a", "b\u{d7ff}x", "c", "e+ f"], "{max_keys}");
            assert_eq!(prefixes, ["a/", "b/", "d/", "\u{10ffff}/"], "{max_keys}");
            let (keys, prefixes) = all(query("a/", Some("/"), max_keys));
            assert_eq!((keys, prefixes), (vec!["a/".into(), "a/b".into()], vec!["a//".into()]));
        }
    }

    #[test]
    fn a_page_that_ends_with_the_last_key_is_not_truncated() {
        let page = query("b/", None, 2).page(seek).expect("a good query");
        assert_eq!((page.entries.len(), page.truncated), (2, false));
        let page = query("", None, 0).page(seek).expect("a good query");
        assert_eq!((page.entries.len(), page.truncated), (0, false));
    }

    #[test]
    fn start_after_is_exclusive_and_never_leaves_the_prefix() {
        let after = |prefix: &str, key: &str| {
            all(Query { start_after: Some(key.into()), ..query(prefix, None, 10) }).0
        };
        assert_eq!(after("b/", "b/1"), ["b/2"]);
        assert_eq!(after("b/", "a"), ["b/1", "b/2"]);
        assert_eq!(after("b/", "c"), [""; 0]);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let parse = |query| Query::parse(&Target::parse("/b", query).expect("it decodes"));
        assert_eq!(parse("max-keys=x"), Err(Error::InvalidArgument("max-keys")));
        assert_eq!(parse("max-keys=-1"), Err(Error::InvalidArgument("max-keys")));
        assert_eq!(parse("encoding-type=gz"), Err(Error::InvalidArgument("encoding-type")));
        assert_eq!(parse("max-keys=5000").map(|query| query.max_keys), Ok(PAGE_KEYS));
        let wrong = parse("continuation-token=zz").and_then(|query| query.page(seek));
        assert_eq!(wrong, Err(Error::InvalidArgument("continuation-token")));
    }

    #[test]
    fn the_string_behind_a_prefix_is_the_least() {
        assert_eq!(behind_all("a/").as_deref(), Some("a0"));
        assert_eq!(behind_all("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(behind_all("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(behind_all("\u{10ffff}"), None);
    }
}
