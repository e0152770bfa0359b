//! Repositories, and the pages of their lists.

use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{ORG, REPO, World};

#[tokio::test]
async fn a_repository_lives_and_dies() {
    let world = World::new(Objects::new()).await;
    let list = format!("{ORG}/repositories");
    let body = json!({
        "name": "second", "description": "d", "visibility": "private",
        "retention_days": 90, "session_max_duration_days": 7,
    });
    let created = world.post(&list, body.clone()).await.is(201).json();
    for (key, value) in body.as_object().expect("an object") {
        assert_eq!(created[key], *value, "{key}");
    }
    assert_eq!(created["organization_slug"], "acme");
    assert_eq!(created["organization_display_name"], "Acme");
    assert_eq!(created["created_by_type"], "user");
    world.post(&list, body).await.refused(409);

    let first = world.get(REPO).await.is(200).json();
    assert_eq!(first["retention_days"], Value::Null);
    assert_eq!(first["session_max_duration_days"], 7);
    assert_eq!(first["visibility"], "private");

    world.delete(REPO).await.is(204);
    world.get(REPO).await.refused(404);
    world.delete(REPO).await.refused(404);
    world.post(&list, json!({"name": "data"})).await.is(201);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let world = World::new(Objects::new()).await;
    let change = async |body: Value| world.call("PUT", REPO, Some(body)).await;
    let changed = change(json!({"description": "new", "retention_days": 30})).await.is(200).json();
    assert_eq!((&changed["description"], &changed["retention_days"]), (&json!("new"), &json!(30)));
    let changed = change(json!({"visibility": "public"})).await.is(200).json();
    assert_eq!((&changed["description"], &changed["retention_days"]), (&json!("new"), &json!(30)));
    let changed = change(json!({"retention_days": null})).await.is(200).json();
    assert_eq!(changed["retention_days"], Value::Null);
    assert_eq!(changed["visibility"], "public");

    for (body, field) in [
        (json!({"retention_days": 0}), "retention_days"),
        (json!({"retention_days": "x"}), "retention_days"),
        (json!({"retention_days": 5, "session_max_duration_days": 5}), "session_max_duration_days"),
        (json!({"visibility": "secret"}), "visibility"),
        (json!({"description": 1}), "description"),
    ] {
        let message = change(body).await.refused(400);
        assert!(message.contains(field), "{message}");
    }
}

#[tokio::test]
async fn bad_names_are_refused() {
    let world = World::new(Objects::new()).await;
    for name in ["", "a", "A", ".a", "a/b", "a b", &"a".repeat(64)] {
        let answer = world.post(&format!("{ORG}/repositories"), json!({"name": name})).await;
        let message = answer.refused(400);
        assert!(message.starts_with("name"), "{message}");
    }
    world.get(&format!("{ORG}/repositories/a%2Fb")).await.refused(404);
    world.get(&format!("{ORG}/repositories/%FF")).await.refused(404);
    world.get(&format!("{ORG}/repositories/..%2f..")).await.refused(404);
}

#[tokio::test]
async fn both_lists_are_paged_to_the_end() {
    let world = World::new(Objects::new()).await;
    for index in 0..4 {
        let body = json!({"name": format!("more-{index}")});
        world.post(&format!("{ORG}/repositories"), body).await.is(201);
    }
    for list in [format!("{ORG}/repositories"), "/api/v1/repositories".to_owned()] {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("{list}?amount=2&after={after}");
            let page = world.get(&path).await.is(200).json();
            let rows = page["results"].as_array().expect("a list");
            assert!(!rows.is_empty() && rows.len() <= 2);
            names.extend(rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()));
            assert_eq!(page["pagination"]["max_per_page"], 2);
            if page["pagination"]["has_more"] == false {
                break;
            }
            let next = page["pagination"]["next_offset"].as_str().expect("a cursor");
            assert!(!next.is_empty());
            after = next.replace('/', "%2F");
        }
        assert_eq!(names, ["data", "more-0", "more-1", "more-2", "more-3"]);
        for bad in ["0", "-1", "x", "1.5", ""] {
            let message = world.get(&format!("{list}?amount={bad}")).await.refused(400);
            assert!(message.starts_with("amount"), "{message}");
        }
        let page = world.get(&format!("{list}?amount=100000&other=1")).await.is(200).json();
        assert_eq!(page["pagination"]["max_per_page"], 1_000);
        assert_eq!(page["pagination"]["has_more"], false);
    }
}
