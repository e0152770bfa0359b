//! More bodies at a time than the server takes, and clients that hold what others need.

use std::sync::Arc;
use std::time::Duration;

use engine::{Kind, Result};
use model::Hash;
use model::limits::{
    PACKED_OBJECT_BYTES_MAX, UPLOAD_LANES_MAX, UPLOAD_MEMORY_BYTES, UPLOAD_PACE_MS, UPLOAD_WAIT_MS,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::world::{World, body, noise, slow, stalled, stating};

/// Milliseconds within which whatever need not wait has ended.
const PROMPT_MS: u64 = 5_000;

impl World {
    fn sends(self: &Arc<Self>, token: &str, body: engine::Body) -> JoinHandle<Result<Hash>> {
        let (world, token) = (Arc::clone(self), token.to_owned());
        tokio::spawn(async move { world.engine.receive(&token, body).await })
    }

    /// `many` clients that send `bytes` and then nothing, though they promised more.
    async fn stall(
        self: &Arc<Self>,
        many: usize,
        bytes: &[u8],
        length: Option<u64>,
    ) -> Vec<JoinHandle<Result<Hash>>> {
        let mut sending = Vec::new();
        for number in 0..many {
            let token = self.begin(&format!("stalled/{number}")).await;
            sending.push(self.sends(&token, stalled(bytes, length)));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        sending
    }
}

/// What became of a body, and after how many milliseconds of a clock that jumps to the next timer.
async fn ended(sending: JoinHandle<Result<Hash>>) -> (Result<Hash>, u64) {
    let since = Instant::now();
    tokio::time::pause();
    let outcome = sending.await.expect("no panic");
    tokio::time::resume();
    (outcome, since.elapsed().as_millis() as u64)
}

async fn others_wait_but_not_for_long(many: usize, held: &[u8], length: Option<u64>, size: usize) {
    let world = Arc::new(World::new().await);
    let (token, bytes) = (world.begin("a").await, noise(size, 1));
    let mut stalled = world.stall(many, held, length).await;
    let sending = world.sends(&token, body(&bytes));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (busy, after_ms) = ended(sending).await;
    let busy = busy.expect_err("nothing is free");
    assert_eq!((busy.kind, busy.code), (Kind::Unavailable, "UPLOADS_BUSY"));
    assert!(busy.message.contains("try again"), "{}", busy.message);
    assert!((UPLOAD_WAIT_MS - 1_000..UPLOAD_WAIT_MS + PROMPT_MS).contains(&after_ms), "{after_ms}");

    // One that goes away makes room for another.
    stalled.pop().expect("one of them").abort();
    world.engine.receive(&token, body(&bytes)).await.expect("received");
    // The others are given up.
    for (number, stalled) in stalled.into_iter().enumerate() {
        let (slow, after_ms) = ended(stalled).await;
        let slow = slow.expect_err("given up");
        assert_eq!(slow.kind, Kind::Invalid);
        assert!(slow.message.contains("too slowly"), "{}", slow.message);
        assert!(after_ms <= if number == 0 { UPLOAD_PACE_MS } else { PROMPT_MS }, "{after_ms}");
    }
    world.finalize("a", &token, stating(&bytes)).await.expect("staged");
    world.assert_staged("a", &bytes).await;
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn who_finds_all_memory_held_is_told_to_try_again() {
    let bodies = UPLOAD_MEMORY_BYTES / PACKED_OBJECT_BYTES_MAX as usize;
    others_wait_but_not_for_long(bodies, b"1", None, 10).await;
    others_wait_but_not_for_long(bodies, b"", Some(PACKED_OBJECT_BYTES_MAX), 10).await;
}

#[tokio::test]
async fn who_finds_all_lanes_held_is_told_to_try_again() {
    let length = PACKED_OBJECT_BYTES_MAX + 1;
    others_wait_but_not_for_long(UPLOAD_LANES_MAX, b"", Some(length), length as usize).await;
}

#[tokio::test]
async fn a_slow_body_is_taken_as_long_as_it_moves() {
    let world = Arc::new(World::new().await);
    // 300 KiB every 50 seconds; and a byte every 50 seconds.
    let bytes = noise(3_000 << 10, 2);
    let tokens = [world.begin("moving").await, world.begin("dripping").await];
    let pause = Duration::from_millis(UPLOAD_PACE_MS * 5 / 6);
    let moving = world.sends(&tokens[0], slow(&bytes, 300 << 10, pause));
    let dripping = world.sends(&tokens[1], slow(&bytes[..10], 1, pause));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (slow, after_ms) = ended(dripping).await;
    assert!(slow.expect_err("given up").message.contains("too slowly"));
    assert!(after_ms <= UPLOAD_PACE_MS, "{after_ms}");
    let (etag, after_ms) = ended(moving).await;
    assert_eq!(etag.expect("received"), Hash::of(&bytes));
    assert!(after_ms > 5 * UPLOAD_PACE_MS, "{after_ms}");
    world.finalize("moving", &tokens[0], stating(&bytes)).await.expect("staged");
    world.assert_staged("moving", &bytes).await;
}
