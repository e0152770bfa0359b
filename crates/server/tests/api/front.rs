//! Health and metrics.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use testkit::s3::Objects;
use tower::ServiceExt;

use crate::world::{World, request};

#[tokio::test]
async fn health_needs_no_credential() {
    let world = World::bare(Objects::new()).await;
    for path in ["/livez", "/readyz"] {
        let answer = world.send(request("GET", path, None, None)).await.is(200);
        assert_eq!(answer.json(), json!({"status": "ok"}));
        assert_eq!(answer.header("cache-control"), "no-store");
        let head = world.send(request("HEAD", path, None, None)).await.is(200);
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn metrics_have_a_router_of_their_own() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let router = server::metrics_router(recorder.handle());
    metrics::with_local_recorder(&recorder, || metrics::counter!("tilde_test_total").increment(3));
    let request = Request::get("/metrics").body(Body::empty()).expect("a legal request");
    let response = router.oneshot(request).await.expect("it never fails");
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().expect("ASCII").starts_with("text/plain"));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("tilde_test_total 3"));
}
