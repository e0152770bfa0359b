//! The audit log: a row for each change, written in the transaction of the change.

use model::limits::PAGE_ROWS_MAX;
use model::{Actor, AuditRecord, Deed, OrganizationId, Page, PageRequest, UserId};
use rusqlite::{Connection, Row, params};

use super::columns::{count, json, of_count, of_json, time, uuid_if_any};
use super::pages::cut;
use super::query::{all, change};
use crate::Result;

/// Records what was done. Whoever takes a deed calls this once, if it changed anything.
pub(super) fn record(db: &Connection, deed: &Deed) -> Result<()> {
    let user = match &deed.actor {
        Actor::User { id, name } => Some((*id.0.as_bytes(), name)),
        Actor::Operator => None,
    };
    change(
        db,
        "INSERT INTO audit (at, organization, user, username, request, action, resource, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            deed.at.0,
            deed.organization.map(|id| *id.0.as_bytes()),
            user.map(|(id, _)| id),
            user.map(|(_, name)| name),
            deed.request_id,
            deed.action,
            deed.resource,
            of_json(&deed.details)
        ],
    )?;
    Ok(())
}

/// Records what was done, if it was; says whether it was.
pub(super) fn record_if(db: &Connection, is_done: bool, deed: &Deed) -> Result<bool> {
    if is_done {
        record(db, deed)?;
    }
    Ok(is_done)
}

pub(super) fn of_organization(
    db: &Connection,
    organization: OrganizationId,
    page: &PageRequest,
) -> Result<Page<AuditRecord>> {
    let amount = page.amount.clamp(1, PAGE_ROWS_MAX);
    // After what is no cursor of this listing comes nothing.
    let before = page.after.as_deref().map_or(i64::MAX, |last| last.parse().unwrap_or(0));
    let rows = all(
        db,
        "SELECT * FROM audit WHERE organization = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
        params![organization.0.as_bytes(), before, of_count(amount as u64 + 1)],
        decode,
    )?;
    Ok(cut(rows, amount, |last| last.id.to_string()))
}

fn decode(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    let actor = match uuid_if_any(row, "user")? {
        Some(id) => Actor::User { id: UserId(id), name: row.get("username")? },
        None => Actor::Operator,
    };
    Ok(AuditRecord {
        id: count(row, "id")?,
        at: time(row, "at")?,
        actor,
        request_id: row.get("request")?,
        action: row.get("action")?,
        resource: row.get("resource")?,
        details: json(row, "details")?,
    })
}
