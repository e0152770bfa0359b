//! What can go wrong with stored bytes, in the kinds a caller acts upon.

use std::io;

/// The result of this room.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong. `file` is relative to the root of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file, or the catalog's row of the segment, is not there.
    #[error("{file} is missing")]
    Missing {
        /// The file; for a segment no row knows, its logical name.
        file: String,
    },
    /// The bytes are not what was written. They are never returned.
    #[error("{file} is damaged: {what}")]
    Damaged {
        /// The damaged file.
        file: String,
        /// Which check failed, and where.
        what: String,
    },
    /// The segment was written by another version of the server.
    #[error("{file} has format version {version}, this server reads versions 1 and 2")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        version: u32,
    },
    /// Input or output failed. The caller may try again, with a new segment if it was writing.
    #[error("input or output on {file} failed")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk or a quota is full. The unfinished file has been removed.
    #[error("no space left for {file}")]
    Full {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The segment could not be made durable and has been removed: its bytes must be written anew,
    /// elsewhere.
    #[error("{file} could not be made durable")]
    Lost {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A name that is not exactly of the form this room gives its files.
    #[error("{file:?} is not the name of a segment file")]
    Name {
        /// The name.
        file: String,
    },
    /// The call itself is wrong, e.g. an empty item, or a range beyond the extent.
    #[error("wrong use of a segment: {what}")]
    Misuse {
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Error {
    /// Sorts a system error into [`Error::Missing`], [`Error::Full`] or [`Error::Io`].
    pub(crate) fn io(file: &str, source: io::Error) -> Self {
        let file = file.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { file },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { file, source }
            }
            _ => Self::Io { file, source },
        }
    }

    /// As [`Error::io`], for a step after which the file counts as lost. A full disk stays
    /// [`Error::Full`].
    pub(crate) fn lost(file: &str, source: io::Error) -> Self {
        match Self::io(file, source) {
            Self::Io { file, source } => Self::Lost { file, source },
            Self::Missing { file } => Self::Lost { file, source: io::ErrorKind::NotFound.into() },
            other => other,
        }
    }

    /// An [`Error::Damaged`].
    pub(crate) fn damaged(file: &str, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.into() }
    }
}
