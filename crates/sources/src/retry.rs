//! The one place where requests are retried: full-jitter back-off, bounded by time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use model::Entropy;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{Error, Result, Wait};

/// The first pause is up to this long, each next one up to twice as long ...
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// ... until this.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The longest pause a source can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// How often and how long a request is tried.
pub(crate) struct Retry {
    budget: Option<Duration>,
    entropy: Arc<dyn Entropy>,
}

impl Retry {
    /// As often as fits into `budget`.
    pub(crate) fn within(budget: Duration, entropy: Arc<dyn Entropy>) -> Self {
        Self { budget: Some(budget), entropy }
    }

    /// Once.
    pub(crate) fn never(entropy: Arc<dyn Entropy>) -> Self {
        Self { budget: None, entropy }
    }

    /// Runs `attempt` until it succeeds, fails for good, or the budget is used up; then the error
    /// is [`Error::GaveUp`]. An attempt that the end of the budget interrupts counts as one that
    /// `host` did not answer.
    pub(crate) async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        host: &str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T> {
        let Some(budget) = self.budget else { return attempt().await };
        let start = Instant::now();
        let deadline = start + budget;
        let gave_up = |attempts, last| Error::GaveUp {
            attempts,
            seconds: start.elapsed().as_secs(),
            last: Box::new(last),
        };
        let mut before = None;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match timeout_at(deadline, attempt()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) if !error.is_retryable() => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => {
                    let seconds = budget.as_secs();
                    let host = host.to_owned();
                    let timeout = Error::Timeout { host, wait: Wait::Answer, seconds };
                    return Err(gave_up(attempts, before.unwrap_or(timeout)));
                }
            };
            let pause = self.pause(attempts, &error);
            if attempts >= error.attempts_max() || Instant::now() + pause >= deadline {
                return Err(gave_up(attempts, error));
            }
            tracing::debug!(host, attempts, %error, ?pause, "a request to a source is retried");
            sleep(pause).await;
            before = Some(error);
        }
    }

    fn pause(&self, attempts: u32, error: &Error) -> Duration {
        let most = PAUSE_FIRST.saturating_mul(1 << (attempts - 1).min(16)).min(PAUSE_MAX);
        let mut random = [0; 4];
        self.entropy.fill(&mut random);
        let jitter = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        let asked = error.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
        most.mul_f64(jitter).max(asked)
    }
}
