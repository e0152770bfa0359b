//! The check of a whole store: silent about a sound one, and it finds every flipped bit.

use std::path::{Path, PathBuf};

use blake3::hazmat::{Mode, merge_subtrees_root};
use blocks::ItemKind;
use engine::{CheckReport, Scope, commit_digest};
use model::limits::PIECE_BYTES;
use model::{Content, Hash, ObjectPath, Piece, RepositoryId};

use crate::world::{CATALOG, Staged, World, entry, read_only};

async fn check(world: &World) -> CheckReport {
    check_folder(world.folder.path()).await
}

/// As another process beside the server would: with no caches, writing nothing.
async fn check_folder(folder: &Path) -> CheckReport {
    let mut seen = 0;
    let report = read_only(folder).check(Scope::All, &mut |_| seen += 1).await;
    let report = report.expect("the check can be done");
    assert!(seen > 0, "progress is reported");
    report
}

fn flip(file: &Path, offset: usize) {
    let mut bytes = std::fs::read(file).expect("readable");
    bytes[offset] ^= 1;
    std::fs::write(file, bytes).expect("writable");
}

/// The two segments of the first commit: bytes, then pages.
async fn two_commits(world: &World) -> (PathBuf, PathBuf) {
    world.commit(&[("a/first", Some(b"some bytes")), ("b", Some(b"other bytes"))]).await;
    let files = world.segment_files();
    world.commit(&[("c", Some(b"third"))]).await;
    let [bytes, pages] = files.try_into().expect("a segment of bytes and one of pages");
    (bytes, pages)
}

#[tokio::test]
async fn a_sound_store_is_clean() {
    let world = World::new().await;
    let empty = check(&world).await;
    assert_eq!((empty.commits, empty.damage_count), (0, 0));
    two_commits(&world).await;
    let report = check(&world).await;
    assert_eq!(report.damage, []);
    assert_eq!((report.commits, report.segments, report.orphans), (2, 4, 0));
    assert!(report.entries >= 3 && report.bytes > 0);
    let scope = Scope::Repository(world.repository().await.id);
    let one = world.engine.check(scope, &mut |_| ()).await.expect("checked");
    assert_eq!((one.commits, one.segments), (2, 4));
    let scope = Scope::Repository(RepositoryId(uuid::Uuid::nil()));
    let none = world.engine.check(scope, &mut |_| ()).await.expect("checked");
    assert_eq!((none.commits, none.segments, none.damage_count), (0, 0, 0));
}

#[tokio::test]
async fn a_file_that_no_row_knows_is_no_damage() {
    let world = World::new().await;
    let (bytes, _) = two_commits(&world).await;
    std::fs::copy(&bytes, bytes.with_file_name("00000000000000ff-00000000")).expect("copied");
    let report = check(&world).await;
    assert_eq!((report.orphans, report.damage_count), (1, 0));
}

#[tokio::test]
async fn flipped_object_bytes_are_named_with_path_and_newest_commit() {
    let world = World::new().await;
    let (bytes, _) = two_commits(&world).await;
    let stored = std::fs::read(&bytes).expect("readable");
    let at = stored.windows(10).position(|window| window == b"some bytes").expect("it is there");
    flip(&bytes, at);
    let report = check(&world).await;
    let head = world.repository().await.head;
    let named: Vec<_> = report.damage.iter().filter(|damage| damage.path.is_some()).collect();
    // Both objects lie in the damaged frame.
    let paths: Vec<_> = named.iter().filter_map(|damage| damage.path.as_deref()).collect();
    assert_eq!(paths, ["a/first", "b"]);
    for damage in named {
        assert_eq!(damage.commit, head);
        assert!(damage.repository.as_deref().is_some_and(|name| name.starts_with("data (")));
    }
    assert!(report.damage.iter().any(|damage| damage.what.contains("checksum")));
}

#[tokio::test]
async fn every_flipped_bit_of_every_segment_is_found() {
    let world = World::new().await;
    two_commits(&world).await;
    for file in world.segment_files() {
        let length = std::fs::metadata(&file).expect("a file").len() as usize;
        for offset in (0..length).step_by(7) {
            flip(&file, offset);
            let report = check(&world).await;
            assert!(report.damage_count > 0, "{} at {offset}", file.display());
            flip(&file, offset);
        }
    }
    assert_eq!(check(&world).await.damage, []);
}

#[tokio::test]
async fn flipped_pages_and_directories_name_what_they_hold() {
    let world = World::new().await;
    let (bytes, _) = two_commits(&world).await;
    let pages_of_head = world.segment_files().pop().expect("the newest segment");
    flip(&pages_of_head, 60);
    let report = check(&world).await;
    let head = world.repository().await.head;
    let page = report.damage.iter().find(|damage| damage.what.starts_with("a page"));
    let page = page.expect("the page is named");
    assert_eq!((page.commit, page.path.as_deref()), (head, Some("the first to the last")));
    flip(&pages_of_head, 60);

    let length = std::fs::metadata(&bytes).expect("a file").len() as usize;
    flip(&bytes, length - 70);
    let report = check(&world).await;
    let paths: Vec<_> = report.damage.iter().filter_map(|damage| damage.path.as_deref()).collect();
    assert_eq!(paths, ["a/first", "b"], "without its directory nothing in a segment is readable");
}

#[tokio::test]
async fn missing_and_short_segments_are_found() {
    let world = World::new().await;
    let (bytes, pages) = two_commits(&world).await;
    let kept = std::fs::read(&bytes).expect("readable");
    for damaged in [None, Some(&kept[..kept.len() - 1]), Some(&[][..])] {
        match damaged {
            None => std::fs::remove_file(&bytes).expect("removed"),
            Some(part) => std::fs::write(&bytes, part).expect("written"),
        }
        let report = check(&world).await;
        let paths: Vec<_> = report.damage.iter().filter_map(|d| d.path.as_deref()).collect();
        assert_eq!(paths, ["a/first", "b"]);
        std::fs::write(&bytes, &kept).expect("written");
    }
    std::fs::remove_file(pages).expect("removed");
    assert!(check(&world).await.damage_count >= 2, "the segment and a page of the older commit");
}

#[tokio::test]
async fn a_flipped_row_of_the_catalog_is_found() {
    let world = World::new().await;
    two_commits(&world).await;
    let path = world.folder.path().join(CATALOG);
    // Closing the database moves everything out of its log, so that the file is all there is.
    let closed = world.close();
    let sound = std::fs::read(&path).expect("readable");
    let find = |text: &[u8]| {
        sound.windows(text.len()).position(|window| window == text).expect("it is there")
    };
    let message = find(b"a commit by hand");
    let file = find(b"segments/");
    let first_page = 100;
    for (offset, what) in [
        (message, "row does not match its id"),
        (file, "is not the name of a segment file"),
        (file + 20, "is missing"),
        (first_page, "catalog"),
    ] {
        flip(&path, offset);
        let report = check_folder(closed.path()).await;
        let found = report.damage.iter().any(|damage| damage.what.contains(what));
        assert!(found, "{offset}: {:?}", report.damage);
        std::fs::write(&path, &sound).expect("written");
    }
    assert_eq!(check_folder(closed.path()).await.damage, []);
}

#[tokio::test]
async fn a_large_object_is_hashed_to_the_last_piece() {
    let world = World::new().await;
    let bytes: Vec<u8> = (0..PIECE_BYTES + 100).map(|n| (n % 253) as u8).collect();
    world.commit(&[("big", Some(&bytes)), ("a", Some(b"1"))]).await;
    assert_eq!(check(&world).await.damage, []);

    // A second piece whose hash is that of other bytes, everywhere: in entry, directory and merge.
    let claim = world.claim().await;
    let writer = world.blocks.writer(claim.import.spec.repository, claim.writer);
    let mut segment = writer.open().await.expect("an open segment");
    let mut wrong = entry(&mut segment, "wrong", &bytes, &claim.import).await;
    let Content::Pieces(pieces) = &mut wrong.content else { panic!("two pieces are inline") };
    let other = Hash::of(b"other bytes");
    let extent = segment.append(ItemKind::Piece, &[1; 100], other).await.expect("appended");
    pieces[1] = Piece { extent, hash: other };
    let merged = merge_subtrees_root(&pieces[0].hash.0, &other.0, Mode::Hash);
    wrong.hash = Hash(*merged.as_bytes());
    let segments = vec![segment.seal().await.expect("sealed")];
    let staged = Staged::from([(ObjectPath::new("wrong").expect("a path"), Some(wrong))]);
    let commit = world.commit_entries(&claim, &writer, staged, segments).await;
    let report = check(&world).await;
    let [damage] = report.damage.as_slice() else { panic!("{:?}", report.damage) };
    assert_eq!((damage.path.as_deref(), damage.commit), (Some("wrong"), Some(commit.id)));
    assert!(damage.what.contains("piece 1"), "{}", damage.what);
}

#[tokio::test]
async fn a_digest_leaves_out_job_and_time() {
    let world = World::new().await;
    let first = world.commit(&[("a", Some(b"1")), ("b", Some(b"2"))]).await;
    let second = world.commit(&[("b", Some(b"3"))]).await;
    world.clock.advance_ms(86_400_000);
    let third = world.commit(&[("b", Some(b"2"))]).await;
    let engine = read_only(world.folder.path());
    let repository = world.repository().await.id;
    let mut digests = Vec::new();
    for commit in [&first, &second, &third] {
        let digest = commit_digest(&engine, repository, commit.id).await.expect("a digest");
        assert_eq!(engine.digest(&commit.id.to_string()[..12]).await.expect("found"), digest);
        digests.push(digest);
    }
    assert_ne!(first.root.hash, third.root.hash, "the provenance differs in job and time");
    assert_ne!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
    assert!(engine.digest("00000000").await.is_err());
}
