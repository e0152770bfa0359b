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

/// The segment that [`FILE`] is named after.
const OWN: SegmentId = SegmentId { writer: WriterId(0xff), number: 0x1a };

fn decode(items: &[Item], position: u32) -> Result<Directory> {
    let bytes = Directory::encode(&vec![0; frame_count(position)], &rows(items));
    let packed = items.first().is_some_and(|item| item.moved.is_some());
    let version = if packed { Version::Packed } else { Version::Plain };
    let (items, directory) = (items.len() as u32, Hash::of(&bytes));
    Directory::decode(FILE, &bytes, &Trailer { version, position, items, directory })
}

fn own(offset: u32) -> Address {
    Address { segment: OWN, offset }
}

#[test]
fn a_directory_has_neither_gaps_nor_overlaps() {
    let (kind, hash) = (ItemKind::Page, Hash::of(b""));
    let item = |offset, length| Item { moved: None, offset, length, kind, hash };
    let sound = decode(&[item(44, 6), item(50, 10), item(60, 1)], 61).expect("a directory");
    assert_eq!((sound.len(), sound.position()), (3, 61));
    let find = |offset| sound.find(OWN, own(offset));
    assert_eq!(find(50), Some(item(50, 10)));
    assert_eq!((find(51), find(43), find(61)), (None, None, None));
    let other = SegmentId { number: 1, ..OWN };
    assert_eq!(sound.find(OWN, Address { segment: other, offset: 50 }), None);
    assert_eq!((sound.items_of(OWN, OWN).count(), sound.items_of(OWN, other).count()), (3, 0));
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

#[test]
fn a_packed_directory_has_its_addresses_in_order() {
    let (kind, hash) = (ItemKind::Page, Hash::of(b""));
    // (number of the segment, offset in it, where it lies, length)
    let item = |(number, address, offset, length): (u32, u32, u32, u32)| {
        let segment = SegmentId { writer: WriterId(3), number };
        let moved = Some(Address { segment, offset: address });
        Item { moved, offset, length, kind, hash }
    };
    let decode = |rows: &[(u32, u32, u32, u32)], position| {
        decode(&rows.iter().copied().map(item).collect::<Vec<_>>(), position)
    };
    let rows = [(1, 44, 44, 6), (1, 50, 50, 10), (1, 900, 60, 1), (4, 44, 61, 9)];
    let sound = decode(&rows, 70).expect("a directory");
    for row in rows {
        let item = item(row);
        assert_eq!(sound.find(OWN, item.moved.expect("it is packed")), Some(item));
    }
    let segment = |number| SegmentId { writer: WriterId(3), number };
    let find = |number, offset| sound.find(OWN, Address { segment: segment(number), offset });
    assert_eq!((find(1, 60), find(2, 44), find(4, 50)), (None, None, None));
    assert_eq!(sound.find(OWN, own(44)), None, "no item has its own address");
    let count = |number| sound.items_of(OWN, segment(number)).count();
    assert_eq!((count(0), count(1), count(2), count(4), count(5)), (0, 3, 0, 1, 0));
    for (rows, position) in [
        (vec![(1, 50, 44, 6), (1, 44, 50, 6)], 56),
        (vec![(1, 44, 44, 6), (1, 44, 50, 6)], 56),
        (vec![(1, 44, 44, 6), (1, 49, 50, 6)], 56),
        (vec![(2, 44, 44, 6), (1, 44, 50, 6)], 56),
        (vec![(1, 43, 44, 6)], 50),
        (vec![(1, u32::MAX - 5, 44, 6)], 50),
        (vec![(1, 44, 44, 6), (1, 50, 51, 6)], 57),
        (vec![(1, 44, 44, 0)], 44),
    ] {
        assert!(decode(&rows, position).is_err(), "{rows:?}");
    }
}

#[test]
fn a_packed_file_has_the_size_that_was_foretold() {
    assert_eq!(packed_bytes(0, 0), 44 + 4 + 56);
    assert_eq!(packed_bytes(40_000, 3), 44 + 40_000 + 2 * 4 + 3 * 57 + 56);
}

fn reseal(bytes: &mut [u8], covered: usize) {
    let checksum = crc32c(&bytes[..covered]);
    bytes[covered..covered + 4].copy_from_slice(&checksum.to_le_bytes());
}

proptest! {
    #[test]
    fn arbitrary_ends_are_refused(bytes: Vec<u8>, length: u64) {
        for version in [Version::Plain, Version::Packed] {
            assert!(check_header(FILE, &bytes, version).is_err());
        }
        assert!(Trailer::decode(FILE, &bytes, length).is_err());
    }

    /// Behind a correct magic and checksum, so that the fields themselves are tried.
    #[test]
    fn arbitrary_fields_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), TRAILER_BYTES),
        position in prop_oneof![any::<u32>(), 0_u32..100],
        items in prop_oneof![any::<u32>(), 0_u32..100],
        length: u64,
        version in 0_u32..4,
    ) {
        bytes[..4].copy_from_slice(&position.to_le_bytes());
        bytes[4..8].copy_from_slice(&items.to_le_bytes());
        bytes[40..44].copy_from_slice(&version.to_le_bytes());
        reseal(&mut bytes, 44);
        bytes[48..].copy_from_slice(TRAILER_MAGIC);
        if let Ok(trailer) = Trailer::decode(FILE, &bytes, length) {
            assert_eq!(trailer.encode()[..], bytes);
        }
        let mut header = bytes[..HEADER_BYTES].to_vec();
        header[..8].copy_from_slice(HEADER_MAGIC);
        header[8..12].copy_from_slice(&version.to_le_bytes());
        reseal(&mut header, 40);
        for version in [Version::Plain, Version::Packed] {
            assert!(check_header(FILE, &header, version).is_err());
        }
    }

    /// Behind a correct hash and with the right length.
    #[test]
    fn arbitrary_directories_never_panic(
        count in 0_u32..4,
        position in 44_u32..100_000,
        noise in prop::collection::vec(any::<u8>(), 240),
        packed: bool,
    ) {
        let version = if packed { Version::Packed } else { Version::Plain };
        let mut trailer = Trailer { version, position, items: count, directory: Hash::of(b"") };
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
        gaps in prop::option::of(prop::collection::vec(0_u32..9, 40)),
    ) {
        let kind = ItemKind::from_byte(kind).expect("a kind");
        let (mut offset, mut address) = (DATA_START, own(DATA_START));
        let items: Vec<Item> = lengths.into_iter().enumerate().map(|(index, length)| {
            // A gap of 0 begins another segment.
            let moved = gaps.as_ref().map(|gaps| {
                address = match gaps[index] {
                    0 => {
                        let number = address.segment.number + 1;
                        Address { segment: SegmentId { number, ..OWN }, offset: DATA_START }
                    }
                    gap => Address { offset: address.offset + gap, ..address },
                };
                address
            });
            address.offset += length;
            let item = Item { moved, offset, length, kind, hash: Hash(hash) };
            offset += length;
            item
        }).collect();
        let directory = decode(&items, offset).expect("a directory");
        for (index, item) in items.iter().enumerate() {
            assert_eq!(directory.item(index), *item);
            let address = Address::of(item.extent(OWN));
            assert_eq!(directory.find(OWN, address), Some(*item));
            assert_eq!(directory.items_within(item.offset..item.end()).count(), 1);
        }
        let version = directory.version();
        let (items, directory) = (7, Hash(hash));
        let trailer = Trailer { version, position: offset, items, directory };
        let length = trailer.directory_range().end + TRAILER_BYTES as u64;
        assert_eq!(Trailer::decode(FILE, &trailer.encode(), length).expect("a trailer"), trailer);
        assert!(Trailer::decode(FILE, &trailer.encode(), length + 1).is_err());
    }
}
