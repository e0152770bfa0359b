//! What is no request for anything: unknown paths, wrong methods, bodies that are too large, not
//! JSON, or not right.

use axum::body::Body;
use http::Request;
use serde_json::json;
use testkit::s3::Objects;

use crate::world::{Answer, ORG, REPO, World, request};

const ORGANIZATIONS: &str = "/api/v1/organizations";

async fn post(world: &World, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(ORGANIZATIONS);
    request = request.header("authorization", format!("Bearer {}", world.owner));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(body.into()).expect("a legal request")).await
}

#[tokio::test]
async fn unknown_paths_are_404_in_the_envelope() {
    let world = World::new(Objects::new()).await;
    for path in [
        "/api/v1",
        "/api/v1/",
        "/api/v1/organizations/",
        "/api/v1/Organizations",
        "/api/v2/organizations",
        "/metrics",
        "/favicon.ico",
        "//",
        "/api/v1/organizations/acme/",
        &format!("{REPO}/secrets"),
        &format!("{REPO}/object/stage"),
        &format!("{REPO}/sessions/x/approve"),
    ] {
        world.get(path).await.refused(404);
        world.send(request("POST", path, None, None)).await.refused(404);
    }
    let secrets = world.call("POST", &format!("{REPO}/secrets"), None).await.refused(404);
    assert_eq!(secrets, "this version of Tilde has no secrets yet");
    let head = world.call("HEAD", "/none", None).await.is(404);
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_query_that_is_not_utf8_names_no_other_path() {
    let world = World::imported(Objects::from([("\u{fffd}", "bytes")])).await;
    world.get(&format!("{REPO}/object?path=%EF%BF%BD")).await.is(200);
    for query in ["object?path=%FF", "objects?prefix=%FF", "objects?amount=1&after=%C3%28"] {
        let message = world.get(&format!("{REPO}/{query}")).await.refused(400);
        assert_eq!(message, "query string: must be UTF-8", "{query}");
    }
}

#[tokio::test]
async fn wrong_methods_are_405_with_what_is_allowed() {
    let world = World::new(Objects::new()).await;
    for (method, path, allowed) in [
        ("PATCH", ORG, &["GET", "DELETE"][..]),
        ("POST", ORG, &["GET", "DELETE"]),
        ("PUT", ORGANIZATIONS, &["GET", "POST"]),
        ("POST", &format!("{REPO}/object"), &["GET", "HEAD", "PUT", "DELETE"]),
        ("GET", &format!("{REPO}/object/copy"), &["POST"]),
        ("POST", "/api/v1/uploads/x", &["PUT"]),
        ("PUT", "/api/v1/downloads/x", &["GET", "HEAD"]),
        ("GET", "/api/v1/auth/login", &["POST"]),
        ("DELETE", "/api/v1/auth/me", &["GET", "PATCH"]),
        ("POST", "/device", &["GET"]),
        ("POST", "/", &["GET"]),
        ("TRACE", ORG, &["GET", "DELETE"]),
        ("OPTIONS", ORG, &["GET", "DELETE"]),
        ("PROPFIND", ORG, &["GET", "DELETE"]),
        ("GET", &format!("{ORG}/connectors:test"), &["POST"]),
        ("POST", "/livez", &["GET"]),
        ("DELETE", "/api/v1/openapi.json", &["GET"]),
    ] {
        let answer = world.call(method, path, None).await;
        answer.refused(405);
        let allow = answer.header("allow");
        for method in allowed {
            assert!(allow.split(',').any(|name| name.trim() == *method), "{path}: {allow}");
        }
    }
}

#[tokio::test]
async fn large_bodies_are_413_and_not_read() {
    let world = World::bare(Objects::new()).await;
    let limit = model::limits::BODY_BYTES_MAX;
    let padded = |length: usize| {
        let text = json!({"name": "acme", "display_name": "Acme"}).to_string();
        text.clone() + &" ".repeat(length - text.len())
    };
    let length = (limit + 1).to_string();
    let declared = post(&world, padded(limit + 1), &[("content-length", &length)]).await;
    declared.refused(413);
    assert_eq!(declared.header("connection"), "close");
    // Without a length it is the reading that stops.
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[b' '; 1024]))
    });
    post(&world, Body::from_stream(endless), &[]).await.refused(413);
    post(&world, padded(limit), &[]).await.is(201);
}

#[tokio::test]
async fn bodies_that_are_not_right_are_400_and_say_where() {
    let world = World::bare(Objects::new()).await;
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(50_000), close.repeat(50_000));
        format!(r#"{{"display_name": "Acme", "name": {open}1{close}}}"#)
    };
    let many: String = (0..50_000).map(|index| format!(r#""k{index}": 1, "#)).collect();
    for (body, part) in [
        ("", "JSON object"),
        ("null", "JSON object"),
        ("[]", "JSON object"),
        (r#"["acme", "Acme"]"#, "JSON object"),
        (r#""acme""#, "JSON object"),
        ("{", "not valid JSON"),
        (r#"{"name": "acme", "display_name": "Acme"}}"#, "not valid JSON"),
        (r#"{'name': "acme"}"#, "not valid JSON"),
        (r#"{"name": NaN}"#, "not valid JSON"),
        (r#"{"name": 1e999999, "display_name": "Acme"}"#, "not valid JSON"),
        (r#"{"name": "\ud800", "display_name": "Acme"}"#, "not valid JSON"),
        ("{\"name\": \"a\nb\"}", "not valid JSON"),
        ("\u{feff}{}", "JSON object"),
        (&deep("[", "]"), "name: must be a string"),
        (&deep(r#"{"a":"#, "}"), "name: must be a string"),
        ("{}", "name: required"),
        (r#"{"name": "acme"}"#, "display_name: required"),
        (r#"{"name": null, "display_name": "Acme"}"#, "name: must be a string"),
        (r#"{"name": 1, "display_name": "Acme"}"#, "name: must be a string"),
        (r#"{"name": ["acme"], "display_name": "Acme"}"#, "name: must be a string"),
        (r#"{"name": "acme", "name": "acme", "display_name": "Acme"}"#, "duplicate field `name`"),
        (&format!(r#"{{{many}"name": 1}}"#), "name: must be a string"),
    ] {
        let answer = post(&world, body.to_owned(), &[("content-type", "application/json")]).await;
        let message = answer.refused(400);
        assert!(message.contains(part), "{}: {message}", body.get(..60).unwrap_or(body));
        assert!(message.len() < 400, "{message}");
    }
    let broken = post(&world, &b"{\"name\": \"\xff\"}"[..], &[]).await;
    assert!(broken.refused(400).contains("not valid JSON"));
    assert_eq!(world.get(ORGANIZATIONS).await.is(200).json(), json!({"results": []}));
}

#[tokio::test]
async fn only_json_is_read() {
    let world = World::bare(Objects::new()).await;
    let body = || json!({"name": "acme", "display_name": "Acme"}).to_string();
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        post(&world, body(), &[("content-type", media)]).await.refused(415);
    }
    post(&world, body(), &[]).await.is(201);
}

#[tokio::test]
async fn request_ids_are_taken_over_if_sane() {
    let world = World::bare(Objects::new()).await;
    let id_for = async |given: &str| {
        let request = Request::get("/livez").header("x-request-id", given).body(Body::empty());
        let answer = world.send(request.expect("a legal request")).await.is(200);
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(id_for("abc-1.2_3").await, "abc-1.2_3");
    let mut made = std::collections::BTreeSet::new();
    for bad in ["", "a b", "a\"b", "<x>", "a\tb", &"x".repeat(129)] {
        let id = id_for(bad).await;
        assert_ne!(id, bad);
        assert_eq!(id.len(), 36);
        assert!(made.insert(id), "ids are unique");
    }
}

#[tokio::test]
async fn a_config_that_is_nested_without_end_is_400() {
    let world = World::new(Objects::new()).await;
    let body = world.connector("deep").to_string();
    let deep = format!("\"config\":{}", r#"{"a":"#.repeat(50_000));
    let body = body.replace("\"config\":", &deep);
    let request = Request::post(format!("{ORG}/connectors"))
        .header("authorization", format!("Bearer {}", world.owner))
        .body(Body::from(body));
    let answer = world.send(request.expect("a legal request")).await;
    assert!(answer.refused(400).contains("recursion limit"));
}
