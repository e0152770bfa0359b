//! Multipart uploads.

use std::sync::Arc;

use catalog::{Catalog, Error};
use model::limits::OPEN_UPLOADS_MAX;
use model::{Hash, Part, Timestamp, UploadId};
use uuid::Uuid;

use super::world::{World, many, segment};

fn part(number: u32, size: u64) -> Part {
    let tag = Hash::of(&size.to_le_bytes());
    Part { number, size, tag, offset: u64::from(number) << 33, pieces: vec![number as u8; 60] }
}

pub(crate) async fn what_is_stored_is_what_is_read(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    let upload = world.upload(&session).await;
    let find = async |id, now| catalog.upload(id, now).await.expect("an answer");
    assert_eq!(find(upload.id, world.tick()).await, Some(upload.clone()));
    assert_eq!(find(UploadId(Uuid::new_v4()), world.tick()).await, None);
    let again = catalog.create_upload(&upload).await;
    assert!(matches!(again, Err(Error::Conflict { .. })));
    let mut brief = world.new_upload(&session);
    brief.expires_at = brief.created_at.plus_ms(5_000);
    catalog.create_upload(&brief).await.expect("an upload");
    assert!(find(brief.id, Timestamp(brief.expires_at.0 - 1)).await.is_some());
    assert_eq!(find(brief.id, brief.expires_at).await, None, "it has expired");
    let open = catalog.open_uploads().await.expect("uploads");
    assert_eq!(open, [upload.id, brief.id], "expired ones too");
    assert!(catalog.abort_upload(brief.id).await.expect("an answer"));
    assert!(!catalog.abort_upload(brief.id).await.expect("an answer"));
    assert_eq!(catalog.open_uploads().await.expect("uploads"), [upload.id]);
}

pub(crate) async fn parts_come_in_any_order_and_again(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    let (upload, other) = (world.upload(&session).await, world.upload(&session).await);
    let writer = catalog.open_writer(world.tick()).await.expect("a writer");
    let segments = [segment(world.repository.id, writer, 0)];
    let record = async |upload, part: &Part| {
        catalog.record_part(upload, part, &segments).await.expect("an answer")
    };
    let mut empty = part(3, 0);
    empty.pieces.clear();
    for part in [&part(10_000, 5), &empty, &part(1, u64::from(u32::MAX) * 2), &part(2, 7)] {
        assert!(record(upload.id, part).await);
    }
    assert!(record(upload.id, &part(2, 9)).await, "it replaces the first");
    assert!(record(other.id, &part(2, 4)).await);
    let stored = catalog.parts(upload.id).await.expect("parts");
    let expected = [part(1, u64::from(u32::MAX) * 2), part(2, 9), empty, part(10_000, 5)];
    assert_eq!(stored, expected);
    assert_eq!(catalog.segments(None, 9).await.expect("segments"), segments);
    assert!(catalog.abort_upload(upload.id).await.expect("an answer"));
    assert_eq!(catalog.parts(upload.id).await.expect("parts"), []);
    assert_eq!(catalog.parts(other.id).await.expect("parts"), [part(2, 4)]);
    let unknown = segment(world.repository.id, writer, 9);
    let late = catalog.record_part(upload.id, &part(1, 1), &[unknown]).await;
    assert!(!late.expect("an answer"));
    assert_eq!(catalog.segments(None, 9).await.expect("segments"), segments, "nothing is stored");
}

pub(crate) async fn it_ends_with_its_session(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    let upload = world.upload(&session).await;
    assert!(catalog.record_part(upload.id, &part(1, 1), &[]).await.expect("an answer"));
    let mut late = world.new_upload(&session);
    late.created_at = session.expires_at;
    let refused = catalog.create_upload(&late).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })), "the session has expired by then");
    let found = catalog.upload(upload.id, session.expires_at).await.expect("an answer");
    assert_eq!(found, None);
    assert!(catalog.end_session(session.id, &world.deed("End")).await.expect("an answer"));
    assert_eq!(catalog.upload(upload.id, world.tick()).await.expect("an answer"), None);
    assert!(!catalog.record_part(upload.id, &part(2, 1), &[]).await.expect("an answer"));
    let refused = catalog.create_upload(&world.new_upload(&session)).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    let other = world.another_repository(&world.organization, "other").await;
    let mut elsewhere = world.new_upload(&world.session().await);
    elsewhere.repository = other.id;
    let refused = catalog.create_upload(&elsewhere).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })), "not the session's repository");
    assert_eq!(catalog.open_uploads().await.expect("uploads"), [upload.id]);
}

pub(crate) async fn open_uploads_of_a_session_are_limited(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    let first = world.upload(&session).await;
    many(OPEN_UPLOADS_MAX - 1, || {
        let (catalog, new) = (catalog.clone(), world.new_upload(&session));
        async move { catalog.create_upload(&new).await.expect("an upload") }
    })
    .await;
    let refused = catalog.create_upload(&world.new_upload(&session)).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })));
    world.upload(&world.session().await).await;
    assert!(catalog.abort_upload(first.id).await.expect("an answer"));
    world.upload(&session).await;
}
