//! Imports that are asked for in another way than the public API has: mirrors, filters, dry runs,
//! skipping, and imports from other repositories.

use serde_json::{Value, json};
use testkit::s3::{Fault, Objects, Op, Rule};

use crate::world::{ORG, REPO, World, request};

fn objects() -> Objects {
    Objects::from([("a.txt", "one"), ("b.csv", "three"), ("tmp/c.csv", "seven")])
}

/// A body that starts an import of everything, with more fields.
async fn with(world: &World, connector: &Value, fields: Value) -> Value {
    let mut body = json!({"connector_id": connector, "destination_path": ""});
    let object = body.as_object_mut().expect("an object");
    object.extend(fields.as_object().expect("an object").clone());
    world.import(body).await
}

async fn connector(world: &World) -> Value {
    let attached = world.get(&format!("{REPO}/connectors")).await.is(200).json();
    attached["results"][0]["id"].clone()
}

async fn paths(world: &World) -> Vec<String> {
    let listed = world.get(&format!("{REPO}/objects")).await.is(200).json();
    let rows = listed["results"].as_array().expect("rows").iter();
    rows.map(|row| row["path"].as_str().expect("a path").to_owned()).collect()
}

fn object(text: &'static str) -> sample::Object {
    sample::Object::new(text)
}

#[tokio::test]
async fn a_job_says_how_it_was_asked_for() {
    let mut world = World::new(objects()).await;
    world.rest().await;
    let id = world.attached().await;
    let asked = json!({
        "connector_id": id, "destination_path": "in", "use_versioning": true, "mode": "mirror",
        "max_delete_percent": 7, "include": ["**/*.csv"], "exclude": ["tmp/**", "x"],
        "dry_run": true, "on_error": "skip", "concurrency": 256,
    });
    let started = world.post(&format!("{REPO}/import"), asked.clone()).await.is(202).json();
    let path = format!("{REPO}/import/{}", started["job_id"].as_str().expect("an id"));
    let job = world.get(&path).await.is(200).json();
    for (field, value) in asked.as_object().expect("an object") {
        assert_eq!(job[field], *value, "{field}");
    }
    assert_eq!((&job["phase"], &job["listed_all"]), (&json!("waiting"), &json!(false)));
    let asked = json!({"connector_id": id, "destination_path": "", "mode": "mirror"});
    let started = world.post(&format!("{REPO}/import"), asked).await.is(202).json();
    let path = format!("{REPO}/import/{}", started["job_id"].as_str().expect("an id"));
    assert_eq!(world.get(&path).await.json()["max_delete_percent"], 25);
}

#[tokio::test]
async fn a_completed_job_says_how_far_it_came() {
    let world = World::imported(objects()).await;
    let connector = connector(&world).await;
    world.source.put("d.txt", object("four"));
    let job = with(&world, &connector, json!({})).await;
    for (field, value) in [
        ("status", json!("completed")),
        ("phase", json!("ended")),
        ("listed_all", json!(true)),
        ("objects_total", json!(4)),
        ("bytes_total", json!(17)),
        ("objects_imported", json!(4)),
        ("bytes_imported", json!(17)),
        ("objects_unchanged", json!(3)),
        ("objects_deleted", json!(0)),
        ("objects_skipped", json!(0)),
        ("skipped", json!([])),
        ("retries", json!(0)),
        ("eta_seconds", Value::Null),
    ] {
        assert_eq!(job[field], value, "{field}");
    }
}

#[tokio::test]
async fn globs_that_are_none_are_refused() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    let many = vec!["a"; 101];
    for field in ["include", "exclude"] {
        for globs in [json!(["a[", "b"]), json!(many), json!(["a".repeat(1_025)])] {
            let mut body = json!({"connector_id": id, "destination_path": ""});
            body[field] = globs;
            let message = world.post(&format!("{REPO}/import"), body).await.refused(400);
            assert!(message.starts_with(field), "{message}");
        }
    }
}

#[tokio::test]
async fn only_what_the_globs_let_through_is_imported() {
    let world = World::new(objects()).await;
    let connector = world.attached().await;
    let globs = json!({"include": ["**/*.csv"], "exclude": ["tmp/**"]});
    let job = with(&world, &connector, globs).await;
    assert_eq!((&job["status"], &job["objects_imported"]), (&json!("completed"), &json!(1)));
    assert_eq!(paths(&world).await, ["b.csv"]);
}

#[tokio::test]
async fn a_mirror_deletes_what_the_source_no_longer_has_but_not_too_much() {
    let world = World::imported(objects()).await;
    let connector = connector(&world).await;
    world.source.remove("b.csv");
    let overlay = with(&world, &connector, json!({"mode": "overlay"})).await;
    assert_eq!(overlay["status"], "completed");
    assert_eq!(paths(&world).await, ["a.txt", "b.csv", "tmp/c.csv"]);

    let refused = with(&world, &connector, json!({"mode": "mirror"})).await;
    assert_eq!(refused["status"], "failed", "one of three is more than a quarter");
    let error = refused["error"].as_str().expect("an error");
    assert!(error.contains("max_delete_percent"), "{error}");
    assert_eq!(paths(&world).await, ["a.txt", "b.csv", "tmp/c.csv"]);

    let fields = json!({"mode": "mirror", "max_delete_percent": 34});
    let mirror = with(&world, &connector, fields).await;
    assert_eq!((&mirror["status"], &mirror["objects_deleted"]), (&json!("completed"), &json!(1)));
    assert_eq!(paths(&world).await, ["a.txt", "tmp/c.csv"]);
}

#[tokio::test]
async fn a_dry_run_tells_what_would_change_and_changes_nothing() {
    let world = World::imported(objects()).await;
    let (connector, head) = (connector(&world).await, world.head().await);
    world.source.put("a.txt", object("another"));
    world.source.put("d.txt", object("four"));
    world.source.remove("b.csv");
    let fields = json!({"mode": "mirror", "max_delete_percent": 10, "dry_run": true});
    let job = with(&world, &connector, fields).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert!(job.get("commit_id").is_none());
    assert_eq!(world.head().await, head);
    let preview = &job["preview"];
    for (field, objects, bytes) in
        [("added", 1, 4), ("modified", 1, 7), ("removed", 1, 5), ("unchanged", 1, 5)]
    {
        assert_eq!(preview[field], json!({"objects": objects, "bytes": bytes}), "{field}");
    }
    let refusal = preview["refusal"].as_str().expect("a third is more than a tenth");
    assert!(refusal.contains("max_delete_percent"), "{refusal}");

    let changes = format!("{REPO}/import/{}/changes", job["id"].as_str().expect("an id"));
    let expected = [
        json!({"path": "a.txt", "status": "modified", "size": 7}),
        json!({"path": "b.csv", "status": "removed", "size": 5}),
        json!({"path": "d.txt", "status": "added", "size": 4}),
    ];
    assert_eq!(world.get(&changes).await.is(200).json()["results"], json!(expected));
    let first = world.get(&format!("{changes}?amount=2")).await.is(200).json();
    assert_eq!(first["results"], json!(expected[..2]));
    let pagination = json!({"has_more": true, "next_offset": "b.csv", "max_per_page": 2});
    assert_eq!(first["pagination"], pagination);
    let rest = world.get(&format!("{changes}?amount=2&after=b.csv")).await.is(200).json();
    assert_eq!(rest["results"], json!(expected[2..]));
    assert_eq!(rest["pagination"]["has_more"], false);
    world.get(&format!("{changes}?amount=0")).await.refused(400);
}

#[tokio::test]
async fn only_a_completed_dry_run_has_changes() {
    let mut world = World::imported(objects()).await;
    let connector = connector(&world).await;
    let plain = with(&world, &connector, json!({})).await;
    assert!(plain.get("preview").is_none());
    let changes = |job: &Value| format!("{REPO}/import/{}/changes", job.as_str().expect("an id"));
    assert!(world.get(&changes(&plain["id"])).await.refused(409).contains("dry run"));
    world.rest().await;
    let body = json!({"connector_id": connector, "destination_path": "", "dry_run": true});
    let started = world.post(&format!("{REPO}/import"), body).await.is(202).json();
    let waiting = world.get(&changes(&started["job_id"])).await.refused(409);
    assert!(waiting.contains("dry run"), "{waiting}");
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_left_out_if_asked_for() {
    let world = World::new(objects()).await;
    let connector = world.attached().await;
    let denied = Fault::Status { code: 403, s3_code: "AccessDenied", headers: Vec::new() };
    world.source.rule(Rule::on(Op::Get, denied).key("b.csv"));
    let strict = with(&world, &connector, json!({"on_error": "fail"})).await;
    assert_eq!(strict["status"], "failed");
    let job = with(&world, &connector, json!({"on_error": "skip"})).await;
    assert_eq!((&job["status"], &job["objects_skipped"]), (&json!("completed"), &json!(1)));
    let skipped = job["skipped"].as_array().expect("a list");
    assert_eq!((skipped.len(), &skipped[0]["key"]), (1, &json!("b.csv")));
    assert!(skipped[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert_eq!(paths(&world).await, ["a.txt", "tmp/c.csv"]);
}

#[tokio::test]
async fn an_import_from_another_repository_says_where_from() {
    let world = World::imported(objects()).await;
    let (source, commit) = (world.get(REPO).await.json(), world.head().await);
    world.post(&format!("{ORG}/repositories"), json!({"name": "copy"})).await.is(201);
    let copy = format!("{ORG}/repositories/copy/import");
    let mut body = json!({
        "source_organization": "acme", "source_repository": "data", "destination_path": "in",
        "source_prefix": "tmp/",
    });
    let started = world.post(&copy, body.clone()).await.is(202).json();
    let path = format!("{copy}/{}", started["job_id"].as_str().expect("an id"));
    let job = world.get(&path).await.is(200).json();
    assert_eq!(job["connector_id"], Value::Null);
    assert_eq!(job["source_repository_id"], source["id"]);
    assert_eq!(job["source_organization"], "acme");
    assert_eq!(job["source_repository"], "data");
    assert_eq!(job["source_commit_id"], commit);
    let events = world.get(&format!("{path}/events")).await.is(200);
    assert!(String::from_utf8_lossy(&events.body).contains("event: end"));
    assert_eq!(world.get(&path).await.json()["status"], "completed");
    let listed = world.get(&format!("{ORG}/repositories/copy/objects")).await.is(200).json();
    assert_eq!(listed["results"][0]["path"], "in/c.csv");
    assert_eq!(listed["results"][1], Value::Null);

    body["source_repository"] = json!("no-such");
    world.post(&copy, body.clone()).await.refused(404);
    // Nobody learns from an import what they may not read.
    let theirs = "/api/v1/organizations/theirs";
    let send = async |path: &str, body: Value| {
        world.send(request("POST", path, Some(&world.stranger), Some(body))).await
    };
    let organization = json!({"name": "theirs", "display_name": "Theirs"});
    send("/api/v1/organizations", organization).await.is(201);
    send(&format!("{theirs}/repositories"), json!({"name": "data"})).await.is(201);
    let mut messages = Vec::new();
    for organization in ["acme", "nobody"] {
        body["source_organization"] = json!(organization);
        body["source_repository"] = json!("data");
        let answer = send(&format!("{theirs}/repositories/data/import"), body.clone()).await;
        messages.push(answer.refused(404));
    }
    assert_eq!(messages[0], messages[1]);
}
