//! Uploads: in three steps as the SDK does it, at once, in parts; copies and deletions.

use axum::body::Body;
use model::Hash;
use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{REPO, World, escaped, local, place};

async fn world() -> (World, String) {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    (world, session)
}

/// PUTs bytes to a link, as the SDK does: without a credential.
async fn put(world: &World, url: &Value, bytes: impl Into<Body>) -> String {
    let headers = [("content-type", "application/octet-stream")];
    let answer = world.bytes("PUT", &local(url), None, &headers, bytes).await.is(200);
    assert!(answer.body.is_empty());
    assert!(answer.headers.get("set-cookie").is_none());
    answer.header("etag").to_owned()
}

async fn entry(world: &World, session: &str, path: &str) -> Value {
    let list = format!("{REPO}/objects?session_id={session}&prefix={}", escaped(path));
    world.get(&list).await.is(200).json()["results"][0]["entry"].clone()
}

#[tokio::test]
async fn an_upload_in_three_steps() {
    let (world, session) = world().await;
    let path = "dir/\u{e4} b.txt";
    let begun = world.call("PUT", &place("object", &session, path), None).await.is(200).json();
    let keys: Vec<_> = begun.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["upload_url", "upload_token"]);
    let etag = put(&world, &begun["upload_url"], "bytes").await;
    let hash = Hash::of(b"bytes").to_string();
    assert_eq!(etag, format!("\"{hash}\""));
    world.get(&place("object", &session, path)).await.refused(404);

    let finalize = place("object/finalize", &session, path);
    let body = json!({
        "upload_token": begun["upload_token"],
        "checksum": hash,
        "content_type": "text/plain",
        "size_bytes": 5,
        "metadata": {"a": "body", "Owner": "data team"},
        "unknown": 1,
    });
    let headers = [
        ("x-tilde-meta-a", "header"),
        ("X-Tilde-Meta-B", "2"),
        ("content-type", "application/json"),
    ];
    let staged = world.bytes("POST", &finalize, Some(&world.owner), &headers, body.to_string());
    assert_eq!(staged.await.is(201).json(), json!({"path": path, "etag": hash}));
    let entry = entry(&world, &session, path).await;
    assert_eq!((&entry["e_tag"], &entry["size"]), (&json!(hash), &json!(5)));
    assert_eq!(entry["content_type"], "text/plain");
    assert_eq!(entry["metadata"], json!({"Owner": "data team", "a": "body", "b": "2"}));
    let read = world.get(&place("object", &session, path)).await.is(200);
    assert_eq!((&read.body[..], read.header("x-tilde-meta-b")), (&b"bytes"[..], "2"));
}

#[tokio::test]
async fn a_body_or_a_content_type_makes_it_one_step() {
    let (world, session) = world().await;
    let uri = place("object", &session, "a");
    let owner = Some(&*world.owner);
    let headers = [("content-type", "text/csv"), ("x-tilde-meta-run", "7")];
    let staged = world.bytes("PUT", &uri, owner, &headers, "a,b").await.is(201).json();
    assert_eq!(staged, json!({"path": "a", "etag": Hash::of(b"a,b").to_string()}));
    let stored = entry(&world, &session, "a").await;
    assert_eq!((&stored["content_type"], &stored["size"]), (&json!("text/csv"), &json!(3)));
    assert_eq!(stored["metadata"], json!({"run": "7"}));

    world.bytes("PUT", &uri, owner, &[], "untyped").await.is(201);
    let stored = entry(&world, &session, "a").await;
    assert_eq!(stored["content_type"], "application/octet-stream");
    assert_eq!(stored["metadata"], json!({}), "the upload before is forgotten");
    let typed = world.bytes("PUT", &uri, owner, &headers[..1], "").await.is(201).json();
    assert_eq!(typed["etag"], Hash::of(b"").to_string());
    let bare = world.bytes("PUT", &uri, owner, &[("content-length", "0")], "").await.is(200);
    assert!(bare.json()["upload_url"].is_string());
    let twice = [("x-tilde-meta-a", "1"), ("x-tilde-meta-a", "2")];
    world.bytes("PUT", &uri, owner, &twice, "x").await.refused(400);
}

#[tokio::test]
async fn a_body_without_a_length_arrives_whole() {
    let (world, session) = world().await;
    let chunks = futures_util::stream::iter((0..40_u8).map(|number| {
        Ok::<_, std::convert::Infallible>(bytes::Bytes::from(vec![number; 64 << 10]))
    }));
    let expected: Vec<u8> = (0..40).flat_map(|number| vec![number; 64 << 10]).collect();
    let begun = world.call("PUT", &place("object", &session, "a"), None).await.is(200).json();
    let etag = put(&world, &begun["upload_url"], Body::from_stream(chunks)).await;
    assert_eq!(etag, format!("\"{}\"", Hash::of(&expected)));
    let body = json!({"upload_token": begun["upload_token"]});
    world.post(&place("object/finalize", &session, "a"), body).await.is(201);
    assert_eq!(world.get(&place("object", &session, "a")).await.is(200).body, expected);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_nothing() {
    let (world, session) = world().await;
    let broken = || {
        let chunks = [Ok(bytes::Bytes::from_static(b"half")), Err(std::io::Error::other("gone"))];
        Body::from_stream(futures_util::stream::iter(chunks))
    };
    let begun = world.call("PUT", &place("object", &session, "a"), None).await.is(200).json();
    let link = local(&begun["upload_url"]);
    world.bytes("PUT", &link, None, &[], broken()).await.refused(400);
    let body = json!({"upload_token": begun["upload_token"]});
    let finalized = world.post(&place("object/finalize", &session, "a"), body).await;
    assert!(matches!(finalized.status.as_u16(), 400 | 404), "{}", finalized.status);
    let owner = Some(&*world.owner);
    world.bytes("PUT", &place("object", &session, "a"), owner, &[], broken()).await.refused(400);
    world.get(&place("object", &session, "a")).await.refused(404);
}

#[tokio::test]
async fn what_the_client_states_is_verified() {
    let (world, session) = world().await;
    for statement in [json!({"checksum": "0".repeat(64)}), json!({"size_bytes": 4})] {
        let begun = world.call("PUT", &place("object", &session, "a"), None).await.is(200).json();
        put(&world, &begun["upload_url"], "bytes").await;
        let mut body = statement.clone();
        body["upload_token"] = begun["upload_token"].clone();
        world.post(&place("object/finalize", &session, "a"), body).await.refused(400);
        world.get(&place("object", &session, "a")).await.refused(404);
    }
    let begun = world.call("PUT", &place("object", &session, "a"), None).await.is(200).json();
    let finalize = place("object/finalize", &session, "a");
    for (body, part) in [
        (json!({}), "upload_token: required"),
        (json!({"upload_token": begun["upload_token"], "size_bytes": -1}), "size_bytes"),
        (json!({"upload_token": begun["upload_token"], "metadata": {"a": null}}), "metadata.a"),
        (json!({"upload_token": begun["upload_token"], "content_type": 1}), "content_type"),
    ] {
        let message = world.post(&finalize, body).await.refused(400);
        assert!(message.contains(part), "{message}");
    }
}

/// Uploads the parts; the body that completes them.
async fn parts(world: &World, session: &str, path: &str, parts: &[&[u8]]) -> Value {
    let begun = world.call("POST", &place("object/multipart", session, path), None).await;
    let begun = begun.is(200).json();
    let (id, token) = (&begun["upload_id"], &begun["upload_token"]);
    let mut listed = Vec::new();
    for (number, bytes) in (1..).zip(parts) {
        let text = |value: &Value| escaped(value.as_str().expect("a string"));
        let query = format!("upload_id={}&upload_token={}", text(id), text(token));
        let part = place("object/multipart/part", session, path);
        let link = world.get(&format!("{part}&{query}&part_number={number}")).await.is(200).json();
        let etag = put(world, &link["upload_url"], bytes.to_vec()).await;
        listed.push(json!({"part_number": number, "etag": etag}));
    }
    json!({"upload_id": id, "upload_token": token, "parts": listed})
}

#[tokio::test]
async fn an_upload_in_parts() {
    let (world, session) = world().await;
    let complete = place("object/multipart/complete", &session, "large");
    let pieces: [&[u8]; 3] = [&[1; 300_000], &[2; 7], &[3; 100_000]];
    let mut body = parts(&world, &session, "large", &pieces).await;
    body["content_type"] = json!("application/x-large");
    body["size_bytes"] = json!(400_007);
    body["metadata"] = json!({"a": "1"});
    let staged = world.post(&complete, body).await.is(201).json();
    let whole = pieces.concat();
    assert_eq!(staged, json!({"path": "large", "etag": Hash::of(&whole).to_string()}));
    assert_eq!(world.get(&place("object", &session, "large")).await.is(200).body, whole);
    let stored = entry(&world, &session, "large").await;
    assert_eq!(stored["content_type"], "application/x-large");
    assert_eq!(stored["metadata"], json!({"a": "1"}));

    let body = parts(&world, &session, "empty", &[]).await;
    let staged = world.post(&place("object/multipart/complete", &session, "empty"), body).await;
    assert_eq!(staged.is(201).json()["etag"], Hash::of(b"").to_string());
}

#[tokio::test]
async fn parts_that_are_not_right_make_no_object() {
    let (world, session) = world().await;
    let complete = place("object/multipart/complete", &session, "a");
    let good = parts(&world, &session, "a", &[b"one", b"two"]).await;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        body
    };
    for body in [
        changed(&|body| body["parts"][0]["etag"] = json!("0".repeat(64))),
        changed(&|body| body["parts"][1]["part_number"] = json!(3)),
        changed(&|body| body["parts"][1]["part_number"] = json!(0)),
        changed(&|body| body["parts"][1]["part_number"] = json!(1)),
        changed(&|body| body["parts"] = json!(null)),
        changed(&|body| body["parts"][0] = json!({"part_number": 1})),
        changed(&|body| body["size_bytes"] = json!(7)),
        changed(&|body| body["checksum"] = json!("0".repeat(64))),
        changed(&|body| body["upload_id"] = json!("x")),
    ] {
        world.post(&complete, body).await.refused(400);
        world.get(&place("object", &session, "a")).await.refused(404);
    }
    let part = place("object/multipart/part", &session, "a");
    let id = good["upload_id"].as_str().expect("an id");
    for query in ["", "&upload_id=x&part_number=1"] {
        world.get(&format!("{part}{query}")).await.refused(400);
    }
    for number in ["0", "10001", "x", "-1", ""] {
        let query = format!("&upload_id={id}&part_number={number}");
        let message = world.get(&format!("{part}{query}")).await.refused(400);
        assert!(message.contains("part_number"), "{message}");
    }
    world.post(&complete, good).await.is(201);
}

#[tokio::test]
async fn as_many_parts_can_be_named_as_there_may_be() {
    let (world, session) = world().await;
    let complete = place("object/multipart/complete", &session, "a");
    let good = parts(&world, &session, "a", &[b"one"]).await;
    let mut most = good.clone();
    let named = (1..=model::limits::PARTS_MAX)
        .map(|number| json!({"part_number": number, "etag": format!("\"{}\"", Hash::of(b"one"))}));
    most["parts"] = named.collect();
    let most = serde_json::to_vec_pretty(&most).expect("JSON");
    assert!(most.len() > model::limits::BODY_BYTES_MAX);
    let headers = [("content-type", "application/json")];
    let owner = Some(&*world.owner);
    let read = world.bytes("POST", &complete, owner, &headers, most).await.refused(400);
    assert!(read.contains("part 1 "), "it was read to the end: {read}");

    let limit = model::limits::COMPLETE_BYTES_MAX;
    let padded = |length: usize| {
        let text = good.to_string();
        text.clone() + &" ".repeat(length - text.len())
    };
    let (too_long, length) = (padded(limit + 1), (limit + 1).to_string());
    let declared = [headers[0], ("content-length", &length)];
    let refused = world.bytes("POST", &complete, owner, &declared, too_long.clone()).await;
    assert!(refused.refused(413).contains("4 MiB"));
    world.bytes("POST", &complete, owner, &headers, too_long).await.refused(413);
    world.bytes("POST", &complete, owner, &headers, padded(limit)).await.is(201);
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_gone() {
    let (world, session) = world().await;
    let body = parts(&world, &session, "a", &[b"one"]).await;
    let text = |name: &str| escaped(body[name].as_str().expect("a string"));
    let (id, token) = (text("upload_id"), text("upload_token"));
    let uri = place("object/multipart", &session, "a");
    let uri = format!("{uri}&upload_id={id}&upload_token={token}");
    world.delete(&uri).await.is(204);
    world.post(&place("object/multipart/complete", &session, "a"), body).await.refused(404);
    world.get(&place("object", &session, "a")).await.refused(404);
}

#[tokio::test]
async fn copies_and_deletions_need_no_bytes() {
    let (world, session) = world().await;
    let etag = world.stage(&session, "a", "bytes").await;
    let copy = format!("{REPO}/object/copy?session_id={session}");
    let uri = format!("{copy}&source_path=a&destination_path=dir%2Fb");
    let copied = world.call("POST", &uri, None).await.is(201).json();
    assert_eq!(copied, json!({"source_path": "a", "destination_path": "dir/b"}));
    assert_eq!(entry(&world, &session, "dir/b").await["e_tag"], etag);
    for (query, status) in [
        ("&source_path=none&destination_path=b", 404),
        ("&source_path=a", 400),
        ("&destination_path=b", 400),
        ("&source_path=a&destination_path=", 400),
    ] {
        world.call("POST", &format!("{copy}{query}"), None).await.refused(status);
    }

    let many = format!("{REPO}/objects/delete?session_id={session}");
    let deleted = world.post(&many, json!({"paths": ["a", "none"]})).await.is(200).json();
    assert_eq!(deleted, json!({"deleted": 2}));
    world.get(&place("object", &session, "a")).await.refused(404);
    let too_many: Vec<_> = (0..1_001).map(|number| number.to_string()).collect();
    for body in [
        json!({"paths": []}),
        json!({"paths": too_many}),
        json!({"paths": [""]}),
        json!({"paths": [1]}),
        json!({"paths": "a"}),
        json!({"paths": ["a"], "unknown": 1}),
        json!({}),
    ] {
        world.post(&many, body).await.refused(400);
    }
    world.post(&many, json!({"paths": too_many[1..]})).await.is(200);
    world.delete(&place("object", &session, "dir/b")).await.is(204);
    world.delete(&place("object", &session, "dir/b")).await.is(204);
    let list = world.get(&format!("{REPO}/objects?session_id={session}")).await.is(200).json();
    assert_eq!(list["results"], json!([]));
}

#[tokio::test]
async fn every_change_needs_a_session_and_a_path() {
    let (world, session) = world().await;
    for (method, route) in [
        ("PUT", "object"),
        ("DELETE", "object"),
        ("POST", "object/finalize"),
        ("POST", "object/multipart"),
        ("GET", "object/multipart/part"),
        ("POST", "object/multipart/complete"),
        ("DELETE", "object/multipart"),
    ] {
        for (query, named) in [
            ("path=a".to_owned(), "session_id"),
            ("session_id=x&path=a".to_owned(), "session_id"),
            (format!("session_id={session}"), "path"),
            (format!("session_id={session}&path="), "path"),
        ] {
            let body = json!({"upload_token": "t", "upload_id": session, "parts": []});
            let body = (method == "POST" && route != "object/multipart").then_some(body);
            let uri = format!("{REPO}/{route}?{query}");
            let message = world.call(method, &uri, body).await.refused(400);
            assert!(message.contains(named), "{method} {route} {query}: {message}");
        }
    }
    let long = place("object", &session, &"x".repeat(2_049));
    world.call("PUT", &long, None).await.refused(400);
}

#[tokio::test]
async fn only_the_bytes_of_objects_may_be_large() {
    let (world, session) = world().await;
    let large = vec![7_u8; 3 << 20];
    let length = large.len().to_string();
    let headers = [("content-length", &*length)];
    let owner = Some(&*world.owner);
    let uri = place("object", &session, "a");
    let begun = world.call("PUT", &uri, None).await.is(200).json();
    let link = local(&begun["upload_url"]);
    world.bytes("PUT", &link, None, &headers, large.clone()).await.is(200);
    let staged = world.bytes("PUT", &uri, owner, &headers, large.clone()).await.is(201);
    assert!(staged.headers.get("connection").is_none(), "all of the body was taken");
    for (method, uri) in [
        ("POST", place("object/finalize", &session, "a")),
        ("POST", uri.clone()),
        ("PUT", format!("{REPO}/object/finalize")),
        ("PUT", "/api/v1/downloads/x".to_owned()),
    ] {
        world.bytes(method, &uri, owner, &headers, large.clone()).await.refused(413);
    }
}

#[tokio::test]
async fn an_answer_before_the_body_closes_the_connection() {
    let (world, session) = world().await;
    let unread = || {
        Body::from_stream(futures_util::stream::poll_fn(
            |_| -> std::task::Poll<Option<std::io::Result<bytes::Bytes>>> {
                panic!("the body was read")
            },
        ))
    };
    let owner = Some(&*world.owner);
    let nothing = place("object", "00000000-0000-4000-8000-000000000000", "a");
    for (uri, token, status) in [
        (place("object", &session, "a"), None, 401),
        (place("object", &session, "a"), Some(&*world.stranger), 404),
        (nothing, owner, 404),
        (format!("{REPO}/object"), owner, 400),
        ("/api/v1/uploads/x".to_owned(), None, 403),
    ] {
        let answer = world.bytes("PUT", &uri, token, &[], unread()).await;
        answer.refused(status);
        assert_eq!(answer.header("connection"), "close", "{uri}");
    }
}
