//! What a small change to a large tree costs, and what an apply refuses.

use std::ops::Bound;

use blocks::Store;
use futures_util::stream;
use model::{Root, SegmentRecord};
use tree::{Edit, Error, ListQuery, Tree};

use crate::world::{Map, World, delete, entry, path, put};

fn large(count: u32) -> Map {
    let path = |n: u32| format!("imported/dataset/{:03}/part-{n:07}.parquet", n / 1_000);
    (0..count).map(path).map(|path| (path.clone(), entry(&path, 1, 0))).collect()
}

/// Number of pages in a segment: of items, as its trailer has it.
async fn pages(world: &World, segment: &SegmentRecord) -> u32 {
    let count = segment.length - 52..segment.length - 48;
    let count = world.store.read(&segment.file, count).await.expect("a trailer");
    u32::from_le_bytes(count[..].try_into().expect("4 bytes"))
}

#[tokio::test]
async fn one_change_writes_a_page_per_level() {
    let world = World::new();
    let map = large(50_000);
    let root = world.build(&map).await;
    assert!(root.level >= 2);
    let (first, middle) = ("imported/dataset/000/part-0000000.parquet", "imported/dataset/020/x");
    let last = "imported/dataset/049/part-0049999.parquet";
    let changes = [
        put(first, entry(first, 3, 1)),
        put(middle, entry(middle, 3, 1)),
        put(last, entry(last, 3, 1)),
        put("zzz", entry("zzz", 1, 1)),
        put("a", entry("a", 1, 1)),
        delete(first),
        delete(last),
    ];
    for change in changes {
        let applied = world.apply(&root, vec![change.clone()]).await;
        let [segment] = &applied.segments[..] else { panic!("one segment") };
        let pages = pages(&world, segment).await;
        assert!((1..=7).contains(&pages), "{pages} pages for {change:?}");
        assert!(segment.length <= 256 << 10, "{} bytes for {change:?}", segment.length);
        let mut diff = world.tree.diff(&root, &applied.root, Bound::Unbounded, None);
        let found = diff.next().await.expect("sound").expect("a change");
        assert_eq!((found.path, found.right), (change.path, change.entry));
        assert_eq!(diff.next().await.expect("sound"), None);
    }
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let world = World::new();
    let map = large(3_000);
    let root = world.build(&map).await;
    let again = |place: u32| map.keys().map(move |path| put(path, entry(path, 1, place)));
    let edits: [Vec<Edit>; 4] = [
        Vec::new(),
        vec![delete("a"), delete("imported/dataset/001/none"), delete("z")],
        again(0).collect(),
        again(9).collect(),
    ];
    for edits in edits {
        let applied = world.apply(&root, edits).await;
        assert_eq!((applied.root, applied.segments), (root, Vec::new()));
    }
    assert_eq!(world.scan(&root, Bound::Unbounded, None).await, map, "content stays in place");
    let files = world.store.list().await.expect("a list");
    assert_eq!(files.len(), 1);
    assert!(!files[0].open);
}

async fn refused(world: &World, root: &Root, edits: Vec<Result<Edit, Error>>) -> Error {
    let refused = world.tree.apply(root, stream::iter(edits), &world.writer).await;
    let files = world.store.list().await.expect("a list");
    assert!(files.iter().all(|file| !file.open), "nothing is left behind");
    refused.expect_err("refused")
}

#[tokio::test]
async fn edits_out_of_order_and_failing_ones_are_refused() {
    let world = World::new();
    let root = world.build(&large(2_000)).await;
    for base in [Tree::empty(), root] {
        for [first, second] in [["b", "a"], ["b", "b"], ["zz", "imported/"]] {
            let edits = [first, second].map(|path| Ok(put(path, entry(path, 1, 0))));
            let error = refused(&world, &base, edits.into()).await;
            assert!(matches!(error, Error::OutOfOrder { path: late } if late == path(second)));
        }
        let failing = vec![Ok(put("a", entry("a", 1, 0))), Err(Error::Misuse { what: "a test" })];
        let error = refused(&world, &base, failing).await;
        assert!(matches!(error, Error::Misuse { what: "a test" }));
        let mut large = entry("a", 1, 0);
        large.metadata.insert("k".to_owned(), "v".repeat(40_000));
        let error = refused(&world, &base, vec![Ok(put("a", large))]).await;
        assert!(matches!(error, Error::Unstorable { path: at, .. } if at == path("a")));
    }
}

/// What callers spawn must be able to move between threads.
#[tokio::test]
async fn every_call_can_be_spawned() {
    let world = World::new();
    let (tree, writer, root) = (world.tree.clone(), world.writer.clone(), Tree::empty());
    let all = async move {
        let edits = stream::iter([Ok::<_, Error>(put("a", entry("a", 1, 0)))]);
        let applied = tree.apply(&root, edits, &writer).await?;
        tree.get(&root, b"a").await?;
        tree.list(&root, &ListQuery::default()).await?;
        tree.scan(&root, Bound::Unbounded, None).next().await?;
        tree.diff(&root, &root, Bound::Unbounded, None).next().await?;
        tree.verify(&root, Default::default()).next().await?;
        Ok::<_, Error>(applied.root.entries)
    };
    assert_eq!(tokio::spawn(all).await.expect("joined").expect("applied"), 1);
}
