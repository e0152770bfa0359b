//! Organizations and members.

use serde_json::json;
use testkit::s3::Objects;

use crate::world::{ORG, World, request};

const ALL: &str = "/api/v1/organizations";

#[tokio::test]
async fn an_organization_lives_and_dies() {
    let world = World::bare(Objects::new()).await;
    let body = json!({"name": "acme", "display_name": "Acme"});
    let created = world.post(ALL, body.clone()).await.is(201).json();
    assert_eq!((&created["name"], &created["display_name"]), (&json!("acme"), &json!("Acme")));
    world.post(ALL, body.clone()).await.refused(409);

    assert_eq!(world.get(ORG).await.is(200).json(), created);
    assert_eq!(world.get(ALL).await.is(200).json(), json!({"results": [created]}));
    let me = world.get("/api/v1/auth/me").await.is(200).json();
    assert_eq!(me["organizations"][0]["id"], created["id"]);

    let deleted = world.delete(ORG).await.is(204);
    assert!(deleted.body.is_empty());
    world.get(ORG).await.refused(404);
    world.post(ALL, body).await.is(201);
}

#[tokio::test]
async fn bad_names_are_refused_and_checked() {
    let world = World::new(Objects::new()).await;
    for name in ["", "a", "A", "Acme", "-a", "a_b", "a b", "\u{e4}\u{e4}", &"a".repeat(64)] {
        let body = json!({"name": name, "display_name": "x"});
        let message = world.post(ALL, body).await.refused(400);
        assert!(message.starts_with("name"), "{message}");
    }
    let check = async |name: &str| {
        let path = format!("{ALL}/check-name?name={name}");
        world.get(&path).await.is(200).json()["reason"].clone()
    };
    assert_eq!(check("free").await, "");
    assert_eq!(check("acme").await, "taken");
    assert_eq!(check("A").await, "invalid");
    assert_eq!(check("check-name").await, "reserved");
    assert_eq!(world.get(&format!("{ALL}/check-name")).await.refused(400), "name: required");
}

#[tokio::test]
async fn members_come_and_go() {
    let world = World::new(Objects::new()).await;
    let members = format!("{ORG}/members");
    world.post(&members, json!({"username": "mallory"})).await.is(201);
    world.post(&members, json!({"username": "mallory"})).await.refused(409);
    world.post(&members, json!({"username": "nobody"})).await.refused(404);
    assert_eq!(world.post(&members, json!({})).await.refused(400), "username: required");

    let listed = world.get(&members).await.is(200).json();
    let rows = listed["results"].as_array().expect("a list");
    assert_eq!(rows.len(), 2);
    let row = rows.iter().find(|row| row["username"] == "mallory").expect("the new member");
    assert_eq!(row["organization_id"], world.get(ORG).await.json()["id"]);
    assert_eq!(row["role"], "member");

    let as_member = |method: &str, path: &str| request(method, path, Some(&world.stranger), None);
    world.send(as_member("GET", ORG)).await.is(200);
    world.send(as_member("DELETE", ORG)).await.refused(403);
    let path =
        |row: &serde_json::Value| format!("{members}/{}", row["user_id"].as_str().expect("an id"));
    let owner = rows.iter().find(|row| row["username"] == "admin").expect("the owner");
    world.send(as_member("DELETE", &path(owner))).await.refused(403);
    world.delete(&path(owner)).await.refused(409);
    world.delete(&path(row)).await.is(204);
    world.delete(&path(row)).await.refused(404);
    world.delete(&format!("{members}/no-id")).await.refused(404);
    world.send(as_member("GET", ORG)).await.refused(404);
}
