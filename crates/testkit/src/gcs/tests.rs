//! The server behaves as Google's does, and as it is told.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// The whole answer to a request on a connection of its own.
async fn send(server: &FakeGcs, target: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(server.addr()).await.expect("it listens");
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    stream.shutdown().await.expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    String::from_utf8_lossy(&answer).into()
}

async fn open() -> FakeGcs {
    let server = FakeGcs::start([("a", "1"), ("a/b", "22"), ("b", "333")]).await;
    server.set(|settings| settings.checks_tokens = false);
    server
}

#[tokio::test]
async fn listings_have_pages_prefixes_and_offsets() {
    let server = open().await;
    server.set(|settings| settings.page_keys = 2);
    let list = |query: &'static str| {
        let target = format!("/storage/v1/b/{BUCKET}/o{query}");
        let server = &server;
        async move { send(server, &target, "").await }
    };
    let first = list("").await;
    assert!(first.contains("\"a/b\"") && !first.contains("\"b\""), "{first}");
    assert!(first.contains("\"nextPageToken\":\"YS9i\""), "{first}");
    let second = list("?pageToken=YS9i").await;
    assert!(second.contains("\"name\":\"b\"") && !second.contains("nextPageToken"), "{second}");
    let under = list("?prefix=a%2F").await;
    assert!(under.contains("\"a/b\"") && !under.contains("\"name\":\"a\""), "{under}");
    let from = list("?startOffset=a%2Fb").await;
    assert!(from.contains("\"a/b\"") && !from.contains("\"name\":\"a\""), "{from}");
}

#[tokio::test]
async fn bytes_come_whole_in_part_pinned_and_unpacked() {
    let server = open().await;
    let target = format!("/storage/v1/b/{BUCKET}/o/a%2Fb?alt=media");
    assert!(send(&server, &target, "").await.ends_with("\r\n\r\n22"));
    let part = send(&server, &target, "Range: bytes=1-1\r\n").await;
    assert!(part.contains("bytes 1-1/2") && part.ends_with("\r\n\r\n2"), "{part}");
    let other = send(&server, &format!("{target}&ifGenerationMatch=1"), "").await;
    assert!(other.starts_with("HTTP/1.1 412"), "{other}");
    server.put("z", Object { unpacked: Some("whole".into()), ..Object::new("packed") });
    let target = format!("/storage/v1/b/{BUCKET}/o/z?alt=media");
    assert!(send(&server, &target, "").await.contains("whole"));
    let packed = send(&server, &target, "Accept-Encoding: gzip\r\n").await;
    assert!(packed.ends_with("packed") && packed.contains("Content-Encoding: gzip"), "{packed}");
    let absent = send(&server, &format!("/storage/v1/b/{BUCKET}/o/y"), "").await;
    assert!(absent.starts_with("HTTP/1.1 404") && absent.contains("notFound"), "{absent}");
}

#[tokio::test]
async fn nobody_without_a_good_assertion_gets_in() {
    let server = FakeGcs::start([("a", "1")]).await;
    let refused = send(&server, &format!("/storage/v1/b/{BUCKET}/o"), "").await;
    assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("authError"), "{refused}");
    let settings = Settings::default();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    assert_eq!(token::check("", &settings), Err("unsupported_grant_type"));
    assert_eq!(token::check(grant, &settings), Err("invalid_request"));
    let unsigned = format!("{grant}&assertion=e30.e30.AAAA");
    assert_eq!(token::check(&unsigned, &settings), Err("invalid_grant"));
    let file = credentials(json!({ "client_id": null, "token_uri": "http://elsewhere/" }));
    assert_eq!((file.get("client_id"), &file["token_uri"]), (None, &json!("http://elsewhere/")));
}
