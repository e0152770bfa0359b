//! The audit log over the API.

use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{ORG, REPO, World, request};

fn actions(page: &Value) -> Vec<&str> {
    let rows = page["results"].as_array().expect("a list").iter();
    rows.map(|row| row["action"].as_str().expect("an action")).collect()
}

#[tokio::test]
async fn every_change_is_in_the_log_with_who_and_which_request() {
    let world = World::new(Objects::new()).await;
    let bearer = format!("Bearer {}", world.owner);
    let headers = [("authorization", &*bearer), ("x-request-id", "request-7")];
    let body = json!({"description": "new"}).to_string();
    world.bytes("PUT", REPO, None, &headers, body).await.is(200);
    let commit = world.committed("a", "bytes").await;
    world.post(&format!("{ORG}/members"), json!({"username": "mallory"})).await.is(201);

    let log = world.get(&format!("{ORG}/audit")).await.is(200).json();
    let actions = actions(&log);
    for action in
        ["CreateOrganization", "CreateRepository", "UpdateRepository", "CommitSession", "AddMember"]
    {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    assert_eq!(actions[0], "AddMember", "newest first");
    let rows = log["results"].as_array().expect("a list");
    let row = |action: &str| rows.iter().find(|row| row["action"] == action).expect("a row");
    let update = row("UpdateRepository");
    let me = world.get("/api/v1/auth/me").await.json();
    let keys: Vec<_> = update.as_object().expect("an object").keys().collect();
    let fields = [
        "id",
        "time",
        "request_id",
        "principal_type",
        "principal_id",
        "principal_name",
        "action",
        "resource",
        "details",
    ];
    assert_eq!(keys, fields);
    assert_eq!(update["request_id"], "request-7");
    assert_eq!(update["principal_type"], "user");
    assert_eq!(update["principal_id"], me["user"]["id"]);
    assert_eq!(update["principal_name"], "admin");
    assert!(update["resource"].as_str().expect("a path").contains("repositories/data"));
    assert!(
        update["details"].is_object() && update["time"].as_str().expect("a time").ends_with('Z')
    );
    assert!(row("CommitSession").to_string().contains(&commit));
    let text = log.to_string();
    assert!(!text.contains(&world.owner) && !text.contains("secret"));
}

#[tokio::test]
async fn the_log_is_paged_and_for_owners() {
    let world = World::new(Objects::new()).await;
    for number in 0..5 {
        let body = json!({"name": format!("more-{number}")});
        world.post(&format!("{ORG}/repositories"), body).await.is(201);
    }
    let path = format!("{ORG}/audit");
    let whole = world.get(&path).await.is(200).json();
    let whole: Vec<_> = whole["results"].as_array().expect("a list").clone();
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{path}?amount=2&after={after}")).await.is(200).json();
        rows.extend(page["results"].as_array().expect("a list").clone());
        if page["pagination"]["has_more"] == false {
            break;
        }
        after = page["pagination"]["next_offset"].as_str().expect("a cursor").to_owned();
    }
    assert_eq!(rows, whole);
    world.get(&format!("{path}?amount=0")).await.refused(400);
    let stranger = Some(&*world.stranger);
    world.send(request("GET", &path, stranger, None)).await.refused(404);
    world.post(&format!("{ORG}/members"), json!({"username": "mallory"})).await.is(201);
    world.send(request("GET", &path, stranger, None)).await.refused(403);
    let body = json!({"username": "mallory", "role": "owner"});
    world.delete(&format!("{ORG}/members/mallory")).await.is(204);
    world.post(&format!("{ORG}/members"), body).await.is(201);
    world.send(request("GET", &path, stranger, None)).await.is(200);
}
