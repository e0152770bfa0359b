//! The one place where requests are retried: full-jitter back-off, bounded by time.
//!
//! A source that throttles is given more time than one that fails: it is at work, and says so.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use model::{Entropy, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::{Instant, sleep, timeout_at};

use crate::pace::{Pace, Permit};
use crate::{Error, Result, Timeouts, Wait};

/// The first pause is up to this long, each next one up to twice as long ...
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// ... until this.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The longest pause a source can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// How often and how long a request is tried, and at what pace.
pub(crate) struct Retry {
    budget: Option<Budget>,
    pace: Pace,
    entropy: Arc<dyn Entropy>,
}

#[derive(Clone, Copy)]
struct Budget {
    retry: Duration,
    storm: Duration,
}

/// One request until it has succeeded or failed for good.
struct Attempts<'a> {
    host: &'a str,
    budget: Budget,
    start: Instant,
    /// Time that is not the request's: it waited for a permit, or the source throttled.
    excused: Duration,
    count: u32,
    before: Option<Error>,
}

impl Retry {
    /// As often as fits into the timeouts, with at most so many requests at a time.
    pub(crate) fn within(timeouts: &Timeouts, pace: Pace, entropy: Arc<dyn Entropy>) -> Self {
        let budget = Budget { retry: timeouts.retry, storm: timeouts.storm };
        Self { budget: Some(budget), pace, entropy }
    }

    /// Once.
    pub(crate) fn never(entropy: Arc<dyn Entropy>) -> Self {
        Self { budget: None, pace: Pace::up_to(1), entropy }
    }

    /// Requests that were repeated.
    pub(crate) fn repeats(&self) -> u64 {
        self.pace.repeats()
    }

    /// A request was repeated for a reason that is no failure.
    pub(crate) fn repeated(&self) {
        self.pace.repeated();
    }

    /// Runs `attempt` until it succeeds, fails for good, or its time is used up; then the error
    /// is [`Error::GaveUp`]. An attempt that the end of the time interrupts counts as one that
    /// `host` did not answer.
    pub(crate) async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        host: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<T> {
        let (value, _) = self.attempts(host, false, attempt).await?;
        Ok(value)
    }

    /// As [`Retry::run`], at the pace of the source: each attempt waits for a permit, and the last
    /// one's is handed on. Waiting for it costs no time of the request.
    pub(crate) async fn run_paced<T, F: Future<Output = Result<T>>>(
        &self,
        host: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<(T, Permit)> {
        let (value, permit) = self.attempts(host, true, attempt).await?;
        Ok((value, permit.expect("a paced attempt has a permit")))
    }

    async fn attempts<T, F: Future<Output = Result<T>>>(
        &self,
        host: &str,
        paced: bool,
        mut attempt: impl FnMut() -> F,
    ) -> Result<(T, Option<Permit>)> {
        let start = Instant::now();
        let budget = self.budget;
        let mut attempts = budget.map(|budget| Attempts::new(host, budget, start));
        loop {
            let asked = Instant::now();
            let permit = if paced { Some(self.pace.acquire().await) } else { None };
            let Some(attempts) = &mut attempts else {
                return Ok((attempt().await?, permit));
            };
            let begun = Instant::now();
            attempts.excused += begun - asked;
            let error = match timeout_at(attempts.deadline(), attempt()).await {
                Ok(Ok(value)) => {
                    self.pace.succeeded();
                    return Ok((value, permit));
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(attempts.interrupted()),
            };
            drop(permit);
            if error.is_throttling() {
                self.pace.throttled();
            } else if error.is_vanished() || error.is_changed() {
                // The object is at fault, not the source.
                self.pace.succeeded();
            }
            if !error.is_retryable() {
                return Err(error);
            }
            let pause = self.pause(attempts.count, &error);
            attempts.fail(error, begun, pause, self.pace.throttled_since())?;
            sleep(pause).await;
            self.pace.repeated();
        }
    }

    fn pause(&self, before: u32, error: &Error) -> Duration {
        let most = PAUSE_FIRST.saturating_mul(1 << before.min(16)).min(PAUSE_MAX);
        let mut random = [0; 4];
        self.entropy.fill(&mut random);
        let jitter = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        let asked = error.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
        most.mul_f64(jitter).max(asked)
    }
}

impl<'a> Attempts<'a> {
    fn new(host: &'a str, budget: Budget, start: Instant) -> Self {
        Self { host, budget, start, excused: Duration::ZERO, count: 0, before: None }
    }

    fn deadline(&self) -> Instant {
        self.start + self.budget.retry + self.excused
    }

    /// Takes a failure into account; the error is that there is no time for `pause` and another
    /// attempt.
    fn fail(
        &mut self,
        error: Error,
        begun: Instant,
        pause: Duration,
        throttled_since: Option<Instant>,
    ) -> Result<()> {
        self.count += 1;
        let next = Instant::now() + pause;
        let is_over = if error.is_throttling() {
            self.excused += next - begun;
            let storm = self.budget.storm.max(self.budget.retry);
            next >= throttled_since.unwrap_or(begun) + storm
        } else {
            next >= self.deadline()
        };
        if is_over || self.count >= error.attempts_max() {
            return Err(self.gave_up(error));
        }
        tracing::debug!(
            host = self.host, attempts = self.count, %error, ?pause,
            "a request to a source is retried"
        );
        self.before = Some(error);
        Ok(())
    }

    /// The end of the time came before that of the attempt.
    fn interrupted(&mut self) -> Error {
        self.count += 1;
        let seconds = self.budget.retry.as_secs();
        let timeout = Error::Timeout { host: self.host.to_owned(), wait: Wait::Answer, seconds };
        let last = self.before.take().unwrap_or(timeout);
        self.gave_up(last)
    }

    fn gave_up(&self, last: Error) -> Error {
        let seconds = self.start.elapsed().as_secs();
        Error::GaveUp { attempts: self.count, seconds, last: Box::new(last) }
    }
}

/// What `Retry-After` asks for, which is a number of seconds or a date. That is compared with the
/// answer's own date, where there is one: the clocks may differ.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = field(RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let sent = field(DATE).and_then(http_date).unwrap_or(now);
    let seconds = http_date(asked)?.seconds() - sent.seconds();
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// `Wed, 15 Jan 2025 10:30:00 GMT`.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    Some(Timestamp::from_seconds(time.unix_timestamp()))
}

#[cfg(test)]
mod tests;
