//! Every way a source can fail, each with the sentence its user reads: what happened and what to
//! do. A sentence may carry the source's error code, never its text and never a secret.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::{Mismatch, Refused};

/// What most operations here return.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that is kept for the log only.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Bytes of an error code that is passed on.
const CODE_BYTES_MAX: usize = 64;
/// How often something that looks like a wrong configuration is tried.
const DOUBTFUL_ATTEMPTS_MAX: u32 = 3;

/// A failed operation on a source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The egress rules forbid the address.
    #[error("{0}")]
    Refused(Refused),
    /// DNS knows no address.
    #[error(
        "the host name {host} cannot be resolved: check the connector's endpoint and region, and \
         the name servers of this machine"
    )]
    Resolve {
        /// The name.
        host: String,
    },
    /// No connection.
    #[error(
        "cannot connect to {host} ({kind}): check that the source is up and that host, port and \
         scheme of the connector's endpoint are right"
    )]
    Connect {
        /// Host and port.
        host: String,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// Nothing came in time.
    #[error(
        "{host} did not {wait} within {seconds} s: check that the source is up and can be reached \
         from this server, and the connector's endpoint"
    )]
    Timeout {
        /// Host and port.
        host: String,
        /// What was waited for.
        wait: Wait,
        /// For how long.
        seconds: u64,
    },
    /// A body came, but at a trickle.
    #[error("{host} sends less than {bytes_per_second} bytes per second: check its load")]
    Slow {
        /// Host and port.
        host: String,
        /// The least that is accepted.
        bytes_per_second: u64,
    },
    /// The certificate was not accepted.
    #[error("the certificate of {host} {why}")]
    Certificate {
        /// Host and port.
        host: String,
        /// What is wrong with it and what to do.
        why: &'static str,
        /// For the log.
        #[source]
        source: BoxError,
    },
    /// TLS spoken to a plain port.
    #[error(
        "{host} does not speak TLS: check the scheme of the connector's endpoint (http instead of \
         https?) and its port"
    )]
    NotTls {
        /// Host and port.
        host: String,
    },
    /// Plain HTTP spoken to a TLS port.
    #[error(
        "{host} expects TLS: check the scheme of the connector's endpoint (https instead of \
         http?) and its port"
    )]
    NotPlain {
        /// Host and port.
        host: String,
    },
    /// TLS failed for another reason.
    #[error("the TLS handshake with {host} failed: the server needs TLS 1.2 or 1.3")]
    Handshake {
        /// Host and port.
        host: String,
        /// For the log.
        #[source]
        source: BoxError,
    },
    /// Not an HTTP answer.
    #[error(
        "{host} does not answer in well-formed HTTP/1.1: check that the connector's endpoint is \
         that of the storage service, with the right scheme (http or https) and port"
    )]
    NotHttp {
        /// Host and port.
        host: String,
        /// For the log.
        #[source]
        source: BoxError,
    },
    /// An answer that is not the document it should be.
    #[error(
        "{host} answers a listing with something else ({what}): check that the connector's \
         endpoint is that of the storage service"
    )]
    NotListing {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The connection broke before the answer.
    #[error(
        "{host} closed the connection without an answer: check that the source is up, and the \
         scheme (http or https) of the connector's endpoint"
    )]
    Broken {
        /// Host and port.
        host: String,
        /// For the log.
        #[source]
        source: BoxError,
    },
    /// The connection broke in the middle of a body.
    #[error("{host} cut a body short: {received} of {expected} bytes came")]
    Cut {
        /// Host and port.
        host: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes that came.
        received: u64,
        /// For the log.
        #[source]
        source: Option<BoxError>,
    },
    /// The credentials are wrong.
    #[error("the source does not accept the credentials ({code}): check {check}")]
    Credentials {
        /// The source's error code.
        code: Code,
        /// Which field of the connector's config.
        check: &'static str,
    },
    /// The credentials are right but not enough.
    #[error("the source forbids {operation} ({code}): the credentials need {}", operation.right())]
    Denied {
        /// The source's error code.
        code: Code,
        /// What was forbidden.
        operation: Operation,
    },
    /// A service account is good, but lacks a role.
    #[error(
        "the source forbids {operation} ({}): the service account needs {}",
        answer(.status, .code),
        operation.role()
    )]
    Role {
        /// HTTP status.
        status: u16,
        /// The source's error code.
        code: Option<Code>,
        /// What was forbidden.
        operation: Operation,
    },
    /// The bucket is paid for by who reads it, and nobody is named or may be billed.
    #[error(
        "the bucket is paid for by its readers ({code}): set project_id in the connector's config \
         to a project that the service account may bill (serviceusage.services.use)"
    )]
    Billing {
        /// The source's error code.
        code: Code,
    },
    /// The clocks differ too much for a signature.
    #[error(
        "{}, so the source refuses its requests ({code}): set the clock that is wrong, best by NTP",
        skew(.ahead_seconds)
    )]
    Skewed {
        /// The source's error code.
        code: Code,
        /// By how much this server's clock is ahead of the source's; `None` if it did not tell.
        ahead_seconds: Option<i64>,
    },
    /// The bucket is in another region.
    #[error("the bucket is not in region {configured}: {}", right_region(.told))]
    Region {
        /// What the connector says.
        configured: String,
        /// What the source says.
        told: Option<String>,
    },
    /// Another address is named, and it is not that of another region.
    #[error(
        "the endpoint redirects {operation} (HTTP {status}), and redirects are not followed: set \
         the connector's endpoint to the address that the service itself answers at"
    )]
    Redirected {
        /// HTTP status.
        status: u16,
        /// What was asked.
        operation: Operation,
    },
    /// No such bucket.
    #[error(
        "the bucket {bucket} does not exist (NoSuchBucket): \
         check the connector's source_uri and endpoint"
    )]
    NoSuchBucket {
        /// Its name.
        bucket: String,
    },
    /// No such object (any more).
    #[error("the object does not exist any more")]
    Vanished,
    /// The object is not the one that was listed.
    #[error("the object changed while it was imported")]
    Changed,
    /// The object lies in an archive.
    #[error("the object is archived ({code}): restore it in the source first")]
    Archived {
        /// The source's error code.
        code: Code,
    },
    /// The object is encrypted with a key that the source does not keep.
    #[error(
        "the source does not hand out the object as it is asked for ({code}): it may be encrypted \
         with a key of its owner (SSE-C), which is not supported; encrypt it in the source \
         another way"
    )]
    CustomerKey {
        /// The source's error code.
        code: Code,
    },
    /// The source asks for patience.
    #[error(
        "the source is overloaded or out of order ({}): try again later",
        answer(.status, .code)
    )]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// The source's error code.
        code: Option<Code>,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Any other refusal.
    #[error(
        "the source refused {operation} ({}): check the connector's config",
        answer(.status, .code)
    )]
    Status {
        /// HTTP status.
        status: u16,
        /// The source's error code.
        code: Option<Code>,
        /// What was refused.
        operation: Operation,
    },
    /// The listing does not ascend by the bytes of its keys, so it cannot be read in step.
    #[error("the source does not list its keys in order")]
    Unordered,
    /// The source does not keep to the protocol, so its data cannot be trusted.
    #[error("the source breaks its protocol: {0}")]
    Protocol(String),
    /// Metadata that an entry cannot hold.
    #[error("the object's metadata cannot be kept: {0}")]
    Metadata(&'static str),
    /// The bytes came whole, but they are not those the source promised.
    #[error("{0}: the object was damaged on its way or in the source; check it there")]
    Mismatch(Mismatch),
    /// Retried until the time was over. Final, whatever `last` was.
    #[error("{last} (gave up after {attempts} attempts in {seconds} s)")]
    GaveUp {
        /// How often it was tried.
        attempts: u32,
        /// For how long.
        seconds: u64,
        /// How the last attempt that ended failed.
        last: Box<Error>,
    },
}

impl Error {
    /// Whether the same request may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Connect { .. }
                | Self::Timeout { .. }
                | Self::Slow { .. }
                | Self::NotHttp { .. }
                | Self::NotListing { .. }
                | Self::Broken { .. }
                | Self::Cut { .. }
                | Self::Mismatch(_)
                | Self::Unavailable { .. }
        )
    }

    /// Whether the source asks to be asked less.
    pub(crate) fn is_throttling(&self) -> bool {
        let Self::Unavailable { status, code, .. } = self else { return false };
        let by_code = matches!(
            code.as_ref().map_or("", Code::as_str),
            "RequestLimitExceeded"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "SlowDown"
                | "Throttling"
                | "ThrottlingException"
                | "TooManyRequests"
        );
        matches!(status, 429 | 503) || by_code
    }

    /// Whether the source says that the object is not there.
    pub fn is_vanished(&self) -> bool {
        matches!(self, Self::Vanished)
    }

    /// Whether the object is another than the listed one.
    pub fn is_changed(&self) -> bool {
        matches!(self, Self::Changed)
    }

    /// Whether this is about the one object that was read, so that others may well be readable.
    pub fn is_about_object(&self) -> bool {
        match self {
            Self::Denied { operation, .. } | Self::Status { operation, .. } => {
                *operation == Operation::Read
            }
            Self::Archived { .. }
            | Self::CustomerKey { .. }
            | Self::Metadata(_)
            | Self::Mismatch(_)
            | Self::Protocol(_)
            | Self::Cut { .. }
            | Self::Slow { .. } => true,
            // A source that is overloaded or gone is no fault of the object.
            Self::Unavailable { status, .. } => *status == 500,
            Self::GaveUp { last, .. } => last.is_about_object(),
            _ => false,
        }
    }

    /// How often to try at most, time permitting: what looks like a wrong configuration is not
    /// worth all of it.
    pub(crate) fn attempts_max(&self) -> u32 {
        match self {
            Self::Resolve { .. } | Self::NotHttp { .. } | Self::NotListing { .. } => {
                DOUBTFUL_ATTEMPTS_MAX
            }
            _ => u32::MAX,
        }
    }

    /// How long the source asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol(what.into())
    }
}

impl From<Mismatch> for Error {
    fn from(mismatch: Mismatch) -> Self {
        Self::Mismatch(mismatch)
    }
}

/// What was waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// A connection.
    Connect,
    /// The head of an answer.
    Answer,
    /// More of a body.
    Body,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "accept a connection",
            Self::Answer => "answer",
            Self::Body => "go on sending",
        })
    }
}

/// What was asked of the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// A page of a listing.
    List,
    /// An object.
    Read,
    /// An access token.
    SignIn,
}

impl Operation {
    const fn right(self) -> &'static str {
        match self {
            Self::List => "s3:ListBucket on the bucket (one whose requesters pay cannot be read)",
            Self::Read => {
                "s3:GetObject on the objects, and kms:Decrypt where they are encrypted (a bucket \
                 whose requesters pay cannot be read)"
            }
            Self::SignIn => "a key that may sign in",
        }
    }

    const fn role(self) -> &'static str {
        match self {
            Self::List => "storage.objects.list on the bucket, e.g. by Storage Object Viewer",
            Self::Read => "storage.objects.get on the objects, e.g. by Storage Object Viewer",
            Self::SignIn => "a key that may sign in",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "listing the bucket",
            Self::Read => "reading the object",
            Self::SignIn => "signing in",
        })
    }
}

/// A source's error code: 1 to 64 letters, digits and underscores, so that it can carry nothing
/// else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code(String);

impl Code {
    /// The code, if it is one.
    pub fn new(text: &str) -> Option<Self> {
        let good = (1..=CODE_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        good.then(|| Self(text.to_owned()))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn answer(status: &u16, code: &Option<Code>) -> String {
    match code {
        Some(code) => format!("HTTP {status}, {code}"),
        None => format!("HTTP {status}"),
    }
}

fn right_region(told: &Option<String>) -> String {
    match told {
        Some(region) => format!("set region to {region} in the connector's config"),
        None => "set region in the connector's config to the bucket's own".into(),
    }
}

fn skew(ahead_seconds: &Option<i64>) -> String {
    match ahead_seconds {
        // The coarse time of the answer may agree where a proxy, not the source, has told it.
        Some(0) | None => "this server's clock and the source's differ too much".into(),
        Some(seconds) => {
            let direction = if *seconds < 0 { "behind" } else { "ahead of" };
            let seconds = seconds.unsigned_abs();
            format!("this server's clock is {seconds} s {direction} the source's")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_carries_nothing_but_a_code() {
        assert_eq!(Code::new("NoSuchKey").expect("a code").as_str(), "NoSuchKey");
        for bad in ["", "No Such", "<b>", "a\nb", "Schlüssel", &"A".repeat(65)] {
            assert_eq!(Code::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sentences_say_what_to_do() {
        let code = Code::new("RequestTimeTooSkewed").expect("a code");
        let skewed = Error::Skewed { code, ahead_seconds: Some(-901) };
        assert_eq!(
            skewed.to_string(),
            "this server's clock is 901 s behind the source's, so the source refuses its requests \
             (RequestTimeTooSkewed): set the clock that is wrong, best by NTP"
        );
        let code = Code::new("RequestTimeTooSkewed").expect("a code");
        let untold = Error::Skewed { code, ahead_seconds: Some(0) };
        let start = "this server's clock and the source's differ too much, so the source refuses";
        assert!(untold.to_string().starts_with(start), "{untold}");
        let told = Some("eu-west-1".to_owned());
        let region = Error::Region { configured: "us-east-1".into(), told };
        assert_eq!(
            region.to_string(),
            "the bucket is not in region us-east-1: set region to eu-west-1 in the connector's \
             config"
        );
    }

    #[test]
    fn giving_up_is_final() {
        let last =
            Error::Unavailable { status: 503, code: Code::new("SlowDown"), retry_after: None };
        assert!(last.is_retryable());
        let error = Error::GaveUp { attempts: 7, seconds: 90, last: Box::new(last) };
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("HTTP 503, SlowDown"), "{error}");
    }
}
