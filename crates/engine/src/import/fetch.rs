//! Reading from the source: one object whole, or one piece of a large one into a segment.
//!
//! The source retries until an answer starts; here a body that breaks off is read again. Every body
//! is pinned to the listed ETag, has exactly the listed length, and agrees with every checksum that
//! the source offers.

use std::time::Duration;

use blocks::{ItemKind, Segment};
use bytes::{Bytes, BytesMut};
use model::{Hash, Piece, limits};
use sources::{Listed, ObjectMeta, Opened, Verifier};
use tokio::time::Instant;

use super::job::Job;
use crate::{Error, pieces};

/// A body that keeps breaking off is given up after this long.
const RETRY_BUDGET: Duration = Duration::from_secs(60);
/// Pause before a body is read again, times the number of tries.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Why an object could not be read.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is not what was listed any more.
    Changed,
    /// The source says it is not there.
    Vanished,
    /// The source refused, or kept failing: for the user.
    Unreadable(String),
    /// Our side failed: the disk, for example.
    Ours(Error),
}

impl From<sources::Error> for Failure {
    fn from(error: sources::Error) -> Self {
        match error {
            error if error.is_changed() => Self::Changed,
            error if error.is_vanished() => Self::Vanished,
            error => Self::Unreadable(error.to_string()),
        }
    }
}

impl From<blocks::Error> for Failure {
    fn from(error: blocks::Error) -> Self {
        Self::Ours(error.into())
    }
}

/// An object that was read whole.
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    pub(super) hash: Hash,
    pub(super) meta: ObjectMeta,
}

/// Reads an object of up to `PACKED_OBJECT_BYTES_MAX` into memory.
pub(super) async fn whole(job: &Job, listed: &Listed) -> Result<Whole, Failure> {
    let mut patience = Patience::new();
    loop {
        let opened = job.source.open(listed, None).await?;
        match gather(job, opened, listed.size).await {
            Ok(whole) => return Ok(whole),
            Err(error) => patience.again_or(error).await?,
        }
    }
}

async fn gather(job: &Job, opened: Opened, size: u64) -> Result<Whole, sources::Error> {
    let Opened { meta, mut body, .. } = opened;
    let first = body.chunk().await?.unwrap_or_default();
    // The common case, a body that arrives at once, is not copied. Nothing is trusted for the size
    // of the buffer but the listing, and that only because it is bounded.
    let bytes = if first.len() as u64 == size {
        while body.chunk().await?.is_some() {}
        first
    } else {
        let mut buffer = BytesMut::with_capacity(size as usize);
        buffer.extend_from_slice(&first);
        while let Some(chunk) = body.chunk().await? {
            buffer.extend_from_slice(&chunk);
        }
        buffer.freeze()
    };
    let mut verifier = Verifier::new(job.engine.parts.imports.verify, &meta, size);
    verifier.update(&bytes);
    verifier.finish()?;
    Ok(Whole { hash: Hash::of(&bytes), bytes, meta })
}

/// Reads piece `number` of a larger object into `segment`.
pub(super) async fn piece(
    job: &Job,
    listed: &Listed,
    number: u64,
    segment: &mut Segment,
) -> Result<(Piece, ObjectMeta), Failure> {
    let mut patience = Patience::new();
    let range = (pieces::count(listed.size) > 1).then(|| pieces::range(listed.size, number));
    let kind = if range.is_some() { ItemKind::Piece } else { ItemKind::Object };
    loop {
        let opened = job.source.open(listed, range.clone()).await?;
        segment.begin(kind)?;
        // A checksum of the whole object says nothing about a range of it.
        let verify = job.engine.parts.imports.verify;
        let verifier = range.is_none().then(|| Verifier::new(verify, &opened.meta, listed.size));
        let hasher = pieces::Hasher::new(listed.size, number);
        match stream(opened, hasher, verifier, segment).await? {
            Ok(done) => return Ok(done),
            Err(error) => {
                segment.abort()?;
                patience.again_or(error).await?;
            }
        }
    }
}

type Streamed = Result<(Piece, ObjectMeta), sources::Error>;

/// The outer error is the segment's, the inner one the source's.
async fn stream(
    opened: Opened,
    mut hasher: pieces::Hasher,
    mut verifier: Option<Verifier>,
    segment: &mut Segment,
) -> Result<Streamed, Failure> {
    let Opened { meta, mut body, .. } = opened;
    loop {
        match body.chunk().await {
            Ok(Some(chunk)) => {
                hasher.update(&chunk);
                if let Some(verifier) = &mut verifier {
                    verifier.update(&chunk);
                }
                segment.write(&chunk).await?;
            }
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    if let Some(Err(error)) = verifier.map(Verifier::finish) {
        return Ok(Err(error.into()));
    }
    let hash = hasher.finish();
    let extent = segment.finish(hash)?;
    Ok(Ok((Piece { extent, hash }, meta)))
}

/// How often and how long a broken body is read again.
struct Patience {
    since: Instant,
    tries: u32,
}

impl Patience {
    fn new() -> Self {
        Self { since: Instant::now(), tries: 1 }
    }

    /// Waits before the next try, or gives `error` back if there should be none.
    async fn again_or(&mut self, error: sources::Error) -> Result<(), sources::Error> {
        let spent = self.tries >= limits::TRANSFER_ATTEMPTS_MAX;
        if spent || !error.is_retryable() || self.since.elapsed() > RETRY_BUDGET {
            return Err(error);
        }
        metrics::counter!("tilde_import_bodies_repeated_total").increment(1);
        tokio::time::sleep(RETRY_PAUSE * self.tries).await;
        self.tries += 1;
        Ok(())
    }
}
