//! Credentials, the caller's account, API keys.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use serde_json::json;
use testkit::s3::Objects;

use crate::world::{PASSWORD, World, request};

const ME: &str = "/api/v1/auth/me";

async fn with_authorization(world: &World, value: &str) -> crate::world::Answer {
    let request = Request::get(ME).header("authorization", value).body(Body::empty());
    world.send(request.expect("a legal request")).await
}

#[tokio::test]
async fn bearer_and_basic_say_who_is_asking() {
    let world = World::bare(Objects::new()).await;
    let me = world.get(ME).await.is(200).json();
    assert_eq!(me["user"]["username"], "admin");
    assert_eq!(me["user"]["status"], "active");
    assert_eq!(me["has_password"], true);
    assert_eq!(me["organizations"], json!([]));
    assert!(me["user"]["created_at"].as_str().expect("a time").ends_with('Z'));

    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    let answer = with_authorization(&world, &basic(format!("admin:{PASSWORD}"))).await.is(200);
    assert_eq!(answer.json()["user"], me["user"]);
    assert!(answer.headers.get("set-cookie").is_none());
    for wrong in [basic("admin:wrong".to_owned()), basic("nobody:wrong".to_owned())] {
        with_authorization(&world, &wrong).await.refused(401);
    }
}

#[tokio::test]
async fn bad_credentials_are_401_whatever_they_are() {
    let world = World::bare(Objects::new()).await;
    let mut messages = Vec::new();
    for bad in ["Bearer tuk-wrong", "Bearer", "Bearer ", "Basic !!!", "Digest x", "", "Negotiate"] {
        let answer = with_authorization(&world, bad).await;
        messages.push(answer.refused(401));
        assert!(answer.header("www-authenticate").starts_with("Bearer "));
    }
    let none = world.send(request("GET", ME, None, None)).await;
    messages.push(none.refused(401));
    assert!(messages.iter().all(|message| !message.contains("tuk-wrong")));

    // A cookie is no credential, and a key in the query is none either.
    let cookie = Request::get(format!("{ME}?token={}", world.owner))
        .header("cookie", format!("tilde_session={}", world.owner))
        .body(Body::empty());
    world.send(cookie.expect("a legal request")).await.refused(401);
}

#[tokio::test]
async fn a_password_that_fails_too_often_locks_the_account() {
    let world = World::bare(Objects::new()).await;
    let wrong = format!("Basic {}", STANDARD.encode("admin:wrong"));
    let mut locked = None;
    for _ in 0..12 {
        let answer = with_authorization(&world, &wrong).await;
        if answer.status == 429 {
            locked = Some(answer);
            break;
        }
        answer.refused(401);
    }
    let locked = locked.expect("the account is locked");
    locked.refused(429);
    assert_eq!(locked.json()["code"], "ACCOUNT_LOCKED");
    assert_eq!(locked.header("retry-after"), "900");
    world.get(ME).await.is(200);
}

#[tokio::test]
async fn a_key_is_shown_once_and_ends_when_revoked() {
    let world = World::bare(Objects::new()).await;
    let body = json!({"name": "laptop", "description": "mine", "unknown": 1});
    let created = world.post("/api/v1/auth/keys", body).await.is(201).json();
    let token = created["token"].as_str().expect("a token");
    assert!(token.starts_with("tuk-"));
    assert_eq!((&created["name"], &created["description"]), (&json!("laptop"), &json!("mine")));
    world.send(request("GET", ME, Some(token), None)).await.is(200);

    let listed = world.get("/api/v1/auth/keys").await.is(200);
    assert!(!String::from_utf8_lossy(&listed.body).contains(token));
    let keys = listed.json();
    let key =
        keys["results"].as_array().expect("a list").iter().find(|key| key["id"] == created["id"]);
    let key = key.expect("the key is listed");
    assert_eq!(key["token_hint"], token[token.len() - 4..]);
    assert!(keys.get("pagination").is_none());

    let path = format!("/api/v1/auth/keys/{}", created["id"].as_str().expect("an id"));
    world.send(request("DELETE", &path, Some(&world.stranger), None)).await.refused(404);
    world.delete(&path).await.is(204);
    world.send(request("GET", ME, Some(token), None)).await.refused(401);
    world.delete("/api/v1/auth/keys/no-id").await.refused(404);
}

#[tokio::test]
async fn a_key_without_a_good_name_is_refused() {
    let world = World::bare(Objects::new()).await;
    for body in [json!({}), json!({"name": ""}), json!({"name": "x".repeat(256)})] {
        let message = world.post("/api/v1/auth/keys", body).await.refused(400);
        assert!(message.contains("name"), "{message}");
    }
    let body = json!({"name": "a", "description": null});
    world.post("/api/v1/auth/keys", body).await.is(201);
}
