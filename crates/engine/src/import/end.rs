//! How a claim on an import ends when it does not end in a commit.

use crate::Error;
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
}

impl End {
    /// The job fails with this sentence.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
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
        Self::Failed(error.to_string())
    }
}
