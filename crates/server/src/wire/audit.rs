//! The audit log.

use std::collections::BTreeMap;

use model::{Actor, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::wire::USER;

/// A change that somebody made.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditRecord {
    /// Counts up; later changes have greater ones.
    id: u64,
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Of the request; empty for what was not asked over the API.
    request_id: String,
    /// `user`, or `operator` for whoever runs the server.
    principal_type: &'static str,
    /// Of a user.
    principal_id: Option<Uuid>,
    /// Username at the time; empty for the operator.
    principal_name: String,
    /// The operation of the API with a capital first letter, e.g. `CreateRepository`.
    action: String,
    /// What was changed, as a path within the organization, e.g. `repositories/flights`.
    resource: String,
    /// What else is worth knowing, such as the commit that came of it.
    details: BTreeMap<String, String>,
}

impl From<model::AuditRecord> for AuditRecord {
    fn from(record: model::AuditRecord) -> Self {
        let (principal_type, principal_id, principal_name) = match record.actor {
            Actor::User { id, name } => (USER, Some(id.0), name),
            Actor::Operator => ("operator", None, String::new()),
        };
        Self {
            id: record.id,
            time: record.at,
            request_id: record.request_id,
            principal_type,
            principal_id,
            principal_name,
            action: record.action,
            resource: record.resource,
            details: record.details,
        }
    }
}
