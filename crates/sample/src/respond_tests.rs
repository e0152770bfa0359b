//! The answers to signed requests, headers and bytes.

use super::*;
use http_body_util::BodyExt;

const NOW_UNIX_S: u64 = 1_735_689_600;

fn store() -> Store {
    let mut objects = BTreeMap::new();
    for key in ["a", "a/", "a//b", "dir/..", "sp ace/\u{e9}+%", "z"] {
        let mut object = Object::new(format!("bytes of {key}"));
        object.content_type = "text/plain".into();
        object.metadata.insert("kind".into(), "demo".into());
        object.metadata.insert("not legal".into(), "x".into());
        objects.insert(key.to_owned(), object);
    }
    Store::new([Bucket { name: "b".into(), objects }], credentials())
}

fn credentials() -> Credentials {
    Credentials { access_key_id: "id".into(), secret_access_key: "secret".into() }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(NOW_UNIX_S)
}

/// Sends a signed request; `target` is raw.
async fn ask(method: &str, target: &str, more: &[(&str, &str)]) -> (http::response::Parts, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HeaderMap::new();
    set(&mut headers, "host", "localhost");
    set(&mut headers, "x-amz-date", "20250101T000000Z");
    set(&mut headers, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let request = Request { method, path, query, headers: &headers };
    let (scope, names) =
        ("20250101/us-east-1/s3/aws4_request", "host;x-amz-content-sha256;x-amz-date");
    let signature = crate::signature::sign(request, &credentials(), scope, names);
    let signature = signature.expect("it can be signed");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=id/{scope}, SignedHeaders={names}, Signature={signature}"
    );
    set(&mut headers, "authorization", &authorization);
    for (name, value) in more {
        set(&mut headers, name, value);
    }
    let request = Request { method, path, query, headers: &headers };
    let (parts, body) = store().respond(request, now(), 1).into_parts();
    let bytes = body.collect().await.expect("it is in memory").to_bytes();
    (parts, String::from_utf8(bytes.into()).expect("all test objects are text"))
}

fn header<'a>(parts: &'a http::response::Parts, name: &str) -> &'a str {
    parts.headers.get(name).map_or("", |value| value.to_str().expect("it is ASCII"))
}

#[tokio::test]
async fn objects_come_with_their_headers() {
    let (parts, body) = ask("GET", "/b/sp%20ace/%C3%A9+%25", &[]).await;
    assert_eq!((parts.status, body.as_str()), (StatusCode::OK, "bytes of sp ace/\u{e9}+%"));
    assert_eq!(header(&parts, "content-type"), "text/plain");
    assert_eq!(header(&parts, "last-modified"), "Wed, 01 Jan 2025 00:00:00 GMT");
    assert_eq!(header(&parts, "x-amz-meta-kind"), "demo");
    assert_eq!(header(&parts, "etag"), Object::new(body.clone()).etag());
    assert_eq!(header(&parts, "content-length"), body.len().to_string());

    let (head, empty) = ask("HEAD", "/b/sp%20ace/%C3%A9+%25", &[]).await;
    assert_eq!((head.status, empty.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.headers, parts.headers);
}

#[tokio::test]
async fn neighbouring_keys_are_different_objects() {
    for (path, key) in
        [("/b/a", "a"), ("/b/a/", "a/"), ("/b/a//b", "a//b"), ("/b/dir/..", "dir/..")]
    {
        let (parts, body) = ask("GET", path, &[]).await;
        assert_eq!((parts.status, body), (StatusCode::OK, format!("bytes of {key}")), "{path}");
    }
    for path in ["/b/a/b", "/b//a", "/b/dir/", "/b/A"] {
        let (parts, body) = ask("GET", path, &[]).await;
        assert_eq!(parts.status, StatusCode::NOT_FOUND, "{path}");
        assert!(body.contains("<Code>NoSuchKey</Code>"), "{body}");
    }
}

#[tokio::test]
async fn ranges_and_preconditions_hold() {
    let (parts, body) = ask("GET", "/b/a", &[("range", "bytes=2-4")]).await;
    assert_eq!((parts.status, body.as_str()), (StatusCode::PARTIAL_CONTENT, "tes"));
    assert_eq!(header(&parts, "content-range"), "bytes 2-4/10");
    assert_eq!(header(&parts, "content-length"), "3");
    let (parts, body) = ask("GET", "/b/a", &[("range", "bytes=10-")]).await;
    assert_eq!(parts.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&parts, "content-range"), "bytes */10");
    assert!(body.contains("<Code>InvalidRange</Code>"), "{body}");
    let etag = Object::new("bytes of a").etag();
    let (parts, _) = ask("GET", "/b/a", &[("if-match", &etag)]).await;
    assert_eq!(parts.status, StatusCode::OK);
    let (parts, body) = ask("GET", "/b/a", &[("if-match", "\"other\"")]).await;
    assert_eq!(parts.status, StatusCode::PRECONDITION_FAILED);
    assert!(body.contains("<Code>PreconditionFailed</Code>"), "{body}");
}

#[tokio::test]
async fn buckets_list_and_tell_their_region() {
    let (parts, body) = ask("GET", "/b?list-type=2&prefix=a&delimiter=%2F", &[]).await;
    assert_eq!(parts.status, StatusCode::OK);
    assert!(body.contains("<Key>a</Key>"), "{body}");
    assert!(body.contains("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"), "{body}");
    let (_, body) = ask("GET", "/b/?location", &[]).await;
    assert!(body.contains("LocationConstraint"), "{body}");
    let (parts, _) = ask("HEAD", "/b", &[]).await;
    assert_eq!(header(&parts, "x-amz-bucket-region"), REGION);
    let (parts, body) = ask("GET", "/c?list-type=2", &[]).await;
    assert_eq!(parts.status, StatusCode::NOT_FOUND);
    assert!(body.contains("<Code>NoSuchBucket</Code>"), "{body}");
    let (parts, body) = ask("PUT", "/b/a", &[]).await;
    assert_eq!(parts.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(body.contains("<Code>MethodNotAllowed</Code>"), "{body}");
}

#[tokio::test]
async fn an_unsigned_request_learns_nothing() {
    for path in ["/b/a", "/b/none", "/none?list-type=2"] {
        let (parts, body) = ask("GET", path, &[("authorization", "")]).await;
        assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(body.contains("<Code>AuthorizationHeaderMalformed</Code>"), "{body}");
    }
}
