//! Device login, as the public command line does it.

use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::logins::Browser;
use crate::world::{Answer, PUBLIC_URL, World, request};

const CODE: &str = "/api/v1/auth/device/code";
const TOKEN: &str = "/api/v1/auth/device/token";
const CONFIRM: &str = "/api/v1/auth/device/confirm";

async fn code(world: &World) -> Value {
    world.send(request("POST", CODE, None, None)).await.is(200).json()
}

async fn ask(world: &World, code: &Value) -> Answer {
    let body = json!({"device_code": code["device_code"]});
    world.send(request("POST", TOKEN, None, Some(body))).await
}

#[tokio::test]
async fn a_device_that_is_let_in_gets_a_key_once() {
    let world = World::bare(Objects::new()).await;
    let code = code(&world).await;
    let keys: Vec<_> = code.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "device_code",
            "user_code",
            "verification_uri",
            "verification_uri_complete",
            "expires_in",
            "interval"
        ]
    );
    let shown = code["user_code"].as_str().expect("a code");
    assert_eq!(code["verification_uri"], format!("{PUBLIC_URL}/device"));
    let complete = format!("{PUBLIC_URL}/device?user_code={shown}");
    assert_eq!(code["verification_uri_complete"], complete);
    assert!(code["expires_in"].as_u64() > Some(0) && code["interval"].as_u64() > Some(0));

    let pending = ask(&world, &code).await.is(200);
    assert_eq!(pending.json(), json!({"error": "authorization_pending"}));
    assert_eq!(ask(&world, &code).await.is(200).json(), json!({"error": "slow_down"}));

    let browser = Browser::sign_in(&world).await;
    let typed = json!({"user_code": shown.to_lowercase().replace('-', " ")});
    let confirmed = browser.change(&world, "POST", CONFIRM, Some(typed.clone())).await.is(200);
    assert_eq!(confirmed.json(), json!({"status": "confirmed"}));
    browser.change(&world, "POST", CONFIRM, Some(typed)).await.refused(404);

    let granted = ask(&world, &code).await.is(200);
    assert_eq!(granted.header("cache-control"), "no-store");
    let granted = granted.json();
    let token = granted["access_token"].as_str().expect("a token");
    assert!(token.starts_with("tuk-") && granted.as_object().expect("an object").len() == 1);
    let me = world.send(request("GET", "/api/v1/auth/me", Some(token), None)).await.is(200);
    assert_eq!(me.json()["user"]["username"], "admin");
    assert_eq!(ask(&world, &code).await.is(400).json()["error"], "expired_token");
}

#[tokio::test]
async fn what_is_over_or_never_was_is_expired() {
    let world = World::bare(Objects::new()).await;
    let late = code(&world).await;
    world.clock.forward_ms(15 * 60 * 1_000 + 1_000);
    for code in [late.clone(), json!({"device_code": "x"}), json!({"device_code": ""})] {
        let answer = ask(&world, &code).await.is(400).json();
        let keys: Vec<_> = answer.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["message", "code", "request_id", "error"]);
        assert_eq!(
            (&answer["error"], &answer["code"]),
            (&json!("expired_token"), &json!("EXPIRED_TOKEN"))
        );
    }
    for shown in [late["user_code"].clone(), json!("BCDF-GHJK"), json!(""), json!("\u{e4}")] {
        world.post(CONFIRM, json!({"user_code": shown})).await.refused(404);
    }
}

#[tokio::test]
async fn only_a_user_lets_a_device_in() {
    let world = World::bare(Objects::new()).await;
    let code = code(&world).await;
    let body = json!({"user_code": code["user_code"]});
    world.send(request("POST", CONFIRM, None, Some(body.clone()))).await.refused(401);
    for (path, body) in [
        (TOKEN, json!({})),
        (TOKEN, json!({"device_code": 1})),
        (TOKEN, json!({"device_code": "x", "grant_type": "y"})),
        (CONFIRM, json!({})),
        (CONFIRM, json!({"user_code": null})),
        (CONFIRM, json!({"user_code": "x", "name": "y"})),
    ] {
        world.post(path, body).await.refused(400);
    }
    assert_eq!(ask(&world, &code).await.is(200).json()["error"], "authorization_pending");
    // With a key it can be done from a command line too.
    world.send(request("POST", CONFIRM, Some(&world.stranger), Some(body))).await.is(200);
    let token = ask(&world, &code).await.is(200).json()["access_token"].clone();
    let token = token.as_str().expect("a token");
    let me = world.send(request("GET", "/api/v1/auth/me", Some(token), None)).await.is(200);
    assert_eq!(me.json()["user"]["username"], "mallory");
}
