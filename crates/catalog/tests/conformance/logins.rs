//! What users change of themselves, and logins.

use std::sync::Arc;

use catalog::{Catalog, Error, NewUser};
use model::limits::LOGINS_MAX;
use model::{Deed, Login, User, UserId};
use uuid::Uuid;

use super::world::{World, at, new_user};

fn new_login(user: UserId, number: u16, created_s: i64) -> Login {
    let mut token_hash = [7; 32];
    token_hash[..2].copy_from_slice(&number.to_be_bytes());
    Login { user, token_hash, created_at: at(created_s), expires_at: at(created_s + 1_000) }
}

/// Something that concerns no organization.
fn deed(world: &World, action: &'static str, now_s: i64) -> Deed {
    Deed { organization: None, ..world.deed_at(action, at(now_s)) }
}

async fn login(world: &World, user: UserId, number: u16, created_s: i64) -> Login {
    let new = new_login(user, number, created_s);
    let deed = deed(world, "Login", created_s);
    world.catalog.create_login(&new, &deed).await.expect("a login");
    new
}

async fn who(world: &World, login: &Login, now_s: i64) -> Option<UserId> {
    let found = world.catalog.user_by_login_token(login.token_hash, at(now_s)).await;
    found.expect("an answer").map(|user| user.id)
}

pub(crate) async fn a_user_changes_name_and_bio_only(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let changed = User {
        username: "another".to_owned(),
        email: "another@example.org".to_owned(),
        full_name: "Ada \u{1f980}".to_owned(),
        bio: String::new(),
        ..world.owner.clone()
    };
    let deed = world.deed("UpdateMe");
    assert!(catalog.update_user(&changed, &deed).await.expect("an answer"));
    let found = catalog.user(world.owner.id).await.expect("an answer").expect("the user");
    let expected =
        User { full_name: changed.full_name.clone(), bio: String::new(), ..world.owner.clone() };
    assert_eq!(found, expected);
    let nobody = User { id: UserId(Uuid::new_v4()), ..changed };
    assert!(!catalog.update_user(&nobody, &deed).await.expect("an answer"));
    assert_eq!(world.actions().await.iter().filter(|action| *action == "UpdateMe").count(), 1);
}

pub(crate) async fn a_login_finds_its_user_until_it_ends(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let (first, second) = (login(&world, ada.id, 1, 0).await, login(&world, bob.id, 2, 10).await);
    let found = catalog.user_by_login_token(first.token_hash, at(999)).await.expect("an answer");
    assert_eq!(found, Some(ada));
    assert_eq!(who(&world, &first, 1_000).await, None, "it has expired");
    assert_eq!(who(&world, &second, 1_000).await, Some(bob.id));
    let again = catalog.create_login(&first, &deed(&world, "Login", 0)).await;
    assert!(matches!(again, Err(Error::Conflict { .. })));
    let orphan = new_login(UserId(Uuid::new_v4()), 3, 0);
    let refused = catalog.create_login(&orphan, &deed(&world, "Login", 0)).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));

    let end = async |login: &Login, now_s| {
        let deed = deed(&world, "Logout", now_s);
        catalog.end_login(login.token_hash, &deed).await.expect("an answer")
    };
    assert!(!end(&first, 1_000).await, "it has ended by itself");
    assert!(!end(&orphan, 20).await);
    assert!(end(&second, 20).await);
    assert!(!end(&second, 20).await, "only once");
    assert_eq!(who(&world, &second, 20).await, None);
}

pub(crate) async fn the_oldest_logins_make_room(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let others = login(&world, bob.id, 60_000, 0).await;
    let mut logins = Vec::new();
    for number in 0..LOGINS_MAX as u16 {
        // The clock went back once.
        let created_s = if number == 50 { 1 } else { i64::from(number) + 2 };
        logins.push(login(&world, ada.id, number, created_s).await);
    }
    let late = login(&world, ada.id, 50_000, 0).await;
    assert_eq!(who(&world, &late, 500).await, Some(ada.id), "the new one stays");
    assert_eq!(who(&world, &logins[50], 500).await, None, "the oldest went");
    assert_eq!(who(&world, &logins[0], 500).await, Some(ada.id));
    assert_eq!(who(&world, &others, 500).await, Some(bob.id), "another user's are not counted");
}

pub(crate) async fn a_new_password_ends_the_other_logins(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let (one, two) = (login(&world, ada.id, 1, 0).await, login(&world, ada.id, 2, 0).await);
    let others = login(&world, bob.id, 3, 0).await;
    let set = async |user, hash: &str, keep| {
        let deed = deed(&world, "ChangePassword", 5);
        catalog.set_password(user, hash, keep, &deed).await.expect("an answer")
    };
    assert!(set(ada.id, "$argon2id$1", Some(two.token_hash)).await);
    let found = catalog.user_by_login("ada").await.expect("an answer").expect("the user");
    assert_eq!(found.password_hash.as_deref(), Some("$argon2id$1"));
    assert!(found.user.has_password);
    assert_eq!(who(&world, &one, 6).await, None);
    assert_eq!(who(&world, &two, 6).await, Some(ada.id));
    assert!(set(ada.id, "$argon2id$2", None).await);
    assert_eq!(who(&world, &two, 6).await, None);
    assert_eq!(who(&world, &others, 6).await, Some(bob.id));
    assert!(!set(UserId(Uuid::new_v4()), "$argon2id$3", None).await);
    let NewUser { password_hash, .. } = new_user("bob");
    let found = catalog.user_by_login("bob").await.expect("an answer").expect("the user");
    assert_eq!(found.password_hash, password_hash, "nobody else's is touched");
}
