//! What every store, and the segments in it, must do.

use std::io;

use blocks::{Error, ITEMS_MAX, ItemKind, Name};
use model::limits::{FRAME_BYTES, SEGMENT_BYTES};
use model::{Extent, Hash, SegmentId, WriterId};

use crate::fixture::{Setup, append, noise, repository, stream};

macro_rules! contract {
    ($($test:ident)*) => {
        mod on_disk {
            $(#[tokio::test] async fn $test() { super::$test(super::Setup::local()).await })*
        }
        mod in_memory {
            $(#[tokio::test] async fn $test() { super::$test(super::Setup::memory()).await })*
        }
    };
}

contract! {
    items_of_every_size_read_back
    many_small_items_read_back
    ranges_are_cut_from_their_frames
    an_aborted_item_leaves_no_trace
    what_an_item_is_may_show_at_its_end
    what_is_missing_is_said
    a_name_is_taken_once
    an_unfinished_segment_is_only_a_leftover
    files_are_listed_and_deleted
    other_names_are_refused
    wrong_calls_are_refused
    an_extent_names_an_item_exactly
    an_empty_segment_is_sound
    segments_of_one_writer_grow_side_by_side
}

const FRAME: usize = FRAME_BYTES as usize;
const MIB: usize = 1 << 20;
const KINDS: [ItemKind; 5] =
    [ItemKind::Object, ItemKind::Piece, ItemKind::ExtentList, ItemKind::Page, ItemKind::Run];

async fn items_of_every_size_read_back(setup: Setup) {
    // The header has 44 bytes: the first item here ends exactly with its frame, others exactly with
    // a buffer.
    let sizes = [FRAME - 44, FRAME, 1, FRAME - 1, FRAME + 1, 2, MIB - 1, MIB, MIB + 1, 5 * MIB + 7];
    let mut segment = setup.open(1).await;
    let mut items = Vec::new();
    for (index, size) in sizes.into_iter().enumerate() {
        let bytes = noise(index as u64, size);
        items.push(append(&mut segment, KINDS[index % 5], bytes.clone()).await);
        items.push(stream(&mut segment, bytes, 65_537).await);
    }
    let total = 2 * sizes.iter().sum::<usize>() as u64;
    assert_eq!(segment.len(), total);
    let record = setup.seal(segment).await;
    assert_eq!(record.file, Name { repository: repository(), id: record.id }.to_string());
    setup.assert_sound(&record).await;
    setup.assert_items(&items).await;
}

async fn many_small_items_read_back(setup: Setup) {
    let mut segment = setup.open(7).await;
    let mut items = Vec::new();
    for index in 0..5_000 {
        let bytes = noise(index, 1 + index as usize % 300);
        items.push(append(&mut segment, ItemKind::Object, bytes).await);
    }
    let record = setup.seal(segment).await;
    setup.assert_sound(&record).await;
    setup.assert_items(&items).await;
}

async fn ranges_are_cut_from_their_frames(setup: Setup) {
    let mut segment = setup.open(1).await;
    let before = append(&mut segment, ItemKind::Page, noise(1, 1_000)).await;
    let item = append(&mut segment, ItemKind::Object, noise(2, 3 * FRAME)).await;
    let after = append(&mut segment, ItemKind::Run, noise(3, 10)).await;
    setup.seal(segment).await;
    let borders = (0..4).map(|frame| (frame * FRAME).saturating_sub(1_044));
    let edges: Vec<usize> = borders
        .flat_map(|border| [border.saturating_sub(1), border, border + 1])
        .chain([3 * FRAME - 1, 3 * FRAME])
        .collect();
    for &start in &edges {
        for &end in edges.iter().filter(|end| **end >= start) {
            let range = start as u32..end as u32;
            let read = setup.blocks.read_range(item.extent, Some(item.hash), range).await;
            assert!(read.expect("a range") == item.bytes[start..end], "{start}..{end}");
        }
    }
    setup.assert_items(&[before, item, after]).await;
}

async fn an_aborted_item_leaves_no_trace(setup: Setup) {
    let kept = [noise(1, 10), noise(2, FRAME), noise(3, 2 * MIB + 5), noise(4, 100)];
    let mut plain = setup.open(1).await;
    for bytes in &kept {
        append(&mut plain, ItemKind::Object, bytes.clone()).await;
    }
    let plain = setup.seal(plain).await;

    let mut segment = setup.open(2).await;
    let mut items = Vec::new();
    for (bytes, dropped) in kept.into_iter().zip([3, 4 * MIB + 9, MIB, 3 * MIB]) {
        segment.begin(ItemKind::Piece).expect("no item is open");
        for chunk in noise(9, dropped).chunks(100_000) {
            segment.write(chunk).await.expect("room for bytes");
        }
        segment.abort().expect("an open item");
        items.push(append(&mut segment, ItemKind::Object, bytes).await);
    }
    segment.begin(ItemKind::Piece).expect("no item is open");
    segment.abort().expect("an open item");
    segment.begin(ItemKind::Piece).expect("no item is open");
    segment.write(&noise(9, 8 * MIB)).await.expect("room for bytes");
    segment.abort().expect("an open item");
    let record = setup.seal(segment).await;
    assert_eq!((record.length, record.directory), (plain.length, plain.directory));
    setup.assert_sound(&record).await;
    setup.assert_items(&items).await;
}

async fn what_an_item_is_may_show_at_its_end(setup: Setup) {
    let mut segment = setup.open(1).await;
    let misused = segment.recast(ItemKind::Object).expect_err("no item has begun");
    assert!(matches!(misused, Error::Misuse { .. }));
    let mut kinds = Vec::new();
    for (begun, ended) in [(ItemKind::Piece, ItemKind::Object), (ItemKind::Object, ItemKind::Piece)]
    {
        let bytes = noise(kinds.len() as u64, 3 * MIB);
        segment.begin(begun).expect("no item is open");
        segment.write(&bytes).await.expect("room for bytes");
        segment.recast(ended).expect("an open item");
        kinds.push((segment.finish(Hash::of(&bytes)).expect("an item"), ended));
    }
    let record = setup.seal(segment).await;
    setup.assert_sound(&record).await;
    assert_eq!(setup.blocks.items(&record).await.expect("a directory"), kinds);
}

async fn what_is_missing_is_said(setup: Setup) {
    let mut segment = setup.open(1).await;
    let item = append(&mut segment, ItemKind::Object, noise(1, 10)).await;
    let record = segment.seal().await.expect("a sealed segment");
    let unknown = setup.blocks.read(item.extent, None).await;
    assert!(matches!(unknown, Err(Error::Missing { .. })), "no row: {unknown:?}");

    setup.table.insert(record.clone());
    setup.store.delete(&record.file).await.expect("a deleted file");
    let gone = setup.blocks.read(item.extent, None).await;
    assert!(matches!(gone, Err(Error::Missing { file }) if file == record.file));
    let damages = setup.blocks.verify(&record).await.expect("a check");
    assert!(damages.len() == 1 && damages[0].whole && damages[0].items.is_empty());
}

async fn a_name_is_taken_once(setup: Setup) {
    let taken = |result: blocks::Result<_>| match result.err() {
        Some(Error::Io { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::AlreadyExists),
        other => panic!("{other:?}"),
    };
    let mut first = setup.open(1).await;
    taken(setup.writer(1).open().await);
    let item = append(&mut first, ItemKind::Object, noise(1, 10)).await;
    let record = setup.seal(first).await;
    taken(setup.writer(1).open().await);
    setup.assert_sound(&record).await;
    setup.assert_items(&[item]).await;
    assert_eq!(setup.store.list().await.expect("a list").len(), 1, "no leftover of a refused file");
}

async fn an_unfinished_segment_is_only_a_leftover(setup: Setup) {
    let writer = setup.writer(5);
    let mut segment = writer.open().await.expect("a new segment");
    append(&mut segment, ItemKind::Object, noise(1, 3 * MIB)).await;
    let listed = setup.store.list().await.expect("a list");
    let name = Name { repository: repository(), id: segment.id() };
    assert_eq!(listed.len(), 1);
    assert!(listed[0].open && listed[0].name == name);
    assert_eq!(listed[0].file, format!("{name}.open"));
    for file in [name.to_string(), listed[0].file.clone()] {
        assert!(setup.store.read(&file, 0..1).await.is_err());
        assert!(setup.store.length(&file).await.is_err());
    }
    segment.discard().await;
    assert_eq!(setup.store.list().await.expect("a list"), []);

    let dropped = writer.open().await.expect("a new segment");
    assert_eq!(dropped.id().number, 1, "a number is used once");
    drop(dropped);
    assert_eq!(setup.store.list().await.expect("a list"), []);

    let mut unfinished = writer.open().await.expect("a new segment");
    unfinished.begin(ItemKind::Object).expect("no item is open");
    assert!(matches!(unfinished.seal().await, Err(Error::Misuse { .. })));
    assert_eq!(setup.store.list().await.expect("a list"), []);
}

async fn files_are_listed_and_deleted(setup: Setup) {
    assert_eq!(setup.store.list().await.expect("a list"), []);
    let mut records = Vec::new();
    for id in [3, 1, 2] {
        let mut segment = setup.open(id).await;
        append(&mut segment, ItemKind::Object, noise(id, 10)).await;
        records.push(setup.seal(segment).await);
    }
    let open = setup.open(9).await;
    let listed = setup.store.list().await.expect("a list");
    let writers: Vec<u64> = listed.iter().map(|stored| stored.name.id.writer.0).collect();
    assert_eq!(writers, [1, 2, 3, 9]);
    assert_eq!(listed.iter().filter(|stored| stored.open).count(), 1);

    let leftover = format!("{}.open", Name { repository: repository(), id: open.id() });
    drop(open);
    for file in [&records[0].file, &leftover] {
        setup.store.delete(file).await.expect("a deleted file");
        setup.store.delete(file).await.expect("a deleted file is deleted again");
    }
    let unknown =
        Name { repository: repository(), id: SegmentId { writer: WriterId(77), number: 0 } };
    setup.store.delete(&unknown.to_string()).await.expect("nothing to delete");
    let listed = setup.store.list().await.expect("a list");
    assert_eq!(listed.iter().map(|stored| stored.name.id.writer.0).collect::<Vec<_>>(), [1, 2]);
}

async fn other_names_are_refused(setup: Setup) {
    let uuid = repository();
    for name in [
        "",
        "segments",
        "/etc/passwd",
        "segments/../../etc/passwd",
        &format!("segments/{uuid}/../../x"),
        &format!("segments/{uuid}/0000000000000001-00000000/"),
        &format!("segments/{uuid}/000000000000000A-00000000"),
    ] {
        let refused = |error: Option<Error>| {
            assert!(matches!(error, Some(Error::Name { .. })), "{name:?}: {error:?}");
        };
        refused(setup.store.create(name).await.err());
        refused(setup.store.read(name, 0..1).await.err());
        refused(setup.store.length(name).await.err());
        refused(setup.store.delete(name).await.err());
    }
}

async fn wrong_calls_are_refused(setup: Setup) {
    let hash = Hash::of(b"");
    let misuse = |error: Option<Error>| assert!(matches!(error, Some(Error::Misuse { .. })));
    let mut segment = setup.open(1).await;
    misuse(segment.append(ItemKind::Object, b"", hash).await.err());
    misuse(segment.write(b"x").await.err());
    misuse(segment.finish(hash).err());
    misuse(segment.abort().err());
    segment.begin(ItemKind::Object).expect("no item is open");
    misuse(segment.begin(ItemKind::Object).err());
    misuse(segment.append(ItemKind::Object, b"x", hash).await.err());
    misuse(segment.finish(hash).err());
    segment.abort().expect("an open item");
    assert!(segment.is_empty() && !segment.is_full());

    let item = append(&mut segment, ItemKind::Object, noise(1, 10)).await;
    for _ in 1..ITEMS_MAX {
        segment.append(ItemKind::Piece, b"x", hash).await.expect("room for an item");
    }
    assert!(segment.is_full() && segment.len() < SEGMENT_BYTES);
    misuse(segment.append(ItemKind::Object, b"x", hash).await.err());
    let record = setup.seal(segment).await;
    setup.assert_sound(&record).await;
    setup.assert_items(std::slice::from_ref(&item)).await;
    misuse(setup.blocks.read_range(item.extent, None, 0..11).await.err());
    #[expect(clippy::reversed_empty_ranges, reason = "that is what must be refused")]
    misuse(setup.blocks.read_range(item.extent, None, 5..4).await.err());
}

async fn an_extent_names_an_item_exactly(setup: Setup) {
    let mut segment = setup.open(1).await;
    let first = append(&mut segment, ItemKind::Object, noise(1, 100)).await;
    let second = append(&mut segment, ItemKind::Piece, noise(2, 100)).await;
    setup.seal(segment).await;
    let Extent { segment, offset, length } = second.extent;
    for (offset, length) in [
        (offset, length - 1),
        (offset, length + 1),
        (offset + 1, length - 1),
        (offset - 1, length),
        (0, 44),
        (first.extent.offset, 200),
        (offset + length, 1),
        (u32::MAX, u32::MAX),
    ] {
        let wrong = setup.blocks.read(Extent { segment, offset, length }, None).await;
        assert!(matches!(wrong, Err(Error::Damaged { .. })), "{offset} {length}: {wrong:?}");
    }
    let wrong = setup.blocks.read(second.extent, Some(first.hash)).await;
    assert!(matches!(wrong, Err(Error::Damaged { .. })));
    let wrong = setup.blocks.read_range(second.extent, Some(first.hash), 3..3).await;
    assert!(matches!(wrong, Err(Error::Damaged { .. })), "even if no byte is wanted");
    setup.assert_items(&[first, second]).await;
}

async fn an_empty_segment_is_sound(setup: Setup) {
    let record = setup.open(1).await.seal().await.expect("a sealed segment");
    assert_eq!(record.length, 44 + 4 + 56);
    setup.assert_sound(&record).await;
}

async fn segments_of_one_writer_grow_side_by_side(setup: Setup) {
    let writer = setup.writer(1);
    let tasks: Vec<_> = (0..8)
        .map(|seed| {
            let writer = writer.clone();
            tokio::spawn(async move {
                let mut segment = writer.open().await.expect("a new segment");
                let item = append(&mut segment, ItemKind::Object, noise(seed, 3 * MIB)).await;
                (segment.seal().await.expect("a sealed segment"), item)
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in tasks {
        let (record, item) = task.await.expect("a finished task");
        numbers.push(record.id.number);
        setup.table.insert(record.clone());
        setup.assert_sound(&record).await;
        setup.assert_items(&[item]).await;
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..8).collect::<Vec<_>>());
}
