//! The format does not move: a committed segment decodes as documented, and is what we write today.
//!
//! The file is read here by the documented offsets and with a checksum of its own, so that a
//! mistake shared by encoder and decoder does not go unseen.

use std::sync::Arc;

use blocks::{ItemKind, Memory, Store};
use bytes::Bytes;
use model::{Hash, WriterId};

use crate::fixture::{REPOSITORY, Setup, Stored, append, repository};

const GOLDEN: &[u8] = include_bytes!("../golden/segment-v1");
const FILE: &str = "segments/0f8fad5b-d9cb-469f-a165-70867728950e/0123456789abcdef-00000002";
const ITEMS: [(ItemKind, u8, &[u8]); 5] = [
    (ItemKind::Object, 1, b"the first object"),
    (ItemKind::Piece, 2, b"\x00"),
    (ItemKind::ExtentList, 3, b"not really a list"),
    (ItemKind::Page, 4, b"nor a page"),
    (ItemKind::Run, 5, b"nor a run"),
];

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

fn number(at: usize) -> u32 {
    u32::from_le_bytes(GOLDEN[at..at + 4].try_into().expect("four bytes"))
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
