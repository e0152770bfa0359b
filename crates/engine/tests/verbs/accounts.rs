//! Accounts: the first start, keys, passwords.

use engine::{Credential, Kind, NewUserSpec};
use model::{ApiKeyId, Clock, Entropy, Secret};

use crate::world::World;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn basic(login: &str, password: &str) -> Credential {
    Credential::Basic { login: login.into(), password: secret(password) }
}

fn spec(username: &str, password: Option<&str>) -> NewUserSpec {
    NewUserSpec {
        username: username.into(),
        email: format!("{username}@example.com"),
        full_name: "Ada L.".into(),
        password: password.map(secret),
    }
}

#[tokio::test]
async fn the_first_start_makes_an_admin_once() {
    let world = World::empty();
    let engine = &world.engine;
    let weak = engine.bootstrap(Some(secret("tuk-weak")), None).await;
    assert_eq!(weak.err().map(|error| error.kind), Some(Kind::Invalid));
    let chosen = secret("tuk-chosen-by-the-operator");
    let new = engine.bootstrap(Some(chosen.clone()), Some(secret("a password"))).await;
    let new = new.expect("made").expect("the catalog was empty");
    assert_eq!(new.key.hint, "ator");
    let admin = engine.authenticate(&Credential::Token(chosen), None).await.expect("by token");
    assert_eq!((admin.user.username.as_str(), admin.user.has_password), ("admin", true));
    assert!(engine.authenticate(&basic("admin", "a password"), None).await.is_ok());
    assert!(engine.bootstrap(None, None).await.expect("no error").is_none());
    let me = engine.me(&admin).await.expect("me");
    assert!(me.has_password && me.organizations.is_empty());
}

#[tokio::test]
async fn keys_come_show_their_hint_and_go() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let new = engine.create_key(owner, "laptop", "my own").await.expect("a new key");
    let token = new.token.expose();
    assert!(token.starts_with("tuk-") && token.len() == 53 && token.ends_with(&new.key.hint));
    let credential = Credential::Token(new.token.clone());
    let by_key = engine.authenticate(&credential, None).await.expect("by token");
    assert_eq!(by_key.user.id, owner.user.id);
    let names = |keys: Vec<model::ApiKey>| keys.into_iter().map(|k| k.name).collect::<Vec<_>>();
    assert_eq!(names(engine.keys(owner).await.expect("keys")), ["test", "laptop"]);

    let other = world.user("otto").await;
    let foreign = engine.revoke_key(&other, new.key.id).await.expect_err("not theirs");
    assert_eq!(foreign.kind, Kind::NotFound);
    engine.revoke_key(owner, new.key.id).await.expect("revoked");
    assert_eq!(names(engine.keys(owner).await.expect("keys")), ["test"]);
    let revoked = engine.authenticate(&credential, None).await.expect_err("revoked");
    assert_eq!(revoked.kind, Kind::Unauthenticated);
    let absent = engine.revoke_key(owner, ApiKeyId(world.entropy.uuid())).await;
    assert_eq!(absent.expect_err("absent").kind, Kind::NotFound);
    for name in ["", "  ", &"x".repeat(256)] {
        let error = engine.create_key(owner, name, "").await.err().expect("refused");
        assert!(error.kind == Kind::Invalid && error.message.starts_with("name:"), "{error}");
    }
}

#[tokio::test]
async fn a_key_tells_when_it_was_last_used() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let new = engine.create_key(owner, "laptop", "").await.expect("a new key");
    let last_used = async || {
        let keys = engine.keys(owner).await.expect("keys");
        keys.into_iter().find(|key| key.id == new.key.id).expect("the key").last_used_at
    };
    assert_eq!(last_used().await, None);
    world.clock.advance_ms(3_600_000);
    let used = world.clock.now();
    engine.authenticate(&Credential::Token(new.token), None).await.expect("by token");
    // It is recorded behind the answer's back.
    let recorded = async {
        while last_used().await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(10), recorded).await;
    in_time.expect("the use is recorded");
    assert_eq!(last_used().await, Some(used));
}

#[tokio::test]
async fn users_are_checked_and_unique() {
    let world = World::new().await;
    let engine = &world.engine;
    let ada = engine.add_user(spec("ada", None)).await.expect("a new user");
    assert_eq!((ada.display_name(), ada.has_password), ("Ada L.", false));
    let taken = engine.add_user(spec("ada", None)).await.expect_err("taken");
    assert_eq!(taken.kind, Kind::Conflict);
    for (username, field) in [("Ada", "username:"), ("a", "username:"), ("", "username:")] {
        let error = engine.add_user(spec(username, None)).await.expect_err("refused");
        assert!(error.kind == Kind::Invalid && error.message.starts_with(field), "{error}");
    }
    let short = engine.add_user(spec("bob", Some("short"))).await.expect_err("refused");
    assert!(short.message.starts_with("password:"), "{short}");
    let absent = engine.issue_key("absent", "key").await.err().expect("refused");
    assert_eq!(absent.kind, Kind::NotFound);
    let by_email = engine.issue_key("ada@example.com", "key").await.err().expect("refused");
    assert_eq!(by_email.kind, Kind::NotFound);
}

#[tokio::test]
async fn passwords_open_by_name_or_email_and_lock_after_ten() {
    let world = World::new().await;
    let engine = &world.engine;
    engine.add_user(spec("ada", Some("the right one"))).await.expect("a new user");
    for login in ["ada", "ada@example.com"] {
        let ada = engine.authenticate(&basic(login, "the right one"), None).await.expect("ada");
        assert_eq!(ada.user.username, "ada");
    }
    for login in ["ada", "unknown"] {
        for attempt in 0..10 {
            let error = engine.authenticate(&basic(login, "a wrong one"), None).await;
            let kind = error.expect_err("wrong").kind;
            assert_eq!(kind, Kind::Unauthenticated, "{login}, attempt {attempt}");
        }
        let locked = engine.authenticate(&basic(login, "the right one"), None).await;
        let locked = locked.expect_err("locked");
        let kind = Kind::Throttled { retry_s: 15 * 60 };
        assert_eq!((locked.kind, locked.code), (kind, "ACCOUNT_LOCKED"), "{login}");
    }
    world.clock.advance_ms(15 * 60 * 1_000);
    assert!(engine.authenticate(&basic("ada", "the right one"), None).await.is_ok());
}
