//! Listings: the query, the page as it came, and the checks that make it trustworthy.
//!
//! ListObjectsV2, or for buckets that are read by versions ListObjectVersions, of which only the
//! latest version of each key is kept; see [`versions`].

use std::cmp::Ordering;
use std::sync::Arc;

use model::Timestamp;
use percent_encoding::percent_decode_str;

use super::client::encode_all;
use super::error::Told;
use super::versions;
use super::xml::{Tag, walk};
use crate::{Error, ListPage, Listed, PageToken, Result};

/// Empty pages in a row that a listing may have.
pub(super) const EMPTY_PAGES_MAX: u32 = 3;

/// One page that is asked for.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) prefix: &'a [u8],
    /// Only keys behind this one. A token overrides it.
    pub(super) after: Option<&'a [u8]>,
    pub(super) token: Option<&'a PageToken>,
    pub(super) keys_max: u32,
    /// The latest version of each key, with its id.
    pub(super) versions: bool,
    /// Keys have to ascend.
    pub(super) ordered: bool,
}

/// A page as it came, not checked yet.
#[derive(Default, Debug)]
pub(super) struct RawPage {
    pub(super) objects: Vec<Listed>,
    truncated: bool,
    token: Option<String>,
    /// Whether there were versions that are not the latest of their keys.
    pub(super) has_others: bool,
}

/// What answers a listing request.
pub(super) enum Answer {
    Page(RawPage),
    Refused(Told),
}

impl Query<'_> {
    /// Percent-encoded and sorted by name, as the signature needs it.
    pub(super) fn encode(&self) -> String {
        if self.versions {
            return versions::encode(self);
        }
        let mut query = String::new();
        if let Some(PageToken { token, .. }) = self.token {
            query += &format!("continuation-token={}&", encode_all(token.as_bytes()));
        }
        query += &format!("encoding-type=url&list-type=2&max-keys={}", self.keys_max);
        query += &format!("&prefix={}", encode_all(self.prefix));
        if let (None, Some(after)) = (self.token, self.after) {
            query += &format!("&start-after={}", encode_all(after));
        }
        query
    }
}

/// Reads the body of an answer with status 200, which may be an error all the same.
pub(super) fn parse(body: &[u8], versions: bool) -> std::result::Result<Answer, &'static str> {
    let mut draft = Draft::default();
    let mut told = Told::default();
    let mut root = None;
    let wanted = if versions { Tag::ListVersionsResult } else { Tag::ListBucketResult };
    walk(body, |way, text| {
        root = way.first().copied();
        match way {
            [first, way @ ..] if *first == wanted => draft.visit(way, text),
            way => {
                told.visit(way, text);
                Ok(())
            }
        }
    })?;
    match root {
        Some(tag) if tag == wanted => draft.finish(versions).map(Answer::Page),
        Some(Tag::Error) => Ok(Answer::Refused(told)),
        Some(Tag::ListBucketResult) => Err("it does not list versions"),
        _ => Err("it is another XML document"),
    }
}

/// A page while it is read. Whether keys are encoded may be said behind them.
#[derive(Default)]
struct Draft {
    objects: Vec<DraftObject>,
    current: DraftObject,
    encoding: Option<String>,
    truncated: Option<bool>,
    token: Option<String>,
    key_marker: Option<String>,
    version_marker: Option<String>,
    has_others: bool,
}

#[derive(Default)]
struct DraftObject {
    key: Option<String>,
    size: Option<u64>,
    etag: Option<Arc<str>>,
    last_modified: Option<Timestamp>,
    version_id: Option<Arc<str>>,
    latest: Option<bool>,
}

impl Draft {
    fn visit(&mut self, way: &[Tag], text: &str) -> std::result::Result<(), &'static str> {
        match way {
            [Tag::Contents] => self.objects.push(std::mem::take(&mut self.current)),
            [Tag::Version] => {
                let version = std::mem::take(&mut self.current);
                if version.latest.ok_or("it has a version that may or may not be the latest")? {
                    self.objects.push(version);
                } else {
                    self.has_others = true;
                }
            }
            [Tag::DeleteMarker] => {
                self.current = DraftObject::default();
                self.has_others = true;
            }
            [Tag::Contents | Tag::Version, field] => self.current.visit(*field, text),
            [Tag::EncodingType] => self.encoding = Some(text.trim().to_owned()),
            [Tag::IsTruncated] => self.truncated = Some(truth(text.trim())?),
            [Tag::NextContinuationToken] if !text.is_empty() => self.token = Some(text.to_owned()),
            [Tag::NextKeyMarker] if !text.is_empty() => self.key_marker = Some(text.to_owned()),
            [Tag::NextVersionIdMarker] if !text.is_empty() => {
                self.version_marker = Some(text.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, versions: bool) -> std::result::Result<RawPage, &'static str> {
        let encoded = match self.encoding.as_deref() {
            None | Some("") => false,
            Some("url") => true,
            Some(_) => return Err("its keys are in an unknown encoding"),
        };
        let key_of = |text: String| if encoded { decode(&text) } else { text.into_bytes() };
        let objects = self
            .objects
            .into_iter()
            .map(|object| {
                let key = object.key.filter(|key| !key.is_empty());
                let key = key_of(key.ok_or("it has an object without a key")?);
                let size = object.size.ok_or("it has an object without a size")?;
                let last_modified =
                    object.last_modified.ok_or("it has an object without a time")?;
                let DraftObject { etag, version_id, .. } = object;
                Ok(Listed { key, size, etag, last_modified, version_id, details: None })
            })
            .collect::<std::result::Result<_, &'static str>>()?;
        let truncated = self.truncated.ok_or("it does not say whether more follows")?;
        let marker = self.key_marker.map(|key| {
            versions::token(&key_of(key), self.version_marker.as_deref().unwrap_or_default())
        });
        let token = if versions { marker } else { self.token };
        Ok(RawPage { objects, truncated, token, has_others: self.has_others })
    }
}

impl DraftObject {
    fn visit(&mut self, field: Tag, text: &str) {
        match field {
            Tag::Key => self.key = Some(text.to_owned()),
            Tag::Size => self.size = text.trim().parse().ok(),
            Tag::Etag => self.etag = quoted(text.trim()),
            Tag::LastModified => self.last_modified = text.trim().parse().ok(),
            Tag::IsLatest => self.latest = truth(text.trim()).ok(),
            Tag::VersionId => {
                let id = Some(text.trim()).filter(|id| !matches!(*id, "" | "null"));
                self.version_id = id.map(Into::into);
            }
            _ => {}
        }
    }
}

fn truth(text: &str) -> std::result::Result<bool, &'static str> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("it does not say whether more follows"),
    }
}

/// An ETag with its quotes; some servers leave them out.
pub(super) fn quoted(etag: &str) -> Option<Arc<str>> {
    match etag {
        "" => None,
        etag if etag.starts_with('"') || etag.starts_with("W/\"") => Some(etag.into()),
        etag => Some(format!("\"{etag}\"").into()),
    }
}

/// Undoes `encoding-type=url`: form encoding, where `+` is a space. The result is any bytes.
fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

/// Checks a page against what was asked and against the page before it.
pub(super) fn check(raw: RawPage, asked: &Query<'_>) -> Result<ListPage> {
    let before = asked.token.and_then(|token| token.last.as_ref());
    let mut objects: Vec<Listed> = Vec::with_capacity(raw.objects.len());
    for object in raw.objects {
        if !object.key.starts_with(asked.prefix) {
            return Err(Error::protocol("its listing has keys off the prefix that was asked for"));
        }
        let start = asked.after.map(|after| object.key.as_slice().cmp(after));
        match start {
            None | Some(Ordering::Greater) => {}
            // Some servers understand a key marker as the place before the key's versions.
            Some(Ordering::Equal) if asked.versions => continue,
            // It may know no such start at all: without order that does not matter.
            Some(_) => return Err(Error::Unordered),
        }
        if !asked.ordered {
            objects.push(object);
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
    let next = match (raw.truncated, raw.token) {
        (false, _) => None,
        (true, None) => {
            return Err(Error::protocol("its listing is cut off without a token to go on with"));
        }
        (true, Some(next)) => {
            let last = if asked.ordered { objects.last().or(before).cloned() } else { None };
            Some(advance(next, last, asked)?)
        }
    };
    Ok(ListPage { objects, next })
}

/// The token of the next page, unless the listing treads on the spot or in a circle.
fn advance(next: String, last: Option<Listed>, asked: &Query<'_>) -> Result<PageToken> {
    let goes_back = asked.versions && asked.ordered && versions::goes_back(&next, asked);
    PageToken::after(asked.token, next, last)
        .filter(|_| !goes_back)
        .ok_or_else(|| Error::protocol("its listing repeats a page token"))
}

fn same(left: &Listed, right: &Listed) -> bool {
    left.size == right.size && left.etag == right.etag && left.version_id == right.version_id
}

#[cfg(test)]
mod tests;
