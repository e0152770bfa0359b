//! The one error of the engine: a kind that tells the caller what to do, and a sentence for the
//! user.
//!
//! `message` is shown to users and never contains a secret or a foreign text; `source` is for the
//! log only.

use std::fmt;

/// The result of a verb.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The code of what failed because another process holds the catalog.
pub(crate) const CATALOG_BUSY: &str = "CATALOG_BUSY";

/// What kind of refusal or failure this is. The HTTP status of each is mapped in the server, in one
/// file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request is malformed; the message names the field.
    Invalid,
    /// The range asked for lies outside the object (416).
    Unsatisfiable {
        /// Bytes of the object.
        size: u64,
    },
    /// No valid credential.
    Unauthenticated,
    /// Known, but not allowed to do this.
    Forbidden,
    /// Not there, or not to be seen by this principal.
    NotFound,
    /// Taken, or in a state that does not allow this.
    Conflict,
    /// It was there and is gone for good: a deleted connector, a stale commit.
    Gone,
    /// The connector is disabled.
    Disabled,
    /// Too many attempts.
    Throttled {
        /// Seconds after which to try again.
        retry_s: u32,
    },
    /// The source refused or failed.
    Source,
    /// Busy or out of space: the same request may work later.
    Unavailable,
    /// Stored bytes are damaged or missing: the message names the object.
    Damaged,
    /// Our fault.
    Internal,
}

/// A failed verb.
pub struct Error {
    /// What kind.
    pub kind: Kind,
    /// UPPER_SNAKE code for the wire.
    pub code: &'static str,
    /// For the user.
    pub message: String,
    /// For the log.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a cause.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), source: None }
    }

    /// Malformed input; `message` names the field.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, "BAD_REQUEST", message)
    }

    /// No valid credential.
    pub fn unauthenticated() -> Self {
        let message = "no valid credential: give an API key as Authorization: Bearer KEY, or user \
                       and password as Basic";
        Self::new(Kind::Unauthenticated, "UNAUTHORIZED", message)
    }

    /// `what` is not there.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "NOT_FOUND", format!("{what} not found"))
    }

    /// Something is in the way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, "CONFLICT", message)
    }

    /// Our fault; the cause goes to the log, the user sees no detail.
    pub fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            kind: Kind::Internal,
            code: "INTERNAL_ERROR",
            message: "internal error; the server's log has the details".to_owned(),
            source: Some(Box::new(source)),
        }
    }

    /// Adds the cause, for the log.
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind, self.code, self.message)?;
        match &self.source {
            Some(source) => write!(f, " ({source:?})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        match error {
            catalog::Error::Conflict { what } => Self::conflict(format!("{what} exists already")),
            catalog::Error::NotFound { what } => Self::not_found(what),
            catalog::Error::TooMany { what } => Self::conflict(format!(
                "the organization has too many {what}; wait for some to end, or cancel them"
            )),
            catalog::Error::Held { what } => Self::conflict(format!(
                "collections are held by {what}; try again when it has ended"
            )),
            error @ catalog::Error::Full(_) => Self::full().caused_by(error),
            error @ catalog::Error::Busy(_) => Self::new(
                Kind::Unavailable,
                CATALOG_BUSY,
                "another process holds the server's catalog; nothing was changed, try again",
            )
            .caused_by(error),
            error => Self::internal(error),
        }
    }
}

impl Error {
    fn full() -> Self {
        Self::new(Kind::Unavailable, "DISK_FULL", "the server's disk is full; nothing was written")
    }
}

impl From<blocks::Error> for Error {
    fn from(error: blocks::Error) -> Self {
        let damaged = |message| Self::new(Kind::Damaged, "DATA_DAMAGED", message);
        match &error {
            blocks::Error::Full { .. } => Self::full().caused_by(error),
            blocks::Error::Missing { .. } => damaged("stored bytes are missing").caused_by(error),
            blocks::Error::Damaged { .. } => damaged("stored bytes are damaged").caused_by(error),
            _ => Self::internal(error),
        }
    }
}

impl From<tree::Error> for Error {
    fn from(error: tree::Error) -> Self {
        match error {
            tree::Error::Blocks(error) => error.into(),
            error => Self::new(Kind::Damaged, "DATA_DAMAGED", "a page of the tree is damaged")
                .caused_by(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_catalog_is_worth_another_try() {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        let held = catalog::Error::from(rusqlite::Error::SqliteFailure(busy, None));
        let error = Error::from(held);
        assert_eq!((error.kind, error.code), (Kind::Unavailable, CATALOG_BUSY));
        assert!(error.message.contains("try again"), "{error}");
    }
}
