//! ListObjectsV2: the query, the page as it came, and the checks that make it trustworthy.

use std::cmp::Ordering;
use std::sync::Arc;

use model::Timestamp;
use percent_encoding::percent_decode_str;

use super::client::encode_all;
use super::error::Told;
use super::xml::{Tag, walk};
use crate::{Error, ListPage, Listed, PageToken, Result};

/// Empty pages in a row that a listing may have.
pub(super) const EMPTY_PAGES_MAX: u32 = 3;

/// One page that is asked for.
pub(super) struct Query<'a> {
    pub(super) prefix: &'a [u8],
    /// Only keys behind this one. A token overrides it.
    pub(super) after: Option<&'a [u8]>,
    pub(super) token: Option<&'a str>,
    pub(super) keys_max: u32,
}

/// A page as it came, not checked yet.
#[derive(Default, Debug)]
pub(super) struct RawPage {
    pub(super) objects: Vec<Listed>,
    truncated: bool,
    token: Option<String>,
}

/// What answers a listing request.
pub(super) enum Answer {
    Page(RawPage),
    Refused(Told),
}

impl Query<'_> {
    /// Percent-encoded and sorted by name, as the signature needs it.
    pub(super) fn encode(&self) -> String {
        let mut query = String::new();
        if let Some(token) = self.token {
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
pub(super) fn parse(body: &[u8]) -> std::result::Result<Answer, &'static str> {
    let mut draft = Draft::default();
    let mut told = Told::default();
    let mut root = None;
    walk(body, |way, text| {
        root = way.first().copied();
        match way {
            [Tag::ListBucketResult, way @ ..] => draft.visit(way, text),
            way => {
                told.visit(way, text);
                Ok(())
            }
        }
    })?;
    match root {
        Some(Tag::ListBucketResult) => draft.finish().map(Answer::Page),
        Some(Tag::Error) => Ok(Answer::Refused(told)),
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
}

#[derive(Default)]
struct DraftObject {
    key: Option<String>,
    size: Option<u64>,
    etag: Option<Arc<str>>,
    last_modified: Option<Timestamp>,
}

impl Draft {
    fn visit(&mut self, way: &[Tag], text: &str) -> std::result::Result<(), &'static str> {
        match way {
            [Tag::Contents] => self.objects.push(std::mem::take(&mut self.current)),
            [Tag::Contents, Tag::Key] => self.current.key = Some(text.to_owned()),
            [Tag::Contents, Tag::Size] => self.current.size = text.trim().parse().ok(),
            [Tag::Contents, Tag::Etag] => self.current.etag = quoted(text.trim()),
            [Tag::Contents, Tag::LastModified] => {
                self.current.last_modified = text.trim().parse().ok();
            }
            [Tag::EncodingType] => self.encoding = Some(text.trim().to_owned()),
            [Tag::IsTruncated] => self.truncated = Some(truth(text.trim())?),
            [Tag::NextContinuationToken] if !text.is_empty() => self.token = Some(text.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> std::result::Result<RawPage, &'static str> {
        let encoded = match self.encoding.as_deref() {
            None | Some("") => false,
            Some("url") => true,
            Some(_) => return Err("its keys are in an unknown encoding"),
        };
        let objects = self
            .objects
            .into_iter()
            .map(|object| {
                let key = object.key.filter(|key| !key.is_empty());
                let key = key.ok_or("it has an object without a key")?;
                let size = object.size.ok_or("it has an object without a size")?;
                let last_modified =
                    object.last_modified.ok_or("it has an object without a time")?;
                let key = if encoded { decode(&key) } else { key.into_bytes() };
                Ok(Listed { key, size, etag: object.etag, last_modified })
            })
            .collect::<std::result::Result<_, &'static str>>()?;
        let truncated = self.truncated.ok_or("it does not say whether more follows")?;
        Ok(RawPage { objects, truncated, token: self.token })
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
pub(super) fn check(
    raw: RawPage,
    prefix: &[u8],
    after: Option<&[u8]>,
    token: Option<&PageToken>,
) -> Result<ListPage> {
    let before = token.and_then(|token| token.last.as_ref());
    let mut objects: Vec<Listed> = Vec::with_capacity(raw.objects.len());
    for object in raw.objects {
        if !object.key.starts_with(prefix) {
            return Err(Error::protocol("its listing has keys off the prefix that was asked for"));
        }
        if after.is_some_and(|after| object.key.as_slice() <= after) {
            return Err(Error::protocol("its listing starts before the key it was to start after"));
        }
        let last = objects.last().or(before);
        match last.map(|last| (object.key.cmp(&last.key), last)) {
            Some((Ordering::Less, _)) => {
                return Err(Error::protocol("its listing is out of order"));
            }
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
        (true, Some(next)) if token.is_some_and(|token| token.token == next) => {
            return Err(Error::protocol("its listing repeats a page token"));
        }
        (true, Some(next)) => {
            Some(PageToken { token: next, last: objects.last().or(before).cloned() })
        }
    };
    Ok(ListPage { objects, next })
}

fn same(left: &Listed, right: &Listed) -> bool {
    left.size == right.size && left.etag == right.etag
}

#[cfg(test)]
mod tests;
