//! The formats as they were released: bytes and hashes that must never change.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;

use blocks::ItemKind;
use model::{Extent, Hash, ObjectPath, Piece, Root, SegmentId, WriterId};
use tree::{extent_list, run};

use crate::world::{Map, World, entry, path};

fn entries() -> Map {
    let paths = ["a", "a//b", "data/2025/α.csv", "data/2025/β.csv", "data/x", "z/"];
    let versions = [1, 2, 3, 4, 5, 6];
    let pair = |(path, version): (&str, u8)| (path.to_owned(), entry(path, version, 300));
    paths.into_iter().zip(versions).map(pair).collect()
}

fn pairs() -> Vec<(ObjectPath, model::Entry)> {
    entries().into_iter().map(|(at, entry)| (path(&at), entry)).collect()
}

fn pieces() -> Vec<Piece> {
    let piece = |n: u32| Piece {
        extent: Extent {
            segment: SegmentId { writer: WriterId(u64::MAX - 1), number: n },
            offset: 44,
            length: 16 << 20,
        },
        hash: Hash::of(&n.to_le_bytes()),
    };
    (0..3).map(piece).collect()
}

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect()
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).expect("the golden file")
}

/// What this build writes, by the name of its file; and the roots of the two pages.
async fn written(world: &World) -> (BTreeMap<&'static str, Vec<u8>>, Root, Root) {
    let many: Map = (0..400)
        .map(|n| format!("many/{n:03}"))
        .map(|path| (path.clone(), entry(&path, 1, 0)))
        .collect();
    let (few, many) = (world.build(&entries()).await, world.build(&many).await);
    let page = async |root: &Root| {
        world.blocks.read(root.page.expect("a page"), None).await.expect("readable").to_vec()
    };
    let files = BTreeMap::from([
        ("leaf.page", page(&few).await),
        ("node.page", page(&many).await),
        ("entries.run", run::encode(&pairs()).expect("a run")),
        ("pieces.list", extent_list::encode(&pieces()).expect("a list")),
    ]);
    (files, few, many)
}

#[tokio::test]
async fn what_is_written_has_not_changed() {
    let (files, few, many) = written(&World::new()).await;
    for (name, bytes) in files {
        assert_eq!(bytes, golden(name), "{name}");
    }
    assert_eq!((few.level, many.level), (0, 1));
    assert_eq!(few.hash.to_string(), LEAF_HASH);
    assert_eq!(many.hash.to_string(), NODE_HASH);
}

#[tokio::test]
async fn what_was_written_can_be_read() {
    let run = run::RunReader::new(golden("entries.run").into()).expect("a run");
    assert_eq!(run.collect::<Result<Vec<_>, _>>().expect("entries"), pairs());
    assert_eq!(extent_list::decode(&golden("pieces.list")).expect("a list"), pieces());

    let world = World::new();
    let page = golden("leaf.page");
    let mut segment = world.writer.open().await.expect("a segment");
    let extent = segment.append(ItemKind::Page, &page, Hash::of(&page)).await.expect("appended");
    world.register(&[segment.seal().await.expect("sealed")]);
    let hash = LEAF_HASH.parse().expect("a hash");
    let root = Root { page: Some(extent), level: 0, hash, entries: 6, bytes: 6_021 };
    assert_eq!(world.scan(&root, Bound::Unbounded, None).await, entries());
    assert_eq!(world.check(&root).await, entries());
}

/// Run by hand when a new version of a format is added, never to make a test pass.
#[tokio::test]
#[ignore = "writes the golden files"]
async fn write_the_golden_files() {
    let (files, few, many) = written(&World::new()).await;
    for (name, bytes) in files {
        std::fs::write(file(name), bytes).expect("written");
    }
    println!("{}\n{}", few.hash, many.hash);
}

const LEAF_HASH: &str = "5c146d09ba345a40b08f5275adae1980e463c04a0fb2469cf62761d8de7d7bdc";
const NODE_HASH: &str = "7c8406a36de6ac3d3b1da3aa14176a2c65c6de221bb19a356141864188d32ebb";
