//! Damage of every kind is found by verify, and never served.

use std::sync::Arc;

use blocks::{Blocks, Error, ItemKind, Memory, Store};
use bytes::Bytes;
use model::{Hash, SegmentRecord};
use proptest::prelude::*;

use crate::fixture::{Setup, Stored, append, noise};

/// A sealed segment in memory, and what it was.
struct Sealed {
    setup: Setup,
    memory: Memory,
    record: SegmentRecord,
    items: Vec<Stored>,
    file: Bytes,
    /// Caches filled before the damage.
    warm: Blocks,
}

impl Sealed {
    async fn new(sizes: &[usize]) -> Self {
        let memory = Memory::new();
        let setup = Setup::new(Arc::new(memory.clone()));
        let mut segment = setup.open(0x1234).await;
        let kinds = [ItemKind::Object, ItemKind::Piece, ItemKind::Page, ItemKind::Run];
        let kinds = kinds.into_iter().chain([ItemKind::ExtentList]).cycle();
        let mut items = Vec::new();
        for ((seed, size), kind) in sizes.iter().enumerate().zip(kinds) {
            items.push(append(&mut segment, kind, noise(seed as u64, *size)).await);
        }
        let record = setup.seal(segment).await;
        setup.assert_sound(&record).await;
        setup.assert_items(&items).await;
        let file = memory.read(&record.file, 0..record.length).await.expect("a file");
        let warm = setup.blocks.clone();
        Self { setup, memory, record, items, file, warm }
    }

    fn put(&self, bytes: impl Into<Bytes>) {
        self.memory.replace(&self.record.file, bytes.into()).expect("a good name");
    }

    async fn damages(&self) -> Vec<blocks::Damage> {
        self.warm.verify(&self.record).await.expect("a check")
    }

    /// Reads every item through warm and cold caches, with and without a hash to expect: the right
    /// bytes or an error. Says for which items cold reads gave bytes.
    async fn readable(&self) -> Vec<bool> {
        let mut readable = Vec::new();
        let cold = self.setup.cold();
        for item in &self.items {
            for expected in [None, Some(item.hash)] {
                let cold = cold.read(item.extent, expected).await;
                for read in [&cold, &self.warm.read(item.extent, expected).await] {
                    assert!(read.as_ref().map_or(true, |bytes| *bytes == item.bytes));
                }
                if expected.is_none() {
                    readable.push(cold.is_ok());
                }
            }
        }
        readable
    }
}

async fn assert_flip_is_found(sealed: &Sealed, bit: usize) {
    let mut flipped = sealed.file.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    sealed.put(flipped);
    let damages = sealed.damages().await;
    assert!(!damages.is_empty(), "bit {bit}");
    let readable = sealed.readable().await;
    for (item, readable) in sealed.items.iter().zip(readable) {
        let start = item.extent.offset as usize;
        let hit = (start..start + item.bytes.len()).contains(&(bit / 8));
        assert!(!(hit && readable), "bit {bit} is in an item that was read");
        // What cannot be read is named, and what is named cannot be read.
        let names = |damage: &blocks::Damage| {
            damage.whole || damage.items.contains(&(item.extent, item.kind))
        };
        assert_eq!(damages.iter().any(names), !readable, "bit {bit}: {damages:?}");
    }
}

#[tokio::test]
async fn every_flipped_bit_of_a_small_segment_is_found() {
    let sealed = Sealed::new(&[1, 20, 33, 64, 7, 90]).await;
    for bit in 0..sealed.file.len() * 8 {
        assert_flip_is_found(&sealed, bit).await;
    }
    sealed.put(sealed.file.clone());
    assert_eq!(sealed.damages().await, []);
}

#[tokio::test]
async fn flipped_bits_in_many_frames_are_found_and_spare_the_others() {
    let sealed = Sealed::new(&[30_000, 2_000, 32_768, 100, 70_000]).await;
    for bit in (0..sealed.file.len() * 8).step_by(1_009) {
        assert_flip_is_found(&sealed, bit).await;
    }
}

#[tokio::test]
async fn every_truncation_is_found() {
    let sealed = Sealed::new(&[1, 20, 33, 64]).await;
    for length in 0..sealed.file.len() {
        sealed.put(sealed.file.slice(..length));
        let damages = sealed.damages().await;
        assert!(damages.len() == 1 && damages[0].whole, "{length}: {damages:?}");
        assert_eq!(sealed.readable().await, [false; 4], "{length}");
    }
}

#[tokio::test]
async fn bytes_behind_the_end_are_found_and_harm_nothing() {
    let sealed = Sealed::new(&[10, 20]).await;
    sealed.put([&sealed.file[..], b"x"].concat());
    let damages = sealed.damages().await;
    assert!(damages.len() == 1 && !damages[0].whole && damages[0].items.is_empty());
    assert_eq!(sealed.readable().await, [true, true]);
}

#[tokio::test]
async fn a_file_in_the_place_of_another_is_not_served() {
    let sealed = Sealed::new(&[10, 20]).await;
    let mut other = sealed.setup.open(2).await;
    append(&mut other, ItemKind::Object, noise(8, 10)).await;
    append(&mut other, ItemKind::Piece, noise(9, 20)).await;
    let other = sealed.setup.seal(other).await;
    assert_eq!(other.length, sealed.record.length);
    sealed.put(sealed.memory.read(&other.file, 0..other.length).await.expect("a file"));
    assert!(sealed.damages().await[0].whole);
    assert_eq!(sealed.readable().await, [false, false]);
}

#[tokio::test]
async fn a_twin_with_the_name_of_another_is_found() {
    let sealed = Sealed::new(&[10]).await;
    let mut twin = sealed.setup.open(2).await;
    append(&mut twin, ItemKind::Object, sealed.items[0].bytes.clone()).await;
    let twin = sealed.setup.seal(twin).await;
    sealed.put(sealed.memory.read(&twin.file, 0..twin.length).await.expect("a file"));
    let damages = sealed.damages().await;
    assert!(damages.len() == 1 && damages[0].what.contains("another segment"), "{damages:?}");
}

/// Sets the version at `at`, and the checksum of `covered` that follows.
fn with_version(file: &[u8], at: usize, covered: std::ops::Range<usize>) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + 4].copy_from_slice(&7_u32.to_le_bytes());
    let checksum = crc_fast::crc32_iscsi(&file[covered.clone()]);
    file[covered.end..covered.end + 4].copy_from_slice(&checksum.to_le_bytes());
    file
}

#[tokio::test]
async fn an_unknown_version_is_called_that() {
    let sealed = Sealed::new(&[10]).await;
    let trailer = sealed.file.len() - 56;
    sealed.put(with_version(&sealed.file, trailer + 40, trailer..trailer + 44));
    let read = sealed.setup.cold().read(sealed.items[0].extent, None).await;
    assert!(matches!(read, Err(Error::Version { version: 7, .. })), "{read:?}");
    let checked = sealed.warm.verify(&sealed.record).await;
    assert!(matches!(checked, Err(Error::Version { version: 7, .. })), "{checked:?}");

    sealed.put(with_version(&sealed.file, 8, 0..40));
    let checked = sealed.warm.verify(&sealed.record).await;
    assert!(matches!(checked, Err(Error::Version { version: 7, .. })), "{checked:?}");
}

#[tokio::test]
async fn a_wrong_hash_is_found_unless_it_is_that_of_a_piece() {
    let setup = Setup::memory();
    let mut segment = setup.open(1).await;
    let wrong = Hash::of(b"something else");
    let object = segment.append(ItemKind::Object, b"an object", wrong).await.expect("an item");
    let piece = segment.append(ItemKind::Piece, b"a piece", wrong).await.expect("an item");
    let record = setup.seal(segment).await;
    let damages = setup.blocks.verify(&record).await.expect("a check");
    assert_eq!(damages.len(), 1);
    assert_eq!(damages[0].items, [(object, ItemKind::Object)]);
    let read = setup.blocks.read(object, Some(wrong)).await;
    assert!(matches!(read, Err(Error::Damaged { .. })));
    assert_eq!(&setup.blocks.read(piece, Some(wrong)).await.expect("a piece")[..], b"a piece");
}

proptest! {
    #[test]
    fn arbitrary_files_are_damaged_files(bytes: Vec<u8>, keep in 0_usize..300) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut sealed = Sealed::new(&[10, 20]).await;
            // Some start as a segment, some end as one.
            let kept = &sealed.file[..keep.min(sealed.file.len() - 1)];
            let tail = &sealed.file[keep.min(60)..];
            for file in [[kept, &bytes].concat(), [&bytes[..], tail].concat()] {
                sealed.record.length = file.len() as u64;
                sealed.setup.table.replace(sealed.record.clone());
                let sound = file == sealed.file;
                sealed.put(file);
                assert_eq!(sealed.damages().await.is_empty(), sound);
                sealed.readable().await;
            }
        });
    }
}

#[tokio::test]
async fn damage_beside_an_object_keeps_nobody_from_reading_it_whole() {
    let sealed = Sealed::new(&[1_000, 1_000]).await;
    let (object, neighbour) = (&sealed.items[0], &sealed.items[1]);
    let flip = |at: u32| {
        let mut flipped = sealed.file.to_vec();
        flipped[at as usize] ^= 1;
        sealed.put(flipped);
    };
    flip(neighbour.extent.offset);
    let whole = sealed.warm.read(object.extent, Some(object.hash)).await;
    assert_eq!(whole.expect("its hash vouches for it"), object.bytes);
    for (expected, range) in [(None, 0..1_000), (Some(object.hash), 0..999)] {
        // Nothing but the frame vouches for these.
        let read = sealed.warm.read_range(object.extent, expected, range).await;
        assert!(matches!(read, Err(Error::Damaged { .. })));
    }
    flip(object.extent.offset + 999);
    let whole = sealed.warm.read(object.extent, Some(object.hash)).await;
    assert!(matches!(whole, Err(Error::Damaged { .. })));
}
