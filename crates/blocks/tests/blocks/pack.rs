//! Packing: whatever moves keeps its address and its bytes, and damage never moves on.

use std::sync::Arc;

use blocks::{Error, ItemKind, Memory, Store, packed_bytes};
use bytes::Bytes;
use model::limits::{FRAME_BYTES, SEGMENT_BYTES};
use model::{Extent, SegmentRecord};
use proptest::prelude::*;

use crate::fixture::{Setup, Stored, append, noise};

const KINDS: [ItemKind; 5] =
    [ItemKind::Object, ItemKind::Piece, ItemKind::ExtentList, ItemKind::Page, ItemKind::Run];

/// Another repository.
const OTHER: &str = "0f8fad5b-d9cb-469f-a165-70867728950f";

/// A sealed segment of writer `id`, with items of these sizes.
async fn segment(setup: &Setup, id: u64, sizes: &[usize]) -> (SegmentRecord, Vec<Stored>) {
    let mut segment = setup.open(id).await;
    let mut items = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let bytes = noise(id * 1_000 + index as u64, *size);
        items.push(append(&mut segment, KINDS[index % 5], bytes).await);
    }
    (setup.seal(segment).await, items)
}

fn every_second(items: &[Stored]) -> Vec<Stored> {
    items.iter().step_by(2).cloned().collect()
}

fn extents(items: &[Stored]) -> Vec<Extent> {
    items.iter().map(|item| item.extent).collect()
}

async fn pack(
    setup: &Setup,
    id: u64,
    live: &[(SegmentRecord, Vec<Extent>)],
) -> blocks::Result<Vec<SegmentRecord>> {
    setup.blocks.pack(&setup.writer(id), live).await
}

fn switch(setup: &Setup, packed: &[SegmentRecord]) {
    packed.iter().for_each(|record| setup.table.replace(record.clone()));
}

const SIZES: [usize; 9] = [1, 40_000, 7, 300, 32_768, 2_000_000, 5, 100_000, 1];

#[tokio::test]
async fn items_of_several_segments_move_and_keep_their_addresses() {
    for setup in [Setup::local(), Setup::memory()] {
        let (first, first_items) = segment(&setup, 1, &SIZES).await;
        let (second, second_items) = segment(&setup, 2, &SIZES).await;
        let (first_kept, second_kept) = (every_second(&first_items), every_second(&second_items));
        // Neither the segments nor their items come in order.
        let mut reversed = extents(&second_kept);
        reversed.reverse();
        let live = [(second.clone(), reversed), (first.clone(), extents(&first_kept))];
        let packed = pack(&setup, 3, &live).await.expect("packed");
        let [one, two] = &packed[..] else { panic!("{packed:?}") };
        assert_eq!((one.id, two.id), (first.id, second.id));
        assert!(one.file == two.file && one.file.ends_with("0000000000000003-00000000"));
        let kept: Vec<Stored> = first_kept.iter().chain(&second_kept).cloned().collect();
        let bytes = kept.iter().map(|item| item.bytes.len() as u64).sum();
        assert_eq!(one.length, packed_bytes(bytes, kept.len() as u64));

        switch(&setup, &packed);
        setup.store.delete(&first.file).await.expect("deleted");
        setup.store.delete(&second.file).await.expect("deleted");
        setup.assert_items(&kept).await;
        for record in &packed {
            setup.assert_sound(record).await;
        }
        let items = setup.blocks.items(one).await.expect("a list");
        let expected: Vec<_> = first_kept.iter().map(|item| (item.extent, item.kind)).collect();
        assert_eq!(items, expected, "of this segment only");
        let dropped = setup.blocks.read(first_items[1].extent, None).await;
        assert!(matches!(dropped, Err(Error::Damaged { .. })), "{dropped:?}");

        // Once more, from a packed file and a plain one.
        let (third, third_items) = segment(&setup, 4, &[10, 20]).await;
        let kept = [&every_second(&second_kept)[..], &third_items[..]].concat();
        let live = [
            (two.clone(), extents(&every_second(&second_kept))),
            (third.clone(), extents(&third_items)),
        ];
        switch(&setup, &pack(&setup, 5, &live).await.expect("packed"));
        setup.store.delete(&third.file).await.expect("deleted");
        setup.assert_items(&kept).await;
        setup.assert_items(&first_kept).await;
    }
}

#[tokio::test]
async fn a_reader_that_remembers_the_old_file_reads_on() {
    let setup = Setup::local();
    let (record, items) = segment(&setup, 1, &[10, 70_000, 30]).await;
    setup.assert_items(&items).await;
    let live = [(record.clone(), extents(&items))];
    let packed = pack(&setup, 2, &live).await.expect("packed");
    packed.iter().for_each(|record| setup.table.insert(record.clone()));
    setup.store.delete(&record.file).await.expect("deleted");
    setup.assert_items(&items).await;

    // What is gone for good is asked for once more, and then missing.
    setup.store.delete(&packed[0].file).await.expect("deleted");
    let gone = setup.blocks.read(items[0].extent, None).await;
    assert!(matches!(gone, Err(Error::Missing { file }) if file == packed[0].file));
}

#[tokio::test]
async fn wrong_plans_are_refused_and_leave_no_file() {
    let setup = Setup::memory();
    let (record, items) = segment(&setup, 1, &[10, 20]).await;
    let (other, other_items) = segment(&setup, 2, &[10]).await;
    let mut foreign = record.clone();
    foreign.repository = OTHER.parse().expect("an id");
    let (one, both) = (extents(&items[..1]), extents(&items));
    let plans = [
        vec![],
        vec![(record.clone(), vec![])],
        vec![(record.clone(), [&one[..], &both[..]].concat())],
        vec![(record.clone(), extents(&other_items))],
        vec![(foreign, both.clone())],
    ];
    for plan in plans {
        let refused = pack(&setup, 3, &plan).await;
        assert!(matches!(refused, Err(Error::Misuse { .. })), "{refused:?}");
    }
    let beside = Extent { offset: 45, ..items[0].extent };
    let refused = pack(&setup, 3, &[(record.clone(), vec![beside])]).await;
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    // A plain file is that of its own segment alone.
    let stray = SegmentRecord { id: record.id, ..other };
    let damages = setup.blocks.verify(&stray).await.expect("a check");
    assert!(damages.len() == 1 && damages[0].whole, "{damages:?}");
    assert!(setup.blocks.items(&stray).await.is_err());
    assert_eq!(setup.store.list().await.expect("a list").len(), 2);
}

#[tokio::test]
async fn a_file_takes_as_much_as_a_segment_and_one_item() {
    let setup = Setup::memory();
    let quarter = SEGMENT_BYTES as usize / 4;
    let (first, first_items) = segment(&setup, 1, &[quarter; 3]).await;
    let (second, second_items) = segment(&setup, 2, &[quarter - 1, 9, 9]).await;
    let live = |count: usize| {
        [(first.clone(), extents(&first_items)), (second.clone(), extents(&second_items[..count]))]
    };
    assert!(matches!(pack(&setup, 3, &live(3)).await, Err(Error::Misuse { .. })));
    let packed = pack(&setup, 3, &live(2)).await.expect("packed");
    switch(&setup, &packed);
    setup.assert_items(&first_items).await;
    setup.assert_sound(&packed[0]).await;
}

#[tokio::test]
async fn damage_is_not_packed() {
    let memory = Memory::new();
    let setup = Setup::new(Arc::new(memory.clone()));
    let (record, items) = segment(&setup, 1, &[100, 70_000, 100]).await;
    let sound = memory.read(&record.file, 0..record.length).await.expect("a file");
    for item in &items {
        let mut damaged = sound.to_vec();
        damaged[item.extent.offset as usize + 1] ^= 1;
        memory.replace(&record.file, Bytes::from(damaged)).expect("a good name");
        let refused = pack(&setup, 2, &[(record.clone(), extents(&items))]).await;
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
        assert_eq!(setup.store.list().await.expect("a list").len(), 1);
    }
    // Damage in a frame that nothing which moves lies in is left behind.
    let mut damaged = sound.to_vec();
    damaged[FRAME_BYTES as usize + 1] ^= 1;
    memory.replace(&record.file, Bytes::from(damaged)).expect("a good name");
    let kept = every_second(&items);
    let packed = pack(&setup, 2, &[(record, extents(&kept))]).await.expect("packed");
    switch(&setup, &packed);
    setup.assert_items(&kept).await;
}

#[tokio::test]
async fn every_flipped_bit_of_a_packed_file_is_found_by_address() {
    let memory = Memory::new();
    let setup = Setup::new(Arc::new(memory.clone()));
    let (first, first_items) = segment(&setup, 1, &[3, 20, 9]).await;
    let (second, second_items) = segment(&setup, 2, &[5, 6]).await;
    let live = [(first, extents(&first_items[1..])), (second, extents(&second_items))];
    let packed = pack(&setup, 3, &live).await.expect("packed");
    switch(&setup, &packed);
    let items: Vec<Stored> = first_items[1..].iter().chain(&second_items).cloned().collect();
    let (file, length) = (packed[0].file.clone(), packed[0].length);
    let sound = memory.read(&file, 0..length).await.expect("a file");
    for bit in 0..sound.len() * 8 {
        let mut flipped = sound.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        memory.replace(&file, Bytes::from(flipped)).expect("a good name");
        let damages = setup.blocks.verify(&packed[1]).await.expect("a check");
        assert!(!damages.is_empty(), "bit {bit}");
        let cold = setup.cold();
        for item in &items {
            let read = cold.read(item.extent, None).await;
            assert!(read.as_ref().map_or(true, |bytes| *bytes == item.bytes), "bit {bit}");
            let named = damages
                .iter()
                .any(|damage| damage.whole || damage.items.contains(&(item.extent, item.kind)));
            assert_eq!(named, read.is_err(), "bit {bit}: {damages:?}");
        }
    }
}

async fn pack_at_random(plan: Vec<(Vec<usize>, Vec<bool>)>) {
    let setup = Setup::memory();
    let (mut live, mut kept) = (Vec::new(), Vec::new());
    for (id, (sizes, keeps)) in (1..).zip(&plan) {
        let (record, items) = segment(&setup, id, sizes).await;
        let chosen = items.into_iter().zip(keeps).filter_map(|(item, keep)| keep.then_some(item));
        let chosen: Vec<Stored> = chosen.collect();
        live.push((record, extents(&chosen)));
        kept.extend(chosen);
    }
    if kept.is_empty() {
        assert!(matches!(pack(&setup, 99, &live).await, Err(Error::Misuse { .. })));
        return;
    }
    let packed = pack(&setup, 99, &live).await.expect("packed");
    switch(&setup, &packed);
    for (record, _) in &live {
        setup.store.delete(&record.file).await.expect("deleted");
    }
    setup.assert_items(&kept).await;
    setup.assert_sound(&packed[0]).await;
    for (record, (_, extents)) in packed.iter().zip(&live) {
        let items = setup.blocks.items(record).await.expect("a list");
        assert_eq!(items.iter().map(|(extent, _)| *extent).collect::<Vec<_>>(), *extents);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_is_packed_is_read(
        plan in prop::collection::vec(
            (
                prop::collection::vec(
                    prop_oneof![4 => 1_usize..500, 2 => 1_usize..70_000, 1 => 1_usize..1_500_000],
                    1..12,
                ),
                prop::collection::vec(any::<bool>(), 12),
            ),
            1..5,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(pack_at_random(plan));
    }
}
