//! Sessions: what is staged is seen in the session alone, until it becomes a commit or nothing.

use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{REPO, World, place, request};

const NO_SESSION: &str = "00000000-0000-4000-8000-000000000000";

/// A commit with `a`, `b` and `dir/c`, by an import.
async fn world() -> World {
    World::imported(Objects::from([("a", "1"), ("b", "1"), ("dir/c", "1")])).await
}

fn paths(page: &Value) -> Vec<&str> {
    let rows = page["results"].as_array().expect("a list").iter();
    rows.map(|row| row["path"].as_str().expect("a path")).collect()
}

#[tokio::test]
async fn a_change_is_seen_in_its_session_alone_until_it_is_committed() {
    let world = world().await;
    let (before, session) = (world.head().await, world.session().await);
    let etag = world.stage(&session, "new", "bytes").await;
    world.delete(&place("object", &session, "a")).await.is(204);

    let own = world.get(&place("object", &session, "new")).await.is(200);
    assert_eq!((&own.body[..], own.header("etag")), (&b"bytes"[..], &*format!("\"{etag}\"")));
    world.get(&place("object", &session, "a")).await.refused(404);
    assert_eq!(world.get(&place("object", &session, "b")).await.is(200).body, "1");
    world.get(&format!("{REPO}/object?path=new")).await.refused(404);
    world.get(&format!("{REPO}/object?path=a")).await.is(200);
    let list = format!("{REPO}/objects?session_id={session}");
    let page = world.get(&format!("{list}&delimiter=%2F")).await.is(200).json();
    assert_eq!(paths(&page), ["b", "dir/", "new"]);
    let page = world.get(&format!("{list}&amount=2")).await.is(200).json();
    assert_eq!(paths(&page), ["b", "dir/c"]);
    let after = page["pagination"]["next_offset"].as_str().expect("a cursor");
    let page = world.get(&format!("{list}&after={after}")).await.is(200).json();
    assert_eq!((paths(&page), &page["pagination"]["has_more"]), (vec!["new"], &json!(false)));

    let commit = world.commit(&session, "A change").await;
    assert_eq!(world.head().await, commit);
    assert_eq!(world.get(&format!("{REPO}/object?path=new")).await.is(200).body, "bytes");
    world.get(&format!("{REPO}/object?path=a")).await.refused(404);
    let commit = world.get(&format!("{REPO}/commits/{commit}")).await.is(200).json();
    assert_eq!((&commit["message"], &commit["parents"]), (&json!("A change"), &json!([before])));
    assert_eq!((&commit["object_count"], &commit["total_size"]), (&json!(3), &json!(7)));
}

#[tokio::test]
async fn staged_changes_are_listed_with_their_entries_and_null_for_a_deletion() {
    let world = world().await;
    let session = world.session().await;
    let changes = format!("{REPO}/changes?session_id={session}");
    assert_eq!(world.get(&changes).await.is(200).json()["results"], json!([]));
    world.delete(&place("object", &session, "b")).await.is(204);
    let etag = world.stage(&session, "dir/new", "bytes").await;
    let page = world.get(&changes).await.is(200).json();
    assert_eq!(page["results"][0], json!({"path": "b", "entry": null}));
    let entry = &page["results"][1]["entry"];
    assert_eq!((&entry["e_tag"], &entry["size"]), (&json!(etag), &json!(5)));
    assert_eq!(entry["content_type"], "text/plain");
    assert!(entry.get("source_metadata").is_none());
    let page = world.get(&format!("{changes}&amount=1")).await.is(200).json();
    assert_eq!((paths(&page), &page["pagination"]["has_more"]), (vec!["b"], &json!(true)));
    let after = page["pagination"]["next_offset"].as_str().expect("a cursor");
    let page = world.get(&format!("{changes}&after={after}")).await.is(200).json();
    assert_eq!(paths(&page), ["dir/new"]);
    assert_eq!(paths(&world.get(&format!("{changes}&prefix=dir")).await.json()), ["dir/new"]);

    let diff = world.get(&format!("{REPO}/diff?session_id={session}")).await.is(200).json();
    let rows = diff["results"].as_array().expect("a list");
    let rows: Vec<_> = rows.iter().map(|row| (&row["path"], &row["status"])).collect();
    let (b, new) = (json!("b"), json!("dir/new"));
    assert_eq!(rows, [(&b, &json!("removed")), (&new, &json!("added"))]);
}

#[tokio::test]
async fn a_session_ends_once() {
    let world = world().await;
    let before = world.head().await;
    let (rolled_back, committed) = (world.session().await, world.session().await);
    for session in [&rolled_back, &committed] {
        world.stage(session, session, "bytes").await;
    }
    world.delete(&format!("{REPO}/sessions/{rolled_back}")).await.is(204);
    assert_eq!(world.head().await, before);
    world.commit(&committed, "Done").await;
    for session in [&*rolled_back, &*committed, NO_SESSION] {
        let path = format!("{REPO}/sessions/{session}");
        world.delete(&path).await.refused(404);
        world.post(&path, json!({"message": "Again"})).await.refused(404);
        world.get(&format!("{REPO}/changes?session_id={session}")).await.refused(404);
        world.get(&format!("{REPO}/objects?session_id={session}")).await.refused(404);
        world.get(&format!("{REPO}/diff?session_id={session}")).await.refused(404);
        world.get(&place("object", session, "a")).await.refused(404);
        world.call("PUT", &place("object", session, "x"), None).await.refused(404);
        world.delete(&place("object", session, "a")).await.refused(404);
        let many = format!("{REPO}/objects/delete?session_id={session}");
        world.post(&many, json!({"paths": ["a"]})).await.refused(404);
    }
}

#[tokio::test]
async fn whoever_is_second_at_a_path_is_told_which() {
    let world = world().await;
    let (first, second, apart) =
        (world.session().await, world.session().await, world.session().await);
    for session in [&first, &second] {
        world.stage(session, "dir/same", session).await;
    }
    world.stage(&apart, "apart", "bytes").await;
    world.commit(&first, "First").await;
    let path = format!("{REPO}/sessions/{second}");
    let message = world.post(&path, json!({"message": "Second"})).await.refused(409);
    assert!(message.contains("dir/same"), "{message}");
    world.get(&format!("{REPO}/changes?session_id={second}")).await.is(200);
    world.delete(&path).await.is(204);
    world.commit(&apart, "Apart").await;
    for path in ["dir/same", "apart"] {
        world.get(&format!("{REPO}/object?path={path}")).await.is(200);
    }
}

#[tokio::test]
async fn a_commit_needs_changes_and_a_message_and_keeps_its_metadata() {
    let world = world().await;
    let session = world.session().await;
    let path = format!("{REPO}/sessions/{session}");
    let empty = world.post(&path, json!({"message": "Nothing"})).await;
    empty.refused(400);
    assert_eq!(empty.json()["code"], "NO_CHANGES");
    world.stage(&session, "new", "bytes").await;
    for (body, part) in [
        (json!({}), "message: required"),
        (json!({"message": ""}), "message"),
        (json!({"message": 7}), "message: must be a string"),
        (json!({"message": "x".repeat((64 << 10) + 1)}), "message"),
        (json!({"message": "m", "metadata": {"a": 1}}), "metadata.a: must be a string"),
        (json!({"message": "m", "metadata": []}), "metadata"),
    ] {
        let message = world.post(&path, body).await.refused(400);
        assert!(message.contains(part), "{message}");
    }
    let body = json!({"message": "M", "metadata": {"run": "7", "empty": ""}, "unknown": 1});
    let commit = world.post(&path, body).await.is(200).json();
    let id = commit["commit_id"].as_str().expect("an id");
    let commit = world.get(&format!("{REPO}/commits/{id}")).await.is(200).json();
    assert_eq!(commit["metadata"], json!({"run": "7", "empty": ""}));
}

#[tokio::test]
async fn a_session_begins_with_any_body_or_none() {
    let world = world().await;
    let sessions = format!("{REPO}/sessions");
    for (headers, body) in [
        (&[][..], ""),
        (&[("content-length", "0")], ""),
        (&[("content-type", "application/json")], "{}"),
        (&[("content-type", "text/plain")], "anything"),
    ] {
        let begun = world.bytes("POST", &sessions, Some(&world.owner), headers, body).await;
        assert!(begun.is(201).json()["session_id"].is_string());
    }
}

#[tokio::test]
async fn a_read_is_of_one_state() {
    let world = world().await;
    let (session, head) = (world.session().await, world.head().await);
    for query in [
        format!("object?path=a&session_id={session}&ref={head}"),
        format!("objects?session_id={session}&ref={head}"),
        format!("diff?session_id={session}&left={head}"),
        format!("diff?session_id={session}&right={head}"),
        "object?path=a&session_id=x".to_owned(),
        "objects?session_id=x".to_owned(),
        "diff?session_id=x".to_owned(),
        "changes".to_owned(),
        "changes?session_id=".to_owned(),
        format!("changes?session_id={}", session.replace('-', "")),
    ] {
        let message = world.get(&format!("{REPO}/{query}")).await.refused(400);
        assert!(message.contains("session_id"), "{query}: {message}");
    }
    world.get(&format!("{REPO}/changes?session_id={session}&amount=0")).await.refused(400);
    world.delete(&format!("{REPO}/sessions/x")).await.refused(404);
    world.post(&format!("{REPO}/sessions/x"), json!({"message": "m"})).await.refused(404);
}

#[tokio::test]
async fn an_open_session_ends_when_its_time_is_over() {
    let world = world().await;
    let session = world.session().await;
    world.stage(&session, "new", "bytes").await;
    world.clock.forward_ms(8 * 24 * 60 * 60 * 1_000);
    world.get(&format!("{REPO}/changes?session_id={session}")).await.refused(404);
    let path = format!("{REPO}/sessions/{session}");
    world.post(&path, json!({"message": "Late"})).await.refused(404);
}

#[tokio::test]
async fn nothing_waits_for_an_approval() {
    let world = world().await;
    let session = world.session().await;
    let path = format!("{REPO}/sessions/{session}/approve");
    for method in ["GET", "POST"] {
        let message = world.call(method, &path, None).await.refused(404);
        assert_eq!(message, "this version of Tilde has no approvals yet");
    }
    let head = world.send(request("HEAD", &path, Some(&world.owner), None)).await.is(404);
    assert!(head.body.is_empty());
}
