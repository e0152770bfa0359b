//! Reading from the source: one object whole, or one piece of a large one into a segment.
//!
//! The source retries until an answer starts; here a body that breaks off is read again. Every body
//! is pinned to the listed ETag, has exactly the listed length, and agrees with every checksum that
//! the source offers.

use std::ops::Range;
use std::time::Duration;

use blocks::{ItemKind, Segment};
use bytes::{Bytes, BytesMut};
use model::{Hash, Piece, limits};
use sources::{Checksum, Listed, ObjectMeta, Opened, PieceDigest, Verifier};
use tokio::time::Instant;

use super::fragments;
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
    /// The source refused, or kept failing.
    Unreadable {
        /// For the user.
        reason: String,
        /// Whether it is about this object, rather than about the source.
        of_object: bool,
    },
    /// Our side failed: the disk, for example.
    Ours(Error),
}

impl From<sources::Error> for Failure {
    fn from(error: sources::Error) -> Self {
        match error {
            error if error.is_changed() => Self::Changed,
            error if error.is_vanished() => Self::Vanished,
            error => {
                let of_object = error.is_about_object();
                Self::Unreadable { reason: error.to_string(), of_object }
            }
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
        let opened = job.source().open(listed, None).await?;
        match gather(job, opened, listed.size).await {
            Ok(whole) => return Ok(whole),
            Err(error) => patience.again_or(job, error).await?,
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
    job.progress.read(bytes.len());
    Ok(Whole { hash: Hash::of(&bytes), bytes, meta })
}

/// A piece in a segment.
pub(super) struct Stored {
    pub(super) piece: Piece,
    /// What the source said with the bytes; `None` where all of them were durable already.
    pub(super) meta: Option<ObjectMeta>,
    /// What of the object's checksum this piece is; `None` where none was asked for.
    pub(super) sum: Option<u64>,
}

/// What came of a piece.
pub(super) enum Arrived {
    /// All of it.
    Piece(Stored),
    /// Its start, because the rest takes long.
    Start(Piece, ObjectMeta),
}

/// Reads piece `number` of a larger object into `segment`. `promised` is the checksum of the whole
/// object that its pieces are to be summed up for. A piece of several that takes long is cut off.
pub(super) async fn piece(
    job: &Job,
    listed: &Listed,
    number: u64,
    promised: Option<Checksum>,
    segment: &mut Segment,
) -> Result<Arrived, Failure> {
    let mut patience = Patience::new();
    let range = (pieces::count(listed.size) > 1).then(|| pieces::range(listed.size, number));
    let kind = if range.is_some() { ItemKind::Piece } else { ItemKind::Object };
    loop {
        let opened = job.source().open(listed, range.clone()).await?;
        segment.begin(kind)?;
        let checks = Checks {
            hasher: pieces::Hasher::new(listed.size, number),
            // A checksum of the whole object says nothing about a range of it.
            verifier: range
                .is_none()
                .then(|| Verifier::new(job.engine.parts.imports.verify, &opened.meta, listed.size)),
            digest: promised.as_ref().and_then(PieceDigest::new),
        };
        let cut = if range.is_some() { Cut::WhenSlow } else { Cut::Never };
        match stream(job, opened, checks, cut, segment).await? {
            Ok(arrived) => return Ok(arrived),
            Err(error) => {
                segment.abort()?;
                patience.again_or(job, error).await?;
            }
        }
    }
}

/// What is computed of a piece as its bytes arrive.
struct Checks {
    hasher: pieces::Hasher,
    verifier: Option<Verifier>,
    digest: Option<PieceDigest>,
}

impl Checks {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(verifier) = &mut self.verifier {
            verifier.update(bytes);
        }
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }
}

/// The outer error is the segment's, the inner one the source's.
async fn stream(
    job: &Job,
    opened: Opened,
    mut checks: Checks,
    cut: Cut,
    segment: &mut Segment,
) -> Result<Result<Arrived, sources::Error>, Failure> {
    let Opened { meta, length, mut body } = opened;
    let (since, mut bytes) = (Instant::now(), 0);
    loop {
        match body.chunk().await {
            Ok(Some(chunk)) => {
                checks.update(&chunk);
                job.progress.read(chunk.len());
                segment.write(&chunk).await?;
                bytes += chunk.len() as u64;
                let rest = length.saturating_sub(bytes);
                if cut == Cut::WhenSlow && fragments::is_slow(job, since, bytes, rest) {
                    let hash = checks.hasher.so_far();
                    let extent = segment.finish(hash)?;
                    return Ok(Ok(Arrived::Start(Piece { extent, hash }, meta)));
                }
            }
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    let Checks { hasher, verifier, digest } = checks;
    if let Some(Err(error)) = verifier.map(Verifier::finish) {
        return Ok(Err(error.into()));
    }
    let hash = hasher.finish();
    let extent = segment.finish(hash)?;
    let sum = digest.map(PieceDigest::finish);
    let stored = Stored { piece: Piece { extent, hash }, meta: Some(meta), sum };
    Ok(Ok(Arrived::Piece(stored)))
}

/// Whether a piece may be cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Never,
    WhenSlow,
}

/// Reads these bytes of an object into `segment`, hashed by themselves.
pub(super) async fn range(
    job: &Job,
    listed: &Listed,
    range: Range<u64>,
    segment: &mut Segment,
) -> Result<(Piece, ObjectMeta), Failure> {
    let mut patience = Patience::new();
    loop {
        let opened = job.source().open(listed, Some(range.clone())).await?;
        segment.begin(ItemKind::Object)?;
        match stream_range(job, opened, segment).await? {
            Ok(fragment) => return Ok(fragment),
            Err(error) => {
                segment.abort()?;
                patience.again_or(job, error).await?;
            }
        }
    }
}

async fn stream_range(
    job: &Job,
    opened: Opened,
    segment: &mut Segment,
) -> Result<Result<(Piece, ObjectMeta), sources::Error>, Failure> {
    let Opened { meta, mut body, .. } = opened;
    let mut hasher = blake3::Hasher::new();
    loop {
        match body.chunk().await {
            Ok(Some(chunk)) => {
                hasher.update(&chunk);
                job.progress.read(chunk.len());
                segment.write(&chunk).await?;
            }
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    let hash = Hash(*hasher.finalize().as_bytes());
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
    async fn again_or(&mut self, job: &Job, error: sources::Error) -> Result<(), sources::Error> {
        let spent = self.tries >= limits::TRANSFER_ATTEMPTS_MAX;
        if spent || !error.is_retryable() || self.since.elapsed() > RETRY_BUDGET {
            return Err(error);
        }
        job.progress.repeat();
        metrics::counter!("tilde_import_bodies_repeated_total").increment(1);
        tokio::time::sleep(RETRY_PAUSE * self.tries).await;
        self.tries += 1;
        Ok(())
    }
}
