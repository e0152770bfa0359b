//! Arbitrary bytes decode to an error, never to a panic; edges of the layout.

use model::limits::FRAME_BYTES;
use proptest::prelude::*;

use super::*;

const FILE: &str = "segments/0f8fad5b-d9cb-469f-a165-70867728950e/00000000000000ff-0000001a";

#[test]
fn frames_cover_every_byte_of_the_items_once() {
    for position in [44, 45, 32_767, 32_768, 32_769, 65_536, 100_000, u32::MAX] {
        let frames = frame_count(position) as u32;
        assert!(frames >= 1 && frame_range(0, position).start == DATA_START);
        assert_eq!(frame_range(frames - 1, position).end, position);
        for index in 1..frames {
            let (before, frame) = (frame_range(index - 1, position), frame_range(index, position));
            assert_eq!((before.end, frame.start), (frame.start, index * FRAME_BYTES));
            assert!(!frame.is_empty() && frame.len() <= FRAME_BYTES as usize);
        }
    }
}

fn rows(items: &[Item]) -> Vec<u8> {
    let mut rows = Vec::new();
    items.iter().for_each(|item| item.encode(&mut rows));
    rows
}

fn decode(items: &[Item], position: u32) -> Result<Directory> {
    let bytes = Directory::encode(&vec![0; frame_count(position)], &rows(items));
    let trailer = Trailer { position, items: items.len() as u32, directory: Hash::of(&bytes) };
    Directory::decode(FILE, &bytes, &trailer)
}

#[test]
fn a_directory_has_neither_gaps_nor_overlaps() {
    let item = |offset, length| Item { offset, length, kind: ItemKind::Page, hash: Hash::of(b"") };
    let sound = decode(&[item(44, 6), item(50, 10), item(60, 1)], 61).expect("a directory");
    assert_eq!((sound.len(), sound.position()), (3, 61));
    assert_eq!(sound.find(50), Some(item(50, 10)));
    assert_eq!((sound.find(51), sound.find(43), sound.find(61)), (None, None, None));
    assert_eq!(sound.items_within(49..51).count(), 2);
    assert_eq!(sound.items_within(60..61).count(), 1);
    for (items, position) in [
        (vec![item(44, 6), item(51, 10)], 61),
        (vec![item(44, 6), item(49, 12)], 61),
        (vec![item(44, 17), item(61, 0)], 61),
        (vec![item(44, 16)], 61),
        (vec![item(44, 18)], 61),
        (vec![item(0, 61)], 61),
        (vec![], 61),
        (vec![item(44, u32::MAX)], 61),
        (vec![item(44, 17), item(61, u32::MAX - 60)], 61),
    ] {
        assert!(decode(&items, position).is_err(), "{items:?}");
    }
}

fn reseal(bytes: &mut [u8], covered: usize) {
    let checksum = crc32c(&bytes[..covered]);
    bytes[covered..covered + 4].copy_from_slice(&checksum.to_le_bytes());
}

proptest! {
    #[test]
    fn arbitrary_ends_are_refused(bytes: Vec<u8>, length: u64) {
        assert!(check_header(FILE, &bytes).is_err());
        assert!(Trailer::decode(FILE, &bytes, length).is_err());
    }

    /// Behind a correct magic and checksum, so that the fields themselves are tried.
    #[test]
    fn arbitrary_fields_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), TRAILER_BYTES),
        position in prop_oneof![any::<u32>(), 0_u32..100],
        items in prop_oneof![any::<u32>(), 0_u32..100],
        length: u64,
    ) {
        bytes[..4].copy_from_slice(&position.to_le_bytes());
        bytes[4..8].copy_from_slice(&items.to_le_bytes());
        bytes[40..44].copy_from_slice(&VERSION.to_le_bytes());
        reseal(&mut bytes, 44);
        bytes[48..].copy_from_slice(TRAILER_MAGIC);
        if let Ok(trailer) = Trailer::decode(FILE, &bytes, length) {
            assert_eq!(trailer.encode()[..], bytes);
        }
        let mut header = bytes[..HEADER_BYTES].to_vec();
        header[..8].copy_from_slice(HEADER_MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        reseal(&mut header, 40);
        assert!(check_header(FILE, &header).is_err());
    }

    /// Behind a correct hash and with the right length.
    #[test]
    fn arbitrary_directories_never_panic(
        count in 0_u32..4,
        position in 44_u32..100_000,
        noise in prop::collection::vec(any::<u8>(), 200),
    ) {
        let mut trailer = Trailer { position, items: count, directory: Hash::of(b"") };
        let range = trailer.directory_range();
        let bytes: Vec<u8> = noise.into_iter().take((range.end - range.start) as usize).collect();
        trailer.directory = Hash::of(&bytes);
        assert!(Directory::decode(FILE, &bytes, &trailer).is_err());
    }

    #[test]
    fn what_is_encoded_is_decoded(
        lengths in prop::collection::vec(1_u32..100_000, 1..40),
        kind in 1_u8..=5,
        hash: [u8; 32],
    ) {
        let kind = ItemKind::from_byte(kind).expect("a kind");
        let mut offset = DATA_START;
        let items: Vec<Item> = lengths.into_iter().map(|length| {
            let item = Item { offset, length, kind, hash: Hash(hash) };
            offset += length;
            item
        }).collect();
        let directory = decode(&items, offset).expect("a directory");
        for (index, item) in items.iter().enumerate() {
            assert_eq!(directory.item(index), *item);
            assert_eq!(directory.find(item.offset), Some(*item));
        }
        let trailer = Trailer { position: offset, items: 7, directory: Hash(hash) };
        let length = trailer.directory_range().end + TRAILER_BYTES as u64;
        assert_eq!(Trailer::decode(FILE, &trailer.encode(), length).expect("a trailer"), trailer);
        assert!(Trailer::decode(FILE, &trailer.encode(), length + 1).is_err());
    }
}
