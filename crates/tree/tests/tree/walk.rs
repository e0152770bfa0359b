//! A walk over several trees comes to every page once, and knows what its entries need.

use std::collections::HashSet;

use blocks::{ItemKind, Store};
use model::{Content, Extent};
use tree::{Error, Walk};

use crate::world::{Map, World, delete, entry, put};

/// All pages, and all contents.
async fn rest(walk: &mut Walk) -> (Vec<Extent>, Vec<Content>) {
    let (mut pages, mut contents) = (Vec::new(), Vec::new());
    while let Some(visited) = walk.next().await.expect("a sound tree") {
        pages.push(visited.page);
        contents.extend(visited.contents);
    }
    (pages, contents)
}

#[tokio::test]
async fn each_page_of_several_trees_is_visited_once() {
    let world = World::new();
    let path = |n: u32| format!("data/{n:05}");
    let map: Map = (0..5_000).map(|n| (path(n), entry(&path(n), 1, n))).collect();
    let first = world.build(&map).await;
    let edits = vec![put(&path(7), entry(&path(7), 3, 9_000)), delete(&path(4_000))];
    let changed = world.apply(&first, edits).await;

    let mut walk = world.tree.walk();
    walk.add(&first);
    let (old_pages, old_contents) = rest(&mut walk).await;
    assert_eq!(old_contents.len(), map.len());
    assert!(map.values().all(|entry| old_contents.contains(&entry.content)));
    walk.add(&changed.root);
    let (new_pages, new_contents) = rest(&mut walk).await;
    assert!(new_contents.contains(&entry(&path(7), 3, 9_000).content));
    assert!(new_pages.len() < old_pages.len() / 4, "what both trees share is not read again");
    walk.add(&first);
    assert_eq!(rest(&mut walk).await, (Vec::new(), Vec::new()));

    let pages: HashSet<Extent> = old_pages.iter().chain(&new_pages).copied().collect();
    assert_eq!(pages.len(), old_pages.len() + new_pages.len(), "none is visited twice");
    let mut stored = HashSet::new();
    for record in world.records() {
        let items = world.blocks.items(&record).await.expect("a list");
        stored.extend(items.into_iter().filter(|(_, kind)| *kind == ItemKind::Page));
    }
    assert_eq!(pages, stored.into_iter().map(|(extent, _)| extent).collect());
}

#[tokio::test]
async fn a_page_that_cannot_be_read_ends_it() {
    let world = World::new();
    let map = Map::from([("a".to_owned(), entry("a", 1, 0))]);
    let root = world.build(&map).await;
    let file = world.store.list().await.expect("a list").remove(0).file;
    world.store.delete(&file).await.expect("deleted");
    let mut walk = world.fresh_tree().walk();
    walk.add(&root);
    let missing = walk.next().await.expect_err("the file is gone");
    assert!(matches!(missing, Error::Blocks(blocks::Error::Missing { .. })), "{missing:?}");
}
