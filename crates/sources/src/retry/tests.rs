//! Storms and failures in virtual time.

use std::sync::Mutex;

use http::HeaderValue;
use testkit::SeededEntropy;

use super::*;
use crate::Code;

const MINUTE: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_millis(200);

fn retry(concurrency: usize) -> Retry {
    let entropy = Arc::new(SeededEntropy::new(1));
    Retry::within(&Timeouts::default(), Pace::up_to(concurrency), entropy)
}

fn slow_down(retry_after: Option<Duration>) -> Error {
    Error::Unavailable { status: 503, code: Code::new("SlowDown"), retry_after }
}

fn internal() -> Error {
    Error::Unavailable { status: 500, code: None, retry_after: None }
}

/// Fails with every error in turn, the last one for ever, and counts.
async fn failing(errors: impl Fn(u32) -> Option<Error>) -> (Result<()>, Duration, u32) {
    let (start, attempts) = (Instant::now(), Mutex::new(0));
    let outcome = retry(1)
        .run("host", || async {
            sleep(ANSWER).await;
            let mut attempts = attempts.lock().expect("one at a time");
            *attempts += 1;
            errors(*attempts - 1).map_or(Ok(()), Err)
        })
        .await;
    let attempts = *attempts.lock().expect("one at a time");
    (outcome, start.elapsed(), attempts)
}

#[tokio::test(start_paused = true)]
async fn a_failure_has_its_budget_and_a_storm_a_longer_one() {
    let (outcome, took, _) = failing(|_| Some(internal())).await;
    assert!(matches!(outcome, Err(Error::GaveUp { .. })));
    assert!((75..=90).contains(&took.as_secs()), "{took:?}");
    let (outcome, took, _) = failing(|_| Some(slow_down(None))).await;
    let error = outcome.expect_err("a storm that never ends");
    assert!(
        error.to_string().contains("HTTP 503, SlowDown) : try again later").then_some(()).is_none()
    );
    assert!(matches!(error, Error::GaveUp { .. }), "{error}");
    assert!((885..=900).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_storm_costs_nothing_of_the_budget_for_failures() {
    // Some 150 s of storm, then a failure or two.
    let errors = |attempt| match attempt {
        0..40 => Some(slow_down(None)),
        40..43 => Some(internal()),
        _ => None,
    };
    let (outcome, took, attempts) = failing(errors).await;
    outcome.expect("it passed");
    assert!(took > Duration::from_secs(100) && attempts == 44, "{took:?} {attempts}");
}

#[tokio::test(start_paused = true)]
async fn what_the_source_asks_for_is_done_within_reason() {
    for (asked, least, most) in [(7, 7, 8), (3600, 60, 61)] {
        let asked = Some(Duration::from_secs(asked));
        let errors = |attempt| (attempt == 0).then(|| slow_down(asked));
        let (outcome, took, _) = failing(errors).await;
        outcome.expect("it passed");
        assert!((least..=most).contains(&took.as_secs()), "{took:?}");
    }
}

#[test]
fn a_wait_is_told_in_seconds_or_by_a_date() {
    let now = Timestamp::from_seconds(1_736_937_000);
    let wait = |fields: &[(&'static str, &'static str)]| {
        let fields = fields.iter();
        let headers: HeaderMap = fields
            .map(|(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    };
    let at = ("retry-after", "Wed, 15 Jan 2025 10:30:20 GMT");
    assert_eq!(wait(&[("retry-after", " 7 ")]), Some(7));
    assert_eq!(wait(&[at]), Some(20));
    assert_eq!(wait(&[at, ("date", "Wed, 15 Jan 2025 10:30:15 GMT")]), Some(5));
    assert_eq!(wait(&[at, ("date", "Wed, 15 Jan 2025 10:31:00 GMT")]), None);
    assert_eq!(wait(&[("retry-after", "soon")]), None);
    assert_eq!(wait(&[]), None);
}

/// What a source in virtual time has seen in a minute.
#[derive(Clone, Copy, Default)]
struct Seen {
    requests: u64,
    limit_least: usize,
    limit_most: usize,
}

impl Seen {
    fn note(&mut self, limit: usize) {
        self.limit_least = if self.requests == 0 { limit } else { self.limit_least.min(limit) };
        self.limit_most = self.limit_most.max(limit);
        self.requests += 1;
    }
}

/// Ten workers ask for so many minutes on end; the source refuses half of the requests while there
/// is a storm. Gives what it saw in each minute.
async fn minutes(storm: u32, all: u32) -> Vec<Seen> {
    let retry = Arc::new(retry(10));
    let start = Instant::now();
    let seen = Arc::new(Mutex::new(vec![Seen::default(); all as usize + 1]));
    let worker = |retry: Arc<Retry>, seen: Arc<Mutex<Vec<Seen>>>| async move {
        while start.elapsed() < MINUTE * all {
            let attempt = || async {
                sleep(ANSWER).await;
                let mut seen = seen.lock().expect("no test panics while it holds the lock");
                let total: u64 = seen.iter().map(|minute| minute.requests).sum();
                seen[(start.elapsed().as_secs() / 60) as usize].note(retry.pace.limit());
                let refused = start.elapsed() < MINUTE * storm && total.is_multiple_of(2);
                if refused { Err(slow_down(None)) } else { Ok(()) }
            };
            retry.run_paced("host", attempt).await.expect("it passes");
        }
    };
    let workers: Vec<_> =
        (0..10).map(|_| tokio::spawn(worker(retry.clone(), seen.clone()))).collect();
    for worker in workers {
        worker.await.expect("no request fails");
    }
    assert!(retry.repeats() > 0);
    let seen = seen.lock().expect("no test panicked");
    seen.clone()
}

#[tokio::test(start_paused = true)]
async fn a_source_that_throttles_is_asked_less_and_then_more_again() {
    let minutes = minutes(5, 7).await;
    let calm = minutes[6];
    assert_eq!((calm.limit_least, calm.limit_most), (10, 10));
    for storm in &minutes[..5] {
        assert_eq!(storm.limit_least, 1);
        assert!(storm.requests * 3 < calm.requests, "{} {}", storm.requests, calm.requests);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_permit_costs_no_time_of_the_request() {
    let retry = Arc::new(retry(1));
    let (_, permit) = retry.run_paced("host", || async { Ok(()) }).await.expect("an answer");
    let other = retry.clone();
    let waiting = tokio::spawn(async move {
        let mut attempts = 0;
        let mut attempt = || {
            attempts += 1;
            let outcome = if attempts == 1 { Err(internal()) } else { Ok(()) };
            async { outcome }
        };
        other.run_paced("host", &mut attempt).await.map(|((), _)| ())
    });
    sleep(10 * MINUTE).await;
    drop(permit);
    waiting.await.expect("no panic").expect("time enough was left");
}
