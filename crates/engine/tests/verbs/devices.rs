//! Device login: how a command line comes by a key.

use std::net::IpAddr;

use engine::{Credential, DeviceLogin, DevicePoll, Engine, Kind};
use model::Secret;
use model::limits::{DEVICE_INTERVAL_S, DEVICE_MS};

use crate::world::World;

const INTERVAL_MS: i64 = DEVICE_INTERVAL_S as i64 * 1_000;
const MINUTE_MS: i64 = 60_000;

/// What a device learns, in one word; a token is handed out beside it.
async fn poll(engine: &Engine, device: &DeviceLogin) -> (&'static str, Option<Secret>) {
    match engine.poll_device_login(&device.device_code).await.expect("an answer") {
        DevicePoll::Pending => ("pending", None),
        DevicePoll::SlowDown => ("slow down", None),
        DevicePoll::Expired => ("expired", None),
        DevicePoll::Granted(token) => ("granted", Some(token)),
    }
}

async fn begin(engine: &Engine) -> DeviceLogin {
    engine.begin_device_login(None).await.expect("begun")
}

#[tokio::test]
async fn a_device_that_is_let_in_gets_one_key_once() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let (device, other) = (begin(engine).await, begin(engine).await);
    assert_ne!(device.user_code, other.user_code);
    assert_eq!((device.expires_s, device.interval_s), (15 * 60, DEVICE_INTERVAL_S));
    assert_eq!(poll(engine, &device).await.0, "pending");

    let typed = device.user_code.to_lowercase().replace('-', " ");
    engine.confirm_device_login(owner, &typed).await.expect("confirmed");
    let again = engine.confirm_device_login(owner, &device.user_code).await.expect_err("done");
    assert_eq!(again.kind, Kind::NotFound);
    let (granted, token) = poll(engine, &device).await;
    assert_eq!(granted, "granted", "at once, though it asked a moment ago");
    let token = token.expect("a token");
    assert!(token.expose().starts_with("tuk-"));
    assert_eq!(poll(engine, &device).await.0, "expired", "told once");
    assert_eq!(poll(engine, &other).await.0, "pending", "nobody let this one in");

    let credential = Credential::Token(token.clone());
    let by_key = engine.authenticate(&credential, None).await.expect("by token");
    assert_eq!(by_key.user.id, owner.user.id);
    let keys = engine.keys(owner).await.expect("keys");
    let key = keys.iter().find(|key| key.name == "device login").expect("the key");
    assert_eq!(key.description, "made by a device login on 2025-01-15");
    assert!(token.expose().ends_with(&key.hint));
    engine.revoke_key(owner, key.id).await.expect("revoked");
    assert!(engine.authenticate(&credential, None).await.is_err());
}

#[tokio::test]
async fn two_that_ask_at_once_share_one_key() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let device = begin(engine).await;
    engine.confirm_device_login(owner, &device.user_code).await.expect("confirmed");
    let polls = (0..8).map(|_| poll(engine, &device));
    let answers = futures_util::future::join_all(polls).await;
    let granted = answers.iter().filter(|(answer, _)| *answer == "granted").count();
    assert_eq!(granted, 1, "{:?}", answers.iter().map(|(answer, _)| answer).collect::<Vec<_>>());
    let keys = engine.keys(owner).await.expect("keys");
    assert_eq!(keys.iter().filter(|key| key.name == "device login").count(), 1);
}

#[tokio::test]
async fn a_device_in_a_hurry_is_slowed_down() {
    let world = World::new().await;
    let engine = &world.engine;
    let (device, other) = (begin(engine).await, begin(engine).await);
    assert_eq!(poll(engine, &device).await.0, "pending");
    assert_eq!(poll(engine, &device).await.0, "slow down");
    assert_eq!(poll(engine, &other).await.0, "pending", "each has an interval of its own");
    world.clock.advance_ms(INTERVAL_MS / 2);
    assert_eq!(poll(engine, &device).await.0, "slow down", "the last question counts");
    for _ in 0..3 {
        world.clock.advance_ms(INTERVAL_MS);
        assert_eq!(poll(engine, &device).await.0, "pending");
    }
}

#[tokio::test]
async fn codes_end_and_unknown_ones_look_the_same() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let (late, confirmed) = (begin(engine).await, begin(engine).await);
    world.clock.advance_ms(DEVICE_MS - 1);
    assert_eq!(poll(engine, &late).await.0, "pending");
    engine.confirm_device_login(owner, &confirmed.user_code).await.expect("in time");
    world.clock.advance_ms(1);
    for device in [&late, &confirmed] {
        assert_eq!(poll(engine, device).await.0, "expired");
        let gone = engine.confirm_device_login(owner, &device.user_code).await;
        assert_eq!(gone.expect_err("too late").kind, Kind::NotFound);
    }
    assert!(engine.keys(owner).await.expect("keys").iter().all(|key| key.name == "test"));
    for unknown in ["", "x", &"0".repeat(43), &"x".repeat(1 << 20), &*late.user_code] {
        let unknown = engine.poll_device_login(&Secret::new(unknown.to_owned())).await;
        assert!(matches!(unknown, Ok(DevicePoll::Expired)));
    }
}

#[tokio::test]
async fn guesses_at_codes_are_limited_by_user() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let other = world.user("otto").await;
    let device = begin(engine).await;
    for attempt in 0..10 {
        let wrong = ["BCDF-GHJK", "no code at all", ""][attempt % 3];
        let wrong = engine.confirm_device_login(owner, wrong).await.expect_err("wrong");
        assert_eq!(wrong.kind, Kind::NotFound, "attempt {attempt}");
    }
    let limited = engine.confirm_device_login(owner, &device.user_code).await;
    let limited = limited.expect_err("limited");
    let kind = Kind::Throttled { retry_s: 60 };
    assert_eq!((limited.kind, limited.code), (kind, "RATE_LIMITED"));
    world.clock.advance_ms(MINUTE_MS);
    engine.confirm_device_login(owner, &device.user_code).await.expect("after a minute");
    let second = begin(engine).await;
    engine.confirm_device_login(&other, &second.user_code).await.expect("others are not concerned");
}

#[tokio::test]
async fn an_address_begins_ten_a_minute() {
    let world = World::new().await;
    let engine = &world.engine;
    let from = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
    for number in 0..10 {
        let begun = engine.begin_device_login(from(&format!("2001:db8::{number}"))).await;
        assert!(begun.is_ok(), "{number}");
    }
    let limited = engine.begin_device_login(from("2001:db8::ffff")).await.err().expect("limited");
    let kind = Kind::Throttled { retry_s: 60 };
    assert_eq!((limited.kind, limited.code), (kind, "RATE_LIMITED"));
    for elsewhere in [None, from("2001:db8:0:1::1"), from("203.0.113.1")] {
        assert!(engine.begin_device_login(elsewhere).await.is_ok(), "{elsewhere:?}");
    }
    world.clock.advance_ms(MINUTE_MS);
    assert!(engine.begin_device_login(from("2001:db8::1")).await.is_ok());
}
