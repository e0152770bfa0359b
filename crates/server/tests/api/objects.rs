//! Reading objects and listing them.

use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use model::Hash;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sample::Object;
use serde_json::json;
use testkit::ODD_KEYS;
use testkit::s3::{ObjectSet, Objects};
use tower::ServiceExt;

use crate::world::{Answer, REPO, World};

const TEXT: &str = "0123456789";

fn objects() -> Objects {
    let objects = Objects::from([("a.txt", TEXT), ("dir/b.txt", "b"), ("dir/c/d.txt", "d")]);
    objects.put("empty", Object::new(""));
    objects
}

fn path(path: &str) -> String {
    format!("{REPO}/object?path={}", utf8_percent_encode(path, NON_ALPHANUMERIC))
}

async fn fetch(world: &World, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    request = request.header("authorization", format!("Bearer {}", world.owner));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::empty()).expect("a legal request")).await
}

#[tokio::test]
async fn an_object_comes_with_its_headers() {
    let world = World::imported(objects()).await;
    let answer = world.get(&path("a.txt")).await.is(200);
    assert_eq!(answer.body, TEXT);
    let etag = format!("\"{}\"", Hash::of(TEXT.as_bytes()));
    for (name, value) in [
        ("etag", &*etag),
        ("content-type", "binary/octet-stream"),
        ("content-length", "10"),
        ("accept-ranges", "bytes"),
        ("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT"),
        ("x-tilde-reproducible", "true"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("content-disposition", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("cache-control").starts_with("private"));
    assert!(answer.headers.get("content-range").is_none());
    assert!(answer.headers.get("set-cookie").is_none());

    let head = fetch(&world, "HEAD", &path("a.txt"), &[("range", "bytes=0-3")]).await.is(200);
    assert!(head.body.is_empty());
    let without_id = |headers: &HeaderMap| {
        let mut headers = headers.clone();
        headers.remove("x-request-id");
        headers
    };
    assert_eq!(without_id(&head.headers), without_id(&answer.headers));
}

#[tokio::test]
async fn ranges_are_served_refused_or_ignored() {
    let world = World::imported(objects()).await;
    let uri = path("a.txt");
    for (range, expected) in [
        ("bytes=0-0", Some((0, 0))),
        ("bytes=3-5", Some((3, 5))),
        ("bytes=3-99999999999999999999", Some((3, 9))),
        ("bytes=9-", Some((9, 9))),
        ("bytes=0-", Some((0, 9))),
        ("bytes=-3", Some((7, 9))),
        ("bytes=-100", Some((0, 9))),
        ("bytes=10-", None),
        ("bytes=10-20", None),
        ("bytes=-0", None),
    ] {
        let answer = fetch(&world, "GET", &uri, &[("range", range)]).await;
        let Some((first, last)) = expected else {
            answer.refused(416);
            assert_eq!(answer.header("content-range"), "bytes */10", "{range}");
            continue;
        };
        let answer = answer.is(206);
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/10"), "{range}");
        assert_eq!(answer.body, TEXT[first..=last]);
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    }
    for ignored in ["bytes=5-3", "bytes=0-1,3-4", "items=0-1", "bytes=x", "bytes=-"] {
        let answer = fetch(&world, "GET", &uri, &[("range", ignored)]).await.is(200);
        assert_eq!(answer.body, TEXT, "{ignored}");
    }
    let many = format!("bytes={}", "0-1,".repeat(10_000));
    assert_eq!(fetch(&world, "GET", &uri, &[("range", &many)]).await.is(200).body, TEXT);
    let empty = path("empty");
    assert_eq!(world.get(&empty).await.is(200).header("content-length"), "0");
    fetch(&world, "GET", &empty, &[("range", "bytes=0-")]).await.refused(416);
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let world = World::imported(objects()).await;
    let uri = path("a.txt");
    let etag = world.get(&uri).await.is(200).header("etag").to_owned();
    for method in ["GET", "HEAD"] {
        for tags in [&*etag, "*", &format!("\"x\", {etag}"), &format!("W/{etag}")] {
            let answer = fetch(&world, method, &uri, &[("if-none-match", tags)]).await.is(304);
            assert!(answer.body.is_empty());
            assert_eq!(answer.header("etag"), etag);
        }
        fetch(&world, method, &uri, &[("if-none-match", "\"other\"")]).await.is(200);
    }
    let range = ("range", "bytes=0-1");
    fetch(&world, "GET", &uri, &[range, ("if-range", &etag)]).await.is(206);
    fetch(&world, "GET", &uri, &[range, ("if-range", "\"other\"")]).await.is(200);
    fetch(&world, "GET", &uri, &[range, ("if-none-match", "\"other\"")]).await.is(206);
}

#[tokio::test]
async fn a_read_that_cannot_be_is_refused() {
    let world = World::imported(objects()).await;
    let object = format!("{REPO}/object");
    for (query, status, named) in [
        ("", 400, "path"),
        ("?path=", 400, "path"),
        ("?path=none", 404, "not found"),
        ("?path=a.txt&ref=00000000", 404, "not found"),
        ("?path=a.txt&ref=x", 404, ""),
        ("?path=a.txt&presign=1", 400, "presign"),
        ("?path=a.txt&path=b", 400, "path"),
    ] {
        let message = world.get(&format!("{object}{query}")).await.refused(status);
        assert!(message.contains(named), "{query}: {message}");
        let head = fetch(&world, "HEAD", &format!("{object}{query}"), &[]).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (status, 0), "{query}");
    }
    world.get(&path(&"x".repeat(2_049))).await.refused(400);
    world.get(&path("a\0b")).await.refused(400);
    world.get(&format!("{}&presign=false", path("a.txt"))).await.is(200);
}

#[tokio::test]
async fn foreign_types_and_metadata_cannot_break_out_of_their_headers() {
    let objects = Objects::new();
    let mut evil = Object::new("<script>");
    evil.content_type = "text/html; charset=utf-8".to_owned();
    evil.metadata.insert("owner".into(), "data team".into());
    objects.put("evil \"\u{e4}\r\nset-cookie: a=b.html", evil);
    let mut wrong = Object::new("x");
    wrong.content_type = "not a type".to_owned();
    objects.put("wrong", wrong);
    let mut plain = Object::new("x");
    plain.content_type = "text/plain".to_owned();
    objects.put("plain", plain);
    let world = World::imported(objects).await;

    let answer = world.get(&path("evil \"\u{e4}\r\nset-cookie: a=b.html")).await.is(200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("x-tilde-meta-owner"), "data team");
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment; "), "{disposition}");
    assert!(disposition.contains("%22%C3%A4%0D%0Aset-cookie"), "{disposition}");
    assert!(answer.headers.get("set-cookie").is_none());
    let wrong = world.get(&path("wrong")).await.is(200);
    assert_eq!(wrong.header("content-type"), "application/octet-stream");
    let plain = world.get(&path("plain")).await.is(200);
    assert!(plain.header("content-disposition").starts_with("inline; "));
}

#[tokio::test]
async fn odd_paths_are_read_and_listed_byte_for_byte() {
    let objects: Objects = ODD_KEYS.iter().map(|key| (key, key.as_bytes())).collect();
    let world = World::imported(objects).await;
    for key in ODD_KEYS {
        assert_eq!(world.get(&path(key)).await.is(200).body, key.as_bytes(), "{key:?}");
    }
    let form = format!("{REPO}/object?path=a+b");
    assert_eq!(world.get(&form).await.is(200).body, "a b");
    let page = world.get(&format!("{REPO}/objects?amount=1000")).await.is(200).json();
    let rows = page["results"].as_array().expect("a list");
    let listed: Vec<_> = rows.iter().map(|row| row["path"].as_str().expect("a path")).collect();
    let mut keys = ODD_KEYS.to_vec();
    keys.sort_unstable();
    assert_eq!(listed, keys);
}

#[tokio::test]
async fn listings_group_page_and_carry_provenance() {
    let world = World::imported(objects()).await;
    let list =
        async |query: &str| world.get(&format!("{REPO}/objects?{query}")).await.is(200).json();
    let page = list("").await;
    assert_eq!(page["results"].as_array().expect("a list").len(), 4);
    assert_eq!(page["pagination"]["has_more"], false);
    let row = &page["results"][0];
    assert_eq!((&row["path"], &row["type"]), (&json!("a.txt"), &json!("object")));
    assert!(row.get("status").is_none());
    let entry = &row["entry"];
    assert_eq!(entry["e_tag"], Hash::of(TEXT.as_bytes()).to_string());
    assert_eq!((&entry["size"], &entry["metadata"]), (&json!(10), &json!({})));
    let source = &entry["source_metadata"];
    assert_eq!(source["connector_type"], "s3");
    assert_eq!(source["source_path"], "s3://source-bucket/a.txt");
    let etag = source["source_etag"].as_str().expect("an ETag");
    assert!(etag.starts_with('"') && etag.ends_with('"'));
    assert!(source.get("version_id").is_none() && source.get("origin").is_none());

    let page = list("delimiter=%2F&amount=2").await;
    assert_eq!(page["results"][1]["path"], "dir/");
    assert_eq!(page["results"][1]["type"], "prefix");
    assert!(page["results"][1].get("entry").is_none());
    assert_eq!(page["pagination"]["has_more"], true);
    let after = page["pagination"]["next_offset"].as_str().expect("a cursor");
    let page = list(&format!("delimiter=%2F&amount=2&after={after}")).await;
    assert_eq!(page["results"][0]["path"], "empty");
    assert_eq!(
        page["pagination"],
        json!({
            "has_more": false, "next_offset": "", "max_per_page": 2,
        })
    );
    let page = list("prefix=dir%2Fc").await;
    assert_eq!(page["results"][0]["path"], "dir/c/d.txt");
    assert_eq!(list("prefix=none").await["results"], json!([]));
    assert_eq!(
        list(&format!("ref={}", &world.head().await[..8])).await["results"][0]["path"],
        "a.txt"
    );
    world.get(&format!("{REPO}/objects?amount=0")).await.refused(400);
    world.get(&format!("{REPO}/objects?ref=00000000")).await.refused(404);
}

#[tokio::test]
async fn damage_in_the_middle_cuts_the_body_off() {
    let bytes: Vec<u8> = (0..3_u32 << 20).map(|index| (index / 7) as u8).collect();
    let world = World::imported(Objects::from([("large", bytes.clone())])).await;
    assert_eq!(world.get(&path("large")).await.is(200).body, bytes);
    flip_large(&world, bytes.len() - 100_000);
    let request = Request::get(path("large"))
        .header("authorization", format!("Bearer {}", world.owner))
        .body(Body::empty())
        .expect("a legal request");
    let response = world.router.clone().oneshot(request).await.expect("it never fails");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-length"], bytes.len().to_string());
    assert!(response.into_body().collect().await.is_err(), "damaged bytes were sent");
}

#[tokio::test]
async fn damage_at_the_start_is_an_answer() {
    let bytes = vec![7; 3 << 20];
    let world = World::imported(Objects::from([("large", bytes)])).await;
    flip_large(&world, 100);
    assert!(world.get(&path("large")).await.refused(500).contains("large"));
    let range = [("range", "bytes=0-9")];
    fetch(&world, "GET", &path("large"), &range).await.refused(500);
}

/// Flips a bit in the segments that hold more than a megabyte.
pub(crate) fn flip_large(world: &World, at: usize) {
    let segments = world.dir.path().join("segments");
    for folder in std::fs::read_dir(segments).expect("a folder of segments") {
        for file in std::fs::read_dir(folder.expect("a folder").path()).expect("a folder") {
            let file = file.expect("a file").path();
            let mut stored = std::fs::read(&file).expect("it is readable");
            if stored.len() > 1 << 20 {
                stored[at] ^= 1;
                std::fs::write(&file, stored).expect("it is writable");
            }
        }
    }
}
