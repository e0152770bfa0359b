//! The bytes of a segment around its items: header, directory, trailer. See `docs/formats.md`,
//! "Segments".
//!
//! Decoding accepts what encoding gives and nothing else; arbitrary bytes give an error, never a
//! panic.

use std::ops::Range;

use bytes::Bytes;
use crc_fast::crc32_iscsi as crc32c;
use model::limits::FRAME_BYTES;
use model::{Extent, Hash, SegmentId, WriterId};

use crate::{Error, Name, Result};

/// Items of one segment, plain or packed: bounds the memory that its directory takes.
pub const ITEMS_MAX: u32 = 1 << 16;
pub(crate) const HEADER_BYTES: usize = 44;
pub(crate) const TRAILER_BYTES: usize = 56;
/// Where the first item lies.
pub(crate) const DATA_START: u32 = HEADER_BYTES as u32;
const HEADER_MAGIC: &[u8; 8] = b"TILDESEG";
const TRAILER_MAGIC: &[u8; 8] = b"TILDEEND";
/// Bytes of a row that a packed segment has before those of a plain one: the item's address.
const ADDRESS_BYTES: usize = 16;
const ITEM_BYTES: usize = 41;
const CHECKSUM_BYTES: usize = 4;

/// How the directory names its items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// By where they lie: all are items of the segment that the file is named after.
    Plain = 1,
    /// By the address they were given when they were first written, in whatever segment that was.
    Packed = 2,
}

impl Version {
    fn from_number(number: u32) -> Option<Self> {
        [Self::Plain, Self::Packed].into_iter().find(|version| *version as u32 == number)
    }

    /// Bytes of a row of the directory.
    fn row_bytes(self) -> usize {
        match self {
            Self::Plain => ITEM_BYTES,
            Self::Packed => ADDRESS_BYTES + ITEM_BYTES,
        }
    }
}

/// What an item is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ItemKind {
    /// All bytes of an object that is one piece; its hash is the BLAKE3 of the item.
    Object = 1,
    /// One of several pieces of an object; its hash is the BLAKE3 subtree value at its place in the
    /// object.
    Piece = 2,
    /// The pieces of a large object; its hash is the BLAKE3 of the item.
    ExtentList = 3,
    /// A page of a tree; its hash is the BLAKE3 of the item.
    Page = 4,
    /// Sorted entries of an import; its hash is the BLAKE3 of the item.
    Run = 5,
}

impl ItemKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Object, Self::Piece, Self::ExtentList, Self::Page, Self::Run]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    /// Whether the item's hash is the BLAKE3 of its bytes alone.
    pub(crate) fn hashes_itself(self) -> bool {
        self != Self::Piece
    }
}

/// Where an item lay when it was first written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Address {
    pub(crate) segment: SegmentId,
    pub(crate) offset: u32,
}

impl Address {
    /// What [`Item::moved`] holds of an item with this extent.
    pub(crate) fn of(extent: Extent) -> Self {
        Self { segment: extent.segment, offset: extent.offset }
    }

    fn encode(&self, to: &mut Vec<u8>) {
        let SegmentId { writer: WriterId(writer), number } = self.segment;
        to.extend_from_slice(&writer.to_le_bytes());
        to.extend_from_slice(&number.to_le_bytes());
        to.extend_from_slice(&self.offset.to_le_bytes());
    }

    fn decode(row: &[u8]) -> Option<Self> {
        let writer = WriterId(u64::from_le_bytes(row.get(..8)?.try_into().ok()?));
        let segment = SegmentId { writer, number: u32_at(row, 8)? };
        Some(Self { segment, offset: u32_at(row, 12)? })
    }
}

/// One row of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Item {
    /// Its address, if that is not where it lies: in a packed segment.
    pub(crate) moved: Option<Address>,
    /// Where it lies in the file.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) kind: ItemKind,
    pub(crate) hash: Hash,
}

impl Item {
    /// One past its last byte. Cannot overflow: [`Directory::decode`] and the writer keep it within
    /// P.
    pub(crate) fn end(&self) -> u32 {
        self.offset + self.length
    }

    /// By which everything refers to it; `own` is the segment that the file is named after.
    pub(crate) fn extent(&self, own: SegmentId) -> Extent {
        let address = self.moved.unwrap_or(Address { segment: own, offset: self.offset });
        Extent { segment: address.segment, offset: address.offset, length: self.length }
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        if let Some(address) = self.moved {
            address.encode(to);
        }
        let mut row = [0; ITEM_BYTES];
        row[..4].copy_from_slice(&self.offset.to_le_bytes());
        row[4..8].copy_from_slice(&self.length.to_le_bytes());
        row[8] = self.kind as u8;
        row[9..].copy_from_slice(&self.hash.0);
        to.extend_from_slice(&row);
    }

    fn decode(version: Version, row: &[u8]) -> Option<Self> {
        let (moved, row) = match version {
            Version::Plain => (None, row),
            Version::Packed => (Some(Address::decode(row)?), row.get(ADDRESS_BYTES..)?),
        };
        Some(Self {
            moved,
            offset: u32_at(row, 0)?,
            length: u32_at(row, 4)?,
            kind: ItemKind::from_byte(*row.get(8)?)?,
            hash: Hash(row.get(9..ITEM_BYTES)?.try_into().ok()?),
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The header of the segment with this name.
pub(crate) fn encode_header(name: &Name, version: Version) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let SegmentId { writer: WriterId(writer), number } = name.id;
    header[..8].copy_from_slice(HEADER_MAGIC);
    header[8..12].copy_from_slice(&(version as u32).to_le_bytes());
    header[12..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&writer.to_le_bytes());
    header[24..40].copy_from_slice(name.repository.0.as_bytes());
    let checksum = crc32c(&header[..40]);
    header[40..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Checks that `header` is the header of the segment that `file` names, whose trailer has this
/// version.
pub(crate) fn check_header(file: &str, header: &[u8], version: Version) -> Result<()> {
    let name: Name = file.parse()?;
    let damaged = |what: &str| Err(Error::damaged(file, what));
    if header.len() != HEADER_BYTES || &header[..8] != HEADER_MAGIC {
        return damaged("it does not start as a segment");
    }
    if u32_at(header, 40) != Some(crc32c(&header[..40])) {
        return damaged("the header does not match its checksum");
    }
    let found = u32_at(header, 8).unwrap_or(0);
    match Version::from_number(found) {
        None => Err(Error::Version { file: file.to_owned(), version: found }),
        Some(found) if found != version => damaged("header and trailer differ in their version"),
        Some(_) if header == encode_header(&name, version) => Ok(()),
        Some(_) => damaged("the header names another segment than the file's name"),
    }
}

/// The fixed end of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trailer {
    pub(crate) version: Version,
    /// P: where the directory begins and the items end.
    pub(crate) position: u32,
    /// N: number of items.
    pub(crate) items: u32,
    /// BLAKE3 of the directory.
    pub(crate) directory: Hash,
}

impl Trailer {
    pub(crate) fn encode(&self) -> [u8; TRAILER_BYTES] {
        let mut trailer = [0; TRAILER_BYTES];
        trailer[..4].copy_from_slice(&self.position.to_le_bytes());
        trailer[4..8].copy_from_slice(&self.items.to_le_bytes());
        trailer[8..40].copy_from_slice(&self.directory.0);
        trailer[40..44].copy_from_slice(&(self.version as u32).to_le_bytes());
        let checksum = crc32c(&trailer[..44]);
        trailer[44..48].copy_from_slice(&checksum.to_le_bytes());
        trailer[48..].copy_from_slice(TRAILER_MAGIC);
        trailer
    }

    /// Decodes the last [`TRAILER_BYTES`] of a file of `length` bytes.
    pub(crate) fn decode(file: &str, bytes: &[u8], length: u64) -> Result<Self> {
        let damaged = |what: &str| Error::damaged(file, what);
        if bytes.len() != TRAILER_BYTES || &bytes[48..] != TRAILER_MAGIC {
            return Err(damaged("it does not end as a segment"));
        }
        if u32_at(bytes, 44) != Some(crc32c(&bytes[..44])) {
            return Err(damaged("the trailer does not match its checksum"));
        }
        let field = |at| u32_at(bytes, at).ok_or_else(|| damaged("the trailer is too short"));
        let number = field(40)?;
        let version = Version::from_number(number)
            .ok_or_else(|| Error::Version { file: file.to_owned(), version: number })?;
        let hash = bytes[8..40].try_into().map_err(|_| damaged("the trailer is too short"))?;
        let directory = Hash(hash);
        let trailer = Self { version, position: field(0)?, items: field(4)?, directory };
        if trailer.position < DATA_START || trailer.items > ITEMS_MAX {
            return Err(damaged("the trailer is out of bounds"));
        }
        if trailer.directory_range().end + TRAILER_BYTES as u64 != length {
            return Err(damaged("its parts do not add up to its length"));
        }
        Ok(trailer)
    }

    /// The bytes of the file that are the directory.
    pub(crate) fn directory_range(&self) -> Range<u64> {
        let start = u64::from(self.position);
        start..start + directory_bytes(self.version, self.position, self.items as usize) as u64
    }
}

fn directory_bytes(version: Version, position: u32, items: usize) -> usize {
    frame_count(position) * CHECKSUM_BYTES + items * version.row_bytes()
}

/// Bytes of a packed file that holds `items` items, of `bytes` bytes together.
pub fn packed_bytes(bytes: u64, items: u64) -> u64 {
    let position = (u64::from(DATA_START) + bytes).min(u32::MAX.into()) as u32;
    let rows = directory_bytes(Version::Packed, position, items.min(ITEMS_MAX.into()) as usize);
    u64::from(DATA_START) + bytes + (rows + TRAILER_BYTES) as u64
}

/// Number of frames of a segment whose items end at `position`.
pub(crate) fn frame_count(position: u32) -> usize {
    position.div_ceil(FRAME_BYTES) as usize
}

/// The bytes of the file that frame `index` covers, of a segment whose items end at `position`.
pub(crate) fn frame_range(index: u32, position: u32) -> Range<u32> {
    let start = index.saturating_mul(FRAME_BYTES);
    let end = start.saturating_add(FRAME_BYTES).min(position);
    start.max(DATA_START)..end
}

/// The checksum of a frame's bytes.
pub(crate) fn frame_checksum(bytes: &[u8]) -> u32 {
    crc32c(bytes)
}

/// A decoded directory: the checksum of every frame, and every item, in the order in which they lie
/// and in that of their addresses, which are the same.
pub(crate) struct Directory {
    version: Version,
    bytes: Bytes,
    position: u32,
}

impl Directory {
    /// The directory's bytes: checksums, then encoded items.
    pub(crate) fn encode(frames: &[u32], items: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(frames.len() * CHECKSUM_BYTES + items.len());
        bytes.extend(frames.iter().flat_map(|checksum| checksum.to_le_bytes()));
        bytes.extend_from_slice(items);
        bytes
    }

    /// Decodes the bytes at [`Trailer::directory_range`].
    pub(crate) fn decode(file: &str, bytes: &[u8], trailer: &Trailer) -> Result<Self> {
        if Hash::of(bytes) != trailer.directory {
            return Err(Error::damaged(file, "the directory does not match its hash"));
        }
        let range = trailer.directory_range();
        if bytes.len() as u64 != range.end - range.start {
            return Err(Error::damaged(file, "the directory has the wrong length"));
        }
        // A copy, so that the cache holds these bytes and not the larger buffer they were read
        // into.
        let (version, position) = (trailer.version, trailer.position);
        let directory = Self { version, bytes: Bytes::copy_from_slice(bytes), position };
        let mut end = DATA_START;
        let mut free = None;
        for index in 0..directory.len() {
            let item = directory.try_item(index).filter(|item| item.offset == end);
            (end, free) = item
                .and_then(|item| follow(&item, free))
                .ok_or_else(|| Error::damaged(file, format!("item {index} is malformed")))?;
        }
        if end != trailer.position {
            return Err(Error::damaged(file, "the items do not end where the directory begins"));
        }
        Ok(directory)
    }

    /// Which way it names its items.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// P: where the items end.
    pub(crate) fn position(&self) -> u32 {
        self.position
    }

    /// Bytes of memory it takes.
    pub(crate) fn weight(&self) -> u64 {
        (self.bytes.len() + size_of::<Self>()) as u64
    }

    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        (self.bytes.len() - self.items_start()) / self.version.row_bytes()
    }

    fn items_start(&self) -> usize {
        frame_count(self.position) * CHECKSUM_BYTES
    }

    fn try_item(&self, index: usize) -> Option<Item> {
        let row_bytes = self.version.row_bytes();
        let start = self.items_start() + index * row_bytes;
        Item::decode(self.version, self.bytes.get(start..start + row_bytes)?)
    }

    /// Item `index`, counted from 0.
    pub(crate) fn item(&self, index: usize) -> Item {
        self.try_item(index).expect("decode has checked every item below len")
    }

    /// The item with this address; `own` is the segment that the file is named after.
    pub(crate) fn find(&self, own: SegmentId, address: Address) -> Option<Item> {
        if self.version == Version::Plain && address.segment != own {
            return None;
        }
        let index = self.partition_point(|item| Address::of(item.extent(own)) < address);
        let item = (index < self.len()).then(|| self.item(index))?;
        (Address::of(item.extent(own)) == address).then_some(item)
    }

    /// The items whose address is in `segment`, in order.
    pub(crate) fn items_of(
        &self,
        own: SegmentId,
        segment: SegmentId,
    ) -> impl Iterator<Item = Item> {
        (self.partition_point(|item| item.extent(own).segment < segment)..self.len())
            .map(|index| self.item(index))
            .take_while(move |item| item.extent(own).segment == segment)
    }

    /// Index of the first item with a byte at `position` or behind it.
    pub(crate) fn first_ending_after(&self, position: u32) -> usize {
        self.partition_point(|item| item.end() <= position)
    }

    /// Index of the first item that is not `before`, which holds for all up to some and for none
    /// after.
    fn partition_point(&self, before: impl Fn(&Item) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match before(&self.item(middle)) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// The items with bytes within `range`.
    pub(crate) fn items_within(&self, range: Range<u32>) -> impl Iterator<Item = Item> {
        (self.first_ending_after(range.start)..self.len())
            .map(|index| self.item(index))
            .take_while(move |item| item.offset < range.end)
    }

    /// Checks frame `index` against its bytes.
    pub(crate) fn frame_matches(&self, index: u32, bytes: &[u8]) -> bool {
        u32_at(&self.bytes, index as usize * CHECKSUM_BYTES) == Some(frame_checksum(bytes))
    }
}

/// Where the next item lies, and the first address that it may have, after `item`; nothing if the
/// item is empty, too long, or has an address before `free`.
fn follow(item: &Item, free: Option<Address>) -> Option<(u32, Option<Address>)> {
    let end = item.offset.checked_add(item.length).filter(|_| item.length > 0)?;
    let Some(address) = item.moved else { return Some((end, None)) };
    let is_behind = free.is_none_or(|free| address >= free);
    if !is_behind || address.offset < DATA_START {
        return None;
    }
    let offset = address.offset.checked_add(item.length)?;
    Some((end, Some(Address { offset, ..address })))
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
