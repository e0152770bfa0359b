//! Reading an object: the head of the answer is checked before a byte of the body is believed.

use std::ops::Range;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName};
use hyper::body::Incoming;

use super::client::Client;
use super::object;
use crate::length;
use crate::{Body, Checksum, Details, Error, Listed, ObjectMeta, Opened, Result};

const X_GOOG_GENERATION: HeaderName = HeaderName::from_static("x-goog-generation");
const X_GOOG_HASH: HeaderName = HeaderName::from_static("x-goog-hash");

impl Client {
    /// Opens the object or a range of it; see [`Source::open`](crate::Source::open).
    pub(super) async fn open(&self, object: &Listed, range: Option<Range<u64>>) -> Result<Opened> {
        let mut meta = self.head(object).await?;
        let once = || self.open_once(object, range.as_ref());
        let (answer, permit) = self.retry().run_paced(&self.host, once).await?;
        match answer.is_whole {
            false => meta.checksums.clear(),
            // Of one generation there is one sum: another one told here is a fault to be found.
            true => {
                let known = &mut meta.checksums;
                let new = answer.checksums.into_iter().filter(|sum| !known.contains(sum));
                let new: Vec<Checksum> = new.collect();
                known.extend(new);
            }
        }
        let (length, idle_timeout) = (answer.length, self.transport.idle_timeout());
        let body = Body::stream(answer.body, &self.host, length, idle_timeout, permit);
        Ok(Opened { meta, length, body })
    }

    /// What the listing told of the object, or what is told now; see
    /// [`Source::head`](crate::Source::head).
    pub(super) async fn head(&self, object: &Listed) -> Result<ObjectMeta> {
        let details = match &object.details {
            Some(details) => details.clone(),
            None => self.details(object).await?,
        };
        Ok(ObjectMeta {
            content_type: details.content_type.clone(),
            last_modified: object.last_modified,
            metadata: details.metadata.clone(),
            etag: object.etag.clone(),
            version_id: object.version_id.clone(),
            checksums: details.checksums.clone(),
            etag_is_md5: false,
        })
    }

    async fn details(&self, object: &Listed) -> Result<Arc<Details>> {
        let fresh = self.describe(object).await?;
        let is_same = match &object.version_id {
            Some(pinned) => fresh.version_id.as_ref() == Some(pinned),
            None => fresh.etag == object.etag,
        };
        if !is_same || fresh.size != object.size {
            return Err(Error::Changed);
        }
        fresh.details.ok_or(Error::Metadata("it has too many pairs or bytes"))
    }

    async fn open_once(&self, object: &Listed, range: Option<&Range<u64>>) -> Result<Answer> {
        let header =
            range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let response = self.get(object, header.as_deref()).await?;
        check_generation(response.headers(), object, self.is_emulator())?;
        let (length, is_whole) = length::check(&response, object, range, pinned(object))?;
        let checksums = checksums(response.headers())?;
        Ok(Answer { length, is_whole, checksums, body: response.into_body() })
    }
}

/// An answer whose head is good.
struct Answer {
    length: u64,
    /// Whether the body is all of the object.
    is_whole: bool,
    checksums: Vec<Checksum>,
    body: Incoming,
}

/// The answer's generation must be the pinned one, because a server may ignore the precondition.
fn check_generation(headers: &HeaderMap, object: &Listed, is_emulator: bool) -> Result<()> {
    let Some(pinned) = &object.version_id else { return Ok(()) };
    match headers.get(X_GOOG_GENERATION) {
        Some(told) if told.as_bytes() == pinned.as_bytes() => Ok(()),
        Some(_) => Err(Error::Changed),
        None if is_emulator => Ok(()),
        None => Err(Error::protocol("it lists a generation for an object, but sends none")),
    }
}

/// What vouches for an object beside its length.
fn pinned(object: &Listed) -> Option<&'static str> {
    object.version_id.as_ref().map(|_| "of one generation")
}

/// `x-goog-hash: crc32c=4waSgw==,md5=JfnnlDI7RThV8YGGHxtNCw==`, of the whole object as it is
/// stored, also with a part of it.
fn checksums(headers: &HeaderMap) -> Result<Vec<Checksum>> {
    let mut checksums = Vec::new();
    for value in headers.get_all(X_GOOG_HASH) {
        let text = value.to_str().unwrap_or_default();
        for item in text.split(',').map(str::trim) {
            let read = match item.split_once('=') {
                Some(("crc32c", sum)) => object::crc32c(sum),
                Some(("md5", sum)) => object::md5(sum),
                _ => continue,
            };
            checksums.push(read.map_err(|_| Error::protocol("it sends a malformed x-goog-hash"))?);
        }
    }
    Ok(checksums)
}
