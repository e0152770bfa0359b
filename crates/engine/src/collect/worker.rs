//! The loop that collects: on schedule, and when somebody asks.
//!
//! A scheduled collection is asked for like any other, so that its outcome is recorded in the same
//! place. One that a stop of the server cuts off is not recorded as ended: the next start begins it
//! anew.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use model::{CollectOptions, CollectReport, Collection};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::CollectSettings;
use crate::{Engine, Result};

/// How often it is looked whether somebody asked.
const POLL: Duration = Duration::from_secs(1);
/// After a scheduled collection was refused or failed, the next is not tried before this.
const RETRY: Duration = Duration::from_secs(3_600);

/// Collects until it is stopped.
pub struct CollectWorker {
    token: CancellationToken,
    task: JoinHandle<()>,
}

impl CollectWorker {
    /// Starts the loop.
    pub fn start(engine: Engine, settings: CollectSettings) -> Self {
        let token = CancellationToken::new();
        let task = tokio::spawn(work(engine, settings, token.clone()));
        Self { token, task }
    }

    /// Breaks off what runs, which is safe anywhere, and returns when that is done.
    pub async fn stop(self) {
        self.token.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the collection's worker ended badly");
        }
    }
}

async fn work(engine: Engine, settings: CollectSettings, token: CancellationToken) {
    let looking = async {
        let mut poll = tokio::time::interval(POLL);
        let mut schedule = Schedule { settings, not_before: Instant::now() };
        loop {
            poll.tick().await;
            if let Err(error) = look(&engine, &mut schedule).await {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot collect");
            }
        }
    };
    tokio::select! {
        () = token.cancelled() => {}
        () = looking => {}
    }
}

/// When the next scheduled collection may begin.
struct Schedule {
    settings: CollectSettings,
    not_before: Instant,
}

impl Schedule {
    async fn is_due(&self, engine: &Engine) -> Result<bool> {
        let interval = self.settings.interval;
        if interval.is_zero() || Instant::now() < self.not_before {
            return Ok(false);
        }
        let last = engine.catalog().last_collection().await?;
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        Ok(last.is_none_or(|last| {
            let passed_ms = engine.now().0.saturating_sub(last.0) / 1_000;
            passed_ms >= interval_ms
        }))
    }
}

async fn look(engine: &Engine, schedule: &mut Schedule) -> Result<()> {
    while let Some(collection) = engine.catalog().next_collection().await? {
        carry_out(engine, &collection, &schedule.settings).await?;
    }
    if schedule.is_due(engine).await? {
        schedule.not_before = Instant::now() + RETRY.min(schedule.settings.interval);
        engine.request_collection(&CollectOptions::default()).await?;
    }
    Ok(())
}

/// Carries one out and records how it ended.
async fn carry_out(
    engine: &Engine,
    collection: &Collection,
    settings: &CollectSettings,
) -> Result<()> {
    tracing::info!(collection = collection.id, options = ?collection.options, "collection begun");
    let collect = AssertUnwindSafe(engine.collect(&collection.options, settings)).catch_unwind();
    let outcome = match collect.await {
        Ok(Ok(report)) => {
            tracing::info!(collection = collection.id, ?report, "collection ended");
            Ok(report)
        }
        Ok(Err(error)) => {
            let cause = &error as &dyn std::error::Error;
            tracing::warn!(collection = collection.id, error = cause, "collection broken off");
            Err(error.message)
        }
        Err(_) => Err("internal error; see the server's log".to_owned()),
    };
    count(&outcome);
    Ok(engine.catalog().end_collection(collection.id, outcome, engine.now()).await?)
}

fn count(outcome: &Result<CollectReport, String>) {
    let status = if outcome.is_ok() { "completed" } else { "failed" };
    metrics::counter!("tilde_collections_ended_total", "status" => status).increment(1);
    if let Ok(report) = outcome {
        metrics::counter!("tilde_collect_trashed_bytes_total").increment(report.trashed_bytes);
        metrics::counter!("tilde_collect_compacted_bytes_total").increment(report.compacted_bytes);
        metrics::counter!("tilde_collect_unlinked_files_total").increment(report.unlinked);
    }
}
