//! One file on its way: a single body, or parts side by side for a large one. The server and this
//! program hash what they saw, and the object is staged only if that is the same.

use std::io::{self, SeekFrom};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream::iter;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{Method, Request};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use model::limits::{PARTS_MAX, PIECE_BYTES};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::Context;
use crate::address::Repository;
use crate::api::{At, header, text};
use crate::error::{Error, Kind, Result};
use crate::files::{LocalFile, hashed};
use crate::object::{self, View};
use crate::progress::Meter;
use crate::transport::{Body, collect};

/// From this size on a file goes in parts.
const SINGLE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a part, unless the file is so large that there would be too many.
const PART_BYTES: u64 = 64 << 20;
/// Parts of one file side by side.
const PARTS_PARALLEL_MAX: usize = 4;
/// Times a body is sent.
const ATTEMPTS_MAX: u32 = 5;
/// Bytes read from a file at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// What all files of a command share.
pub(super) struct Upload<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) repository: &'a Repository,
    pub(super) view: &'a View,
    pub(super) session: &'a str,
    pub(super) meter: &'a Meter,
    pub(super) parallel: usize,
    /// Whether an object can be where a file goes.
    pub(super) may_be_there: bool,
}

impl Upload<'_> {
    /// Stages a file as the object at `path`; false if that holds the same already.
    pub(super) async fn file(&self, file: &LocalFile, path: &str, kind: &str) -> Result<bool> {
        if self.may_be_there && self.is_there(file, path).await? {
            self.meter.found(file.size);
            self.meter.done();
            return Ok(false);
        }
        if file.size < SINGLE_BYTES_MAX {
            self.single(file, path, kind).await?;
        } else {
            self.parts(file, path, kind).await?;
        }
        self.meter.done();
        Ok(true)
    }

    async fn is_there(&self, file: &LocalFile, path: &str) -> Result<bool> {
        let known = object::find(self.context, self.repository, self.view, path).await?;
        match known.filter(|known| known.size == file.size) {
            None => Ok(false),
            Some(known) => {
                let hash = hashed(file.path.clone()).await?.finalize().to_hex();
                Ok(hash.as_str() == known.hash)
            }
        }
    }

    /// A link, the bytes, and the end of it. What breaks off is begun anew, link and all.
    async fn single(&self, file: &LocalFile, path: &str, kind: &str) -> Result<()> {
        let api = &self.context.api;
        let sent = async || {
            let begun = api.bare(Method::PUT, &self.at("/object", path)).await?;
            let sent = self.send(file, 0, file.size, text(&begun, "upload_url")).await?;
            let mut body = json!({
                "upload_token": begun["upload_token"], "content_type": kind,
                "size_bytes": file.size,
            });
            body["checksum"] = sent.hash.into();
            api.post(&self.at("/object/finalize", path), &body).await
        };
        again(sent).await.map(drop)
    }

    async fn parts(&self, file: &LocalFile, path: &str, kind: &str) -> Result<()> {
        let api = &self.context.api;
        let begun = api.bare(Method::POST, &self.at("/object/multipart", path)).await?;
        let sent = self.send_parts(file, path, kind, &begun).await;
        if sent.is_err() {
            // It would wait for parts that never come. The session's end takes it along too.
            let at = self.upload_at("/object/multipart", path, &begun);
            let _ended_with_the_session = api.bare(Method::DELETE, &at).await;
        }
        sent
    }

    async fn send_parts(
        &self,
        file: &LocalFile,
        path: &str,
        kind: &str,
        begun: &Value,
    ) -> Result<()> {
        let bytes = part_bytes(file.size);
        let count = file.size.div_ceil(bytes);
        let part = async |number: u64| {
            let from = number * bytes;
            let length = bytes.min(file.size - from);
            let number = number + 1;
            let at = self.upload_at("/object/multipart/part", path, begun);
            let at = at.query("part_number", &number.to_string());
            let sent = again(async || {
                let link = self.context.api.get(&at).await?;
                self.send(file, from, length, text(&link, "upload_url")).await
            });
            Ok::<_, Error>(json!({"part_number": number, "etag": sent.await?.etag}))
        };
        let parallel = self.parallel.min(PARTS_PARALLEL_MAX);
        let parts = iter(0..count).map(part).buffered(parallel).try_collect::<Vec<Value>>();
        // The whole is hashed from the file while its parts are on their way.
        let (parts, hasher) = tokio::try_join!(parts, hashed(file.path.clone()))?;
        let body = json!({
            "upload_id": begun["upload_id"], "upload_token": begun["upload_token"],
            "parts": parts, "content_type": kind, "size_bytes": file.size,
            "checksum": hasher.finalize().to_hex().as_str(),
        });
        let complete = self.at("/object/multipart/complete", path);
        self.context.api.post(&complete, &body).await.map(drop)
    }

    /// Sends `length` bytes of the file from `from` on to a link.
    async fn send(&self, file: &LocalFile, from: u64, length: u64, url: &str) -> Result<Sent> {
        let error = |error| Error::file("read", &file.path, &error);
        let mut opened = tokio::fs::File::open(&file.path).await.map_err(error)?;
        if opened.metadata().await.map_err(error)?.len() != file.size {
            return Err(changed());
        }
        opened.seek(SeekFrom::Start(from)).await.map_err(error)?;
        let hasher = Arc::new(Mutex::new(blake3::Hasher::new()));
        let request = Request::builder()
            .method(Method::PUT)
            .uri(url)
            .header(CONTENT_LENGTH, length)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(streamed(opened, length, hasher.clone()));
        let request =
            request.map_err(|_| Error::failed("the server gave no address to send to"))?;
        let answer = self.context.api.transport.stream(request).await;
        let answer = answer.map_err(|error| match hasher.lock() {
            // A body that ends early is the file's doing, not the server's.
            Ok(seen) if seen.count() < length && is_shorter(file) => changed(),
            _ => error,
        })?;
        let status = answer.status();
        let etag = header(&answer, &ETAG).unwrap_or_default();
        let body = collect(answer.into_body()).await?;
        if !status.is_success() {
            let body = serde_json::from_slice(&body).unwrap_or_default();
            return Err(Error::answered(status, &body));
        }
        let hash = hasher.lock().expect("nobody panics while holding it").finalize().to_hex();
        self.meter.moved(length);
        Ok(Sent { etag, hash: hash.to_string() })
    }

    fn at(&self, literal: &str, path: &str) -> At {
        let at = self.repository.at().then(literal).query("session_id", self.session);
        at.query("path", path)
    }

    fn upload_at(&self, literal: &str, path: &str, begun: &Value) -> At {
        let at = self.at(literal, path).query("upload_id", text(begun, "upload_id"));
        at.query("upload_token", text(begun, "upload_token"))
    }
}

/// Bytes that the server has.
struct Sent {
    /// As the server gave it, with its quotes.
    etag: String,
    /// BLAKE3 of what was sent.
    hash: String,
}

/// Does it again while the connection is what fails.
async fn again<T>(work: impl AsyncFn() -> Result<T>) -> Result<T> {
    let mut attempt = 1;
    loop {
        match work().await {
            Err(error) if error.kind == Kind::Unreachable && attempt < ATTEMPTS_MAX => {
                tokio::time::sleep(std::time::Duration::from_millis(200) * attempt).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

fn streamed(file: tokio::fs::File, length: u64, hasher: Arc<Mutex<blake3::Hasher>>) -> Body {
    let chunks = ReaderStream::with_capacity(file.take(length), CHUNK_BYTES);
    let frames = chunks.map(move |chunk: io::Result<Bytes>| {
        chunk.map(|chunk| {
            hasher.lock().expect("nobody panics while holding it").update(&chunk);
            Frame::data(chunk)
        })
    });
    StreamBody::new(frames).boxed_unsync()
}

/// As many as the API allows, cut where the server cuts its pieces, so that it need not cut anew.
fn part_bytes(size: u64) -> u64 {
    let least = size.div_ceil(u64::from(PARTS_MAX));
    least.next_multiple_of(PIECE_BYTES).max(PART_BYTES)
}

fn is_shorter(file: &LocalFile) -> bool {
    std::fs::metadata(&file.path).map_or(true, |metadata| metadata.len() < file.size)
}

fn changed() -> Error {
    Error::failed("the file changed while it was uploaded").next("upload it when it is at rest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_pieces_and_never_too_many() {
        for size in [SINGLE_BYTES_MAX, 1 << 36, 640 << 30, (640 << 30) + 1, 1 << 44] {
            let bytes = part_bytes(size);
            assert_eq!(bytes % PIECE_BYTES, 0);
            assert!(size.div_ceil(bytes) <= u64::from(PARTS_MAX), "{size}");
        }
        assert_eq!(part_bytes(640 << 20), PART_BYTES);
    }
}
