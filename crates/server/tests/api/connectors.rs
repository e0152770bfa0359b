//! Connectors: what goes in, what never comes out, and their tests.

use serde_json::{Value, json};
use testkit::s3::{Objects, SECRET_ACCESS_KEY};

use crate::world::{ORG, REPO, World};

fn objects() -> Objects {
    Objects::from([("a.txt", "a")])
}

#[tokio::test]
async fn a_connector_lives_and_dies_and_its_config_is_never_seen() {
    let world = World::new(objects()).await;
    let list = format!("{ORG}/connectors");
    let created = world.post(&list, world.connector("source")).await.is(201).json();
    let mut keys: Vec<_> = created.as_object().expect("an object").keys().cloned().collect();
    keys.sort();
    let expected = ["created_at", "disabled", "display_source", "id", "name", "source_uri", "type"];
    assert_eq!(keys, expected);
    assert_eq!((&created["type"], &created["disabled"]), (&json!("s3"), &json!(false)));

    let one = format!("{list}/{}", created["id"].as_str().expect("an id"));
    assert_eq!(world.get(&one).await.is(200).json(), created);
    assert_eq!(world.get(&list).await.is(200).json(), json!({"results": [created]}));
    let again = world.post(&list, world.connector("source")).await;
    again.refused(409);
    assert!(!String::from_utf8_lossy(&again.body).contains(SECRET_ACCESS_KEY));

    world.delete(&one).await.is(204);
    world.get(&one).await.refused(404);
    world.delete(&one).await.refused(404);
    world.get(&format!("{list}/no-id")).await.refused(404);
    world.post(&list, world.connector("source")).await.is(201);
}

#[tokio::test]
async fn malformed_connectors_are_refused_by_field_without_an_echo() {
    let world = World::new(objects()).await;
    let cases: [(&str, Value, &str); 9] = [
        ("name", json!(""), "name"),
        ("name", Value::Null, "name"),
        ("type", json!("ftp"), "type"),
        ("type", json!("git"), "type"),
        ("type", json!("gcs"), "source_uri"),
        ("source_uri", json!("http://x/"), "source_uri"),
        ("config", json!("hush-hush"), "config"),
        ("config", json!({"access_key_id": "a"}), "secret_access_key"),
        (
            "config",
            json!({"access_key_id": "a", "secret_access_key": "hush-hush", "endpont": "x"}),
            "endpont",
        ),
    ];
    for path in [format!("{ORG}/connectors"), format!("{ORG}/connectors:test")] {
        for (field, value, named) in &cases {
            if *field == "name" && path.ends_with(":test") {
                continue;
            }
            let mut body = world.connector("source");
            body[field] = value.clone();
            let answer = world.post(&path, body).await;
            let message = answer.refused(400);
            assert!(message.contains(named), "{field}: {message}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("hush-hush"), "{message}");
        }
        let mut body = world.connector("source");
        body.as_object_mut().expect("an object").remove("config");
        assert_eq!(world.post(&path, body).await.refused(400), "config: required");
    }
}

#[tokio::test]
async fn both_tests_say_ok_or_502_with_a_reason() {
    let world = World::new(objects()).await;
    let good = world.connector("source");
    let answer = world.post(&format!("{ORG}/connectors:test"), good.clone()).await.is(200);
    assert_eq!(answer.json(), json!({"status": "ok"}));
    assert_eq!(world.get(&format!("{ORG}/connectors")).await.json(), json!({"results": []}));

    let mut bad = good;
    bad["config"]["secret_access_key"] = json!("not-the-secret");
    let answer = world.post(&format!("{ORG}/connectors:test"), bad.clone()).await;
    let message = answer.refused(502);
    assert!(!message.contains("not-the-secret"), "{message}");

    let id = world.attached().await;
    let id = id.as_str().expect("an id");
    let test =
        async |id: &str| world.call("POST", &format!("{ORG}/connectors/{id}/test"), None).await;
    assert_eq!(test(id).await.is(200).json(), json!({"status": "ok"}));
    bad["name"] = json!("bad");
    let created = world.post(&format!("{ORG}/connectors"), bad).await.is(201).json();
    test(created["id"].as_str().expect("an id")).await.refused(502);
    test("no-id").await.refused(404);
    test("00000000-0000-4000-8000-000000000000").await.refused(404);
}

#[tokio::test]
async fn new_credentials_serve_the_next_import() {
    let world = World::new(objects()).await;
    let list = format!("{ORG}/connectors");
    let mut wrong = world.connector("rotated");
    wrong["config"]["secret_access_key"] = json!("not-the-secret");
    let created = world.post(&list, wrong).await.is(201).json();
    let id = &created["id"];
    world.post(&format!("{REPO}/connectors"), json!({"connector_id": id})).await.is(201);
    let import = json!({"connector_id": id, "destination_path": ""});
    assert_eq!(world.import(import.clone()).await["status"], "failed");

    let one = format!("{list}/{}", id.as_str().expect("an id"));
    let patch = async |body: Value| world.call("PATCH", &one, Some(body)).await;
    let patched = patch(json!({"config": world.config()})).await.is(200);
    assert!(!String::from_utf8_lossy(&patched.body).contains(SECRET_ACCESS_KEY));
    assert_eq!(patched.json(), created, "nothing that is seen has changed");
    let job = world.import(import).await;
    assert_eq!(job["status"], "completed", "{job}");
}

#[tokio::test]
async fn a_disabled_connector_is_seen_but_not_used() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    let one = format!("{ORG}/connectors/{}", id.as_str().expect("an id"));
    let patch = async |body: Value| world.call("PATCH", &one, Some(body)).await;
    let start = json!({"connector_id": id, "destination_path": ""});
    let disabled = patch(json!({"disabled": true})).await.is(200).json();
    assert_eq!((&disabled["disabled"], &disabled["name"]), (&json!(true), &json!("source")));
    assert_eq!(world.get(&one).await.is(200).json(), disabled);
    let message = world.post(&format!("{REPO}/import"), start.clone()).await.refused(423);
    assert!(message.contains("disabled"), "{message}");
    world.call("POST", &format!("{one}/test"), None).await.refused(423);

    let enabled = patch(json!({"disabled": false, "name": "renamed"})).await.is(200).json();
    assert_eq!((&enabled["disabled"], &enabled["name"]), (&json!(false), &json!("renamed")));
    assert_eq!(world.import(start).await["status"], "completed");
}

#[tokio::test]
async fn changes_that_are_none_are_refused_by_field_without_an_echo() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    world.post(&format!("{ORG}/connectors"), world.connector("taken")).await.is(201);
    let one = format!("{ORG}/connectors/{}", id.as_str().expect("an id"));
    let before = world.get(&one).await.is(200).json();
    let patch = async |body: Value| world.call("PATCH", &one, Some(body)).await;
    let unknown_key = json!({
        "access_key_id": "a", "secret_access_key": "hush-hush", "endpont": "x",
    });
    for (body, part) in [
        (json!({}), "name, config and disabled"),
        (json!({"type": "gcs"}), "name, config and disabled"),
        (json!({"name": ""}), "name"),
        (json!({"name": 7}), "name: must be a string"),
        (json!({"disabled": "yes"}), "disabled: must be a boolean"),
        (json!({"config": "hush-hush"}), "config"),
        (json!({"config": {"access_key_id": "hush-hush"}}), "secret_access_key"),
        (json!({"config": unknown_key}), "endpont"),
    ] {
        let answer = patch(body).await;
        let message = answer.refused(400);
        assert!(message.contains(part), "{part}: {message}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("hush-hush"), "{message}");
    }
    patch(json!({"name": "taken"})).await.refused(409);
    assert_eq!(world.get(&one).await.is(200).json(), before);
    for id in ["no-id", "00000000-0000-4000-8000-000000000000"] {
        let path = format!("{ORG}/connectors/{id}");
        world.call("PATCH", &path, Some(json!({"name": "x"}))).await.refused(404);
    }
    world.delete(&one).await.is(204);
    patch(json!({"disabled": true})).await.refused(404);
}

#[tokio::test]
async fn attachments_come_and_go() {
    let world = World::new(objects()).await;
    let list = format!("{REPO}/connectors");
    assert_eq!(world.get(&list).await.is(200).json(), json!({"results": []}));
    let id = world.attached().await;
    assert_eq!(world.get(&list).await.is(200).json()["results"][0]["id"], id);
    world.post(&list, json!({"connector_id": id})).await.refused(409);
    let unknown = json!({"connector_id": "00000000-0000-4000-8000-000000000000"});
    world.post(&list, unknown).await.refused(404);
    for bad in [json!({"connector_id": "x"}), json!({"connector_id": 7}), json!({})] {
        let message = world.post(&list, bad).await.refused(400);
        assert!(message.starts_with("connector_id: "), "{message}");
    }
    let one = format!("{list}/{}", id.as_str().expect("an id"));
    world.delete(&one).await.is(204);
    world.delete(&one).await.is(204);
    world.delete(&format!("{list}/no-id")).await.refused(404);
    assert_eq!(world.get(&list).await.is(200).json(), json!({"results": []}));
}
