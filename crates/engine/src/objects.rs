//! Reading a commit or a session: one object, a range of one, or a listing.

use std::ops::Range;

use blocks::Blocks;
use bytes::Bytes;
use futures_util::future::{self, TryFutureExt};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use model::limits::PIECE_BYTES;
use model::{Content, Entry, ObjectPath, Page, Piece, Root, Session, SessionId};
use tree::{ListQuery, Listed};

use crate::access::{Place, Verb};
use crate::names::{check_amount, check_path};
use crate::{Engine, Error, Kind, Principal, Result, pieces};

/// Bytes of one chunk of a body.
const CHUNK_BYTES: u64 = 256 << 10;
/// Chunks read ahead of the reader, the one being handed out included.
const CHUNKS_AHEAD: usize = 2;

/// The single byte range of a request, parsed. A malformed or multiple range is no range at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeRequest {
    /// `bytes=first-last`, both inclusive; `first <= last`.
    Closed {
        /// First byte.
        first: u64,
        /// Last byte; may lie beyond the end.
        last: u64,
    },
    /// `bytes=first-`.
    From {
        /// First byte.
        first: u64,
    },
    /// `bytes=-length`: the last `length` bytes.
    Suffix {
        /// Bytes.
        length: u64,
    },
}

/// An object being read.
pub struct ObjectRead {
    /// What the commit says about it.
    pub entry: Entry,
    /// The bytes that the body holds; `None` for the whole object.
    pub range: Option<Range<u64>>,
    /// The bytes in chunks of at most 256 KiB, each verified before it is handed out. An error ends
    /// it.
    pub body: BoxStream<'static, Result<Bytes>>,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ObjectsQuery {
    /// Only paths that start with this.
    pub prefix: String,
    /// Paths with this text after the prefix are grouped up to and including it.
    pub delimiter: Option<String>,
    /// Exclusive cursor: the `next` of the page before.
    pub after: Option<String>,
    /// Rows wanted, from 1; more than 1,000 are 1,000.
    pub amount: usize,
    /// In which state of the repository.
    pub at: At,
}

/// A state of a repository to read from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum At {
    /// The latest commit, or the empty tree where there is none.
    #[default]
    Head,
    /// A commit, by its id or an unambiguous start of it.
    Commit(String),
    /// What a session began with, and its own changes on top.
    Session(SessionId),
}

/// A state of a repository that was found.
enum State {
    Commit(Root),
    Session(Session),
}

/// A row of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListedEntry {
    /// An object.
    Object(ObjectPath, Entry),
    /// A group of paths, its delimiter included.
    Prefix(String),
}

impl Engine {
    /// What is there at `path`, without its bytes.
    pub async fn head_object(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        path: &str,
        at: &At,
    ) -> Result<Entry> {
        let verb = Verb::GetObject;
        let place = self.place_for(principal, organization, repository, verb).await?;
        let path = check_path("path", path)?;
        let entry = match self.state(&place, at).await? {
            State::Commit(root) => self.tree.get(&root, path.as_bytes()).await.map_err(Error::from),
            State::Session(session) => self.session_entry(&session, &path).await,
        };
        let entry = entry.map_err(|error| error.about(path.as_str()))?;
        entry.ok_or_else(|| Error::not_found("object"))
    }

    /// Where to read `at`. `Gone` for a stale commit, `NotFound` for a session that has ended.
    async fn state(&self, place: &Place, at: &At) -> Result<State> {
        let repository = &place.repository;
        let root = match at {
            At::Session(id) => {
                return Ok(State::Session(self.session_of(repository.id, *id).await?));
            }
            At::Commit(reference) if !reference.is_empty() => {
                self.readable_root(repository, Some(reference)).await?
            }
            At::Commit(_) | At::Head => self.readable_head(place)?,
        };
        Ok(State::Commit(root))
    }

    /// Opens the object at `path`. Kind `Unsatisfiable` for a range outside of it.
    pub async fn open_object(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        path: &str,
        at: &At,
        range: Option<RangeRequest>,
    ) -> Result<ObjectRead> {
        let entry = self.head_object(principal, organization, repository, path, at).await?;
        let range = range.map(|range| range.within(entry.size)).transpose()?;
        let pieces = self.pieces(&entry).await.map_err(|error| error.about(path))?;
        let wanted = range.clone().unwrap_or(0..entry.size);
        let body = body(self.parts.blocks.clone(), path.to_owned(), pieces, wanted);
        Ok(ObjectRead { entry, range, body })
    }

    /// The pieces of an entry, as many and as long as its size demands.
    pub(crate) async fn pieces(&self, entry: &Entry) -> Result<Vec<Piece>> {
        let pieces = match &entry.content {
            Content::Pieces(pieces) => pieces.clone(),
            Content::List(extent) => {
                tree::extent_list::decode(&self.parts.blocks.read(*extent, None).await?)?
            }
        };
        let fits = |(number, piece): (usize, &Piece)| {
            let range = pieces::range(entry.size, number as u64);
            u64::from(piece.extent.length) == range.end - range.start
        };
        if pieces.len() as u64 != pieces::count(entry.size) || !pieces.iter().enumerate().all(fits)
        {
            let message = "its pieces do not add up to its size";
            return Err(Error::new(Kind::Damaged, "DATA_DAMAGED", message));
        }
        Ok(pieces)
    }

    /// A page of the objects in byte order of their paths.
    pub async fn list_objects(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        query: ObjectsQuery,
    ) -> Result<Page<ListedEntry>> {
        let verb = Verb::ListObjects;
        let place = self.place_for(principal, organization, repository, verb).await?;
        let limit = check_amount(query.amount)?;
        let state = self.state(&place, &query.at).await?;
        let ObjectsQuery { prefix, delimiter, after, .. } = query;
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        let query = ListQuery { prefix, delimiter, after, limit };
        let page = match state {
            State::Commit(root) => self.tree.list(&root, &query).await?,
            State::Session(session) => self.list_session(&session, &query).await?,
        };
        let rows = page.rows.into_iter().map(|row| match row {
            Listed::Entry(path, entry) => ListedEntry::Object(path, entry),
            Listed::Prefix(prefix) => ListedEntry::Prefix(prefix),
        });
        Ok(Page { rows: rows.collect(), next: page.next })
    }
}

impl RangeRequest {
    /// The bytes of an object of `size` bytes that are meant; `Unsatisfiable` if there are none.
    fn within(self, size: u64) -> Result<Range<u64>> {
        let range = match self {
            Self::Closed { first, last } => first..last.saturating_add(1).min(size),
            Self::From { first } => first..size,
            Self::Suffix { length } => size.saturating_sub(length)..size,
        };
        match range.is_empty() {
            false => Ok(range),
            true => Err(Error::new(
                Kind::Unsatisfiable { size },
                "RANGE_NOT_SATISFIABLE",
                format!("range: outside of the object, which has {size} bytes"),
            )),
        }
    }
}

impl Error {
    /// Names the object, where stored bytes are damaged.
    pub(crate) fn about(mut self, path: &str) -> Self {
        if self.kind == Kind::Damaged {
            self.message = format!("{path}: {}", self.message);
        }
        self
    }
}

/// The bytes `wanted` of the object at `path`, chunk by chunk; nothing comes after an error.
fn body(
    blocks: Blocks,
    path: String,
    pieces: Vec<Piece>,
    wanted: Range<u64>,
) -> BoxStream<'static, Result<Bytes>> {
    let named = move |error: blocks::Error| {
        tracing::error!(path, ?error, "an object cannot be read");
        Error::from(error).about(&path)
    };
    let mut chunks = chunks(wanted).peekable();
    let read = move |chunk: Range<u64>| {
        let piece = pieces[(chunk.start / PIECE_BYTES) as usize];
        read_chunk(blocks.clone(), piece, chunk)
    };
    let first = chunks.next();
    if let (Some(only), None) = (&first, chunks.peek()) {
        return stream::once(read(only.clone()).map_err(named)).boxed();
    }
    let chunks = stream::iter(first.into_iter().chain(chunks)).map(read);
    let chunks = chunks.buffered(CHUNKS_AHEAD).map(move |chunk| chunk.map_err(&named));
    let until_failed = |failed: &mut bool, chunk: Result<Bytes>| {
        let before = std::mem::replace(failed, chunk.is_err());
        future::ready((!before).then_some(chunk))
    };
    chunks.scan(false, until_failed).boxed()
}

/// The bytes of a piece, which are those at `range` of its object, chunk by chunk.
pub(crate) fn read_chunks(
    blocks: &Blocks,
    piece: Piece,
    range: Range<u64>,
) -> impl Stream<Item = blocks::Result<Bytes>> + Unpin + use<> {
    let blocks = blocks.clone();
    let chunks = stream::iter(chunks(range));
    Box::pin(
        chunks.map(move |chunk| read_chunk(blocks.clone(), piece, chunk)).buffered(CHUNKS_AHEAD),
    )
}

/// Cuts bytes of an object at every [`CHUNK_BYTES`], and so at every piece.
fn chunks(wanted: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut at = wanted.start;
    std::iter::from_fn(move || {
        let start = at;
        at = wanted.end.min((start / CHUNK_BYTES + 1) * CHUNK_BYTES);
        (start < wanted.end).then_some(start..at)
    })
}

/// Reads a chunk, which lies within one piece; `chunk` counts from the start of the object.
async fn read_chunk(blocks: Blocks, piece: Piece, chunk: Range<u64>) -> blocks::Result<Bytes> {
    let within = |at: u64| u32::try_from(at).expect("a piece is shorter than 4 GiB");
    let start = chunk.start % PIECE_BYTES;
    let range = within(start)..within(start + (chunk.end - chunk.start));
    blocks.read_range(piece.extent, Some(piece.hash), range).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        let within = |range: RangeRequest, size| range.within(size).ok();
        let closed = |first, last| RangeRequest::Closed { first, last };
        assert_eq!(within(closed(0, 0), 10), Some(0..1));
        assert_eq!(within(closed(2, 99), 10), Some(2..10));
        assert_eq!(within(closed(0, u64::MAX), 10), Some(0..10));
        assert_eq!(within(closed(10, 12), 10), None);
        assert_eq!(within(RangeRequest::From { first: 9 }, 10), Some(9..10));
        assert_eq!(within(RangeRequest::From { first: 10 }, 10), None);
        assert_eq!(within(RangeRequest::Suffix { length: 3 }, 10), Some(7..10));
        assert_eq!(within(RangeRequest::Suffix { length: 11 }, 10), Some(0..10));
        assert_eq!(within(RangeRequest::Suffix { length: 0 }, 10), None);
        assert_eq!(within(RangeRequest::From { first: 0 }, 0), None);
        let error = closed(10, 12).within(10).expect_err("outside");
        assert_eq!(error.kind, Kind::Unsatisfiable { size: 10 });
    }

    #[test]
    fn chunks_cover_exactly_what_is_wanted() {
        for (start, end) in [(0, 0), (5, 6), (0, CHUNK_BYTES), (7, 3 * CHUNK_BYTES + 1)] {
            let chunks: Vec<_> = chunks(start..end).collect();
            let mut at = start;
            for chunk in &chunks {
                assert_eq!(chunk.start, at);
                assert!(chunk.end > at && chunk.end - at <= CHUNK_BYTES);
                assert_eq!(chunk.start / CHUNK_BYTES, (chunk.end - 1) / CHUNK_BYTES);
                at = chunk.end;
            }
            assert_eq!(at, end);
        }
    }
}
