//! Multipart uploads: aligned or not, in any order, replaced, missing, and across a restart.

use std::io::ErrorKind;
use std::sync::Arc;

use blocks::faulty::Call;
use engine::{Body, Kind, PartOf, PartRef, Result, UploadSpec};
use model::{Content, Hash};

use crate::world::{DAY_MS, MIB, ORG, REPO, World, body, broken, chunked, noise, part, stating};

impl World {
    pub(crate) async fn begin_parts(&self, path: &str) -> PartOf {
        let begun = self.engine.begin_multipart(&self.owner, ORG, REPO, self.session, path).await;
        let begun = begun.expect("an upload");
        PartOf { id: begun.id, token: Some(begun.token) }
    }

    async fn sign(&self, path: &str, upload: &PartOf, number: u32) -> Result<String> {
        let (owner, session) = (&self.owner, self.session);
        self.engine.sign_part(owner, ORG, REPO, session, path, upload, number).await
    }

    pub(crate) async fn send(
        &self,
        path: &str,
        upload: &PartOf,
        number: u32,
        body: Body,
    ) -> PartRef {
        let token = self.sign(path, upload, number).await.expect("a link");
        part(number, self.engine.receive(&token, body).await.expect("received"))
    }

    pub(crate) async fn complete(
        &self,
        path: &str,
        upload: &PartOf,
        parts: &[PartRef],
        spec: UploadSpec,
    ) -> Result<Hash> {
        let (owner, session, parts) = (&self.owner, self.session, parts.to_vec());
        self.engine.complete_multipart(owner, ORG, REPO, session, path, upload, parts, spec).await
    }

    /// Sends these bytes in parts of these sizes and completes them; gives the bytes read for that.
    async fn put_parts(&self, path: &str, bytes: &[u8], sizes: &[usize], known: bool) -> u64 {
        let upload = self.begin_parts(path).await;
        let (mut rest, mut parts) = (bytes, Vec::new());
        for (number, size) in (1..).zip(sizes) {
            let (now, later) = rest.split_at(*size);
            let sent = if known { body(now) } else { chunked(now) };
            parts.push(self.send(path, &upload, number, sent).await);
            rest = later;
        }
        assert!(rest.is_empty());
        let before = self.counts.read_bytes();
        let etag = self.complete(path, &upload, &parts, stating(bytes)).await.expect("completed");
        assert_eq!(etag, Hash::of(bytes), "{path}");
        let read = self.counts.read_bytes() - before;
        self.assert_staged(path, bytes).await;
        read
    }
}

#[tokio::test]
async fn parts_of_whole_pieces_are_not_read_again() {
    let world = World::new().await;
    let bytes = noise(85 * MIB, 1);
    for (path, sizes) in [
        ("two", &[64 * MIB, 21 * MIB][..]),
        ("power of two", &[64 * MIB, 16 * MIB, 5 * MIB]),
        ("small pieces", &[16 * MIB, 16 * MIB, 16 * MIB, 16 * MIB, 16 * MIB, 5 * MIB]),
        ("one", &[85 * MIB]),
    ] {
        assert_eq!(world.put_parts(path, &bytes, sizes, true).await, 0, "{path}");
        let entry = world.staged(path).await.expect("staged");
        assert!(matches!(entry.content, Content::List(_)), "{path}");
    }
    let bytes = noise(48 * MIB + 9, 2);
    let sizes = [32 * MIB, 16 * MIB + 9];
    assert_eq!(world.put_parts("two", &bytes, &sizes, true).await, 0, "replaces what is staged");
    // Only after the first part can be guessed where the next begins.
    assert_eq!(world.put_parts("unknown lengths", &bytes, &sizes, false).await, 0);
}

#[tokio::test]
async fn other_parts_are_cut_anew() {
    let world = World::new().await;
    let bytes = noise(37 * MIB + 3, 3);
    for (path, sizes) in [
        ("five", &[5 * MIB, 5 * MIB, 27 * MIB + 3][..]),
        ("small", &[100, 5 * MIB, 32 * MIB - 97]),
        ("late", &[16 * MIB, 17 * MIB, 4 * MIB + 3]),
        ("empty ones", &[0, 16 * MIB, 0, 21 * MIB + 3, 0]),
    ] {
        for known in [true, false] {
            world.put_parts(path, &bytes, sizes, known).await;
        }
    }
    let late = world.put_parts("late", &bytes, &[16 * MIB, 17 * MIB, 4 * MIB + 3], true).await;
    assert!(late < 28 * MIB as u64, "{late} bytes read: the first part stays");
    for size in [0, 1, MIB, MIB + 1, 16 * MIB, 16 * MIB + 1] {
        world.put_parts("one", &bytes[..size], &[size], true).await;
        world.put_parts("two", &bytes[..size], &[size / 2, size - size / 2], true).await;
    }
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn parts_come_in_any_order_and_the_last_of_a_number_counts() {
    let world = World::new().await;
    let bytes = noise(40 * MIB, 4);
    let cut = [&bytes[..16 * MIB], &bytes[16 * MIB..32 * MIB], &bytes[32 * MIB..]];
    let upload = world.begin_parts("a").await;
    let third = world.send("a", &upload, 3, body(cut[2])).await;
    let wrong = world.send("a", &upload, 1, body(b"not this")).await;
    let second = world.send("a", &upload, 2, body(cut[1])).await;
    let first = world.send("a", &upload, 1, body(cut[0])).await;
    let unused = world.send("a", &upload, 7, body(b"nor this")).await;
    let spec = || stating(&bytes);
    for (parts, named) in [
        (vec![wrong, second.clone(), third.clone()], "part 1"),
        (vec![second.clone(), first.clone(), third.clone()], "ascend"),
        (vec![first.clone(), first.clone()], "ascend"),
        (vec![first.clone(), second.clone(), part(4, Hash([0; 32]))], "part 4"),
        (vec![first.clone(), second.clone(), PartRef { etag: "x".into(), ..third.clone() }], "3"),
        (vec![first.clone(), second.clone(), third.clone(), unused], "size_bytes"),
    ] {
        let error = world.complete("a", &upload, &parts, spec()).await.expect_err("refused");
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.contains(named), "{named}: {error}");
    }
    let other = UploadSpec { checksum: Some(Hash([1; 32]).to_string()), ..UploadSpec::default() };
    let parts = [first, second, third];
    let error = world.complete("a", &upload, &parts, other).await.expect_err("other bytes");
    assert!(error.message.starts_with("checksum"), "{error}");
    world.complete("a", &upload, &parts, spec()).await.expect("corrected");
    world.assert_staged("a", &bytes).await;
    let again = world.complete("a", &upload, &parts, spec()).await.expect_err("complete");
    assert_eq!(again.kind, Kind::NotFound);
}

#[tokio::test]
async fn no_parts_make_an_empty_object() {
    let world = World::new().await;
    let upload = world.begin_parts("a").await;
    world.send("a", &upload, 1, body(b"left out")).await;
    let etag = world.complete("a", &upload, &[], stating(b"")).await.expect("completed");
    assert_eq!(etag, Hash::of(b""));
    world.assert_staged("a", b"").await;
}

#[tokio::test]
async fn parts_outlive_a_restart() {
    let mut world = World::new().await;
    let bytes = noise(33 * MIB, 5);
    let upload = world.begin_parts("a").await;
    let first = world.send("a", &upload, 1, body(&bytes[..32 * MIB])).await;
    let small = world.send("a", &upload, 2, body(b"small")).await;
    world.restart().await;
    let second = world.send("a", &upload, 2, body(&bytes[32 * MIB..])).await;
    let parts = [first.clone(), second];
    let before = world.counts.read_bytes();
    world.complete("a", &upload, &parts, stating(&bytes)).await.expect("completed");
    assert_eq!(world.counts.read_bytes(), before);
    world.assert_staged("a", &bytes).await;
    let upload = world.begin_parts("b").await;
    world.send("b", &upload, 1, body(b"small")).await;
    world.restart().await;
    let parts = [PartRef { number: 1, ..small }];
    let complete = world.complete("b", &upload, &parts, UploadSpec::default()).await;
    // Hashed for another place, so another ETag: what counts is that it is compared.
    assert!(complete.is_ok() || complete.is_err_and(|error| error.message.contains("part 1")));
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let world = World::new().await;
    let (engine, owner, session) = (&world.engine, &world.owner, world.session);
    let upload = world.begin_parts("a").await;
    let token = world.sign("a", &upload, 1).await.expect("a link");
    let sent = world.send("a", &upload, 1, body(b"1")).await;
    let unsigned = PartOf { token: None, ..upload.clone() };
    for _ in 0..2 {
        let aborted = engine.abort_multipart(owner, ORG, REPO, session, "a", &unsigned).await;
        aborted.expect("aborted, or gone already");
    }
    let gone = engine.receive(&token, body(b"1")).await.expect_err("gone");
    assert_eq!(gone.kind, Kind::NotFound);
    assert_eq!(world.sign("a", &upload, 1).await.expect_err("gone").kind, Kind::NotFound);
    let gone = world.complete("a", &upload, &[sent], stating(b"1")).await.expect_err("gone");
    assert_eq!(gone.kind, Kind::NotFound);
}

#[tokio::test]
async fn an_upload_is_one_to_its_path_and_session() {
    let mut world = World::new().await;
    let upload = world.begin_parts("a").await;
    let unsigned = PartOf { token: None, ..upload.clone() };
    world.sign("a", &unsigned, 1).await.expect("the id is enough");
    assert_eq!(world.sign("b", &unsigned, 1).await.expect_err("refused").kind, Kind::NotFound);
    assert_eq!(world.sign("b", &upload, 1).await.expect_err("refused").code, "LINK_INVALID");
    let missing = world.complete("a", &unsigned, &[], UploadSpec::default()).await;
    assert_eq!(missing.expect_err("no token").kind, Kind::Invalid);
    for number in [0, 10_001] {
        let refused = world.sign("a", &upload, number).await.expect_err("refused");
        assert_eq!(refused.kind, Kind::Invalid);
    }
    world.session = world.open_session().await;
    assert_eq!(world.sign("a", &unsigned, 1).await.expect_err("refused").kind, Kind::NotFound);
    assert_eq!(world.sign("a", &upload, 1).await.expect_err("refused").code, "LINK_INVALID");
}

#[tokio::test]
async fn an_upload_expires_after_a_day() {
    let world = World::new().await;
    let upload = world.begin_parts("a").await;
    let token = world.sign("a", &upload, 1).await.expect("a link");
    world.send("a", &upload, 1, body(b"1")).await;
    world.clock.advance_ms(DAY_MS);
    let late = world.engine.receive(&token, body(b"1")).await.expect_err("late");
    assert_eq!(late.code, "LINK_EXPIRED");
    let unsigned = PartOf { token: None, ..upload };
    assert_eq!(world.sign("a", &unsigned, 1).await.expect_err("late").kind, Kind::NotFound);
    assert!(world.engine.keep_house().await.expect("kept") > 0);
    assert!(world.catalog.open_uploads().await.expect("a list").is_empty());
    assert!(world.catalog.parts(unsigned.id).await.expect("a list").is_empty());
}

#[tokio::test]
async fn a_part_that_fails_is_sent_again() {
    let world = World::new().await;
    let upload = world.begin_parts("a").await;
    let token = world.sign("a", &upload, 1).await.expect("a link");
    for bytes in [noise(10, 6), noise(20 * MIB, 7)] {
        let cut = world.engine.receive(&token, broken(&bytes, None)).await.expect_err("cut off");
        assert_eq!(cut.kind, Kind::Invalid);
        world.faulty.fail(Call::Finish, 1, ErrorKind::StorageFull);
        let full = world.engine.receive(&token, body(&bytes)).await.expect_err("full");
        assert_eq!(full.kind, Kind::Unavailable);
        assert!(world.catalog.parts(upload.id).await.expect("a list").is_empty());
    }
    let sent = world.send("a", &upload, 1, body(b"1")).await;
    world.trip.at("upload.durable");
    let failed = world.complete("a", &upload, std::slice::from_ref(&sent), stating(b"1")).await;
    assert_eq!(failed.expect_err("failed").kind, Kind::Internal);
    world.complete("a", &upload, &[sent], stating(b"1")).await.expect("another try");
    world.assert_staged("a", b"1").await;
    world.assert_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn completing_waits_for_parts_and_happens_once() {
    let world = Arc::new(World::new().await);
    let bytes = noise(2 * MIB, 8);
    let upload = world.begin_parts("a").await;
    let sent = world.send("a", &upload, 1, body(&bytes)).await;
    let complete = || {
        let (world, upload, sent) = (Arc::clone(&world), upload.clone(), sent.clone());
        let spec = stating(&bytes);
        tokio::spawn(async move { world.complete("a", &upload, &[sent], spec).await })
    };
    let ended = [complete(), complete()];
    let mut won = 0;
    for ended in ended {
        match ended.await.expect("no panic") {
            Ok(etag) => won += usize::from(etag == Hash::of(&bytes)),
            Err(error) => assert_eq!(error.kind, Kind::NotFound),
        }
    }
    assert_eq!(won, 1);
    world.assert_staged("a", &bytes).await;
}
