//! What is logged, counted and survived around a request.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::Request;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use testkit::s3::Objects;
use tracing_subscriber::fmt::MakeWriter;

use crate::objects::flip_large;
use crate::world::{ORG, REPO, World, request};

/// Keeps log lines in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("UTF-8")
    }
}

/// Everything of this thread goes to the log until the guard is dropped.
fn capture() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_line_per_request_says_what_and_how_but_no_secret() {
    let world = World::new(Objects::new()).await;
    let (log, _guard) = capture();
    let request = Request::get(format!("{REPO}/object?path=hush-path"))
        .header("authorization", format!("Bearer {}", world.owner))
        .header("x-request-id", "id-1")
        .body(Body::empty());
    world.send(request.expect("a legal request")).await.refused(404);
    let mut connector = world.connector("c");
    connector["config"]["secret_access_key"] = json!("hush-secret");
    world.post(&format!("{ORG}/connectors:test"), connector.clone()).await.refused(502);
    connector["config"] = json!({"access_key_id": 7, "secret_access_key": "hush-secret"});
    world.post(&format!("{ORG}/connectors"), connector).await.refused(400);
    let key = world.post("/api/v1/auth/keys", json!({"name": "k"})).await.is(201).json();

    let text = log.text();
    let token = key["token"].as_str().expect("a token");
    for secret in ["hush-path", "hush-secret", &world.owner, token] {
        assert!(!text.contains(secret), "{secret} is logged");
    }
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut answered = lines.filter(|line| line["fields"]["message"] == "answered");
    let line = answered.next().expect("a line for the first request");
    assert_eq!(line["span"]["request_id"], "id-1");
    assert_eq!(line["span"]["method"], "GET");
    let route = "/api/v1/organizations/{organization}/repositories/{repository}/object";
    assert_eq!(line["span"]["route"], route);
    assert_eq!(line["fields"]["status"], 404);
    assert!(line["fields"]["latency_ms"].as_f64().expect("a number") >= 0.0);
    assert_eq!(answered.count(), 3);
}

#[tokio::test]
async fn a_good_health_answer_is_a_debug_line() {
    let world = World::new(Objects::new()).await;
    let (log, _guard) = capture();
    world.get("/livez").await.is(200);
    world.get("/readyz").await.is(200);
    world.get("/api/v1/organizations").await.is(200);
    let text = log.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let answered = lines.filter(|line| line["fields"]["message"] == "answered");
    let levels = answered.map(|line| line["level"].as_str().expect("a level").to_owned());
    assert_eq!(levels.collect::<Vec<_>>(), ["DEBUG", "DEBUG", "INFO"]);
}

#[tokio::test]
async fn the_name_of_an_object_cannot_forge_a_line() {
    let objects = Objects::from([("large\nforged", vec![7; 3 << 20])]);
    let world = World::imported(objects).await;
    flip_large(&world, 100);
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let answer = world.get(&format!("{REPO}/object?path=large%0Aforged")).await;
    assert!(answer.refused(500).contains("large\nforged"));
    let text = log.text();
    assert!(text.contains("forged"), "{text}");
    assert!(text.lines().all(|line| !line.starts_with("forged")), "{text}");
}

#[tokio::test]
async fn a_panic_is_one_requests_problem() {
    let world = World::bare(Objects::new()).await;
    let (log, _guard) = capture();
    let body = futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<bytes::Bytes, std::io::Error>>> {
            panic!("a bug with hush in it")
        },
    );
    let request = Request::post("/api/v1/organizations")
        .header("authorization", format!("Bearer {}", world.owner))
        .body(Body::from_stream(body));
    let answer = world.send(request.expect("a legal request")).await;
    let message = answer.refused(500);
    assert!(!message.contains("hush"), "{message}");
    assert_eq!(answer.json()["code"], "INTERNAL_ERROR");
    assert!(log.text().contains("a bug with hush in it"));
    world.get("/api/v1/auth/me").await.is(200);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_name() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let world = World::new(Objects::new()).await;
    {
        let _guard = metrics::set_default_local_recorder(&recorder);
        world.get(ORG).await.is(200);
        world.get("/api/v1/organizations/no-such").await.refused(404);
        world.get("/no/such/path").await.refused(404);
        let odd = request("PROPFIND", ORG, Some(&world.owner), None);
        world.send(odd).await.refused(405);
    }
    let text = recorder.handle().render();
    let route = "route=\"/api/v1/organizations/{organization}\"";
    for line in [
        format!("tilde_http_requests_total{{method=\"GET\",{route},status=\"200\"}} 1"),
        format!("tilde_http_requests_total{{method=\"GET\",{route},status=\"404\"}} 1"),
        format!("tilde_http_requests_total{{method=\"other\",{route},status=\"405\"}} 1"),
        "tilde_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1".into(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(text.contains("tilde_http_request_seconds"));
    for name in ["acme", "no-such", "PROPFIND", "/no/such/path"] {
        assert!(!text.contains(name), "{name}");
    }
}
