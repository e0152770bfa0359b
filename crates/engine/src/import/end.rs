//! How a claim on an import ends when it does not end in a commit.

use crate::Error;
use crate::error::CATALOG_BUSY;
use crate::import::stop::Reason;

/// How a claim ends early.
#[derive(Debug)]
pub(super) enum End {
    /// The job fails; the text is for the user.
    Failed(String),
    /// The job fails for a reason that is ours; the error goes to the log too.
    Broken(Error),
    /// Somebody asked for it.
    Stopped(Reason),
    /// The source does not list in order: the claim begins anew, sorting first.
    Unordered,
}

impl End {
    /// The job fails with this sentence.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// Whether another process holds the catalog, and what was to be done may be done later.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Broken(error) if error.code == CATALOG_BUSY)
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl From<catalog::Error> for End {
    fn from(error: catalog::Error) -> Self {
        match error {
            catalog::Error::Fenced => Self::Stopped(Reason::Fenced),
            error => Self::Broken(error.into()),
        }
    }
}

impl From<blocks::Error> for End {
    fn from(error: blocks::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<tree::Error> for End {
    fn from(error: tree::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<sources::Error> for End {
    fn from(error: sources::Error) -> Self {
        match error {
            sources::Error::Unordered => Self::Unordered,
            error => Self::Failed(error.to_string()),
        }
    }
}
