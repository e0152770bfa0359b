//! Watching an import: its state as server-sent events, until it ends.
//!
//! Each look at the job checks anew that the watcher may see it, so a stream outlives neither a
//! membership nor an API key nor a login. Streams are bounded in number and in time, and end when
//! the server stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use engine::{Credential, Engine, Kind, Principal};
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, HeaderName};
use model::JobId;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::error::{Error, Result};
use crate::middleware::{self, RequestId};
use crate::wire;

/// Streams side by side.
const STREAMS_MAX: usize = 256;
/// Time between two looks at the job.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Silence after which a comment shows that the stream lives.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// A stream ends after this time; who still watches asks again.
const STREAM_AGE_MAX: Duration = Duration::from_secs(3_600);
/// Tells nginx and its like to pass events on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The streams of a server: how many there may be, and when all of them must end.
#[derive(Clone)]
pub struct Watches {
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Watches {
    /// No streams yet; all end at `shutdown`.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { places: Arc::new(Semaphore::new(STREAMS_MAX)), shutdown }
    }
}

/// Whose eyes are on which job.
pub(crate) struct Watch {
    pub(crate) engine: Engine,
    pub(crate) credential: Credential,
    pub(crate) principal: Principal,
    pub(crate) organization: String,
    pub(crate) repository: String,
    pub(crate) job: JobId,
    pub(crate) request_id: RequestId,
}

impl Watch {
    /// The answer: a stream of events. Before it begins, a job that may not be seen is an error as
    /// anywhere else, and so is one stream too many.
    pub(crate) async fn answer(self, watches: &Watches) -> Result<Response> {
        self.look().await?;
        let place = watches.places.clone().try_acquire_owned().map_err(|_| {
            let message = "too many imports are being watched; ask for the job itself, or try \
                           again soon";
            engine::Error::new(Kind::Unavailable, "TOO_MANY_STREAMS", message)
        })?;
        let stream = Stream::new(self, place, watches.shutdown.clone());
        let events = unfold(Some(stream), async |stream: Option<Stream>| stream?.next().await);
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_INTERVAL).text("still here");
        let headers = [(CACHE_CONTROL, "no-store"), (X_ACCEL_BUFFERING, "no")];
        Ok((headers, Sse::new(events).keep_alive(keep_alive)).into_response())
    }

    async fn look(&self) -> Result<model::Import> {
        // A key or a login may have been revoked, and is looked up at little cost. A password is
        // expensive to verify: who changes it cuts off what was begun with it only as it ends.
        if !matches!(self.credential, Credential::Basic { .. }) {
            self.engine.authenticate(&self.credential, None).await?;
        }
        let Self { principal, organization, repository, job, .. } = self;
        Ok(self.engine.import(principal, organization, repository, *job).await?)
    }
}

/// A stream that has begun.
struct Stream {
    watch: Watch,
    looks: Interval,
    /// When it ends at the latest.
    end: Instant,
    shutdown: CancellationToken,
    /// What the watcher knows.
    seen: Option<model::Import>,
    span: Span,
    _place: OwnedSemaphorePermit,
}

type Next = Option<(Result<Event, Infallible>, Option<Stream>)>;

impl Stream {
    fn new(watch: Watch, place: OwnedSemaphorePermit, shutdown: CancellationToken) -> Self {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = Instant::now() + STREAM_AGE_MAX;
        Self { watch, looks, end, shutdown, seen: None, span: Span::current(), _place: place }
    }

    /// The next event, and what goes on after it; `None` where the stream ends without one.
    async fn next(mut self) -> Next {
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                () = sleep_until(self.end) => return None,
                _ = self.looks.tick() => {}
            }
            match self.watch.look().await {
                Err(error) => return Some((Ok(self.failure(&error)), None)),
                Ok(import) if import.status.is_terminal() => {
                    return Some((Ok(event("end", &wire::Import::from(import))), None));
                }
                Ok(import) if self.seen.as_ref() != Some(&import) => {
                    self.seen = Some(import.clone());
                    return Some((Ok(event("progress", &wire::Import::from(import))), Some(self)));
                }
                Ok(_) => {}
            }
        }
    }

    fn failure(&self, error: &Error) -> Event {
        self.span.in_scope(|| middleware::log_failure(error));
        event("error", &wire::Error::new(error, &self.watch.request_id.0))
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).json_data(data).expect("a wire type is always JSON")
}
