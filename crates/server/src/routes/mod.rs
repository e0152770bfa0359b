//! The handlers, one file per resource: decode, ask the engine, encode.

pub(crate) mod commits;
pub(crate) mod connectors;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod keys;
pub(crate) mod objects;
pub(crate) mod organizations;
pub(crate) mod repositories;

use crate::error::{Error, Result};
use crate::pagination::given;

/// The arguments of every path below a repository.
pub(crate) type RepositoryPath = (String, String);

/// The `ref` of a read. Sessions, the other thing to read from, are not in this version.
fn reference(reference: Option<String>, session: Option<String>) -> Result<Option<String>> {
    match (given(reference), given(session)) {
        (Some(_), Some(_)) => Err(Error::invalid("session_id: give either it or ref, not both")),
        (None, Some(_)) => Err(Error::invalid("session_id: sessions are not in this version")),
        (reference, None) => Ok(reference),
    }
}
