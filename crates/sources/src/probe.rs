//! The connector test: reach, authenticate, list, read, and say which of it failed.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use crate::{Error, Operation, Result, Source};

/// Bytes of the one object that are read at most.
const READ_BYTES_MAX: u64 = 64 << 10;

/// A step of the connector test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A connection, TLS included, and an answer in HTTP.
    Reach,
    /// Key, secret, token, region and clock are accepted.
    Authenticate,
    /// The connector's prefix can be listed.
    List,
    /// One object under it can be read.
    Read,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reach => "reach",
            Self::Authenticate => "authenticate",
            Self::List => "list",
            Self::Read => "read",
        })
    }
}

/// A failed connector test: the step, what happened, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("step {step} failed: {message}")]
pub struct ProbeError {
    /// The step that failed.
    pub step: Step,
    /// What happened and what to do.
    pub message: String,
    /// The whole error; `None` when the time was over.
    #[source]
    pub source: Option<Error>,
}

impl ProbeError {
    fn new(step: Step, error: Error) -> Self {
        Self { step, message: error.to_string(), source: Some(error) }
    }

    /// Listing is the first request, so its failure may be one of the steps before it.
    pub(crate) fn of_list(error: Error) -> Self {
        Self::new(step_of(&error, Step::List), error)
    }

    fn too_late(step: Step, after: Duration) -> Self {
        let message = format!(
            "the source did not answer within {} s: check that it is up, and the connector's \
             endpoint",
            after.as_secs()
        );
        Self { step, message, source: None }
    }
}

fn step_of(error: &Error, step: Step) -> Step {
    match error {
        Error::GaveUp { last, .. } => step_of(last, step),
        Error::Refused(_)
        | Error::Resolve { .. }
        | Error::Connect { .. }
        | Error::Timeout { .. }
        | Error::Certificate { .. }
        | Error::NotTls { .. }
        | Error::NotPlain { .. }
        | Error::Handshake { .. }
        | Error::NotHttp { .. }
        | Error::Broken { .. }
        | Error::Redirected { .. }
            if step == Step::List =>
        {
            Step::Reach
        }
        Error::Credentials { .. }
        | Error::Skewed { .. }
        | Error::Region { .. }
        | Error::Status { operation: Operation::SignIn, .. } => Step::Authenticate,
        _ => step,
    }
}

/// Runs the test within `budget` in all.
pub(crate) async fn run(
    source: &dyn Source,
    budget: Duration,
) -> std::result::Result<(), ProbeError> {
    let deadline = tokio::time::Instant::now() + budget;
    let listed = tokio::time::timeout_at(deadline, source.list(None, None)).await;
    let page = match listed {
        Ok(result) => result.map_err(ProbeError::of_list)?,
        Err(_) => return Err(ProbeError::too_late(Step::Reach, budget)),
    };
    let Some(object) = page.objects.first() else { return Ok(()) };
    let left = deadline.saturating_duration_since(tokio::time::Instant::now());
    match timeout(left, read(source, object)).await {
        // What vanished or changed since it was listed could have been read: that is no fault.
        Ok(Ok(()) | Err(Error::Vanished | Error::Changed)) => Ok(()),
        Ok(Err(error)) => Err(ProbeError::new(step_of(&error, Step::Read), error)),
        Err(_) => Err(ProbeError::too_late(Step::Read, budget)),
    }
}

async fn read(source: &dyn Source, object: &crate::Listed) -> Result<()> {
    let range = (object.size > READ_BYTES_MAX).then_some(0..READ_BYTES_MAX);
    let mut opened = source.open(object, range).await?;
    while opened.body.chunk().await?.is_some() {}
    Ok(())
}
