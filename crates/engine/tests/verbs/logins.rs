//! Signing in with a browser, the limits on guesses, and what users change of themselves.

use std::net::IpAddr;

use engine::{Credential, Engine, Kind, MeChange, NewLogin, NewUserSpec, Principal, Result};
use model::limits::{ADDRESS_FAILURES_MAX, LOGIN_DAYS};
use model::{Clock, Secret};

use crate::world::World;

const PASSWORD: &str = "the right one";
const MINUTE_MS: i64 = 60_000;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

async fn log_in(engine: &Engine, login: &str, password: &str) -> Result<NewLogin> {
    engine.log_in(login, &secret(password), None, "a-request").await
}

async fn by_login(engine: &Engine, token: &Secret) -> Result<Principal> {
    engine.authenticate(&Credential::Login(token.clone()), None).await
}

/// A user with a password and the principal of one of their logins, with its token.
async fn signed_in(world: &World, name: &str) -> (Principal, Secret) {
    let spec = NewUserSpec {
        username: name.into(),
        email: format!("{name}@example.com"),
        full_name: String::new(),
        password: Some(secret(PASSWORD)),
    };
    world.engine.add_user(spec).await.expect("a new user");
    let login = log_in(&world.engine, name, PASSWORD).await.expect("signed in");
    let principal = by_login(&world.engine, &login.token).await.expect("a principal");
    (principal, login.token)
}

fn code<T>(result: Result<T>) -> Option<&'static str> {
    result.err().map(|error| error.code)
}

#[tokio::test]
async fn a_login_lasts_its_days_and_ends_when_asked() {
    let world = World::new().await;
    let engine = &world.engine;
    let (ada, first) = signed_in(&world, "ada").await;
    let second = log_in(engine, "ada@example.com", PASSWORD).await.expect("by email");
    assert_eq!(second.user.id, ada.user.id);
    let days_ms = LOGIN_DAYS * 24 * 60 * MINUTE_MS;
    assert_eq!(second.expires_at, world.clock.now().plus_ms(days_ms));
    let (one, other) = (Engine::csrf_token(&first), Engine::csrf_token(&second.token));
    assert!(one != other && one.len() == 64 && !one.contains(first.expose()));

    engine.log_out(&ada, &first).await.expect("logged out");
    engine.log_out(&ada, &first).await.expect("once more does no harm");
    let ended = by_login(engine, &first).await.expect_err("logged out");
    assert_eq!(ended.kind, Kind::Unauthenticated);
    world.clock.advance_ms(days_ms - 1);
    assert_eq!(by_login(engine, &second.token).await.expect("signed in").user, ada.user);
    world.clock.advance_ms(1);
    assert_eq!(code(by_login(engine, &second.token).await), Some("UNAUTHORIZED"));
}

#[tokio::test]
async fn a_login_is_no_key_and_a_key_no_login() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let (_, login) = signed_in(&world, "ada").await;
    let key = engine.create_key(owner, "laptop", "").await.expect("a new key").token;
    assert!(engine.authenticate(&Credential::Token(login), None).await.is_err());
    assert!(by_login(engine, &key).await.is_err());
}

#[tokio::test]
async fn ten_wrong_passwords_lock_the_account_for_logins_and_basic_alike() {
    let world = World::new().await;
    let engine = &world.engine;
    let (ada, token) = signed_in(&world, "ada").await;
    for attempt in 0..10 {
        let wrong = log_in(engine, "ada", "a wrong one").await;
        assert_eq!(code(wrong), Some("UNAUTHORIZED"), "attempt {attempt}");
    }
    let locked = log_in(engine, "ada@example.com", PASSWORD).await.err().expect("locked");
    let kind = Kind::Throttled { retry_s: 15 * 60 };
    assert_eq!((locked.kind, locked.code), (kind, "ACCOUNT_LOCKED"));
    let basic = Credential::Basic { login: "ada".into(), password: secret(PASSWORD) };
    assert_eq!(code(engine.authenticate(&basic, None).await), Some("ACCOUNT_LOCKED"));
    let (current, new) = (secret(PASSWORD), secret("another one"));
    let change = engine.change_password(&ada, Some(&current), new, None).await;
    assert_eq!(code(change), Some("ACCOUNT_LOCKED"));
    assert!(by_login(engine, &token).await.is_ok(), "who is signed in stays so");
    world.clock.advance_ms(15 * MINUTE_MS);
    assert!(log_in(engine, "ada", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn an_address_that_guesses_has_to_wait_a_minute() {
    let world = World::new().await;
    let engine = &world.engine;
    signed_in(&world, "ada").await;
    let at = async |login: &str, password: &str, from| {
        engine.log_in(login, &secret(password), from, "").await
    };
    for number in 0..ADDRESS_FAILURES_MAX {
        // The whole /64 is one customer's.
        let from = address(&format!("2001:db8:1:2::{number:x}"));
        let login = format!("user-{number}");
        let wrong = match number % 2 {
            0 => code(at(&login, "a guess of many", from).await),
            _ => {
                let credential = Credential::Basic { login, password: secret("a guess of many") };
                code(engine.authenticate(&credential, from).await)
            }
        };
        assert_eq!(wrong, Some("UNAUTHORIZED"), "{number}");
        let neighbour = address("2001:db8:1:3::1");
        assert!(at("ada", PASSWORD, neighbour).await.is_ok(), "successes do not count");
    }
    let limited = at("ada", PASSWORD, address("2001:db8:1:2:ffff::")).await.err().expect("limited");
    let kind = Kind::Throttled { retry_s: 60 };
    assert_eq!((limited.kind, limited.code), (kind, "RATE_LIMITED"));
    let basic = Credential::Basic { login: "ada".into(), password: secret(PASSWORD) };
    let from = address("2001:db8:1:2::");
    assert_eq!(code(engine.authenticate(&basic, from).await), Some("RATE_LIMITED"));
    for elsewhere in [None, address("2001:db8:1:3::1"), address("203.0.113.1")] {
        assert!(at("ada", PASSWORD, elsewhere).await.is_ok(), "{elsewhere:?}");
    }
    let key = engine.issue_key("ada", "laptop").await.expect("a key");
    let by_key = engine.authenticate(&Credential::Token(key.token), from).await;
    assert!(by_key.is_ok(), "keys cannot be guessed");
    world.clock.advance_ms(MINUTE_MS);
    assert!(at("ada", PASSWORD, from).await.is_ok());
}

#[tokio::test]
async fn a_changed_password_ends_all_other_logins() {
    let world = World::new().await;
    let engine = &world.engine;
    let (ada, mine) = signed_in(&world, "ada").await;
    let (_, foreign) = signed_in(&world, "bob").await;
    let other = log_in(engine, "ada", PASSWORD).await.expect("signed in").token;
    let new = || secret("the next one");
    for (current, wanted) in
        [(None, "current_password: required"), (Some("a wrong one"), "current_password: wrong")]
    {
        let current = current.map(secret);
        let refused = engine.change_password(&ada, current.as_ref(), new(), Some(&mine)).await;
        let refused = refused.expect_err("refused");
        assert_eq!((refused.kind, &*refused.message), (Kind::Invalid, wanted));
    }
    let right = secret(PASSWORD);
    let short = engine.change_password(&ada, Some(&right), secret("short"), Some(&mine)).await;
    assert!(short.expect_err("refused").message.starts_with("new_password:"));
    assert!(by_login(engine, &other).await.is_ok(), "nothing has changed yet");

    let changed = engine.change_password(&ada, Some(&right), new(), Some(&mine)).await;
    changed.expect("changed");
    assert!(by_login(engine, &mine).await.is_ok(), "the one that asked goes on");
    assert!(by_login(engine, &foreign).await.is_ok(), "others are not concerned");
    assert_eq!(code(by_login(engine, &other).await), Some("UNAUTHORIZED"));
    assert_eq!(code(log_in(engine, "ada", PASSWORD).await), Some("UNAUTHORIZED"));
    assert!(log_in(engine, "ada", "the next one").await.is_ok());
    engine.change_password(&ada, Some(&new()), secret("the third one"), None).await.expect("again");
    assert!(by_login(engine, &mine).await.is_err(), "asked with a key, no login stays");
}

#[tokio::test]
async fn guesses_at_the_current_password_count_as_failed_logins() {
    let world = World::new().await;
    let (ada, _) = signed_in(&world, "ada").await;
    let guess = async || {
        let guess = secret("a wrong one");
        let changed = world.engine.change_password(&ada, Some(&guess), secret("my own now"), None);
        changed.await.expect_err("wrong").code
    };
    for attempt in 0..10 {
        assert_eq!(guess().await, "BAD_REQUEST", "attempt {attempt}");
    }
    assert_eq!(guess().await, "ACCOUNT_LOCKED");
    assert_eq!(code(log_in(&world.engine, "ada", PASSWORD).await), Some("ACCOUNT_LOCKED"));
}

#[tokio::test]
async fn a_first_password_needs_no_former_one_and_an_operator_none_at_all() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    assert_eq!(code(log_in(engine, "olga", PASSWORD).await), Some("UNAUTHORIZED"));
    engine.change_password(owner, None, secret(PASSWORD), None).await.expect("set");
    let login = log_in(engine, "olga", PASSWORD).await.expect("signed in");
    let olga = by_login(engine, &login.token).await.expect("a principal");
    assert!(engine.me(&olga).await.expect("me").has_password);

    engine.set_password("olga", secret("set by the operator")).await.expect("set");
    assert!(by_login(engine, &login.token).await.is_err(), "whoever was in is out");
    assert!(log_in(engine, "olga", "set by the operator").await.is_ok());
    for absent in ["absent", "olga@example.com"] {
        let absent = engine.set_password(absent, secret(PASSWORD)).await.expect_err("refused");
        assert_eq!(absent.kind, Kind::NotFound);
    }
    let short = engine.set_password("olga", secret("short")).await.expect_err("refused");
    assert!(short.message.starts_with("password:"), "{short}");
}

#[tokio::test]
async fn users_change_what_they_say_of_themselves_within_bounds() {
    let world = World::new().await;
    let (ada, token) = signed_in(&world, "ada").await;
    let full_name = MeChange { full_name: Some("Ada L.".into()), bio: None };
    let changed = world.engine.update_me(&ada, full_name).await.expect("changed");
    assert_eq!((&*changed.full_name, &*changed.bio), ("Ada L.", ""));
    let ada = by_login(&world.engine, &token).await.expect("a principal");
    let bio = MeChange { full_name: None, bio: Some("counts\nand writes".into()) };
    world.engine.update_me(&ada, bio).await.expect("changed");
    let ada = by_login(&world.engine, &token).await.expect("a principal");
    assert_eq!((&*ada.user.full_name, &*ada.user.bio), ("Ada L.", "counts\nand writes"));
    for (full_name, bio, field) in [
        (Some("two\nlines".to_owned()), None, "full_name:"),
        (Some("x".repeat(256)), None, "full_name:"),
        (Some("fine".to_owned()), Some("x".repeat(1 << 20)), "bio:"),
    ] {
        let refused = world.engine.update_me(&ada, MeChange { full_name, bio }).await;
        let refused = refused.expect_err("refused");
        assert!(refused.kind == Kind::Invalid && refused.message.starts_with(field), "{refused}");
    }
    assert_eq!(by_login(&world.engine, &token).await.expect("a principal").user, ada.user);
}
