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

/// Items of one segment: bounds the memory that its directory takes.
pub const ITEMS_MAX: u32 = 1 << 16;
pub(crate) const HEADER_BYTES: usize = 44;
pub(crate) const TRAILER_BYTES: usize = 56;
/// Where the first item lies.
pub(crate) const DATA_START: u32 = HEADER_BYTES as u32;
const VERSION: u32 = 1;
const HEADER_MAGIC: &[u8; 8] = b"TILDESEG";
const TRAILER_MAGIC: &[u8; 8] = b"TILDEEND";
const ITEM_BYTES: usize = 41;
const CHECKSUM_BYTES: usize = 4;

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

/// One row of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Item {
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

    pub(crate) fn extent(&self, segment: SegmentId) -> Extent {
        Extent { segment, offset: self.offset, length: self.length }
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let mut row = [0; ITEM_BYTES];
        row[..4].copy_from_slice(&self.offset.to_le_bytes());
        row[4..8].copy_from_slice(&self.length.to_le_bytes());
        row[8] = self.kind as u8;
        row[9..].copy_from_slice(&self.hash.0);
        to.extend_from_slice(&row);
    }

    fn decode(row: &[u8]) -> Option<Self> {
        Some(Self {
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
pub(crate) fn encode_header(name: &Name) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let SegmentId { writer: WriterId(writer), number } = name.id;
    header[..8].copy_from_slice(HEADER_MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&writer.to_le_bytes());
    header[24..40].copy_from_slice(name.repository.0.as_bytes());
    let checksum = crc32c(&header[..40]);
    header[40..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Checks that `header` is the header of the segment that `file` names.
pub(crate) fn check_header(file: &str, header: &[u8]) -> Result<()> {
    let name: Name = file.parse()?;
    let damaged = |what: &str| Err(Error::damaged(file, what));
    if header.len() != HEADER_BYTES || &header[..8] != HEADER_MAGIC {
        return damaged("it does not start as a segment");
    }
    if u32_at(header, 40) != Some(crc32c(&header[..40])) {
        return damaged("the header does not match its checksum");
    }
    match u32_at(header, 8) {
        Some(VERSION) if header == encode_header(&name) => Ok(()),
        Some(VERSION) => damaged("the header names another segment than the file's name"),
        version => Err(Error::Version { file: file.to_owned(), version: version.unwrap_or(0) }),
    }
}

/// The fixed end of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trailer {
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
        trailer[40..44].copy_from_slice(&VERSION.to_le_bytes());
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
        let version = field(40)?;
        if version != VERSION {
            return Err(Error::Version { file: file.to_owned(), version });
        }
        let hash = bytes[8..40].try_into().map_err(|_| damaged("the trailer is too short"))?;
        let trailer = Self { position: field(0)?, items: field(4)?, directory: Hash(hash) };
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
        let rows = frame_count(self.position) * CHECKSUM_BYTES + self.items as usize * ITEM_BYTES;
        start..start + rows as u64
    }
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

/// A decoded directory: the checksum of every frame, and every item in the order of offsets.
pub(crate) struct Directory {
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
        let directory = Self { bytes: Bytes::copy_from_slice(bytes), position: trailer.position };
        let mut end = DATA_START;
        for index in 0..directory.len() {
            let item =
                directory.try_item(index).filter(|item| item.offset == end && item.length > 0);
            end = item
                .and_then(|item| item.offset.checked_add(item.length))
                .ok_or_else(|| Error::damaged(file, format!("item {index} is malformed")))?;
        }
        if end != trailer.position {
            return Err(Error::damaged(file, "the items do not end where the directory begins"));
        }
        Ok(directory)
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
        (self.bytes.len() - self.items_start()) / ITEM_BYTES
    }

    fn items_start(&self) -> usize {
        frame_count(self.position) * CHECKSUM_BYTES
    }

    fn try_item(&self, index: usize) -> Option<Item> {
        let start = self.items_start() + index * ITEM_BYTES;
        Item::decode(self.bytes.get(start..start + ITEM_BYTES)?)
    }

    /// Item `index`, counted from 0.
    pub(crate) fn item(&self, index: usize) -> Item {
        self.try_item(index).expect("decode has checked every item below len")
    }

    /// The item that starts at `offset`.
    pub(crate) fn find(&self, offset: u32) -> Option<Item> {
        let index = self.first_ending_after(offset);
        (index < self.len()).then(|| self.item(index)).filter(|item| item.offset == offset)
    }

    /// Index of the first item with a byte at `position` or behind it.
    pub(crate) fn first_ending_after(&self, position: u32) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.item(middle).end() > position {
                true => high = middle,
                false => low = middle + 1,
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

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
