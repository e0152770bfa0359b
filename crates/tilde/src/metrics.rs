//! Recording of metrics for Prometheus.

use std::time::Duration;

use anyhow::{Context as _, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Upper bounds of the histograms, in seconds.
const BUCKETS_SECONDS: [f64; 11] =
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];
/// How often old samples are folded into the histograms.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// Starts recording, once for the process, and keeps the records small until `shutdown`.
pub(crate) fn start(shutdown: CancellationToken) -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&BUCKETS_SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("cannot record metrics")?;
    let kept = handle.clone();
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        loop {
            tokio::time::sleep(UPKEEP_PERIOD).await;
            kept.run_upkeep();
        }
    }));
    Ok(handle)
}
