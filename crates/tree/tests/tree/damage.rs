//! Damaged pages are errors, never wrong answers, and a check names what they hold.

use std::ops::Bound;

use blocks::{ItemKind, Store};
use bytes::Bytes;
use model::{Hash, Root};
use tree::{Damage, Error, Finding, ListQuery, Tree};

use crate::world::{Map, World, entry, put};

fn some(count: u32) -> Map {
    let path = |n: u32| format!("data/{n:05}");
    (0..count).map(path).map(|path| (path.clone(), entry(&path, 1, 0))).collect()
}

async fn findings(tree: &Tree, root: &Root) -> (Vec<Damage>, usize) {
    let mut verify = tree.verify(root, Default::default());
    let (mut damage, mut entries) = (Vec::new(), 0);
    while let Some(finding) = verify.next().await.expect("readable") {
        match finding {
            Finding::Damage(found) => damage.push(found),
            Finding::Entry(..) => entries += 1,
        }
    }
    (damage, entries)
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_named() {
    let world = World::new();
    let map = some(2_000);
    let root = world.build(&map).await;
    let file = world.store.list().await.expect("a list").remove(0).file;
    let length = world.store.length(&file).await.expect("its length");
    let good = world.store.read(&file, 0..length).await.expect("its bytes");
    let leaves = root.page.expect("a page").offset as usize;
    for at in (44..leaves).step_by(leaves / 23) {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1 << (at % 8);
        world.store.replace(&file, bytes.into()).expect("replaced");
        let tree = world.fresh_tree();
        let (damage, entries) = findings(&tree, &root).await;
        assert!(!damage.is_empty() && entries < map.len(), "at {at}");
        let told = |found: &Damage| found.what.contains(&file) && found.what.contains("checksum");
        assert!(damage.iter().all(told), "at {at}: {damage:?}");
        let lost = map.keys().filter(|path| {
            damage.iter().any(|found| {
                let after = found.after.as_deref().unwrap_or_default();
                let last = found.last.as_deref();
                path.as_bytes() > after && last.is_none_or(|last| path.as_bytes() <= last)
            })
        });
        assert_eq!(lost.count(), map.len() - entries, "the range names what is lost, at {at}");
        let mut readable = 0;
        for (path, entry) in &map {
            match tree.get(&root, path.as_bytes()).await {
                Ok(found) => {
                    assert_eq!(found.as_ref(), Some(entry));
                    readable += 1;
                }
                Err(error) => assert!(matches!(error, Error::Blocks(_)), "{error}"),
            }
        }
        assert_eq!(readable, entries, "at {at}");
    }
    world.store.replace(&file, good).expect("replaced");
    assert_eq!(findings(&world.fresh_tree(), &root).await, (Vec::new(), map.len()));
    world.store.delete(&file).await.expect("deleted");
    let (damage, entries) = findings(&world.fresh_tree(), &root).await;
    assert_eq!((damage.len(), entries), (1, 0));
    assert_eq!((&damage[0].after, &damage[0].last), (&None, &None), "everything");
}

/// Stores `page` as it is and says it is the root of a tree.
async fn forge(world: &World, page: &[u8], root: Root) -> Root {
    let mut segment = world.writer.open().await.expect("a segment");
    let extent = segment.append(ItemKind::Page, page, Hash::of(page)).await.expect("appended");
    world.register(&[segment.seal().await.expect("sealed")]);
    Root { page: Some(extent), ..root }
}

#[tokio::test]
async fn a_sound_page_in_the_wrong_place_is_found() {
    let world = World::new();
    let (one, other) = (world.build(&some(20)).await, world.build(&some(21)).await);
    let large = world.build(&some(2_000)).await;
    let page = async |root: &Root| -> Bytes {
        world.blocks.read(root.page.expect("a page"), None).await.expect("readable")
    };
    let wrong = [
        forge(&world, &page(&one).await, other).await,
        forge(&world, &page(&large).await, one).await,
        forge(&world, &page(&one).await, large).await,
        forge(&world, b"TPL\x01\x00", one).await,
        forge(&world, b"nothing of the kind", one).await,
    ];
    for root in wrong {
        let (damage, _) = findings(&world.tree, &root).await;
        assert_eq!(damage.len(), 1, "{damage:?}");
        let error = world.tree.get(&root, b"data/00001").await.expect_err("not a wrong answer");
        assert!(matches!(error, Error::Page { .. }), "{error}");
        let mut scan = world.tree.scan(&root, Bound::Unbounded, None);
        assert!(scan.next().await.is_err());
        let query = ListQuery { limit: 10, ..ListQuery::default() };
        assert!(world.tree.list(&root, &query).await.is_err());
        let mut diff = world.tree.diff(&Tree::empty(), &root, Bound::Unbounded, None);
        assert!(diff.next().await.is_err());
        let edits = futures_util::stream::iter([Ok::<_, Error>(put("a", entry("a", 1, 0)))]);
        assert!(world.tree.apply(&root, edits, &world.writer).await.is_err());
    }
    let unlike = forge(&world, &page(&one).await, Root { hash: other.hash, ..one }).await;
    let (damage, _) = findings(&world.tree, &unlike).await;
    assert!(damage[0].what.contains("another hash"), "{damage:?}");
    let unlike = forge(&world, &page(&one).await, Root { bytes: 1, ..one }).await;
    let (damage, _) = findings(&world.tree, &unlike).await;
    assert!(damage[0].what.contains("another sum"), "{damage:?}");
}

#[tokio::test]
async fn what_one_check_found_sound_the_next_one_skips() {
    let world = World::new();
    let mut map = some(5_000);
    let root = world.build(&map).await;
    let mut verify = world.tree.verify(&root, Default::default());
    while verify.next().await.expect("readable").is_some() {}
    let sound = verify.into_sound();
    assert!(sound.len() > 20);
    let path = "data/02500";
    map.insert(path.to_owned(), entry(path, 3, 0));
    let next = world.apply(&root, vec![put(path, entry(path, 3, 0))]).await.root;
    let mut verify = world.tree.verify(&next, sound);
    let mut paths = Vec::new();
    while let Some(finding) = verify.next().await.expect("readable") {
        let Finding::Entry(path, _) = finding else { panic!("{finding:?}") };
        paths.push(path);
    }
    assert!(paths.contains(&crate::world::path(path)));
    assert!(paths.len() < 1_100, "{}", paths.len());
}
