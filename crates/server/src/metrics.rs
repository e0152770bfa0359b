//! Metrics of the HTTP side, and the router that shows all metrics to Prometheus.
//!
//! That router is for a listener of its own: the API's listener does not serve it.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::PrometheusHandle;

/// Counts one answer. Labels are bounded: a method of the label list, a matched route, a status.
pub(crate) fn answered(method: &'static str, route: &str, status: StatusCode, latency: Duration) {
    let route = route.to_owned();
    metrics::histogram!("tilde_http_request_seconds", "route" => route.clone())
        .record(latency.as_secs_f64());
    metrics::counter!(
        "tilde_http_requests_total",
        "method" => method,
        "route" => route,
        "status" => status.as_str().to_owned(),
    )
    .increment(1);
}

/// A router with `GET /metrics` in the text format of Prometheus. Whoever installs the recorder
/// runs its upkeep.
pub fn metrics_router(handle: PrometheusHandle) -> Router {
    let render = move || async move {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
    };
    Router::new().route("/metrics", get(render))
}
