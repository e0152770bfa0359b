//! The handlers, one file per resource: decode, ask the engine, encode.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod commits;
pub(crate) mod connectors;
pub(crate) mod devices;
pub(crate) mod downloads;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod keys;
pub(crate) mod logins;
pub(crate) mod multipart;
pub(crate) mod objects;
pub(crate) mod organizations;
pub(crate) mod repositories;
pub(crate) mod sessions;
pub(crate) mod staging;
pub(crate) mod uploads;

use engine::At;
use model::SessionId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{Error, Result};
use crate::extract::id_field;
use crate::pagination::given;

/// The arguments of every path below a repository.
pub(crate) type RepositoryPath = (String, String);

/// Where a change goes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlaceQuery {
    /// The session that the change is staged in.
    #[param(required = true, format = Uuid)]
    session_id: Option<String>,
    /// Path of the object.
    #[param(required = true, min_length = 1)]
    path: Option<String>,
}

impl PlaceQuery {
    fn place(self) -> Result<(SessionId, String)> {
        Ok((session(self.session_id)?, required("path", self.path)?))
    }
}

/// The state of a repository to read from: the latest commit, another one, or a session.
fn state(reference: Option<String>, session: Option<String>) -> Result<At> {
    match (given(reference), given(session)) {
        (Some(_), Some(_)) => Err(Error::invalid("session_id: give either it or ref, not both")),
        (None, Some(session)) => Ok(At::Session(id_field("session_id", &session)?)),
        (Some(reference), None) => Ok(At::Commit(reference)),
        (None, None) => Ok(At::Head),
    }
}

/// The session that a request is about.
fn session(text: Option<String>) -> Result<SessionId> {
    id_field("session_id", &required("session_id", text)?)
}

/// A query value that must be there.
fn required(name: &str, value: Option<String>) -> Result<String> {
    given(value).ok_or_else(|| Error::invalid(format!("{name}: required")))
}
