//! Answers one request from the buckets in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::Full;

use crate::listing::{Entry, Query};
use crate::route::{Operation, Target};
use crate::signature::{Request, verify};
use crate::xml::http_date;
use crate::{Bucket, Credentials, Error, Object, REGION, range, xml};

/// What the server serves, and to whom.
pub(crate) struct Store {
    buckets: BTreeMap<String, Objects>,
    credentials: Credentials,
}

/// The objects of a bucket with their ETags, which are computed once.
type Objects = BTreeMap<String, (Object, String)>;
type Answer = Response<Full<Bytes>>;

impl Store {
    pub(crate) fn new(buckets: impl IntoIterator<Item = Bucket>, credentials: Credentials) -> Self {
        let with_etag = |(key, object): (String, Object)| {
            let etag = object.etag();
            (key, (object, etag))
        };
        let objects = |bucket: Bucket| {
            (bucket.name, bucket.objects.into_iter().map(with_etag).collect::<Objects>())
        };
        Self { buckets: buckets.into_iter().map(objects).collect(), credentials }
    }

    /// The answer to `request`; refusals are answers too.
    pub(crate) fn respond(&self, request: Request<'_>, now: SystemTime, id: u64) -> Answer {
        let id = format!("{id:016X}");
        let mut answer = self.serve(request, now).unwrap_or_else(|error| {
            let mut answer = document(error.status(), xml::error(&error, request.path, &id));
            if let Error::InvalidRange(len) = error {
                set(answer.headers_mut(), "content-range", &format!("bytes */{len}"));
            }
            answer
        });
        set(answer.headers_mut(), "x-amz-request-id", &id);
        if request.method == "HEAD" {
            *answer.body_mut() = Full::default();
        }
        answer
    }

    fn serve(&self, request: Request<'_>, now: SystemTime) -> Result<Answer, Error> {
        let target = Target::parse(request.path, request.query)?;
        let operation = target.operation(request.method)?;
        verify(request, &self.credentials, REGION, now)?;
        let objects = self.buckets.get(&target.bucket).ok_or(Error::NoSuchBucket)?;
        match operation {
            Operation::ListObjects(query) => list(&target.bucket, objects, &query),
            Operation::GetBucketLocation => Ok(document(StatusCode::OK, xml::location(REGION))),
            Operation::HeadBucket => {
                let mut answer = Answer::default();
                set(answer.headers_mut(), "x-amz-bucket-region", REGION);
                Ok(answer)
            }
            Operation::GetObject | Operation::HeadObject => {
                let (object, etag) = objects.get(&target.key).ok_or(Error::NoSuchKey)?;
                read(object, etag, request.headers)
            }
        }
    }
}

fn list(bucket: &str, objects: &Objects, query: &Query) -> Result<Answer, Error> {
    let page = query.page(|from| {
        let (key, (object, etag)) = objects.range::<str, _>((from, Bound::Unbounded)).next()?;
        Some(Entry {
            key: key.clone(),
            size: object.bytes.len() as u64,
            etag: etag.clone(),
            last_modified: object.last_modified,
        })
    })?;
    Ok(document(StatusCode::OK, xml::listing(bucket, query, &page)))
}

/// A whole object or one range of it; a HEAD has the same headers.
fn read(object: &Object, etag: &str, asked: &HeaderMap) -> Result<Answer, Error> {
    let text = |name: header::HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    range::if_match(text(header::IF_MATCH), etag)?;
    let len = object.bytes.len();
    let range = range::parse(text(header::RANGE), len as u64)?;
    let mut answer = match &range {
        None => Answer::new(Full::new(object.bytes.clone())),
        Some(range) => {
            let part = object.bytes.slice(range.start as usize..range.end as usize);
            let mut answer = Answer::new(Full::new(part));
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let shown = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            set(answer.headers_mut(), "content-range", &shown);
            answer
        }
    };
    let sent = range.map_or(len as u64, |range| range.end - range.start);
    let headers = answer.headers_mut();
    set(headers, "content-length", &sent.to_string());
    set(headers, "content-type", &object.content_type);
    set(headers, "etag", etag);
    set(headers, "last-modified", &http_date(object.last_modified));
    set(headers, "accept-ranges", "bytes");
    for (name, value) in &object.metadata {
        set(headers, &format!("x-amz-meta-{name}"), value);
    }
    Ok(answer)
}

fn document(status: StatusCode, xml: String) -> Answer {
    let len = xml.len().to_string();
    let mut answer = Answer::new(Full::new(xml.into()));
    *answer.status_mut() = status;
    set(answer.headers_mut(), "content-type", "application/xml");
    set(answer.headers_mut(), "content-length", &len);
    answer
}

/// Sets a header; what is not legal in one is left out.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = header::HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, header::HeaderValue::from_bytes(value.as_bytes())) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
#[path = "respond_tests.rs"]
mod tests;
