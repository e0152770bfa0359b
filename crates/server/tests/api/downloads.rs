//! Presigned links, and conditional reads.

use http::HeaderMap;
use serde_json::json;
use testkit::s3::Objects;

use crate::world::{Answer, ORG, REPO, World, local, place, request};

/// Headers, and the statuses of GET and HEAD.
type Case<'a> = (&'a [(&'a str, &'a str)], u16, u16);

const TEXT: &str = "0123456789";

async fn world() -> World {
    World::imported(Objects::from([("a.txt", TEXT)])).await
}

/// The path of a link to the object.
async fn link(world: &World, query: &str) -> String {
    let answer = world.get(&format!("{REPO}/object?path=a.txt&presign=true{query}")).await.is(307);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.body.is_empty());
    local(&json!(answer.header("location")))
}

async fn fetch(world: &World, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
    world.bytes(method, uri, None, headers, "").await
}

#[tokio::test]
async fn a_link_reads_as_its_maker_does() {
    let world = world().await;
    let link = link(&world, "").await;
    let plain = world.get(&format!("{REPO}/object?path=a.txt")).await.is(200);
    let without_id = |headers: &HeaderMap| {
        let mut headers = headers.clone();
        headers.remove("x-request-id");
        headers
    };
    for authorization in [None, Some("Bearer tuk-wrong"), Some("nonsense")] {
        let headers = authorization.map(|value| ("authorization", value));
        let answer = fetch(&world, "GET", &link, headers.as_slice()).await.is(200);
        assert_eq!(answer.body, TEXT);
        assert_eq!(without_id(&answer.headers), without_id(&plain.headers));
        let head = fetch(&world, "HEAD", &link, headers.as_slice()).await.is(200);
        assert_eq!((head.body.len(), head.header("content-length")), (0, "10"));
    }
    let range = fetch(&world, "GET", &link, &[("range", "bytes=2-4")]).await.is(206);
    assert_eq!((&range.body[..], range.header("content-range")), (&b"234"[..], "bytes 2-4/10"));
    fetch(&world, "GET", &link, &[("range", "bytes=10-")]).await.refused(416);
    let etag = plain.header("etag");
    fetch(&world, "GET", &link, &[("if-none-match", etag)]).await.is(304);
    fetch(&world, "GET", &link, &[("if-match", "\"other\"")]).await.refused(412);
}

#[tokio::test]
async fn a_link_shows_what_the_object_was() {
    let world = world().await;
    let (latest, pinned) = (link(&world, "").await, world.head().await);
    let pinned = link(&world, &format!("&ref={pinned}")).await;
    world.committed("a.txt", "later").await;
    for link in [&latest, &pinned] {
        assert_eq!(fetch(&world, "GET", link, &[]).await.is(200).body, TEXT);
    }
    let session = world.session().await;
    world.stage(&session, "a.txt", "staged").await;
    let staged = link(&world, &format!("&session_id={session}")).await;
    assert_eq!(fetch(&world, "GET", &staged, &[]).await.is(200).body, "staged");
    world.delete(&format!("{REPO}/sessions/{session}")).await.is(204);
    fetch(&world, "GET", &staged, &[]).await.refused(404);
}

#[tokio::test]
async fn a_link_ends_with_its_time_and_with_the_right_to_read() {
    let world = world().await;
    world.post(&format!("{ORG}/members"), json!({"username": "mallory"})).await.is(201);
    let uri = format!("{REPO}/object?path=a.txt&presign=true");
    let answer = world.send(request("GET", &uri, Some(&world.stranger), None)).await.is(307);
    let theirs = local(&json!(answer.header("location")));
    fetch(&world, "GET", &theirs, &[]).await.is(200);
    world.delete(&format!("{ORG}/members/mallory")).await.is(204);
    fetch(&world, "GET", &theirs, &[]).await.refused(404);

    let own = link(&world, "").await;
    world.clock.forward_ms(14 * 60 * 1_000);
    fetch(&world, "GET", &own, &[]).await.is(200);
    world.clock.forward_ms(61 * 1_000);
    let late = fetch(&world, "GET", &own, &[]).await;
    late.refused(403);
    assert_eq!(late.json()["code"], "LINK_EXPIRED");
}

#[tokio::test]
async fn what_cannot_be_read_gets_no_link() {
    let world = world().await;
    for (query, status) in [
        ("path=none&presign=true", 404),
        ("path=a.txt&presign=true&ref=00000000", 404),
        ("presign=true", 400),
        ("path=a.txt&presign=TRUE", 400),
    ] {
        world.get(&format!("{REPO}/object?{query}")).await.refused(status);
    }
    let uri = format!("{REPO}/object?path=a.txt&presign=true");
    let head = world.call("HEAD", &uri, None).await.is(200);
    assert!(head.headers.get("location").is_none(), "HEAD is answered itself");
    world.send(request("GET", &uri, Some(&world.stranger), None)).await.refused(404);
}

#[tokio::test]
async fn conditions_decide_before_ranges() {
    let world = world().await;
    let uri = format!("{REPO}/object?path=a.txt");
    let plain = world.get(&uri).await.is(200);
    let (etag, modified) = (plain.header("etag"), plain.header("last-modified"));
    let weak = format!("W/{etag}");
    let earlier = "Tue, 31 Dec 2024 23:59:59 GMT";
    let range = ("range", "bytes=0-1");
    let beyond = ("range", "bytes=90-");
    let table: [Case<'_>; 15] = [
        (&[("if-match", etag)], 200, 200),
        (&[("if-match", "*"), range], 206, 200),
        (&[("if-match", &weak)], 412, 412),
        (&[("if-match", "\"other\"")], 412, 412),
        (&[("if-match", "\"other\""), beyond], 412, 412),
        (&[("if-match", "\"other\""), ("if-none-match", etag)], 412, 412),
        (&[("if-unmodified-since", modified)], 200, 200),
        (&[("if-unmodified-since", earlier)], 412, 412),
        (&[("if-match", etag), ("if-unmodified-since", earlier)], 200, 200),
        (&[("if-modified-since", modified)], 304, 304),
        (&[("if-modified-since", earlier)], 200, 200),
        (&[("if-none-match", etag), beyond], 304, 304),
        (&[("if-none-match", "\"other\""), ("if-modified-since", modified)], 200, 200),
        (&[("if-range", modified), range], 200, 200),
        (&[("if-range", "\"other\""), beyond], 200, 200),
    ];
    for (headers, get, head) in table {
        for (method, expected) in [("GET", get), ("HEAD", head)] {
            let answer = world.bytes(method, &uri, Some(&world.owner), headers, "").await;
            assert_eq!(answer.status, expected, "{method} {headers:?}");
            match (method, expected) {
                ("GET", 412) => {
                    answer.refused(412);
                    assert_eq!(answer.json()["code"], "PRECONDITION_FAILED");
                }
                (_, 304 | 412) => assert!(answer.body.is_empty()),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_condition_holds_for_what_a_session_has_staged() {
    let world = world().await;
    let session = world.session().await;
    let etag = format!("\"{}\"", world.stage(&session, "a.txt", "staged").await);
    let uri = place("object", &session, "a.txt");
    let owner = Some(&*world.owner);
    world.bytes("GET", &uri, owner, &[("if-none-match", &etag)], "").await.is(304);
    let latest = format!("{REPO}/object?path=a.txt");
    world.bytes("GET", &latest, owner, &[("if-none-match", &etag)], "").await.is(200);
}
