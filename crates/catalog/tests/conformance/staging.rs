//! What sessions stage.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use catalog::{Catalog, Error};
use model::{ObjectPath, Session, SessionId, StagedChange, UploadId};
use uuid::Uuid;

use super::world::{World, change, segment};

async fn all(world: &World, session: &Session) -> Vec<StagedChange> {
    let found = world.catalog.staged(session.id, Bound::Unbounded, None, 10_000).await;
    found.expect("changes")
}

async fn revision(world: &World, session: &Session) -> u64 {
    let found = world.catalog.session(session.repository, session.id, world.tick()).await;
    found.expect("an answer").expect("the session").revision
}

pub(crate) async fn the_last_change_at_a_path_stays(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (session, other) = (world.session().await, world.session().await);
    let first = [change("b", Some(b"1")), change("a", None), change("b", Some(b""))];
    assert!(world.stage(&session, &first).await);
    assert_eq!(all(&world, &session).await, [change("a", None), change("b", Some(b""))]);
    assert!(world.stage(&session, &[change("a", Some(b"2")), change("b", None)]).await);
    assert_eq!(all(&world, &session).await, [change("a", Some(b"2")), change("b", None)]);
    assert_eq!(revision(&world, &session).await, 5, "it counts changes, not paths");
    assert!(world.stage(&session, &[]).await);
    assert_eq!(revision(&world, &session).await, 5);
    let at = async |session: &Session, path: &str| {
        let path = ObjectPath::new(path).expect("a path");
        catalog.staged_at(session.id, &path).await.expect("an answer")
    };
    assert_eq!(at(&session, "a").await, Some(change("a", Some(b"2"))));
    assert_eq!(at(&session, "b").await, Some(change("b", None)));
    assert_eq!(at(&session, "a/").await, None);
    assert_eq!(at(&other, "a").await, None);
    assert_eq!(all(&world, &other).await, []);
    let nobodys = catalog.stage(SessionId(Uuid::new_v4()), &first, &[], None, world.tick()).await;
    assert!(!nobodys.expect("an answer"));
}

/// Paths whose order is that of bytes and of nothing else.
const PATHS: [&str; 9] = ["a", "a\u{1}", "a/", "a//b", "a/b", "aB", "ab", "a\u{e4}", "b"];

pub(crate) async fn ranges_are_cut_at_bytes(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (session, other) = (world.session().await, world.session().await);
    let changes: Vec<_> = PATHS.iter().map(|path| change(path, Some(path.as_bytes()))).collect();
    assert!(world.stage(&session, &changes).await);
    assert!(
        world.stage(&other, &[change("a/a", None), change("0", None), change("z", None)]).await
    );
    let expected: BTreeMap<&[u8], &StagedChange> =
        changes.iter().map(|change| (change.path.as_bytes(), change)).collect();
    let mut edges: Vec<Vec<u8>> = PATHS.iter().map(|path| path.as_bytes().to_vec()).collect();
    edges.extend([b"".to_vec(), b"a\0".to_vec(), b"a\xff".to_vec(), b"\xff".to_vec()]);
    let mut starts = vec![Bound::Unbounded];
    starts.extend(edges.iter().cloned().map(Bound::Included));
    starts.extend(edges.iter().cloned().map(Bound::Excluded));
    let ends: Vec<_> = edges.into_iter().map(Some).chain([None]).collect();
    for start in &starts {
        for end in &ends {
            let inside = |path: &[u8]| {
                let after = match start {
                    Bound::Included(first) => path >= &first[..],
                    Bound::Excluded(last) => path > &last[..],
                    Bound::Unbounded => true,
                };
                after && end.as_deref().is_none_or(|end| path < end)
            };
            let expected: Vec<_> = expected
                .iter()
                .filter(|(path, _)| inside(path))
                .map(|(_, change)| (*change).clone())
                .collect();
            for limit in [0, 1, 4, 100] {
                let found = catalog.staged(session.id, start.clone(), end.clone(), limit).await;
                let expected = &expected[..limit.min(expected.len())];
                assert_eq!(found.expect("changes"), expected, "{start:?} {end:?}");
            }
        }
    }
}

pub(crate) async fn segments_become_known_and_stay_as_they_are(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    let writer = catalog.open_writer(world.tick()).await.expect("a writer");
    let (first, second) =
        (segment(world.repository.id, writer, 0), segment(world.repository.id, writer, 1));
    let mut moved = first.clone();
    moved.file = "packed/elsewhere".to_owned();
    let stage = async |changes: &[StagedChange], segments: &[_]| {
        catalog.stage(session.id, changes, segments, None, world.tick()).await
    };
    assert!(stage(&[change("a", Some(b"1"))], std::slice::from_ref(&first)).await.expect("staged"));
    assert!(stage(&[change("b", None)], &[moved, second.clone()]).await.expect("staged"));
    let known = catalog.segments(None, 9).await.expect("segments");
    assert_eq!(known, [first, second]);
    let nobodys = segment(world.repository.id, model::WriterId(u64::MAX >> 1), 0);
    let refused = stage(&[change("c", None)], &[nobodys]).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    assert_eq!(all(&world, &session).await.len(), 2, "nothing of it was done");
    assert_eq!(revision(&world, &session).await, 2);
}

pub(crate) async fn completing_an_upload_stages_its_object(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (session, other) = (world.session().await, world.session().await);
    let (upload, theirs) = (world.upload(&session).await, world.upload(&other).await);
    let entry = [change("large", Some(b"entry"))];
    let complete = async |session: &Session, upload: UploadId, now| {
        catalog.stage(session.id, &entry, &[], Some(upload), now).await
    };
    let mut brief = world.new_upload(&session);
    brief.expires_at = brief.created_at.plus_ms(1);
    catalog.create_upload(&brief).await.expect("an upload");
    let late = complete(&session, brief.id, brief.expires_at).await;
    assert!(matches!(late, Err(Error::NotFound { .. })), "the upload has expired");
    assert!(catalog.abort_upload(brief.id).await.expect("an answer"));
    for gone in [theirs.id, UploadId(Uuid::new_v4())] {
        let refused = complete(&session, gone, world.tick()).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })));
    }
    assert_eq!(all(&world, &session).await, []);
    assert!(complete(&session, upload.id, world.tick()).await.expect("an answer"));
    assert_eq!(all(&world, &session).await, entry);
    assert_eq!(catalog.open_uploads().await.expect("uploads"), [theirs.id]);
    let again = complete(&session, upload.id, world.tick()).await;
    assert!(matches!(again, Err(Error::NotFound { .. })), "only once");
    assert_eq!(revision(&world, &session).await, 1);
}
