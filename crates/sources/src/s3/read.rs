//! GetObject and HeadObject: the head of the answer is checked before a byte of the body is
//! believed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
};
use http::{Method, Response};
use hyper::body::Incoming;
use model::limits::{METADATA_BYTES_MAX, METADATA_PAIRS_MAX};

use super::client::{Client, ObjectRequest};
use super::list::quoted;
use crate::length;
use crate::retry::http_date;
use crate::verify::md5_of;
use crate::{Body, Checksum, Error, Listed, ObjectMeta, Opened, Result};

/// Where an object has no usable media type.
const CONTENT_TYPE_DEFAULT: &str = "application/octet-stream";
/// Bytes of a media type.
const CONTENT_TYPE_BYTES_MAX: usize = 255;
const META_PREFIX: &str = "x-amz-meta-";
const X_AMZ_CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");
const X_AMZ_SSE: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const X_AMZ_SSE_CUSTOMER: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
const X_AMZ_VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

impl Client {
    /// Opens the object or a range of it; see [`Source::open`](crate::Source::open).
    pub(super) async fn open(&self, object: &Listed, range: Option<Range<u64>>) -> Result<Opened> {
        let once = || self.open_once(object, range.as_ref());
        let ((meta, length, incoming), permit) = self.retry().run_paced(&self.host, once).await?;
        let idle_timeout = self.transport.idle_timeout();
        let body = Body::stream(incoming, &self.host, length, idle_timeout, permit);
        Ok(Opened { meta, length, body })
    }

    async fn open_once(
        &self,
        object: &Listed,
        range: Option<&Range<u64>>,
    ) -> Result<(ObjectMeta, u64, Incoming)> {
        let response = self.ask(object, Method::GET, range).await?;
        let etag = check_identity(response.headers(), object)?;
        let (length, whole) = length::check(&response, object, range, pinned(object))?;
        let (head, incoming) = response.into_parts();
        let meta = meta(&head.headers, object, etag, whole)?;
        Ok((meta, length, incoming))
    }

    /// What is said about the object as a whole; see [`Source::head`](crate::Source::head).
    pub(super) async fn head(&self, object: &Listed) -> Result<ObjectMeta> {
        let once = || self.head_once(object);
        let (meta, _) = self.retry().run_paced(&self.host, once).await?;
        Ok(meta)
    }

    async fn head_once(&self, object: &Listed) -> Result<ObjectMeta> {
        let response = match self.ask(object, Method::HEAD, None).await {
            // Whether the credentials have expired or do not reach this object decides what becomes
            // of the job, and the answer to a HEAD cannot say it. That to a GET of one byte can.
            Err(refused @ (Error::Denied { .. } | Error::Status { .. })) if object.size > 0 => {
                let told = self.ask(object, Method::GET, Some(&(0..1))).await;
                return Err(told.err().unwrap_or(refused));
            }
            response => response?,
        };
        let etag = check_identity(response.headers(), object)?;
        length::check(&response, object, None, pinned(object))?;
        meta(response.headers(), object, etag, true)
    }

    async fn ask(
        &self,
        object: &Listed,
        method: Method,
        range: Option<&Range<u64>>,
    ) -> Result<Response<Incoming>> {
        let version_id = object.version_id.as_deref();
        // A weak ETag matches nothing, so it is compared here only. A version never changes.
        let strong = object.etag.as_deref().filter(|etag| etag.starts_with('"'));
        let range =
            range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let if_match = strong.filter(|_| version_id.is_none());
        let asked = ObjectRequest { method, key: &object.key, version_id, if_match, range };
        self.object(&asked).await
    }
}

/// The answer's ETag. It must be the pinned one, and so must the version.
fn check_identity(headers: &HeaderMap, object: &Listed) -> Result<Option<Arc<str>>> {
    let told = headers.get(X_AMZ_VERSION_ID).map(HeaderValue::as_bytes);
    match (&object.version_id, told) {
        (Some(pinned), Some(told)) if pinned.as_bytes() != told => {
            return Err(Error::protocol("it sends another version than was asked for"));
        }
        _ => {}
    }
    check_etag(headers, object.etag.as_deref())
}

/// The answer's ETag, which must be the pinned one.
fn check_etag(headers: &HeaderMap, pinned: Option<&str>) -> Result<Option<Arc<str>>> {
    let etag = match headers.get(ETAG) {
        None => None,
        Some(value) => {
            let text = std::str::from_utf8(value.as_bytes());
            quoted(text.map_err(|_| Error::protocol("it sends an ETag that is no text"))?)
        }
    };
    let strong = |etag: &str| etag.strip_prefix("W/").unwrap_or(etag).to_owned();
    match (pinned, &etag) {
        (Some(pinned), Some(etag)) if strong(pinned) != strong(etag) => Err(Error::Changed),
        (Some(_), None) => Err(Error::protocol("it lists an ETag for an object, but sends none")),
        _ => Ok(etag),
    }
}

/// What vouches for an object beside its length.
fn pinned(object: &Listed) -> Option<&'static str> {
    object.etag.as_ref().map(|_| "under the same ETag")
}

fn meta(
    headers: &HeaderMap,
    object: &Listed,
    etag: Option<Arc<str>>,
    whole: bool,
) -> Result<ObjectMeta> {
    let field = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = field(CONTENT_TYPE)
        .filter(|text| (1..=CONTENT_TYPE_BYTES_MAX).contains(&text.len()))
        .unwrap_or(CONTENT_TYPE_DEFAULT);
    let foreign_key = headers.contains_key(X_AMZ_SSE_CUSTOMER)
        || field(X_AMZ_SSE).is_some_and(|text| text.starts_with("aws:kms"));
    let etag_is_md5 = !foreign_key && etag.as_deref().and_then(md5_of).is_some();
    let version_id = field(X_AMZ_VERSION_ID).filter(|text| !text.is_empty() && *text != "null");
    Ok(ObjectMeta {
        content_type: content_type.into(),
        last_modified: field(LAST_MODIFIED).and_then(http_date).unwrap_or(object.last_modified),
        metadata: metadata(headers)?,
        version_id: version_id.map(Into::into).or_else(|| object.version_id.clone()),
        checksums: if whole { checksums(headers)? } else { Vec::new() },
        etag_is_md5,
        etag,
    })
}

/// `x-amz-meta-*` without the prefix, and the encoding the bytes stay in.
fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>> {
    const NOT_TEXT: Error = Error::Metadata("a value of it is not UTF-8");
    let mut metadata = BTreeMap::new();
    for name in headers.keys() {
        let Some(key) = name.as_str().strip_prefix(META_PREFIX) else { continue };
        let value = joined(headers, name).ok_or(NOT_TEXT)?;
        metadata.insert(key.to_owned(), value);
    }
    if headers.contains_key(CONTENT_ENCODING) {
        let value = joined(headers, &CONTENT_ENCODING).ok_or(NOT_TEXT)?;
        // That one tells how the object was once uploaded, not how its bytes are stored.
        let codings = value.split(',').map(str::trim);
        let kept: Vec<&str> = codings.filter(|c| !c.is_empty() && *c != "aws-chunked").collect();
        if !kept.is_empty() {
            metadata.insert("content-encoding".into(), kept.join(","));
        }
    }
    if metadata.len() > METADATA_PAIRS_MAX {
        return Err(Error::Metadata("it has too many pairs"));
    }
    let bytes: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        return Err(Error::Metadata("it has too many bytes"));
    }
    Ok(metadata)
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Option<Vec<&str>> = headers
        .get_all(name)
        .iter()
        .map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .collect();
    Some(values?.join(","))
}

type Read = fn(&HeaderValue) -> Option<Checksum>;

/// The checksums over the whole object. Composite ones cover its parts' checksums instead.
fn checksums(headers: &HeaderMap) -> Result<Vec<Checksum>> {
    let composite = headers
        .get(X_AMZ_CHECKSUM_TYPE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"COMPOSITE"));
    if composite {
        return Ok(Vec::new());
    }
    let offered: [(&str, Read); 5] = [
        ("x-amz-checksum-crc32", |v| Some(Checksum::Crc32(u32::from_be_bytes(base64(v)?)))),
        ("x-amz-checksum-crc32c", |v| Some(Checksum::Crc32c(u32::from_be_bytes(base64(v)?)))),
        ("x-amz-checksum-crc64nvme", |v| Some(Checksum::Crc64Nvme(u64::from_be_bytes(base64(v)?)))),
        ("x-amz-checksum-sha1", |v| Some(Checksum::Sha1(base64(v)?))),
        ("x-amz-checksum-sha256", |v| Some(Checksum::Sha256(base64(v)?))),
    ];
    let mut checksums = Vec::new();
    for (name, read) in offered {
        match headers.get(name) {
            // `-N` is the number of parts of a composite one.
            Some(value) if !value.as_bytes().contains(&b'-') => {
                checksums.push(
                    read(value)
                        .ok_or_else(|| Error::Protocol(format!("it sends a malformed {name}")))?,
                );
            }
            _ => {}
        }
    }
    Ok(checksums)
}

fn base64<const N: usize>(value: &HeaderValue) -> Option<[u8; N]> {
    STANDARD.decode(value.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
