//! Typed identifiers: a UUID that says what it names, so that no call can mix two of them up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::IdError;

macro_rules! uuid_id {
    ($(#[$doc:meta] $name:ident, $what:literal;)*) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            /// Accepts the hyphenated form only: one identifier, one spelling.
            fn from_str(text: &str) -> Result<Self, IdError> {
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == 36 => Ok(Self(id)),
                    _ => Err(IdError { what: $what }),
                }
            }
        }
    )*};
}

uuid_id! {
    /// An organization: the owner of connectors and repositories.
    OrganizationId, "organization id";
    /// A repository.
    RepositoryId, "repository id";
    /// A stored connector.
    ConnectorId, "connector id";
    /// An import job.
    JobId, "job id";
    /// A user.
    UserId, "user id";
    /// An API key (not the token itself).
    ApiKeyId, "API key id";
    /// A session: the staging area of uncommitted changes.
    SessionId, "session id";
    /// An upload: the bytes of one object on their way into a session.
    UploadId, "upload id";
}
