//! What went wrong, as a person and a script are told: a sentence, what to do next, an exit code.

use std::fmt::Display;
use std::io;
use std::path::Path;

use http::StatusCode;
use serde_json::{Value, json};

/// The result of a command.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// The sort of failure; decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Anything without a code of its own.
    Failed,
    /// The command line asks for something that makes no sense.
    Usage,
    /// What is named is not there, or not for this caller.
    NotFound,
    /// No valid key, or one that may not do this.
    Denied,
    /// Others changed the same, or the name is taken.
    Conflict,
    /// The server cannot be reached, or has no time now.
    Unreachable,
    /// A signal ended it.
    Interrupted,
    /// Nobody reads the output any more.
    Closed,
}

impl Kind {
    /// As documented in docs/cli.md.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
            Self::Conflict => 5,
            Self::Unreachable => 6,
            Self::Interrupted => 130,
        }
    }

    const fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            401 | 403 => Self::Denied,
            404 | 410 => Self::NotFound,
            409 | 412 => Self::Conflict,
            429 | 503 => Self::Unreachable,
            _ => Self::Failed,
        }
    }
}

/// A failure.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) kind: Kind,
    /// What happened: lower case, no full stop.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) next: Option<String>,
    /// What the server said, if it was the server.
    pub(crate) answer: Option<Answer>,
}

/// How the server refused.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    code: String,
    request_id: String,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), next: None, answer: None }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// A file that cannot be used.
    pub(crate) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::failed(format!("cannot {what} {}: {error}", path.display()))
    }

    /// An answer that is no success; `body` is the envelope, if it is one.
    pub(crate) fn answered(status: StatusCode, body: &Value) -> Self {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let message = match text("message") {
            empty if empty.is_empty() => format!("the server answered {status}"),
            message => message,
        };
        let kind = Kind::of(status);
        let answer = Answer { status, code: text("code"), request_id: text("request_id") };
        let next = match status.as_u16() {
            401 => Some("sign in with `tilde auth login`, or set TILDE_API_KEY"),
            404 if message.starts_with("repository") => {
                Some("`tilde repository ls` shows what this key can see")
            }
            404 if message.starts_with("organization") => {
                Some("`tilde organization ls` shows what this key can see")
            }
            429 | 503 => Some("try again in a moment"),
            500 => Some("the server's log says more, under the request id"),
            _ => None,
        };
        Self { kind, message, next: next.map(str::to_owned), answer: Some(answer) }
    }

    /// With what to do next, in place of what was said before.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// With what was being done.
    pub(crate) fn during(mut self, what: impl Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The server's own code; empty if it was not the server.
    pub(crate) fn code(&self) -> &str {
        self.answer.as_ref().map_or("", |answer| &answer.code)
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        let id = self.answer.as_ref().map(|answer| &*answer.request_id);
        id.filter(|id| !id.is_empty())
    }

    /// For `--json`, on standard error.
    pub(crate) fn to_json(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "next": self.next,
            "exit_code": self.kind.exit_code(),
            "status": self.answer.as_ref().map(|answer| answer.status.as_u16()),
            "code": self.answer.as_ref().map(|answer| &answer.code),
            "request_id": self.request_id(),
        }})
    }
}

/// Adds what was being done to whatever went wrong.
pub(crate) trait During<T> {
    fn during(self, what: impl Display) -> Result<T>;
}

impl<T> During<T> for Result<T> {
    fn during(self, what: impl Display) -> Result<T> {
        self.map_err(|error| error.during(what))
    }
}
