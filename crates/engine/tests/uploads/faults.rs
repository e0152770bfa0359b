//! A store or a step that fails: whoever waits is told, nothing is left, and another try works.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use blocks::faulty::Call;
use engine::{At, CommitSpec, Kind, Result, UploadSpec};
use futures_util::FutureExt;

use crate::world::{MIB, ORG, REPO, World, body, noise, part, stalled, stating};

#[tokio::test]
async fn a_segment_that_cannot_be_sealed_fails_all_that_is_in_it() {
    let world = World::new().await;
    let tokens = [world.begin("a").await, world.begin("b").await];
    for token in &tokens {
        world.engine.receive(token, body(b"1")).await.expect("received");
    }
    world.faulty.fail(Call::Finish, 1, ErrorKind::Other);
    for (path, token) in ["a", "b"].into_iter().zip(&tokens) {
        let lost = world.finalize(path, token, UploadSpec::default()).await.expect_err("lost");
        assert_eq!(lost.kind, Kind::Internal, "{path}");
        let gone = world.finalize(path, token, UploadSpec::default()).await.expect_err("gone");
        assert_eq!(gone.kind, Kind::NotFound, "{path}");
        assert!(world.staged(path).await.is_none());
    }
    world.upload("a", body(b"2")).await.expect("uploaded");
    world.assert_staged("a", b"2").await;
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_costs_only_what_was_on_its_way() {
    let world = World::new().await;
    world.upload("before", body(b"1")).await.expect("uploaded");
    for (call, size, nth) in [
        (Call::Create, 10, 1),
        (Call::Create, 2 * MIB, 1),
        (Call::Write, 2 * MIB, 1),
        (Call::Write, 70 * MIB, 20),
        (Call::Create, 70 * MIB, 2),
        (Call::Finish, 70 * MIB, 1),
        (Call::Finish, 70 * MIB, 2),
    ] {
        let (bytes, token) = (noise(size, 1), world.begin("a").await);
        world.faulty.fail(call, nth, ErrorKind::StorageFull);
        let full = world.engine.receive(&token, body(&bytes)).await.expect_err("full");
        assert_eq!(full.kind, Kind::Unavailable, "{call:?} {size} {nth}: {full:?}");
        world.engine.receive(&token, body(&bytes)).await.expect("another try");
        world.finalize("a", &token, stating(&bytes)).await.expect("staged");
        world.assert_staged("a", &bytes).await;
    }
    world.assert_staged("before", b"1").await;
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn a_step_that_fails_after_the_barrier_can_be_repeated() {
    let world = World::new().await;
    for (path, site) in [("a", "upload.durable"), ("b", "upload.staged")] {
        for bytes in [noise(10, 1), noise(2 * MIB, 2)] {
            let token = world.begin(path).await;
            world.engine.receive(&token, body(&bytes)).await.expect("received");
            world.trip.at(site);
            let failed = world.finalize(path, &token, stating(&bytes)).await.expect_err(site);
            assert_eq!(failed.kind, Kind::Internal);
            world.finalize(path, &token, stating(&bytes)).await.expect("another try");
            world.assert_staged(path, &bytes).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_and_disturbs_nobody() {
    let world = Arc::new(World::new().await);
    for (size, length) in [(10, None), (3 * MIB, None), (70 * MIB, Some(80 * MIB as u64))] {
        let token = world.begin("a").await;
        let receiving = {
            let (world, token, sent) =
                (Arc::clone(&world), token.clone(), stalled(&noise(size, 1), length));
            tokio::spawn(async move { world.engine.receive(&token, sent).await })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        receiving.abort();
        assert!(receiving.await.is_err_and(|error| error.is_cancelled()));
        world.engine.receive(&token, body(b"1")).await.expect("received");
        world.finalize("a", &token, stating(b"1")).await.expect("staged");
        world.assert_staged("a", b"1").await;
    }
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn a_finalize_that_is_cut_off_can_be_repeated() {
    let world = World::new().await;
    let mut cut_off = 0;
    for polls in 0..40 {
        let (path, bytes) = (format!("cut/{polls}"), noise(10, polls));
        let token = world.begin(&path).await;
        world.engine.receive(&token, body(&bytes)).await.expect("received");
        let mut first = Box::pin(world.finalize(&path, &token, stating(&bytes)));
        let mut ended = None;
        for _ in 0..=polls {
            ended = ended.or_else(|| first.as_mut().now_or_never());
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        drop(first);
        match ended {
            Some(ended) => drop(ended.expect("staged")),
            None => {
                cut_off += 1;
                world.finalize(&path, &token, stating(&bytes)).await.expect("staged");
            }
        }
        world.assert_staged(&path, &bytes).await;
    }
    assert!(cut_off > 0, "the first look at it cannot have been enough");
}

/// What a user does in a session, from an upload to the commit.
async fn work(world: Arc<World>, path: String, bytes: Vec<u8>) -> Result<()> {
    let (engine, owner, session) = (&world.engine, &world.owner, world.session);
    world.upload(&path, body(&bytes)).await?;
    let spec = stating(&bytes);
    engine.put_object(owner, ORG, REPO, session, "put", spec, body(&bytes)).await?;
    let parts = world.begin_parts("parts").await;
    let token = engine.sign_part(owner, ORG, REPO, session, "parts", &parts, 1).await?;
    let etag = engine.receive(&token, body(&bytes)).await?;
    world.complete("parts", &parts, &[part(1, etag)], stating(&bytes)).await?;
    engine.copy_object(owner, ORG, REPO, session, &path, "copy").await?;
    let spec = CommitSpec { message: "all of it".into(), ..CommitSpec::default() };
    engine.commit_session(owner, ORG, REPO, session, spec).await.map(drop)
}

#[tokio::test]
async fn whatever_fails_or_panics_at_any_step_it_can_be_done_again() {
    let sites =
        ["upload.received", "upload.durable", "upload.staged", "copy.found", "land.pages_durable"];
    let mut world = World::new().await;
    for (size, panics) in [(10, false), (10, true), (3 * MIB, false), (3 * MIB, true)] {
        for site in sites {
            world.session = world.open_session().await;
            let (bytes, path) = (noise(size, size as u64), format!("{site}/{size}/{panics}"));
            match panics {
                true => world.trip.panic_at(site),
                false => world.trip.at(site),
            }
            let shared = Arc::new(world);
            let tried = tokio::spawn(work(Arc::clone(&shared), path.clone(), bytes.clone())).await;
            match panics {
                true => assert!(tried.is_err_and(|error| error.is_panic()), "{path}"),
                false => {
                    let failed = tried.expect("no panic").expect_err(&path);
                    assert_eq!(failed.kind, Kind::Internal, "{path}");
                }
            }
            let unseen = shared.read(&path, &At::Head).await.expect_err("not committed");
            assert_eq!(unseen.kind, Kind::NotFound, "{path}");
            work(Arc::clone(&shared), path.clone(), bytes.clone()).await.expect("another try");
            for path in [&*path, "put", "parts", "copy"] {
                assert!(shared.read(path, &At::Head).await.expect("committed") == bytes, "{path}");
            }
            world = Arc::into_inner(shared).expect("the tasks have ended");
        }
    }
    let report = world.engine.check(engine::Scope::All, &mut |_| ()).await.expect("checked");
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    world.assert_nothing_open().await;
}
