//! Round trips of single uploads, of every size and shape of body.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Kind, UploadSpec};
use model::{Content, Hash};

use crate::world::{MIB, ORG, REPO, World, body, broken, chunked, noise, stating};

#[tokio::test]
async fn bodies_of_every_size_are_stored_as_they_came() {
    let world = World::new().await;
    let sizes = [0, 1, MIB - 1, MIB, MIB + 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 80 * MIB];
    for size in sizes {
        let bytes = noise(size, size as u64);
        let sent = [(format!("known/{size}"), body(&bytes)), (format!("{size}"), chunked(&bytes))];
        for (path, body) in sent {
            let etag = world.upload(&path, body).await.expect("uploaded");
            assert_eq!(etag, Hash::of(&bytes), "{path}");
            world.assert_staged(&path, &bytes).await;
        }
    }
    let large = world.staged("83886080").await.expect("staged");
    assert!(matches!(large.content, Content::List(_)), "five pieces");
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn what_was_uploaded_can_be_read_and_committed() {
    let world = World::new().await;
    let large = noise(80 * MIB + 7, 1);
    let objects = [("empty", &large[..0]), ("a//b c\u{e9}", &large[..9]), ("large", &large[..])];
    for (path, bytes) in objects {
        world.upload(path, body(bytes)).await.expect("uploaded");
    }
    let staged = engine::At::Session(world.session);
    for (path, bytes) in objects {
        assert!(world.read(path, &staged).await.expect("its own writes") == bytes, "{path}");
        let unseen = world.read(path, &engine::At::Head).await.expect_err("not committed");
        assert_eq!(unseen.kind, Kind::NotFound);
    }
    let spec = engine::CommitSpec { message: "three".into(), metadata: BTreeMap::new() };
    let committed = world.engine.commit_session(&world.owner, ORG, REPO, world.session, spec).await;
    let at = engine::At::Commit(committed.expect("a commit").to_string());
    for (path, bytes) in objects {
        assert!(world.read(path, &at).await.expect("committed") == bytes, "{path}");
    }
    let report = world.engine.check(engine::Scope::All, &mut |_| ()).await.expect("checked");
    assert!(report.damage.is_empty(), "{:?}", report.damage);
}

#[tokio::test]
async fn one_request_does_as_well_as_three() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    for size in [0, 5, 3 * MIB] {
        let bytes = noise(size, 2);
        let (path, spec) = (format!("put/{size}"), stating(&bytes));
        let put = engine.put_object(owner, ORG, REPO, world.session, &path, spec, chunked(&bytes));
        assert_eq!(put.await.expect("put"), Hash::of(&bytes));
        world.assert_staged(&path, &bytes).await;
        let wrong = UploadSpec { size: Some(size as u64 + 1), ..UploadSpec::default() };
        let path = format!("wrong/{size}");
        let put = engine.put_object(owner, ORG, REPO, world.session, &path, wrong, body(&bytes));
        let error = put.await.expect_err("of another size");
        assert_eq!(error.kind, Kind::Invalid);
        assert!(world.staged(&path).await.is_none());
    }
}

#[tokio::test]
async fn what_the_client_says_of_an_object_is_kept() {
    let world = World::new().await;
    let metadata = BTreeMap::from([("Colour".to_owned(), "red".to_owned())]);
    let spec = UploadSpec {
        content_type: Some("text/csv; charset=utf-8".into()),
        metadata: metadata.clone(),
        ..UploadSpec::default()
    };
    let token = world.begin("a").await;
    world.engine.receive(&token, body(b"1,2")).await.expect("received");
    world.clock.advance_ms(1_500);
    world.finalize("a", &token, spec).await.expect("staged");
    let entry = world.assert_staged("a", b"1,2").await;
    assert_eq!(&*entry.content_type, "text/csv; charset=utf-8");
    assert_eq!((entry.metadata, entry.source), (metadata, None));
    assert_eq!(entry.last_modified, model::Clock::now(&*world.clock));
    world.upload("b", body(b"x")).await.expect("uploaded");
    let plain = world.assert_staged("b", b"x").await;
    assert_eq!(&*plain.content_type, "application/octet-stream");
}

#[tokio::test]
async fn wrong_size_or_checksum_is_refused_and_can_be_corrected() {
    let world = World::new().await;
    for (path, bytes) in [("a", noise(9, 3)), ("b", noise(2 * MIB, 4))] {
        let token = world.begin(path).await;
        let etag = world.engine.receive(&token, body(&bytes)).await.expect("received");
        let other = Hash::of(b"something else").to_string();
        let more = Some(bytes.len() as u64 + 1);
        for (field, checksum, size) in [
            ("checksum", Some(other.as_str()), None),
            ("checksum", Some("d41d8cd98f00b204e9800998ecf8427e"), None),
            ("checksum", Some(""), None),
            ("size_bytes", None, more),
            ("size_bytes", Some(&*etag.to_string()), more),
        ] {
            let checksum = checksum.map(str::to_owned);
            let spec = UploadSpec { checksum, size, ..UploadSpec::default() };
            let error = world.finalize(path, &token, spec).await.expect_err("refused");
            assert_eq!((error.kind, error.code), (Kind::Invalid, "BAD_REQUEST"));
            assert!(error.message.starts_with(field), "{error}");
        }
        let spec = UploadSpec { checksum: Some(other.clone()), ..UploadSpec::default() };
        let named = world.finalize(path, &token, spec).await.expect_err("refused").message;
        assert!(named.contains(&other) && named.contains(&etag.to_string()), "{named}");
        assert!(world.staged(path).await.is_none());
        let checksum = Some(format!("\"{}\"", etag.to_string().to_uppercase()));
        let spec = UploadSpec { checksum, ..stating(&bytes) };
        world.finalize(path, &token, spec).await.expect("corrected");
        world.assert_staged(path, &bytes).await;
    }
}

#[tokio::test]
async fn texts_are_bounded() {
    let world = World::new().await;
    let token = world.begin("a").await;
    world.engine.receive(&token, body(b"1")).await.expect("received");
    let content_type =
        |text: &str| UploadSpec { content_type: Some(text.to_owned()), ..UploadSpec::default() };
    let metadata = |pairs: usize, bytes: usize| UploadSpec {
        metadata: (0..pairs).map(|n| (format!("{n:04}"), "v".repeat(bytes))).collect(),
        ..UploadSpec::default()
    };
    let refused = [
        content_type("text/plain\r\nSet-Cookie: x"),
        content_type(&"x".repeat(256)),
        metadata(257, 0),
        metadata(1, 16 << 10),
    ];
    for spec in refused {
        let error = world.finalize("a", &token, spec).await.expect_err("refused");
        assert_eq!(error.kind, Kind::Invalid);
    }
    world.finalize("a", &token, metadata(256, 60)).await.expect("as much as there may be");
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_and_is_sent_again() {
    let world = World::new().await;
    for (size, length) in [
        (100_000, Some(200_000)),
        (100_000, None),
        (3 * MIB, Some(4 * MIB as u64)),
        (40 * MIB, None),
    ] {
        let bytes = noise(size, 5);
        let path = format!("{size}/{length:?}");
        let token = world.begin(&path).await;
        let error = world.engine.receive(&token, broken(&bytes, length)).await;
        let error = error.expect_err("cut off");
        assert_eq!((error.kind, error.code), (Kind::Invalid, "BAD_REQUEST"));
        let nothing = world.finalize(&path, &token, UploadSpec::default()).await;
        assert_eq!(nothing.expect_err("no bytes").kind, Kind::Invalid);
        world.engine.receive(&token, body(&bytes)).await.expect("received");
        world.finalize(&path, &token, stating(&bytes)).await.expect("staged");
        world.assert_staged(&path, &bytes).await;
    }
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn a_body_must_have_the_length_it_states() {
    let world = World::new().await;
    for size in [10, 2 * MIB] {
        for stated in [size - 1, size + 1] {
            let token = world.begin("a").await;
            let sent = engine::Body { length: Some(stated as u64), ..body(&noise(size, 6)) };
            let error = world.engine.receive(&token, sent).await.expect_err("of another length");
            assert_eq!(error.kind, Kind::Invalid);
        }
    }
    let most = model::limits::OBJECT_BYTES_MAX;
    let token = world.begin("a").await;
    let sent = engine::Body { length: Some(most + 1), ..body(b"") };
    let error = world.engine.receive(&token, sent).await.expect_err("too long");
    assert_eq!(error.kind, Kind::Invalid);
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn the_last_body_counts() {
    let world = World::new().await;
    let token = world.begin("a").await;
    for bytes in [noise(10, 7), noise(5 * MIB, 8), noise(11, 9)] {
        world.engine.receive(&token, body(&bytes)).await.expect("received");
    }
    let stale = world.finalize("a", &token, stating(&noise(10, 7))).await;
    assert_eq!(stale.expect_err("replaced").kind, Kind::Invalid);
    world.finalize("a", &token, stating(&noise(11, 9))).await.expect("staged");
    world.assert_staged("a", &noise(11, 9)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn small_uploads_share_segments() {
    const UPLOADS: u64 = 200;
    let world = Arc::new(World::new().await);
    let before = world.counts.created();
    let uploads = (0..UPLOADS).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let bytes = noise(8_192 + number as usize, number);
            world.upload(&format!("small/{number}"), body(&bytes)).await.expect("uploaded");
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        upload.await.expect("no panic");
    }
    let segments = world.counts.created() - before;
    assert!((1..=UPLOADS / 4).contains(&segments), "{segments} segments");
    for number in 0..UPLOADS {
        let bytes = noise(8_192 + number as usize, number);
        world.assert_staged(&format!("small/{number}"), &bytes).await;
    }
}
