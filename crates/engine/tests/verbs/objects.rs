//! Reading objects: whole, by range, by ref, and in listings.

use std::collections::BTreeMap;

use engine::{At, Kind, ListedEntry, ObjectsQuery, RangeRequest, Result};
use futures_util::StreamExt;
use model::limits::PIECE_BYTES;
use model::{Content, Entry, Hash, ObjectPath};
use testkit::ODD_KEYS;

use crate::world::{ORGANIZATION, REPOSITORY, World, entry};

async fn read(
    world: &World,
    path: &str,
    range: Option<RangeRequest>,
) -> Result<(Entry, Option<std::ops::Range<u64>>, Vec<u8>)> {
    let (engine, owner) = (&world.engine, &world.owner);
    let opened =
        engine.open_object(owner, ORGANIZATION, REPOSITORY, path, &At::Head, range).await?;
    let mut bytes = Vec::new();
    let mut body = opened.body;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        assert!((1..=1 << 20).contains(&chunk.len()), "a chunk of {} bytes", chunk.len());
        bytes.extend_from_slice(&chunk);
    }
    Ok((opened.entry, opened.range, bytes))
}

fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8 ^ (n >> 16) as u8).collect()
}

#[tokio::test]
async fn odd_paths_are_read_byte_for_byte() {
    let world = World::new().await;
    let paths: Vec<&str> =
        ODD_KEYS.iter().copied().filter(|key| ObjectPath::new(key).is_ok()).collect();
    assert!(paths.len() > 10);
    let edits: Vec<_> = paths.iter().map(|path| (*path, Some(path.as_bytes()))).collect();
    world.commit(&edits).await;
    for path in paths {
        let (entry, range, bytes) = read(&world, path, None).await.expect(path);
        assert_eq!((bytes.as_slice(), range), (path.as_bytes(), None));
        assert_eq!(entry.hash, Hash::of(path.as_bytes()));
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    for commits in 0..2 {
        let absent = read(&world, "absent", None).await.expect_err("absent");
        assert_eq!(absent.kind, Kind::NotFound, "after {commits} commits");
        world.commit(&[("empty", Some(b""))]).await;
    }
    let (entry, _, bytes) = read(&world, "empty", None).await.expect("an empty object");
    assert_eq!((entry.size, bytes.len()), (0, 0));
    let range = Some(RangeRequest::From { first: 0 });
    let error = read(&world, "empty", range).await.expect_err("nothing to satisfy it");
    assert_eq!(error.kind, Kind::Unsatisfiable { size: 0 });
    let (engine, owner) = (&world.engine, &world.owner);
    for (path, reference, kind) in [
        ("", None, Kind::Invalid),
        ("a\0b", None, Kind::Invalid),
        ("empty", Some("00000000"), Kind::NotFound),
        ("empty", Some("zzz"), Kind::NotFound),
    ] {
        let at = reference.map_or(At::Head, |text: &str| At::Commit(text.to_owned()));
        let head = engine.head_object(owner, ORGANIZATION, REPOSITORY, path, &at).await;
        assert_eq!(head.expect_err("refused").kind, kind, "{path:?} {reference:?}");
    }
}

#[tokio::test]
async fn ranges_of_large_objects_read_across_pieces() {
    let world = World::new().await;
    let size = 5 * PIECE_BYTES + 12_345;
    let bytes = pattern(size);
    let claim = world.claim().await;
    let writer = world.blocks.writer(claim.import.spec.repository, claim.writer);
    let mut segments = Vec::new();
    let mut segment = writer.open().await.expect("an open segment");
    let short = 2 * PIECE_BYTES + 1;
    let inline = entry(&mut segment, "inline", &bytes[..short as usize], &claim.import).await;
    segments.push(segment.seal().await.expect("sealed"));
    let mut segment = writer.open().await.expect("an open segment");
    let mut listed = entry(&mut segment, "listed", &bytes, &claim.import).await;
    segments.push(segment.seal().await.expect("sealed"));
    let mut segment = writer.open().await.expect("an open segment");
    if let Content::Pieces(pieces) = &listed.content {
        let list = tree::extent_list::encode(pieces).expect("a list");
        let hash = Hash::of(&list);
        let kind = blocks::ItemKind::ExtentList;
        let extent = segment.append(kind, &list, hash).await.expect("appended");
        listed.content = Content::List(extent);
    }
    segments.push(segment.seal().await.expect("sealed"));
    let staged = [("inline", inline), ("listed", listed)]
        .map(|(path, entry)| (ObjectPath::new(path).expect("a path"), Some(entry)));
    world.commit_entries(&claim, &writer, BTreeMap::from(staged), segments).await;

    let piece = PIECE_BYTES;
    for (path, size) in [("inline", short), ("listed", size)] {
        let (_, _, whole) = read(&world, path, None).await.expect("read");
        assert!(whole == bytes[..size as usize], "{path}");
        for (first, last) in [
            (0, 0),
            (piece - 1, piece),
            (piece - 70_000, 2 * piece),
            (size - 1, u64::MAX),
            (1, size),
        ] {
            let range = Some(RangeRequest::Closed { first, last });
            let (_, got, part) = read(&world, path, range).await.expect("read");
            let expected = first..last.saturating_add(1).min(size);
            assert_eq!(got, Some(expected.clone()));
            assert!(
                part == bytes[expected.start as usize..expected.end as usize],
                "{path} {first}"
            );
        }
        let range = Some(RangeRequest::Suffix { length: 100 });
        let (_, got, part) = read(&world, path, range).await.expect("read");
        assert_eq!((got, part.len()), (Some(size - 100..size), 100));
        let range = Some(RangeRequest::From { first: size });
        let error = read(&world, path, range).await.expect_err("outside");
        assert_eq!(error.kind, Kind::Unsatisfiable { size });
    }
}

#[tokio::test]
async fn damage_ends_the_body_and_names_the_path() {
    let world = World::new().await;
    let bytes = pattern(4 << 20);
    world.commit(&[("dir/big", Some(&bytes)), ("small", Some(b"intact"))]).await;
    let file = world
        .segment_files()
        .into_iter()
        .max_by_key(|file| file.metadata().expect("a file").len())
        .expect("a segment");
    let mut stored = std::fs::read(&file).expect("readable");
    stored[2 << 20] ^= 1;
    std::fs::write(&file, stored).expect("writable");
    let (engine, owner) = (&world.engine, &world.owner);
    let opened =
        engine.open_object(owner, ORGANIZATION, REPOSITORY, "dir/big", &At::Head, None).await;
    let chunks: Vec<Result<bytes::Bytes>> = opened.expect("opened").body.collect().await;
    let (last, before) = chunks.split_last().expect("chunks");
    let error = last.as_ref().expect_err("damaged");
    assert_eq!(error.kind, Kind::Damaged);
    assert!(error.message.contains("dir/big"), "{error}");
    let served: Vec<u8> =
        before.iter().flat_map(|chunk| chunk.as_ref().expect("sound").to_vec()).collect();
    assert!(bytes.starts_with(&served) && served.len() < 2 << 20);
    assert_eq!(read(&world, "small", None).await.expect("read").2, b"intact");
}

fn names(rows: &[ListedEntry]) -> Vec<&str> {
    rows.iter()
        .map(|row| match row {
            ListedEntry::Object(path, _) => path.as_str(),
            ListedEntry::Prefix(prefix) => prefix,
        })
        .collect()
}

#[tokio::test]
async fn listings_group_and_page() {
    let world = World::new().await;
    let first = world.commit(&[("a/1", Some(b"1")), ("a/2", Some(b"2")), ("b", Some(b"b"))]).await;
    world.commit(&[("c/d/e", Some(b"e")), ("b", None)]).await;
    let (engine, owner) = (&world.engine, &world.owner);
    let list = |query| engine.list_objects(owner, ORGANIZATION, REPOSITORY, query);
    let query = |amount| ObjectsQuery { amount, ..Default::default() };

    let all = list(query(1_000)).await.expect("a page");
    assert_eq!((names(&all.rows), all.next), (vec!["a/1", "a/2", "c/d/e"], None));
    let by_slash = ObjectsQuery { delimiter: Some("/".into()), ..query(1) };
    let one = list(by_slash.clone()).await.expect("a page");
    assert_eq!((names(&one.rows), one.next.as_deref()), (vec!["a/"], Some("a/")));
    let two = list(ObjectsQuery { after: one.next, ..by_slash }).await.expect("a page");
    assert_eq!((names(&two.rows), two.next), (vec!["c/"], None));
    let older = ObjectsQuery {
        at: At::Commit(first.id.to_string()[..8].to_owned()),
        prefix: "b".into(),
        ..query(10)
    };
    assert_eq!(names(&list(older).await.expect("a page").rows), ["b"]);
    let none = list(query(0)).await.expect_err("refused");
    assert!(none.kind == Kind::Invalid && none.message.starts_with("amount:"), "{none}");
}
