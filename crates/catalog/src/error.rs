//! What can go wrong in the catalog.

use rusqlite::{ErrorCode, ffi};

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the catalog.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something with this name, or in this state, is there already.
    #[error("{what} exists already")]
    Conflict {
        /// What exists, for the user.
        what: &'static str,
    },
    /// What the operation is about, or something it refers to, is not there.
    #[error("{what} not found")]
    NotFound {
        /// What is not there, for the user.
        what: &'static str,
    },
    /// An organization has as many of something as it may have.
    #[error("too many {what}")]
    TooMany {
        /// What there is too much of, for the user.
        what: &'static str,
    },
    /// A newer claim made this one void.
    #[error("the claim on the job is void")]
    Fenced,
    /// Something keeps collections from taking anything away.
    #[error("collections are held by {what}")]
    Held {
        /// What holds them, for the user.
        what: String,
    },
    /// The database was made by a newer version of the program.
    #[error("the catalog has format version {found}, this program knows up to {known}")]
    NewerVersion {
        /// Version of the database.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// The database was made by an older version and is open for reading only, so that it cannot be
    /// migrated; 0 is a database without a catalog.
    #[error(
        "the catalog has format version {found}, only opening it for writing migrates to {known}"
    )]
    OlderVersion {
        /// Version of the database.
        found: u32,
        /// Version this program reads.
        known: u32,
    },
    /// The database did not accept a setting that safety depends on.
    #[error("the catalog's database keeps {setting} at {found}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        found: String,
    },
    /// The disk of the database is full.
    #[error("the disk of the catalog is full")]
    Full(#[source] rusqlite::Error),
    /// Another process held the database for longer than a statement waits. Nothing was done, so
    /// the operation may be repeated.
    #[error("another process holds the catalog")]
    Busy(#[source] rusqlite::Error),
    /// A row that cannot be decoded, or a file that is not what the database wrote.
    #[error("the catalog is damaged: {what}")]
    Damaged {
        /// Which row or column.
        what: String,
    },
    /// The database refused.
    #[error("the catalog's database failed")]
    Database(#[source] rusqlite::Error),
    /// The operation was broken off and undone: it panicked, or its transaction was lost.
    #[error("the catalog broke the operation off")]
    Aborted,
    /// The catalog was opened for reading only.
    #[error("the catalog is open for reading only")]
    ReadOnly,
    /// A thread of the database could not be started.
    #[error("a thread of the catalog could not be started")]
    Thread(#[source] std::io::Error),
    /// The file that a copy of the catalog was to be written to.
    #[error("the copy of the catalog could not be written")]
    Snapshot(#[source] std::io::Error),
    /// The database's thread has stopped.
    #[error("the catalog is closed")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Cause;
        match &error {
            Cause::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => Self::Full(error),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy(error),
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Self::Damaged { what: error.to_string() }
                }
                _ if failure.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
                    Self::NotFound { what: "something this refers to" }
                }
                _ => Self::Database(error),
            },
            Cause::FromSqlConversionFailure(..)
            | Cause::InvalidColumnName(..)
            | Cause::InvalidColumnType(..)
            | Cause::IntegralValueOutOfRange(..) => Self::Damaged { what: error.to_string() },
            _ => Self::Database(error),
        }
    }
}

impl Error {
    /// Turns the violation of a unique index into a conflict about `what`.
    pub(crate) fn or_conflict(self, what: &'static str) -> Self {
        match &self {
            Self::Database(rusqlite::Error::SqliteFailure(failure, _))
                if matches!(
                    failure.extended_code,
                    ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                ) =>
            {
                Self::Conflict { what }
            }
            _ => self,
        }
    }
}
