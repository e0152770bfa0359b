//! Reading items: every byte is verified before it is returned, by the hash of its item where that
//! is known and read whole, else by the checksums of the frames that the read touches.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use model::limits::FRAME_BYTES;
use model::{Extent, Hash, RepositoryId, SegmentId, SegmentRecord, WriterId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::format::{
    Address, Directory, HEADER_BYTES, Item, TRAILER_BYTES, Trailer, Version, frame_range,
};
use crate::{Error, ItemKind, Locate, Name, Result, Store, Writer};

/// Bytes of decoded directories kept.
const DIRECTORIES_BYTES: u64 = 32 << 20;
/// A guess at how many directories that is; the cache sizes itself by it.
const DIRECTORIES_EXPECTED: usize = 512;
/// Bytes read first to find a directory: most are smaller, trailer included.
const TAIL_BYTES: u64 = 64 << 10;

/// The bytes of all segments. Cheap to clone.
#[derive(Clone)]
pub struct Blocks {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    locate: Arc<dyn Locate>,
    /// By their own hash, which names their content whatever file they were read from.
    directories: Cache<Hash, Arc<Directory>, ByWeight>,
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Hash, Arc<Directory>> for ByWeight {
    fn weight(&self, _hash: &Hash, directory: &Arc<Directory>) -> u64 {
        directory.weight()
    }
}

impl Blocks {
    /// Reads and writes segments in `store`; `locate` knows the sealed ones.
    pub fn new(store: Arc<dyn Store>, locate: Arc<dyn Locate>) -> Self {
        let directories = Cache::with_weighter(DIRECTORIES_EXPECTED, DIRECTORIES_BYTES, ByWeight);
        Self { shared: Arc::new(Shared { store, locate, directories }) }
    }

    /// Where the files are.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// A writer of segments that numbers them from 0. `writer` must never have written before.
    pub fn writer(&self, repository: RepositoryId, writer: WriterId) -> Writer {
        Writer::new(Arc::clone(&self.shared.store), repository, writer)
    }

    /// All bytes of an item. The segment must hold an item of exactly this extent, and with this
    /// hash if one is `expected`; then the bytes are hashed as well, unless the item is a piece,
    /// whose hash depends on its place.
    ///
    /// # Errors
    /// [`Error::Missing`] when segment or file are not there, [`Error::Damaged`] when anything does
    /// not match.
    pub async fn read(&self, extent: Extent, expected: Option<Hash>) -> Result<Bytes> {
        self.read_range(extent, expected, 0..extent.length).await
    }

    /// The bytes `range`, counted from the start of the item; checks and errors as in
    /// [`Blocks::read`], but that bytes are hashed only if the range is the whole item.
    pub async fn read_range(
        &self,
        extent: Extent,
        expected: Option<Hash>,
        range: Range<u32>,
    ) -> Result<Bytes> {
        if range.start > range.end || range.end > extent.length {
            return Err(Error::Misuse { what: "the range is not within the extent" });
        }
        let record = self.locate(extent).await?;
        match self.read_from(&record, extent, expected, range.clone()).await {
            // The file may have been packed into another one while its name was remembered.
            Err(Error::Missing { file }) if file == record.file => {
                self.shared.locate.forget(extent.segment);
                let fresh = self.locate(extent).await?;
                match fresh.file == file {
                    true => Err(Error::Missing { file }),
                    false => self.read_from(&fresh, extent, expected, range).await,
                }
            }
            other => other,
        }
    }

    async fn read_from(
        &self,
        record: &SegmentRecord,
        extent: Extent,
        expected: Option<Hash>,
        range: Range<u32>,
    ) -> Result<Bytes> {
        let directory = self.directory(record).await?;
        let item = find(record, &directory, extent, expected)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let within = item.offset + range.start..item.offset + range.end;
        let whole = range.len() == item.length as usize;
        if whole && expected.is_some() && item.kind.hashes_itself() {
            // The hash says more than the checksums of the frames, and needs no byte around these.
            let within = within.start.into()..within.end.into();
            let bytes = self.shared.store.read(&record.file, within).await?;
            check_hash(&record.file, &item, &bytes)?;
            return Ok(bytes);
        }
        self.read_frames(&record.file, &directory, within).await
    }

    /// The items of a segment, in order: those of its own, where its file holds others as well.
    pub async fn items(&self, record: &SegmentRecord) -> Result<Vec<(Extent, ItemKind)>> {
        let own = own_segment(record)?;
        let directory = self.directory(record).await?;
        check_own(record, own, &directory)?;
        let items = directory.items_of(own, record.id);
        Ok(items.map(|item| (item.extent(own), item.kind)).collect())
    }

    async fn locate(&self, extent: Extent) -> Result<SegmentRecord> {
        let id = extent.segment;
        let record = self.shared.locate.locate(id).await?;
        record.filter(|record| record.id == id).ok_or_else(|| Error::Missing {
            file: format!("segment {:016x}-{:08x}", id.writer.0, id.number),
        })
    }

    pub(crate) async fn directory(&self, record: &SegmentRecord) -> Result<Arc<Directory>> {
        let load = async { load_directory(self.shared.store.as_ref(), record).await.map(Arc::new) };
        self.shared.directories.get_or_insert_async(&record.directory, load).await
    }

    /// The bytes `within` the file, cut from the verified frames they lie in.
    pub(crate) async fn read_frames(
        &self,
        file: &str,
        directory: &Directory,
        within: Range<u32>,
    ) -> Result<Bytes> {
        let frames = within.start / FRAME_BYTES..=(within.end - 1) / FRAME_BYTES;
        let ranges = frames.map(|index| (index, frame_range(index, directory.position())));
        let start = ranges.clone().next().map_or(within.start, |(_, range)| range.start);
        let end = ranges.clone().last().map_or(within.end, |(_, range)| range.end);
        let bytes = self.shared.store.read(file, start.into()..end.into()).await?;
        let cut = |range: Range<u32>| (range.start - start) as usize..(range.end - start) as usize;
        for (index, range) in ranges {
            let frame = bytes.get(cut(range.clone()));
            if !frame.is_some_and(|frame| directory.frame_matches(index, frame)) {
                let what =
                    format!("bytes {} to {} do not match their checksum", range.start, range.end);
                return Err(Error::damaged(file, what));
            }
        }
        Ok(bytes.slice(cut(within)))
    }
}

pub(crate) fn find(
    record: &SegmentRecord,
    directory: &Directory,
    extent: Extent,
    expected: Option<Hash>,
) -> Result<Item> {
    let Extent { offset, length, .. } = extent;
    let own = own_segment(record)?;
    let found = directory.find(own, Address::of(extent)).filter(|item| item.length == length);
    let item = found.ok_or_else(|| {
        Error::damaged(&record.file, format!("no item of {length} bytes lies at {offset}"))
    })?;
    if expected.is_some_and(|expected| expected != item.hash) {
        let what = format!("the item at {offset} has another hash than expected");
        return Err(Error::damaged(&record.file, what));
    }
    Ok(item)
}

/// Compares all bytes of an item with its hash, if that is one of these bytes alone.
pub(crate) fn check_hash(file: &str, item: &Item, bytes: &[u8]) -> Result<()> {
    if item.kind.hashes_itself() && Hash::of(bytes) != item.hash {
        let what = format!("the item at {} does not match its hash", item.offset);
        return Err(Error::damaged(file, what));
    }
    Ok(())
}

/// The segment that the file of a record is named after: its own, unless it was packed.
pub(crate) fn own_segment(record: &SegmentRecord) -> Result<SegmentId> {
    Ok(record.file.parse::<Name>()?.id)
}

/// Only a packed file holds items of other segments than its own.
pub(crate) fn check_own(
    record: &SegmentRecord,
    own: SegmentId,
    directory: &Directory,
) -> Result<()> {
    match directory.version() == Version::Packed || own == record.id {
        true => Ok(()),
        false => Err(Error::damaged(&record.file, "it is the file of another segment")),
    }
}

/// Reads a segment's directory from its file and checks it against the record.
pub(crate) async fn load_directory(store: &dyn Store, record: &SegmentRecord) -> Result<Directory> {
    let SegmentRecord { file, length, .. } = record;
    if *length < (HEADER_BYTES + TRAILER_BYTES) as u64 {
        return Err(Error::damaged(file, "it is too short to be a segment"));
    }
    let tail_start = length.saturating_sub(TAIL_BYTES);
    let tail = store.read(file, tail_start..*length).await?;
    let trailer_start = tail.len().saturating_sub(TRAILER_BYTES);
    let trailer = Trailer::decode(file, &tail[trailer_start..], *length)?;
    if trailer.directory != record.directory {
        return Err(Error::damaged(file, "it is not the segment that the catalog recorded"));
    }
    let range = trailer.directory_range();
    match range.start.checked_sub(tail_start) {
        Some(from) => Directory::decode(file, &tail[from as usize..trailer_start], &trailer),
        None => Directory::decode(file, &store.read(file, range).await?, &trailer),
    }
}
