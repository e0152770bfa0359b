//! Users and API keys.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Error, NewUser};
use model::{ApiKeyId, Timestamp, User, UserId};
use uuid::Uuid;

use super::world::{at, deed, new_key, new_user};

pub(crate) async fn the_first_user_is_made_once(catalog: Arc<dyn Catalog>) {
    let admin = NewUser { password_hash: Some("$argon2id$x".to_owned()), ..new_user("admin") };
    let key = new_key(admin.user.id, 1);
    assert!(catalog.bootstrap(&admin, &key, &deed(at(0))).await.expect("a bootstrap"));
    let other = new_user("other");
    assert!(
        !catalog
            .bootstrap(&other, &new_key(other.user.id, 2), &deed(at(0)))
            .await
            .expect("an answer")
    );
    assert!(catalog.user(other.user.id).await.expect("an answer").is_none());
    assert!(catalog.user_by_token([2; 32], at(9)).await.expect("an answer").is_none());
    let found = catalog.user_by_token([1; 32], at(9)).await.expect("an answer").expect("the user");
    assert!(found.has_password);
    assert_eq!(found.username, "admin");
}

pub(crate) async fn names_and_emails_of_users_are_unique(catalog: Arc<dyn Catalog>) {
    let ada = new_user("ada");
    catalog.create_user(&ada, &deed(at(0))).await.expect("a user");
    let mut same_name = new_user("ada");
    same_name.user.email = "else@example.org".to_owned();
    let mut same_email = new_user("bob");
    same_email.user.email = ada.user.email.clone();
    for new in [same_name, same_email] {
        let refused = catalog.create_user(&new, &deed(at(0))).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })));
        assert!(catalog.user(new.user.id).await.expect("an answer").is_none());
    }
    for name in ["carl", "dora"] {
        let mut without = new_user(name);
        without.user.email.clear();
        catalog.create_user(&without, &deed(at(0))).await.expect("many may have no email");
    }
    assert_eq!(catalog.user(ada.user.id).await.expect("an answer"), Some(ada.user));
}

pub(crate) async fn a_login_is_a_name_or_an_email(catalog: Arc<dyn Catalog>) {
    let mut ada = new_user("ada");
    ada.password_hash = Some("$argon2id$ada".to_owned());
    ada.user.has_password = true;
    let mut bob = new_user("bob");
    bob.user.email.clear();
    let mut carl = new_user("carl");
    carl.user.email = "bob".to_owned();
    for new in [&ada, &bob, &carl] {
        catalog.create_user(new, &deed(at(0))).await.expect("a user");
    }
    for login in ["ada", "ada@example.org"] {
        let found = catalog.user_by_login(login).await.expect("an answer").expect("the user");
        assert_eq!(found.user, ada.user);
        assert_eq!(found.password_hash, ada.password_hash);
    }
    let found = catalog.user_by_login("bob").await.expect("an answer").expect("the user");
    assert_eq!(found.user, bob.user, "a name goes before somebody else's email");
    for login in ["", "ADA", "nobody"] {
        assert!(catalog.user_by_login(login).await.expect("an answer").is_none(), "{login:?}");
    }
}

pub(crate) async fn keys_are_listed_until_they_are_revoked(catalog: Arc<dyn Catalog>) {
    let (ada, bob) = (new_user("ada").user, new_user("bob").user);
    for user in [&ada, &bob] {
        let new = NewUser { user: user.clone(), password_hash: None };
        catalog.create_user(&new, &deed(at(0))).await.expect("a user");
    }
    let (first, second) = (new_key(ada.id, 1), new_key(ada.id, 2));
    for new in [&second, &first] {
        catalog.create_api_key(new, &deed(at(0))).await.expect("a key");
    }
    let reused_token = new_key(bob.id, 1);
    let refused = catalog.create_api_key(&reused_token, &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
    let orphan = catalog.create_api_key(&new_key(UserId(Uuid::new_v4()), 9), &deed(at(0))).await;
    assert!(matches!(orphan, Err(Error::NotFound { .. })));

    let keys = catalog.api_keys(ada.id).await.expect("keys");
    assert_eq!(keys, [first.key.clone(), second.key.clone()]);
    assert!(catalog.api_keys(bob.id).await.expect("keys").is_empty());

    let late = deed(at(9));
    let revoke = |user, id| catalog.revoke_api_key(user, id, &late);
    assert!(!revoke(bob.id, first.key.id).await.expect("an answer"), "not bob's");
    assert!(!revoke(ada.id, ApiKeyId(Uuid::new_v4())).await.expect("an answer"));
    assert!(revoke(ada.id, first.key.id).await.expect("an answer"));
    assert!(!revoke(ada.id, first.key.id).await.expect("an answer"), "only once");
    assert_eq!(catalog.api_keys(ada.id).await.expect("keys"), [second.key]);
    assert!(catalog.user_by_token([1; 32], at(10)).await.expect("an answer").is_none());
    assert!(catalog.user_by_token([2; 32], at(10)).await.expect("an answer").is_some());
}

pub(crate) async fn a_token_finds_its_user_and_its_use_is_recorded_to_the_minute(
    catalog: Arc<dyn Catalog>,
) {
    let ada = new_user("ada");
    catalog.create_user(&ada, &deed(at(0))).await.expect("a user");
    catalog.create_api_key(&new_key(ada.user.id, 1), &deed(at(0))).await.expect("a key");
    let minute = at(0).seconds().div_euclid(60) * 60;
    let time = |seconds| Timestamp::from_seconds(minute + seconds);
    for (used, recorded) in [(5, 0), (59, 0), (61, 60), (30, 60), (200, 180)] {
        let last_used = last_used_after(&*catalog, &ada.user, time(used), time(recorded)).await;
        assert_eq!(last_used, Some(time(recorded)), "used at {used}");
    }
    assert!(catalog.user_by_token([9; 32], time(0)).await.expect("an answer").is_none());
}

/// Uses the key at `now` until the use is recorded as `expected`, which nobody waits for; gives up
/// after a while. Then gives what is recorded.
async fn last_used_after(
    catalog: &dyn Catalog,
    user: &User,
    now: Timestamp,
    expected: Timestamp,
) -> Option<Timestamp> {
    let mut last_used = None;
    for _ in 0..1_000 {
        let found = catalog.user_by_token([1; 32], now).await.expect("an answer");
        assert_eq!(found.as_ref(), Some(user));
        last_used = catalog.api_keys(user.id).await.expect("keys")[0].last_used_at;
        if last_used == Some(expected) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    last_used
}

pub(crate) async fn the_store_has_an_id_and_answers(catalog: Arc<dyn Catalog>) {
    catalog.ping().await.expect("an answer");
    let info = catalog.store_info().await.expect("the identity");
    assert_eq!(info.id.len(), 36);
    assert!(info.version >= 1);
    assert_eq!(catalog.store_info().await.expect("the identity"), info);
    assert_eq!(catalog.integrity().await.expect("an answer"), Vec::<String>::new());
}
