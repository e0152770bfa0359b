//! The formats do not move: a committed segment of each version decodes as documented, and is what
//! we write today.
//!
//! The files are read here by the documented offsets and with a checksum of its own, so that a
//! mistake shared by encoder and decoder does not go unseen.

use std::sync::Arc;

use blocks::{ItemKind, Memory, Store};
use bytes::Bytes;
use model::{Hash, WriterId};

use crate::fixture::{REPOSITORY, Setup, Stored, append, repository};

const GOLDEN: &[u8] = include_bytes!("../golden/segment-v1");
const PACKED: &[u8] = include_bytes!("../golden/segment-v2");
const FILE: &str = "segments/0f8fad5b-d9cb-469f-a165-70867728950e/0123456789abcdef-00000002";
const ITEMS: [(ItemKind, u8, &[u8]); 5] = [
    (ItemKind::Object, 1, b"the first object"),
    (ItemKind::Piece, 2, b"\x00"),
    (ItemKind::ExtentList, 3, b"not really a list"),
    (ItemKind::Page, 4, b"nor a page"),
    (ItemKind::Run, 5, b"nor a run"),
];

/// Of the packed file: (number of the segment, offset in it, item). The items between are dropped.
const MOVED: [(u32, u32, usize); 3] = [(0, 44, 0), (0, 61, 2), (1, 61, 2)];
const PACKED_FILE: &str = "segments/0f8fad5b-d9cb-469f-a165-70867728950e/fedcba9876543210-00000000";

/// Writes the golden segment: the third of its writer, with an aborted item in it.
async fn write(setup: &Setup) -> (model::SegmentRecord, Vec<Stored>) {
    let writer = setup.blocks.writer(repository(), WriterId(0x0123_4567_89ab_cdef));
    for _ in 0..2 {
        writer.open().await.expect("a new segment").discard().await;
    }
    let mut segment = writer.open().await.expect("a new segment");
    let mut items = Vec::new();
    for (kind, _, bytes) in ITEMS {
        items.push(append(&mut segment, kind, Bytes::from_static(bytes)).await);
        segment.begin(ItemKind::Object).expect("no item is open");
        segment.write(b"dropped").await.expect("room for bytes");
        segment.abort().expect("an open item");
    }
    (setup.seal(segment).await, items)
}

#[tokio::test]
async fn the_golden_segment_is_what_we_write_and_read() {
    let memory = Memory::new();
    let setup = Setup::new(Arc::new(memory.clone()));
    let (record, items) = write(&setup).await;
    assert_eq!(record.file, FILE);
    let written = memory.read(FILE, 0..record.length).await.expect("a file");
    assert_eq!(written, GOLDEN);

    memory.replace(FILE, Bytes::from_static(GOLDEN)).expect("a good name");
    setup.assert_sound(&record).await;
    setup.assert_items(&items).await;
}

/// CRC-32C bit by bit, as docs/formats.md defines it.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn number_in(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"))
}

fn number(at: usize) -> u32 {
    number_in(GOLDEN, at)
}

#[test]
fn the_golden_segment_is_as_documented() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    assert_eq!(&GOLDEN[..8], b"TILDESEG");
    assert_eq!((number(8), number(12)), (1, 2), "version and number");
    assert_eq!(GOLDEN[16..24], 0x0123_4567_89ab_cdef_u64.to_le_bytes());
    let uuid: String = GOLDEN[24..40].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(uuid, REPOSITORY.replace('-', ""));
    assert_eq!(number(40), crc32c(&GOLDEN[..40]));

    let trailer = GOLDEN.len() - 56;
    let (position, items) = (number(trailer) as usize, number(trailer + 4) as usize);
    assert_eq!(items, ITEMS.len());
    assert_eq!(position + 4 + 41 * items, trailer, "one frame");
    assert_eq!(GOLDEN[trailer + 8..trailer + 40], Hash::of(&GOLDEN[position..trailer]).0);
    assert_eq!(number(trailer + 40), 1, "version");
    assert_eq!(number(trailer + 44), crc32c(&GOLDEN[trailer..trailer + 44]));
    assert_eq!(&GOLDEN[trailer + 48..], b"TILDEEND");

    assert_eq!(number(position), crc32c(&GOLDEN[44..position]), "the frame");
    let mut offset = 44;
    for (index, (_, kind, bytes)) in ITEMS.into_iter().enumerate() {
        let row = position + 4 + 41 * index;
        assert_eq!((number(row), number(row + 4)), (offset as u32, bytes.len() as u32));
        assert_eq!(GOLDEN[row + 8], kind);
        assert_eq!(GOLDEN[row + 9..row + 41], Hash::of(bytes).0);
        assert_eq!(&GOLDEN[offset..offset + bytes.len()], bytes);
        offset += bytes.len();
    }
    assert_eq!(offset, position);
}

#[tokio::test]
async fn the_golden_packed_file_is_what_we_write_and_read() {
    let memory = Memory::new();
    let setup = Setup::new(Arc::new(memory.clone()));
    let writer = setup.blocks.writer(repository(), WriterId(0x0123_4567_89ab_cdef));
    let (mut live, mut kept) = (Vec::new(), Vec::new());
    for number in 0..2 {
        let mut segment = writer.open().await.expect("a new segment");
        let mut items = Vec::new();
        for (kind, _, bytes) in ITEMS {
            items.push(append(&mut segment, kind, Bytes::from_static(bytes)).await);
        }
        let moved = MOVED.iter().filter(|(segment, ..)| *segment == number);
        let moved: Vec<_> = moved.map(|(_, _, item)| items[*item].clone()).collect();
        let extents = moved.iter().map(|item| item.extent).collect();
        live.push((setup.seal(segment).await, extents));
        kept.extend(moved);
    }
    let packer = setup.blocks.writer(repository(), WriterId(0xfedc_ba98_7654_3210));
    let packed = setup.blocks.pack(&packer, &live).await.expect("packed");
    assert!(packed.iter().all(|record| record.file == PACKED_FILE));
    let written = memory.read(PACKED_FILE, 0..packed[0].length).await.expect("a file");
    assert_eq!(written, PACKED);

    memory.replace(PACKED_FILE, Bytes::from_static(PACKED)).expect("a good name");
    packed.iter().for_each(|record| setup.table.replace(record.clone()));
    setup.assert_sound(&packed[1]).await;
    setup.assert_items(&kept).await;
}

#[test]
fn the_golden_packed_file_is_as_documented() {
    let number = |at| number_in(PACKED, at);
    let long = |at: usize| u64::from_le_bytes(PACKED[at..at + 8].try_into().expect("eight bytes"));
    assert_eq!(&PACKED[..8], b"TILDESEG");
    assert_eq!((number(8), number(12)), (2, 0), "version and number");
    assert_eq!(long(16), 0xfedc_ba98_7654_3210);
    assert_eq!(PACKED[24..40], GOLDEN[24..40]);
    assert_eq!(number(40), crc32c(&PACKED[..40]));

    let trailer = PACKED.len() - 56;
    let (position, items) = (number(trailer) as usize, number(trailer + 4) as usize);
    assert_eq!(items, MOVED.len());
    assert_eq!(position + 4 + 57 * items, trailer, "one frame");
    assert_eq!(PACKED[trailer + 8..trailer + 40], Hash::of(&PACKED[position..trailer]).0);
    assert_eq!(number(trailer + 40), 2, "version");
    assert_eq!(number(trailer + 44), crc32c(&PACKED[trailer..trailer + 44]));
    assert_eq!(&PACKED[trailer + 48..], b"TILDEEND");

    assert_eq!(number(position), crc32c(&PACKED[44..position]), "the frame");
    let mut offset = 44;
    for (index, (segment, address, item)) in MOVED.into_iter().enumerate() {
        let (_, kind, bytes) = ITEMS[item];
        let row = position + 4 + 57 * index;
        assert_eq!((long(row), number(row + 8)), (0x0123_4567_89ab_cdef, segment));
        assert_eq!((number(row + 12), number(row + 16)), (address, offset as u32));
        assert_eq!((number(row + 20), PACKED[row + 24]), (bytes.len() as u32, kind));
        assert_eq!(PACKED[row + 25..row + 57], Hash::of(bytes).0);
        assert_eq!(&PACKED[offset..offset + bytes.len()], bytes);
        offset += bytes.len();
    }
    assert_eq!(offset, position);
}
