//! The loop that claims jobs and runs them.
//!
//! A claimed job has two tasks: the run, and a heartbeat that extends the lease and stops the run
//! when the job may not go on. Every write of the run carries the claim's epoch, so a run that is
//! late to notice does no harm.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use catalog::{Claim, ClaimKey, Standing};
use futures_util::FutureExt as _;
use model::{Import, JobId, JobStatus, OrganizationId, Phase, limits};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::end::End;
use super::patience::patiently;
use super::progress::{Progress, Rate};
use super::run;
use super::stop::{Reason, Stop};
use crate::Engine;

/// How often an idle worker looks for jobs whose lease ended elsewhere.
const POLL: Duration = Duration::from_secs(1);
/// How often checkpoints of ended jobs are looked at for their age.
const EXPIRY: Duration = Duration::from_secs(3_600);

/// Runs imports until it is stopped.
pub struct Worker {
    token: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts claiming jobs.
    pub fn start(engine: Engine) -> Self {
        let token = CancellationToken::new();
        let task = tokio::spawn(work(engine, token.clone()));
        Self { token, task }
    }

    /// Stops claiming, checkpoints what runs, gives the claims back, and returns when all of it is
    /// done.
    pub async fn stop(self) {
        self.token.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the worker ended badly");
        }
    }
}

async fn work(engine: Engine, token: CancellationToken) {
    let mut running = Running::default();
    let mut expiry = tokio::time::interval(EXPIRY);
    while !token.is_cancelled() {
        while running.tasks.len() < engine.parts.imports.jobs_max {
            let Some(claim) = claim(&engine).await else { break };
            running.start(&engine, claim, &token);
        }
        running.give_way(&engine).await;
        tokio::select! {
            () = token.cancelled() => break,
            () = engine.work.notified() => {}
            Some(ended) = running.tasks.join_next() => running.ended(ended),
            _ = expiry.tick() => expire_checkpoints(&engine).await,
            () = tokio::time::sleep(POLL) => {}
        }
    }
    while let Some(ended) = running.tasks.join_next().await {
        running.ended(ended);
    }
}

/// The jobs that run here.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Place>,
    turns: HashMap<Place, Turn>,
}

/// Names a claim: a job that gives way may be back before its old task is cleared away.
type Place = (JobId, u64);

/// The time a claim has had on this node.
struct Turn {
    organization: OrganizationId,
    since: Instant,
    progress: Progress,
    stop: Stop,
}

impl Turn {
    /// Whether the job has had its turn. A merge into the head would be begun anew, so one that has
    /// come so far may end.
    fn is_over(&self, turn_max: Duration) -> bool {
        self.since.elapsed() >= turn_max
            && !self.stop.is_requested()
            && self.progress.get().phase != Phase::Committing
    }
}

impl Running {
    fn start(&mut self, engine: &Engine, claim: Claim, token: &CancellationToken) {
        let place = (claim.import.id, claim.epoch);
        let (organization, since) = (claim.organization, Instant::now());
        let (progress, stop) = (Progress::default(), Stop::default());
        let work = carry_out(engine.clone(), claim, progress.clone(), stop.clone(), token.clone());
        self.turns.insert(place, Turn { organization, since, progress, stop });
        self.tasks.spawn(async move {
            work.await;
            place
        });
    }

    /// A job's own panics are caught; an error here is the worker's.
    fn ended(&mut self, ended: Result<Place, tokio::task::JoinError>) {
        match ended {
            Ok(place) => drop(self.turns.remove(&place)),
            Err(error) => tracing::error!(%error, "an import's task ended badly"),
        }
    }

    /// Where all places are taken and an organization waits that has none: the job that has had
    /// its place longest, of the organization that has most of them, goes on later.
    async fn give_way(&self, engine: &Engine) {
        let turn_max = engine.parts.imports.turn;
        let full = self.tasks.len() >= engine.parts.imports.jobs_max;
        let is_due = |turn: &&Turn| turn.is_over(turn_max);
        if !full || !self.turns.values().any(|turn| is_due(&turn)) {
            return;
        }
        if !engine.catalog().is_starving().await.unwrap_or(false) {
            return;
        }
        let places = |turn: &Turn| {
            self.turns.values().filter(|other| other.organization == turn.organization).count()
        };
        let due = self.turns.values().filter(is_due);
        if let Some(turn) = due.max_by_key(|turn| (places(turn), turn.since.elapsed())) {
            turn.stop.request(Reason::Turn);
        }
    }
}

/// The next job, if there is one. After an error the worker asks again with its next round.
async fn claim(engine: &Engine) -> Option<Claim> {
    let now = engine.now();
    let owner = &engine.parts.imports.owner;
    let attempts_max = limits::CLAIM_ATTEMPTS_MAX;
    let claimed = engine.catalog().claim_import(owner, limits::LEASE_MS, attempts_max, now).await;
    claimed.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "cannot claim imports");
        None
    })
}

async fn expire_checkpoints(engine: &Engine) {
    let before = engine.now().plus_ms(-limits::CHECKPOINT_DAYS * 86_400_000);
    if let Err(error) = engine.catalog().expire_checkpoints(before).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot expire checkpoints");
    }
}

async fn carry_out(
    engine: Engine,
    claim: Claim,
    progress: Progress,
    stop: Stop,
    token: CancellationToken,
) {
    let key = ClaimKey { job: claim.import.id, epoch: claim.epoch };
    let import = claim.import.clone();
    tracing::info!(job = %key.job, epoch = key.epoch, "import claimed");
    let beat = heartbeat(engine.clone(), key, progress.clone(), stop.clone(), token);
    let beat = AbortOnDropHandle::new(tokio::spawn(beat));
    let run = AssertUnwindSafe(run::run(&engine, claim, progress, stop)).catch_unwind().await;
    drop(beat);
    // What panicked would panic again: the job fails and can be retried from its checkpoint.
    let outcome = run.unwrap_or_else(|_| Err(End::failed("internal error; see the server's log")));
    conclude(&engine, key, &import, outcome.err()).await;
}

/// Extends the lease with every beat and watches for reasons to stop.
async fn heartbeat(
    engine: Engine,
    key: ClaimKey,
    progress: Progress,
    stop: Stop,
    token: CancellationToken,
) {
    let mut interval = tokio::time::interval(Duration::from_millis(limits::HEARTBEAT_MS));
    let lease = Duration::from_millis(limits::LEASE_MS.unsigned_abs());
    let mut last_good = Instant::now();
    let (mut rate, mut beat) = (Rate::default(), Instant::now());
    loop {
        tokio::select! {
            () = token.cancelled() => return stop.request(Reason::Shutdown),
            _ = interval.tick() => {}
        }
        let now = engine.now();
        let mut counts = progress.get();
        counts.bytes_per_second = rate.measure(&progress, beat.elapsed());
        beat = Instant::now();
        let catalog = engine.catalog();
        match catalog.heartbeat(key, limits::LEASE_MS, &counts, now).await {
            Ok(Standing::Good) => last_good = Instant::now(),
            Ok(Standing::CancelRequested) => return stop.request(Reason::Canceled),
            Ok(Standing::Barred(message)) => return stop.request(Reason::Barred(message)),
            Ok(Standing::Fenced) => return stop.request(Reason::Fenced),
            // Without the catalog nothing can be recorded: after a lease without it, somebody else
            // may own the job.
            Err(_) if last_good.elapsed() >= lease => return stop.request(Reason::Fenced),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "heartbeat failed");
            }
        }
    }
}

/// Records how the claim ended, if it did not end in the finishing transaction.
async fn conclude(engine: &Engine, key: ClaimKey, import: &Import, end: Option<End>) {
    let catalog = engine.catalog();
    let recorded = match end {
        None => {
            tracing::info!(job = %key.job, "import completed");
            metrics::counter!("tilde_imports_ended_total", "status" => "completed").increment(1);
            Ok(true)
        }
        Some(End::Stopped(Reason::Shutdown | Reason::Turn)) => {
            while_leased(|| catalog.release_import(key, engine.now())).await
        }
        Some(End::Stopped(Reason::Fenced)) => Ok(false),
        Some(End::Stopped(Reason::Canceled)) => {
            tracing::info!(job = %key.job, "import canceled");
            metrics::counter!("tilde_imports_ended_total", "status" => "canceled").increment(1);
            let canceled = JobStatus::Canceled;
            while_leased(|| catalog.end_import(key, canceled, None, engine.now())).await
        }
        Some(End::Stopped(Reason::Barred(message)) | End::Failed(message)) => {
            fail(engine, key, import, &message).await
        }
        Some(End::Unordered) => {
            let message = "the source listed its keys in another order each time";
            fail(engine, key, import, message).await
        }
        Some(End::Broken(error)) => {
            log_cause(key, &error);
            fail(engine, key, import, &error.message).await
        }
    };
    if let Err(end) = recorded {
        tracing::error!(
            job = %key.job,
            error = ?end,
            "cannot record how the import ended; it will be claimed again"
        );
    }
}

/// Does an operation patiently for as long as the lease can last: then the job is claimed again.
async fn while_leased<F>(operation: impl FnMut() -> F) -> Result<bool, End>
where
    F: Future<Output = catalog::Result<bool>>,
{
    let lease = tokio::time::sleep(Duration::from_millis(limits::LEASE_MS.unsigned_abs()));
    patiently(lease.map(|()| Reason::Fenced), operation).await
}

/// What the user is not told.
fn log_cause(key: ClaimKey, error: &crate::Error) {
    let cause = error as &dyn std::error::Error;
    tracing::error!(job = %key.job, error = cause, "import broken off");
}

async fn fail(engine: &Engine, key: ClaimKey, import: &Import, message: &str) -> Result<bool, End> {
    let repository = import.spec.repository;
    tracing::warn!(job = %key.job, %repository, reason = ?message, "import failed");
    metrics::counter!("tilde_imports_ended_total", "status" => "failed").increment(1);
    let (catalog, failed) = (engine.catalog(), JobStatus::Failed);
    while_leased(|| catalog.end_import(key, failed, Some(message), engine.now())).await
}
