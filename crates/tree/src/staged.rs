//! One entry by itself, as a session stages it: a run of one, and so in the format of runs.

use bytes::Bytes;
use model::{Entry, ObjectPath};

use crate::run::{self, RunReader};
use crate::{Error, Result};

/// Encodes the entry at `path`.
pub fn encode(path: &ObjectPath, entry: &Entry) -> Result<Vec<u8>> {
    run::encode(&[(path.clone(), entry.clone())])
}

/// Decodes what [`encode`] made.
pub fn decode(bytes: Vec<u8>) -> Result<(ObjectPath, Entry)> {
    let mut reader = RunReader::new(Bytes::from(bytes))?;
    match (reader.next().transpose()?, reader.next()) {
        (Some(pair), None) => Ok(pair),
        _ => Err(Error::Item { item: "staged entry", what: "not exactly one entry" }),
    }
}
