//! Links and tokens are good for one thing, for a time, and for whom they were made.

use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{Answer, ORG, REPO, World, escaped, local, place, request};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

async fn begin(world: &World, session: &str, path: &str) -> Value {
    world.call("PUT", &place("object", session, path), None).await.is(200).json()
}

async fn finalize(world: &World, session: &str, path: &str, token: &Value) -> Answer {
    let body = json!({"upload_token": token});
    world.post(&place("object/finalize", session, path), body).await
}

/// Refused, whichever of the statuses that the API has for it.
#[track_caller]
fn refused(answer: &Answer) {
    assert!(matches!(answer.status.as_u16(), 400 | 403 | 404), "{}", answer.status);
    answer.refused(answer.status.as_u16());
}

#[tokio::test]
async fn a_link_that_nobody_made_is_refused() {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    let url = local(&begin(&world, &session, "a").await["upload_url"]);
    let token = url.rsplit_once('/').expect("a link").1;
    let last = token.chars().last().expect("a character");
    let other = if last == 'A' { 'B' } else { 'A' };
    let altered = format!("{}{other}", &token[..token.len() - 1]);
    let cut = &token[..token.len() / 2];
    for forged in [&*altered, cut, "x", "%FF", &"x".repeat(5_000), &escaped("../../etc")] {
        for (method, route) in [("PUT", "uploads"), ("GET", "downloads"), ("HEAD", "downloads")] {
            let uri = format!("/api/v1/{route}/{forged}");
            let answer = world.bytes(method, &uri, None, &[], "bytes").await;
            assert!(matches!(answer.status.as_u16(), 403 | 404), "{uri}: {}", answer.status);
        }
    }
    // A token for bytes is none for reading.
    let uri = format!("/api/v1/downloads/{token}");
    assert_eq!(world.bytes("GET", &uri, None, &[], "").await.status, 403);
}

#[tokio::test]
async fn an_upload_belongs_to_its_session_and_path() {
    let world = World::new(Objects::new()).await;
    let (session, other) = (world.session().await, world.session().await);
    let begun = begin(&world, &session, "a").await;
    world.bytes("PUT", &local(&begun["upload_url"]), None, &[], "bytes").await.is(200);
    let token = &begun["upload_token"];
    refused(&finalize(&world, &session, "b", token).await);
    refused(&finalize(&world, &other, "a", token).await);
    refused(&finalize(&world, &session, "a", &json!("x")).await);
    finalize(&world, &session, "a", token).await.is(201);
    for session in [&session, &other] {
        world.get(&place("object", session, "b")).await.refused(404);
    }
    world.get(&place("object", &other, "a")).await.refused(404);
}

#[tokio::test]
async fn an_upload_ends_once() {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    let begun = begin(&world, &session, "a").await;
    refused(&finalize(&world, &session, "a", &begun["upload_token"]).await);
    let link = local(&begun["upload_url"]);
    world.bytes("PUT", &link, None, &[], "bytes").await.is(200);
    finalize(&world, &session, "a", &begun["upload_token"]).await.is(201);
    world.delete(&place("object", &session, "a")).await.is(204);
    // Replayed, it brings nothing back.
    let again = finalize(&world, &session, "a", &begun["upload_token"]).await;
    assert!(!again.status.is_server_error(), "{}", again.status);
    world.get(&place("object", &session, "a")).await.refused(404);
}

#[tokio::test]
async fn links_and_tokens_end_with_their_time() {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    let (unsent, sent) = (begin(&world, &session, "a").await, begin(&world, &session, "b").await);
    world.bytes("PUT", &local(&sent["upload_url"]), None, &[], "bytes").await.is(200);
    world.clock.forward_ms(DAY_MS + 1_000);
    let late = world.bytes("PUT", &local(&unsent["upload_url"]), None, &[], "bytes").await;
    late.refused(403);
    assert_eq!(late.json()["code"], "LINK_EXPIRED");
    refused(&finalize(&world, &session, "b", &sent["upload_token"]).await);
    world.get(&place("object", &session, "b")).await.refused(404);
}

#[tokio::test]
async fn a_part_belongs_to_its_upload() {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    let begin = async |path: &str| {
        world.call("POST", &place("object/multipart", &session, path), None).await.is(200).json()
    };
    let (first, second) = (begin("a").await, begin("b").await);
    let text = |value: &Value| escaped(value.as_str().expect("a string"));
    let part = |path: &str, id: &Value, token: &Value| {
        let (id, token) = (text(id), text(token));
        let part = place("object/multipart/part", &session, path);
        format!("{part}&upload_id={id}&upload_token={token}&part_number=1")
    };
    let (id, token) = (&first["upload_id"], &first["upload_token"]);
    world.get(&part("a", id, token)).await.is(200);
    refused(&world.get(&part("b", id, token)).await);
    refused(&world.get(&part("a", &second["upload_id"], token)).await);
    refused(&world.get(&part("a", id, &second["upload_token"])).await);
    refused(&world.get(&part("a", id, &json!("x"))).await);
}

#[tokio::test]
async fn a_link_ends_with_the_session_and_with_the_right_to_write() {
    let world = World::new(Objects::new()).await;
    world.post(&format!("{ORG}/members"), json!({"username": "mallory"})).await.is(201);
    let stranger = Some(&*world.stranger);
    let begun = world.send(request("POST", &format!("{REPO}/sessions"), stranger, None)).await;
    let session = begun.is(201).json()["session_id"].as_str().expect("an id").to_owned();
    let uri = place("object", &session, "a");
    let begun = world.send(request("PUT", &uri, stranger, None)).await.is(200).json();
    let link = local(&begun["upload_url"]);
    world.bytes("PUT", &link, None, &[], "bytes").await.is(200);
    world.delete(&format!("{ORG}/members/mallory")).await.is(204);
    let body = Some(json!({"upload_token": begun["upload_token"]}));
    let finalize = place("object/finalize", &session, "a");
    world.send(request("POST", &finalize, stranger, body)).await.refused(404);

    let own = world.session().await;
    let begun = begin(&world, &own, "a").await;
    world.delete(&format!("{REPO}/sessions/{own}")).await.is(204);
    refused(&world.bytes("PUT", &local(&begun["upload_url"]), None, &[], "bytes").await);
}
