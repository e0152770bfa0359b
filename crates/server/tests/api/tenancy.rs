//! What is in one organization is not to be found by its id in another.

use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{Answer, ORG, REPO, World, place, request};

const THEIRS: &str = "/api/v1/organizations/theirs";
const THEIR_REPO: &str = "/api/v1/organizations/theirs/repositories/data";

/// The owner's world, and a stranger with an organization and a repository of the same name.
async fn world() -> World {
    let world = World::imported(Objects::from([("a.txt", "a")])).await;
    let body = json!({"name": "theirs", "display_name": "Theirs"});
    theirs(&world, "POST", "/api/v1/organizations", Some(body)).await.is(201);
    let body = json!({"name": "data"});
    theirs(&world, "POST", &format!("{THEIRS}/repositories"), Some(body)).await.is(201);
    world
}

/// A request by the stranger.
async fn theirs(world: &World, method: &str, path: &str, body: Option<Value>) -> Answer {
    world.send(request(method, path, Some(&world.stranger), body)).await
}

fn text(value: &Value) -> String {
    value.as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn connectors_imports_and_commits_are_not_found_in_another_organization() {
    let world = world().await;
    let connectors = world.get(&format!("{REPO}/connectors")).await.json();
    let connector = text(&connectors["results"][0]["id"]);
    let jobs = world.get(&format!("{REPO}/import")).await.json();
    let (job, commit) = (text(&jobs["results"][0]["id"]), world.head().await);
    let attach = json!({"connector_id": connector});
    let import = json!({"connector_id": connector, "destination_path": ""});
    for (method, path, body) in [
        ("GET", format!("{THEIRS}/connectors/{connector}"), None),
        ("GET", format!("{THEIR_REPO}/import/{job}"), None),
        ("GET", format!("{THEIR_REPO}/import/{job}/events"), None),
        ("GET", format!("{THEIR_REPO}/import/{job}/changes"), None),
        ("GET", format!("{THEIR_REPO}/commits/{commit}"), None),
        ("GET", format!("{THEIR_REPO}/object?path=a.txt&ref={commit}"), None),
        ("GET", format!("{THEIR_REPO}/object?path=a.txt&ref={commit}&presign=true"), None),
        ("GET", format!("{THEIR_REPO}/objects?ref={commit}"), None),
        ("GET", format!("{THEIR_REPO}/log?ref={commit}"), None),
        ("GET", format!("{THEIR_REPO}/diff?right={commit}"), None),
        ("POST", format!("{THEIR_REPO}/commits/{commit}/revert"), None),
        ("POST", format!("{THEIR_REPO}/connectors"), Some(attach)),
        ("POST", format!("{THEIR_REPO}/import"), Some(import)),
        ("POST", format!("{THEIR_REPO}/import/{job}/cancel"), None),
        ("POST", format!("{THEIR_REPO}/import/{job}/retry"), None),
        ("POST", format!("{THEIRS}/connectors/{connector}/test"), None),
        ("DELETE", format!("{THEIRS}/connectors/{connector}"), None),
        ("PATCH", format!("{THEIRS}/connectors/{connector}"), Some(json!({"disabled": true}))),
    ] {
        theirs(&world, method, &path, body).await.refused(404);
    }
    let kept = world.get(&format!("{ORG}/connectors/{connector}")).await.is(200).json();
    assert_eq!(kept["disabled"], false);
}

#[tokio::test]
async fn sessions_and_uploads_are_not_found_in_another_organization() {
    let world = world().await;
    let session = world.session().await;
    world.stage(&session, "b.txt", "staged").await;
    let upload = world.call("PUT", &place("object", &session, "c"), None).await.is(200).json();
    let finalized = json!({"upload_token": upload["upload_token"]});
    let parts = world.call("POST", &place("object/multipart", &session, "d"), None).await;
    let mut completed = parts.is(200).json();
    completed["parts"] = json!([]);
    let staged = format!("session_id={session}&path=b.txt");
    let copy = format!("session_id={session}&source_path=b.txt&destination_path=x");
    for (method, path, body) in [
        ("GET", format!("diff?session_id={session}"), None),
        ("GET", format!("changes?session_id={session}"), None),
        ("GET", format!("objects?session_id={session}"), None),
        ("GET", format!("object?{staged}"), None),
        ("GET", format!("object?{staged}&presign=true"), None),
        ("PUT", format!("object?{staged}"), None),
        ("DELETE", format!("object?{staged}"), None),
        ("POST", format!("object/copy?{copy}"), None),
        ("POST", format!("object/multipart?{staged}"), None),
        ("POST", format!("object/finalize?session_id={session}&path=c"), Some(finalized.clone())),
        ("POST", format!("object/multipart/complete?session_id={session}&path=d"), Some(completed)),
        ("POST", format!("objects/delete?session_id={session}"), Some(json!({"paths": ["b.txt"]}))),
        ("POST", format!("sessions/{session}"), Some(json!({"message": "theirs"}))),
        ("DELETE", format!("sessions/{session}"), None),
    ] {
        theirs(&world, method, &format!("{THEIR_REPO}/{path}"), body).await.refused(404);
    }
    // Nor does a token lead from there into a session of their own.
    let own = theirs(&world, "POST", &format!("{THEIR_REPO}/sessions"), None).await.is(201).json();
    let own = text(&own["session_id"]);
    let path = format!("{THEIR_REPO}/object/finalize?session_id={own}&path=c");
    theirs(&world, "POST", &path, Some(finalized)).await.refused(403);
    let changes = world.get(&format!("{REPO}/changes?session_id={session}")).await.is(200).json();
    assert_eq!(changes["results"].as_array().expect("a list").len(), 1, "nothing was changed");
}
