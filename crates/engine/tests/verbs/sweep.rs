//! The removal of leftovers.

use blocks::ItemKind;
use model::Hash;

use crate::world::{ORGANIZATION, REPOSITORY, World};

#[tokio::test]
async fn only_what_nobody_knows_and_nobody_writes_goes() {
    let world = World::new().await;
    world.commit(&[("a", Some(b"1"))]).await;
    let recorded = world.segment_files();
    assert_eq!(world.engine.sweep().await.expect("swept"), 0);

    // A worker dies with one sealed segment that no checkpoint recorded and an open one.
    let claim = world.claim().await;
    let writer = world.blocks.writer(claim.import.spec.repository, claim.writer);
    let mut sealed = writer.open().await.expect("an open segment");
    let bytes = bytes::Bytes::from_static(b"bytes");
    let hash = Hash::of(&bytes);
    sealed.append(ItemKind::Object, &bytes, hash).await.expect("appended");
    sealed.seal().await.expect("sealed");
    let mut open = writer.open().await.expect("an open segment");
    open.append(ItemKind::Object, &bytes, hash).await.expect("appended");
    let with_leftovers = world.segment_files();
    assert!(with_leftovers.len() > recorded.len());

    assert_eq!(world.engine.sweep().await.expect("swept"), 0, "its lease goes on");
    assert_eq!(world.segment_files(), with_leftovers);
    std::mem::forget(open);
    world.catalog.void_leases().await.expect("voided");
    let removed = world.engine.sweep().await.expect("swept");
    assert_eq!(removed as usize, with_leftovers.len() - recorded.len());
    assert_eq!(world.segment_files(), recorded);
    let (engine, owner) = (&world.engine, &world.owner);
    assert!(
        engine.head_object(owner, ORGANIZATION, REPOSITORY, "a", &engine::At::Head).await.is_ok()
    );
}

#[tokio::test]
async fn segments_newer_than_the_catalog_stay() {
    let world = World::new().await;
    let claim = world.claim().await;
    let later = model::WriterId(claim.writer.0 + 1);
    let writer = world.blocks.writer(claim.import.spec.repository, later);
    let mut segment = writer.open().await.expect("an open segment");
    let bytes = b"written after the backup of the catalog";
    segment.append(ItemKind::Object, bytes, Hash::of(bytes)).await.expect("appended");
    segment.seal().await.expect("sealed");
    world.catalog.void_leases().await.expect("voided");
    let files = world.segment_files();
    assert_eq!(world.engine.sweep().await.expect("swept"), 0);
    assert_eq!(world.segment_files(), files);
}
