//! Writing segments: a buffer fills while the one before it is being written.
//!
//! A segment has a single owner. Items come whole ([`Segment::append`]) or streamed
//! ([`Segment::begin`], [`Segment::write`], then [`Segment::finish`] or [`Segment::abort`]). After
//! an error that is not [`Error::Misuse`] the segment is lost: every further call fails, and its
//! file is removed. Dropping a segment removes its file too.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use model::limits::{FRAME_BYTES, SEGMENT_BYTES};
use model::{Extent, Hash, RepositoryId, SegmentId, SegmentRecord, WriterId};
use tokio::task::JoinHandle;

use crate::format::{
    Address, DATA_START, Directory, HEADER_BYTES, Item, Trailer, Version, encode_header,
    frame_checksum,
};
use crate::store::WRITE_ALIGN;
use crate::{Error, ITEMS_MAX, ItemKind, Name, Result, Sink, Store};

/// Bytes written at a time; a segment holds at most two such buffers. A whole number of frames.
const BUFFER_BYTES: usize = 1 << 20;
const _: () = assert!(BUFFER_BYTES.is_multiple_of(FRAME_BYTES as usize));
const _: () = assert!((FRAME_BYTES as usize).is_multiple_of(WRITE_ALIGN));

/// Opens segments for one writer and repository, numbered from 0. Clones share the numbering. The
/// caller sees to it that no two writers of one id ever exist.
#[derive(Clone)]
pub struct Writer {
    store: Arc<dyn Store>,
    repository: RepositoryId,
    id: WriterId,
    next: Arc<AtomicU32>,
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn Store>, repository: RepositoryId, id: WriterId) -> Self {
        Self { store, repository, id, next: Arc::default() }
    }

    /// Opens the next segment.
    pub async fn open(&self) -> Result<Segment> {
        self.open_as(Version::Plain).await
    }

    /// The repository whose segments it writes.
    pub(crate) fn repository(&self) -> RepositoryId {
        self.repository
    }

    pub(crate) async fn open_as(&self, version: Version) -> Result<Segment> {
        let next = |number: u32| number.checked_add(1);
        let number = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let number =
            number.map_err(|_| Error::Misuse { what: "the writer has no numbers left" })?;
        let id = SegmentId { writer: self.id, number };
        let name = Name { repository: self.repository, id };
        let sink = self.store.create(&name.to_string()).await?;
        Ok(Segment::new(name, version, sink))
    }
}

/// A write under way: gives the sink back.
type Writing = JoinHandle<(Box<dyn Sink>, Result<()>)>;

/// An open segment.
pub struct Segment {
    name: Name,
    version: Version,
    /// `None` while `writing` has it, and for good once the segment is lost.
    sink: Option<Box<dyn Sink>>,
    writing: Option<Writing>,
    /// The buffer that is being written, to be filled again afterwards.
    written: Option<Bytes>,
    /// The bytes of the file from `base` on, at most [`BUFFER_BYTES`].
    buffer: BytesMut,
    /// A whole number of frames.
    base: u32,
    /// Checksums of the frames before `base`.
    frames: Vec<u32>,
    /// Encoded rows of the directory.
    rows: Vec<u8>,
    items: u32,
    unfinished: Option<Unfinished>,
}

/// An empty buffer that begins at a multiple of [`WRITE_ALIGN`], and does so again when reused.
fn new_buffer() -> BytesMut {
    let mut buffer = BytesMut::with_capacity(BUFFER_BYTES + WRITE_ALIGN);
    let padding = buffer.as_ptr().addr().wrapping_neg() % WRITE_ALIGN;
    buffer.resize(padding, 0);
    buffer.advance(padding);
    buffer
}

/// A streamed item that has begun.
struct Unfinished {
    kind: ItemKind,
    /// Its address, in a packed segment.
    moved: Option<Address>,
    start: u32,
    /// Once the buffer with its start has been written: the bytes of its first frame that are not
    /// its own. An abort goes on from there.
    frame_head: Option<Vec<u8>>,
}

impl Unfinished {
    fn frame_start(&self) -> u32 {
        self.start - self.start % FRAME_BYTES
    }
}

impl Segment {
    fn new(name: Name, version: Version, sink: Box<dyn Sink>) -> Self {
        let mut buffer = new_buffer();
        buffer.extend_from_slice(&encode_header(&name, version));
        Self {
            name,
            version,
            sink: Some(sink),
            writing: None,
            written: None,
            buffer,
            base: 0,
            frames: Vec::new(),
            rows: Vec::new(),
            items: 0,
            unfinished: None,
        }
    }

    /// Its id, which every extent in it carries.
    pub fn id(&self) -> SegmentId {
        self.name.id
    }

    /// Bytes of all items, those of an unfinished one included.
    pub fn len(&self) -> u64 {
        u64::from(self.position() - DATA_START)
    }

    /// Whether no item has been written or begun.
    pub fn is_empty(&self) -> bool {
        self.items == 0 && self.unfinished.is_none()
    }

    /// Whether it is time to seal it: it has [`SEGMENT_BYTES`] or as many items as a segment takes.
    pub fn is_full(&self) -> bool {
        self.len() >= SEGMENT_BYTES || self.items >= ITEMS_MAX
    }

    /// Where the next byte goes, from the start of the file. [`Segment::check_room`] keeps it
    /// within 32 bits.
    fn position(&self) -> u32 {
        self.base + self.buffer.len() as u32
    }

    /// Writes a whole item. `hash` is what [`ItemKind`] says of its kind; it is recorded, not
    /// checked.
    pub async fn append(&mut self, kind: ItemKind, bytes: &[u8], hash: Hash) -> Result<Extent> {
        self.append_from(None, kind, bytes, hash).await
    }

    /// As [`Segment::append`]; in a packed segment with the address that the item has.
    pub(crate) async fn append_from(
        &mut self,
        moved: Option<Address>,
        kind: ItemKind,
        bytes: &[u8],
        hash: Hash,
    ) -> Result<Extent> {
        self.begin_from(moved, kind)?;
        let written = self.write(bytes).await.and_then(|()| self.finish(hash));
        if written.is_err() {
            self.abort()?;
        }
        written
    }

    /// Begins a streamed item. One at a time.
    pub fn begin(&mut self, kind: ItemKind) -> Result<()> {
        self.begin_from(None, kind)
    }

    fn begin_from(&mut self, moved: Option<Address>, kind: ItemKind) -> Result<()> {
        if self.unfinished.is_some() {
            return Err(Error::Misuse { what: "an item has begun already" });
        }
        if self.items >= ITEMS_MAX {
            return Err(Error::Misuse { what: "the segment takes no more items" });
        }
        let start = self.position();
        self.unfinished = Some(Unfinished { kind, moved, start, frame_head: None });
        Ok(())
    }

    /// Adds to the item that has begun.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.check_room(bytes.len())?;
        loop {
            if self.buffer.len() == BUFFER_BYTES {
                self.flush().await?;
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let fitting = bytes.len().min(BUFFER_BYTES - self.buffer.len());
            let (now, later) = bytes.split_at(fitting);
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Makes the item that has begun one of another kind: what it is may show only at its end.
    pub fn recast(&mut self, kind: ItemKind) -> Result<()> {
        let Some(unfinished) = &mut self.unfinished else {
            return Err(Error::Misuse { what: "no item has begun" });
        };
        unfinished.kind = kind;
        Ok(())
    }

    /// Ends the item that has begun. `hash` is what [`ItemKind`] says of its kind; it is recorded,
    /// not checked.
    pub fn finish(&mut self, hash: Hash) -> Result<Extent> {
        let Some(Unfinished { kind, moved, start, .. }) = self.unfinished else {
            return Err(Error::Misuse { what: "no item has begun" });
        };
        let length = self.position() - start;
        if length == 0 {
            return Err(Error::Misuse { what: "an item has at least one byte" });
        }
        self.unfinished = None;
        let item = Item { moved, offset: start, length, kind, hash };
        item.encode(&mut self.rows);
        self.items += 1;
        Ok(item.extent(self.name.id))
    }

    /// Drops the item that has begun; its bytes are overwritten by what follows.
    pub fn abort(&mut self) -> Result<()> {
        let Some(unfinished) = self.unfinished.take() else {
            return Err(Error::Misuse { what: "no item has begun" });
        };
        match &unfinished.frame_head {
            None => self.buffer.truncate((unfinished.start - self.base) as usize),
            Some(head) => {
                self.base = unfinished.frame_start();
                self.frames.truncate((self.base / FRAME_BYTES) as usize);
                self.buffer.clear();
                self.buffer.extend_from_slice(head);
            }
        }
        Ok(())
    }

    /// Writes directory and trailer and makes the segment durable and visible. After an error there
    /// is no file.
    pub async fn seal(mut self) -> Result<SegmentRecord> {
        if self.unfinished.is_some() {
            return Err(Error::Misuse { what: "sealed with an unfinished item" });
        }
        self.settle().await?;
        let mut sink = self.sink.take().ok_or_else(|| self.lost())?;
        let position = self.position();
        self.close_frames();
        let directory = Directory::encode(&self.frames, &self.rows);
        let hash = Hash::of(&directory);
        let (version, items) = (self.version, self.items);
        let trailer = Trailer { version, position, items, directory: hash };
        self.buffer.extend_from_slice(&directory);
        self.buffer.extend_from_slice(&trailer.encode());
        let length = u64::from(self.base) + self.buffer.len() as u64;
        sink.write_at(self.base.into(), self.buffer.split().freeze()).await?;
        sink.finish(length).await?;
        let Name { repository, id } = self.name;
        Ok(SegmentRecord { id, repository, file: self.name.to_string(), length, directory: hash })
    }

    /// Gives the segment up and removes its file.
    pub async fn discard(mut self) {
        // A failed write has removed the file already, and there is nothing else to tell.
        let _ = self.settle().await;
        let sink = self.sink.take();
        // Removing a file may wait for the disk. The runtime is only gone when the process ends.
        let _ = tokio::task::spawn_blocking(move || drop(sink)).await;
    }

    fn check_room(&self, more: usize) -> Result<()> {
        if self.unfinished.is_none() {
            return Err(Error::Misuse { what: "no item has begun" });
        }
        let end = u64::from(self.position()) + more as u64;
        match end <= u64::from(u32::MAX) {
            true => Ok(()),
            false => Err(Error::Misuse { what: "a segment stays below 4 GiB" }),
        }
    }

    /// Hands the full buffer to the store and goes on with the other one, which has been written by
    /// then.
    async fn flush(&mut self) -> Result<()> {
        self.settle().await?;
        let mut sink = self.sink.take().ok_or_else(|| self.lost())?;
        self.close_frames();
        self.save_frame_head();
        let spare = self.written.take().and_then(|bytes| bytes.try_into_mut().ok());
        let mut spare = spare.unwrap_or_else(new_buffer);
        spare.clear();
        let full = mem::replace(&mut self.buffer, spare).freeze();
        self.written = Some(full.clone());
        let offset = self.base;
        self.base += full.len() as u32;
        self.writing = Some(tokio::spawn(async move {
            let result = sink.write_at(offset.into(), full).await;
            (sink, result)
        }));
        Ok(())
    }

    /// Waits until nothing is being written. May be dropped halfway and called again.
    async fn settle(&mut self) -> Result<()> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await;
        self.writing = None;
        match written {
            Ok((sink, Ok(()))) => self.sink = Some(sink),
            Ok((_, Err(error))) => return Err(error),
            Err(stopped) => {
                return Err(Error::lost(&self.name.to_string(), io::Error::other(stopped)));
            }
        }
        Ok(())
    }

    /// Takes the checksums of all frames in the buffer.
    fn close_frames(&mut self) {
        let mut header = if self.base == 0 { HEADER_BYTES } else { 0 };
        for frame in self.buffer.chunks(FRAME_BYTES as usize) {
            self.frames.push(frame_checksum(&frame[mem::take(&mut header)..]));
        }
    }

    fn save_frame_head(&mut self) {
        let Some(unfinished) = &mut self.unfinished else { return };
        if unfinished.frame_head.is_none() {
            let (from, to) = (unfinished.frame_start() - self.base, unfinished.start - self.base);
            unfinished.frame_head = Some(self.buffer[from as usize..to as usize].to_vec());
        }
    }

    fn lost(&self) -> Error {
        let source = io::Error::other("an earlier write to this segment failed");
        Error::Lost { file: self.name.to_string(), source }
    }
}
