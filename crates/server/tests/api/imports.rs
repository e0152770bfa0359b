//! Imports: start, list, cancel, retry.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use testkit::s3::{Fault, Gate, Objects, Op, Rule};

use crate::world::{ORG, REPO, World};

fn objects() -> Objects {
    Objects::from([("a/1.txt", "one"), ("a/2.txt", "two"), ("b.txt", "three")])
}

#[tokio::test]
async fn an_import_ends_in_a_commit() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    let job = world
        .import(json!({
            "connector_id": id, "destination_path": "in/", "source_prefix": "a/",
            "commit_message": "First", "use_versioning": false,
        }))
        .await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["objects_imported"], 2);
    assert_eq!((&job["objects_missing"], &job["bytes_imported"]), (&json!(0), &json!(6)));
    assert_eq!((&job["connector_id"], &job["created_by_type"]), (&id, &json!("user")));
    assert_eq!((&job["source_prefix"], &job["destination_path"]), (&json!("a/"), &json!("in/")));
    assert_eq!(job["commit_message"], "First");
    assert_eq!(job["commit_id"], world.head().await);
    for key in ["source_repository_id", "source_organization", "source_repository"] {
        assert_eq!(job[key], Value::Null, "{key}");
    }
    assert!(job.get("error").is_none() && job.get("preview").is_none());
    for (field, value) in [
        ("use_versioning", json!(false)),
        ("mode", json!("overlay")),
        ("max_delete_percent", Value::Null),
        ("include", json!([])),
        ("exclude", json!([])),
        ("dry_run", json!(false)),
        ("on_error", json!("fail")),
        ("concurrency", Value::Null),
        ("skipped", json!([])),
        ("source_commit_id", Value::Null),
        ("eta_seconds", Value::Null),
    ] {
        assert_eq!(job.get(field), Some(&value), "{field}");
    }
    let numbers = [
        "objects_total",
        "bytes_total",
        "objects_unchanged",
        "objects_skipped",
        "objects_deleted",
        "retries",
        "bytes_per_second",
    ];
    assert!(numbers.iter().all(|field| job[field].is_u64()), "{job}");
    assert!(job["phase"].is_string() && job["listed_all"].is_boolean(), "{job}");

    let path = format!("{REPO}/import/{}", job["id"].as_str().expect("an id"));
    let canceled = world.call("POST", &format!("{path}/cancel"), None).await.is(200).json();
    assert_eq!(canceled["status"], "completed");
    world.call("POST", &format!("{path}/retry"), None).await.refused(409);
}

#[tokio::test]
async fn malformed_imports_are_refused_by_field() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    let start = async |body: Value| world.post(&format!("{REPO}/import"), body).await;
    for (body, field) in [
        (json!({"connector_id": id}), "destination_path"),
        (json!({"destination_path": ""}), "connector_id"),
        (json!({"connector_id": "x", "destination_path": ""}), "connector_id"),
        (json!({"connector_id": 1, "destination_path": ""}), "connector_id"),
        (json!({"connector_id": id, "destination_path": 1}), "destination_path"),
        (
            json!({"connector_id": id, "destination_path": "", "use_versioning": "yes"}),
            "use_versioning",
        ),
        (json!({"source_organization": "a", "destination_path": ""}), "source_repository"),
        (
            json!({"connector_id": id, "source_repository": "b", "destination_path": ""}),
            "connector_id",
        ),
    ] {
        let message = start(body).await.refused(400);
        assert!(message.contains(field), "{field}: {message}");
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    start(json!({"connector_id": unknown, "destination_path": ""})).await.refused(404);
    let loose = world.post(&format!("{ORG}/connectors"), world.connector("loose")).await.json();
    let loose = start(json!({"connector_id": loose["id"], "destination_path": ""})).await;
    assert!(loose.refused(400).contains("attach"));

    let connector = format!("{ORG}/connectors/{}", id.as_str().expect("an id"));
    world.delete(&connector).await.is(204);
    start(json!({"connector_id": id, "destination_path": ""})).await.refused(410);
    for job in ["no-id", unknown] {
        world.get(&format!("{REPO}/import/{job}")).await.refused(404);
        for part in ["events", "changes"] {
            world.get(&format!("{REPO}/import/{job}/{part}")).await.refused(404);
        }
        world.call("POST", &format!("{REPO}/import/{job}/cancel"), None).await.refused(404);
        world.call("POST", &format!("{REPO}/import/{job}/retry"), None).await.refused(404);
    }
}

#[tokio::test]
async fn options_of_the_wrong_shape_are_refused_by_field() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    for (fields, message) in [
        (json!({"mode": "sync"}), "mode: must be overlay or mirror"),
        (json!({"mode": "Mirror"}), "mode: must be overlay or mirror"),
        (json!({"mode": 1}), "mode: must be a string"),
        (json!({"max_delete_percent": 5}), "max_delete_percent: only with mode mirror"),
        (
            json!({"mode": "overlay", "max_delete_percent": 5}),
            "max_delete_percent: only with mode mirror",
        ),
        (
            json!({"mode": "mirror", "max_delete_percent": 101}),
            "max_delete_percent: must be 0 to 100",
        ),
        (
            json!({"mode": "mirror", "max_delete_percent": -1}),
            "max_delete_percent: must be 0 to 100",
        ),
        (
            json!({"mode": "mirror", "max_delete_percent": 256}),
            "max_delete_percent: must be 0 to 100",
        ),
        (
            json!({"mode": "mirror", "max_delete_percent": 1.5}),
            "max_delete_percent: must be a whole number",
        ),
        (json!({"include": "*"}), "include: must be an array"),
        (json!({"include": ["*", 7]}), "include[1]: must be a string"),
        (json!({"exclude": {}}), "exclude: must be an array"),
        (json!({"exclude": [null]}), "exclude[0]: must be a string"),
        (json!({"dry_run": "yes"}), "dry_run: must be a boolean"),
        (json!({"on_error": "ignore"}), "on_error: must be fail or skip"),
        (json!({"on_error": true}), "on_error: must be a string"),
        (json!({"concurrency": 0}), "concurrency: must be 1 to 256"),
        (json!({"concurrency": 257}), "concurrency: must be 1 to 256"),
        (json!({"concurrency": 65_537}), "concurrency: must be 1 to 256"),
        (json!({"concurrency": "many"}), "concurrency: must be a whole number"),
    ] {
        let mut body = json!({"connector_id": id, "destination_path": ""});
        let object = body.as_object_mut().expect("an object");
        object.extend(fields.as_object().expect("an object").clone());
        let refused = world.post(&format!("{REPO}/import"), body).await.refused(400);
        assert!(refused.starts_with(message), "{fields}: {refused}");
    }
    let history = world.get(&format!("{REPO}/import")).await.is(200).json();
    assert_eq!(history["results"], json!([]), "nothing was started");
}

#[tokio::test]
async fn the_history_lists_the_newest_import_first() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    let list = format!("{REPO}/import");
    let empty = world.get(&list).await.is(200).json();
    let pagination = json!({"has_more": false, "next_offset": "", "max_per_page": 100});
    assert_eq!(empty, json!({"results": [], "pagination": pagination}));
    let mut jobs = Vec::new();
    for destination in ["1", "2", "3"] {
        let body = json!({"connector_id": id, "destination_path": destination});
        jobs.insert(0, world.import(body).await);
    }
    assert_eq!(world.get(&list).await.is(200).json()["results"], json!(jobs));
    let first = world.get(&format!("{list}?amount=2")).await.is(200).json();
    assert_eq!(first["results"], json!(jobs[..2]));
    assert_eq!(first["pagination"]["has_more"], true);
    assert_eq!(first["pagination"]["max_per_page"], 2);
    let next = first["pagination"]["next_offset"].as_str().expect("a cursor");
    let rest = world.get(&format!("{list}?amount=2&after={next}")).await.is(200).json();
    assert_eq!(rest["results"], json!(jobs[2..]));
    assert_eq!(rest["pagination"]["has_more"], false);
    world.get(&format!("{list}?amount=0")).await.refused(400);

    world.post(&format!("{ORG}/repositories"), json!({"name": "other"})).await.is(201);
    let other = world.get(&format!("{ORG}/repositories/other/import")).await.is(200).json();
    assert_eq!(other["results"], json!([]));
}

#[tokio::test]
async fn a_job_is_canceled_and_retried() {
    let world = World::new(objects()).await;
    let id = world.attached().await;
    let gate = Gate::new();
    world.source.rule(Rule::on(Op::Get, Fault::Hold(gate.clone())));
    let body = json!({"connector_id": id, "destination_path": ""});
    let started = world.post(&format!("{REPO}/import"), body).await.is(202).json();
    let path = format!("{REPO}/import/{}", started["job_id"].as_str().expect("an id"));
    let answer = world.call("POST", &format!("{path}/cancel"), None).await.is(200).json();
    assert_eq!(answer["id"], started["job_id"]);
    // A running job ends when its worker sees it.
    let canceled = world.ended(started["job_id"].as_str().expect("an id")).await;
    assert_eq!(canceled["status"], "canceled");
    assert!(canceled.get("commit_id").is_none());
    world.source.clear_rules();
    gate.open();
    let retried = world.call("POST", &format!("{path}/retry"), None).await.is(202).json();
    let job = world.ended(retried["job_id"].as_str().expect("an id")).await;
    assert_eq!((&job["status"], &job["objects_imported"]), (&json!("completed"), &json!(3)));
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_job() {
    let world = World::new(objects()).await;
    let body = json!({"connector_id": world.attached().await, "destination_path": ""});
    let start = async |key: &[u8]| {
        let request = Request::post(format!("{REPO}/import"))
            .header("authorization", format!("Bearer {}", world.owner))
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()));
        world.send(request.expect("a legal request")).await
    };
    let first = start(b"k1").await.is(202).json();
    assert_eq!(start(b"k1").await.is(202).json(), first);
    assert_ne!(start(b"k2").await.is(202).json(), first);
    for bad in [&b"\xff"[..], b"", &[b'k'; 256]] {
        assert!(start(bad).await.refused(400).starts_with("Idempotency-Key"));
    }
}

#[tokio::test]
async fn a_failed_job_says_why() {
    let world = World::new(objects()).await;
    let mut connector = world.connector("bad");
    connector["config"]["secret_access_key"] = json!("not-the-secret");
    let id = world.post(&format!("{ORG}/connectors"), connector).await.is(201).json()["id"].clone();
    world.post(&format!("{REPO}/connectors"), json!({"connector_id": id})).await.is(201);
    let job = world.import(json!({"connector_id": id, "destination_path": ""})).await;
    assert_eq!(job["status"], "failed");
    let error = job["error"].as_str().expect("an error");
    assert!(!error.is_empty() && !error.contains("not-the-secret"), "{error}");
    assert!(job.get("commit_id").is_none());
    let log = world.get(&format!("{REPO}/log")).await.is(200).json();
    assert_eq!(log["results"], json!([]));
}
