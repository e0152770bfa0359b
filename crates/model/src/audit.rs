//! The audit log: who did what, when, and to what.

use std::collections::BTreeMap;

use crate::{OrganizationId, Timestamp, UserId};

/// Who did something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A user, by an API key, a password or a login.
    User {
        /// Who.
        id: UserId,
        /// Their username at the time.
        name: String,
    },
    /// Whoever runs the server, by a command on its machine.
    Operator,
}

/// A change as the audit log records it, in the transaction of the change itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    /// When; also the time that the change itself records.
    pub at: Timestamp,
    /// Whose log it belongs to; `None` for what concerns a user or the whole server.
    pub organization: Option<OrganizationId>,
    /// Who.
    pub actor: Actor,
    /// The request that asked for it; empty outside of one.
    pub request_id: String,
    /// What, e.g. `CreateRepository`: the operation of the API with a capital first letter.
    pub action: &'static str,
    /// To what: a path within the organization, e.g. `repositories/flights/sessions/ID`.
    pub resource: String,
    /// What else is worth knowing, such as the commit that came of it. Never a secret.
    pub details: BTreeMap<String, String>,
}

impl Deed {
    /// The deed with one more detail.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }
}

/// A row of the audit log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRecord {
    /// Counts up; later rows have greater ones.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The request that asked for it; empty outside of one.
    pub request_id: String,
    /// What.
    pub action: String,
    /// To what.
    pub resource: String,
    /// See [`Deed::details`].
    pub details: BTreeMap<String, String>,
}
