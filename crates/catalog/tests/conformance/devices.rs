//! Devices that ask to be let in.

use std::sync::Arc;

use catalog::{Catalog, Error};
use model::limits::DEVICES_MAX;
use model::{ApiKeyId, DeviceCode};
use uuid::Uuid;

use super::world::{World, at, many, new_key};

fn new_code(number: u32, created_s: i64) -> DeviceCode {
    let mut device_hash = [9; 32];
    device_hash[..4].copy_from_slice(&number.to_be_bytes());
    DeviceCode {
        device_hash,
        user_code: format!("CODE-{number}"),
        created_at: at(created_s),
        expires_at: at(created_s + 900),
        confirmed_by: None,
    }
}

pub(crate) async fn a_code_waits_until_it_is_confirmed_or_ends(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let code = new_code(1, 0);
    catalog.create_device_code(&code).await.expect("a code");
    let find =
        async |now_s| catalog.device_code(code.device_hash, at(now_s)).await.expect("an answer");
    assert_eq!(find(899).await, Some(code.clone()));
    assert_eq!(find(900).await, None, "it has ended");
    let confirm = async |user_code: &str, now_s| {
        let deed = world.deed_at("ConfirmDevice", at(now_s));
        catalog.confirm_device(user_code, world.owner.id, &deed).await.expect("an answer")
    };
    assert!(!confirm("CODE-2", 5).await);
    assert!(!confirm("code-1", 5).await);
    assert!(!confirm("CODE-1", 900).await, "it has ended");
    assert!(confirm("CODE-1", 5).await);
    assert!(!confirm("CODE-1", 5).await, "only once");
    let expected = DeviceCode { confirmed_by: Some(world.owner.id), ..code.clone() };
    assert_eq!(find(6).await, Some(expected));
    let confirmed = world.actions().await.into_iter().filter(|action| action == "ConfirmDevice");
    assert_eq!(confirmed.count(), 1);
}

pub(crate) async fn a_confirmed_code_is_exchanged_once(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (code, bob) = (new_code(1, 0), world.user("bob").await);
    catalog.create_device_code(&code).await.expect("a code");
    let (key, bobs) = (new_key(world.owner.id, 1), new_key(bob.id, 2));
    let redeem = async |key, now_s| {
        let deed = world.deed_at("CreateAPIKey", at(now_s));
        catalog.redeem_device(code.device_hash, key, &deed).await.expect("an answer")
    };
    assert!(!redeem(&key, 5).await, "nobody has confirmed it");
    let deed = world.deed_at("ConfirmDevice", at(5));
    assert!(catalog.confirm_device("CODE-1", world.owner.id, &deed).await.expect("an answer"));
    assert!(!redeem(&bobs, 6).await, "another user's key");
    assert!(!redeem(&key, 900).await, "it has ended");
    assert!(redeem(&key, 6).await);
    let mut second = new_key(world.owner.id, 3);
    second.key.id = ApiKeyId(Uuid::new_v4());
    assert!(!redeem(&second, 6).await, "only once");
    assert_eq!(catalog.api_keys(world.owner.id).await.expect("keys"), [key.key]);
    assert_eq!(catalog.api_keys(bob.id).await.expect("keys"), []);
    let found = catalog.user_by_token([1; 32], at(9)).await.expect("an answer");
    assert_eq!(found.map(|user| user.id), Some(world.owner.id));
    let made = world.actions().await.into_iter().filter(|action| action == "CreateAPIKey");
    assert_eq!(made.count(), 1);
}

pub(crate) async fn codes_in_use_are_refused_and_their_number_is_bounded(
    catalog: Arc<dyn Catalog>,
) {
    let create = async |code: &DeviceCode| catalog.create_device_code(code).await;
    create(&new_code(1, 0)).await.expect("a code");
    let mut same_user_code = new_code(2, 10);
    same_user_code.user_code = "CODE-1".to_owned();
    assert!(matches!(create(&same_user_code).await, Err(Error::Conflict { .. })));
    same_user_code.created_at = at(900);
    same_user_code.expires_at = at(1_800);
    create(&same_user_code).await.expect("the other has ended");
    let found = catalog.device_code(new_code(2, 0).device_hash, at(1_000)).await;
    assert_eq!(found.expect("an answer"), Some(same_user_code));
    let mut numbers = 3..;
    many(DEVICES_MAX - 1, || {
        let (catalog, number) = (catalog.clone(), numbers.next().expect("another"));
        async move { catalog.create_device_code(&new_code(number, 1_000)).await.expect("a code") }
    })
    .await;
    assert!(matches!(create(&new_code(1, 1_000)).await, Err(Error::TooMany { .. })));
    create(&new_code(1, 1_800)).await.expect("one has ended");
}
