//! The check finds damage in what is only staged.

use model::{Clock, Entropy, Extent, Hash, Part, Piece, SegmentId, Upload, UploadId, WriterId};

use crate::world::World;

/// Flips a bit of `bytes`, wherever a segment holds them.
fn flip(world: &World, bytes: &[u8]) {
    let mut flipped = false;
    for folder in std::fs::read_dir(world.dir.path().join("segments")).expect("a folder") {
        for file in std::fs::read_dir(folder.expect("an entry").path()).expect("a folder") {
            let file = file.expect("an entry").path();
            let mut stored = std::fs::read(&file).expect("readable");
            if let Some(at) = stored.windows(bytes.len()).position(|window| window == bytes) {
                stored[at] ^= 1;
                std::fs::write(&file, stored).expect("writable");
                flipped = true;
            }
        }
    }
    assert!(flipped, "it is stored");
}

#[tokio::test]
async fn damage_of_what_is_staged_is_named_with_session_and_path() {
    let world = World::new().await;
    let session = world.begin().await;
    world.put(session, "sound", b"some bytes that stay").await;
    world.put(session, "bad", b"some bytes that change").await;
    world.assert_clean().await;
    flip(&world, b"bytes that change");
    let report = world.engine.check(engine::Scope::All, &mut |_| {}).await.expect("a check");
    let named: Vec<_> = report.damage.iter().filter(|damage| damage.path.is_some()).collect();
    let [damage] = named[..] else { panic!("{:?}", report.damage) };
    let found = (damage.session, damage.path.as_deref(), damage.commit);
    assert_eq!(found, (Some(session), Some("bad"), None));
    assert!(damage.repository.as_deref().is_some_and(|name| name.starts_with("data (")));
    assert_eq!(report.entries, 2);
}

#[tokio::test]
async fn parts_of_uploads_are_looked_at() {
    let world = World::new().await;
    let session = world.begin().await;
    let (id, now) = (UploadId(world.entropy.uuid()), world.clock.now());
    let upload = Upload {
        id,
        repository: world.repository().await.id,
        session,
        path: model::ObjectPath::new("large").expect("a path"),
        created_at: now,
        expires_at: now.plus_ms(1_000),
    };
    world.catalog.create_upload(&upload).await.expect("an upload");
    let segment = SegmentId { writer: WriterId(1), number: 77 };
    let extent = Extent { segment, offset: 64, length: 10 };
    let piece = Piece { extent, hash: Hash::of(b"0123456789") };
    let pieces = tree::extent_list::encode(&[piece]).expect("encoded");
    let empty = Part { number: 1, size: 0, tag: Hash::of(b""), offset: 0, pieces: Vec::new() };
    let lost = Part { number: 2, size: 10, tag: piece.hash, offset: 0, pieces };
    for part in [&empty, &lost] {
        let recorded = world.catalog.record_part(id, part, &[]).await;
        assert!(recorded.expect("the catalog answers"));
    }
    let report = world.engine.check(engine::Scope::All, &mut |_| {}).await.expect("a check");
    let [damage] = &report.damage[..] else { panic!("{:?}", report.damage) };
    assert_eq!((damage.session, damage.path.as_deref()), (Some(session), Some("large")));
    assert!(damage.what.starts_with("part 2 of an upload: "), "{}", damage.what);
}
