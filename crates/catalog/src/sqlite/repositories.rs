//! Repositories.

use model::limits::PAGE_ROWS_MAX;
use model::{Deed, OrganizationId, Page, PageRequest, Repository, RepositoryId, Timestamp, UserId};
use rusqlite::{Connection, Row, RowIndex, params};

use super::columns::{commit_if_any, of_count, time, uuid};
use super::pages::cut;
use super::query::{all, change, one};
use super::{audit, organizations};
use crate::{NamedRepository, Result};

/// What [`decode_at`] reads, in its order.
pub(super) const COLUMNS: [&str; 10] = [
    "id",
    "organization",
    "name",
    "description",
    "visibility",
    "retention_days",
    "session_max_duration_days",
    "created_by",
    "created_at",
    "head",
];

pub(super) fn create(db: &Connection, new: &Repository, deed: &Deed) -> Result<()> {
    organizations::require(db, new.organization)?;
    change(
        db,
        "INSERT INTO repositories (id, organization, name, description, visibility, retention_days,
            session_max_duration_days, created_by, created_at, head)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            new.id.0.as_bytes(),
            new.organization.0.as_bytes(),
            new.name,
            new.description,
            new.visibility,
            new.retention_days,
            new.session_max_duration_days,
            new.created_by.0.as_bytes(),
            new.created_at.0,
            new.head.map(|id| id.0)
        ],
    )
    .map_err(|error| error.or_conflict("a repository with this name"))?;
    audit::record(db, deed)
}

pub(super) fn repository(
    db: &Connection,
    organization: OrganizationId,
    name: &str,
) -> Result<Option<Repository>> {
    one(
        db,
        "SELECT * FROM repositories
         WHERE organization = ?1 AND name = ?2 AND deleted_at IS NULL",
        params![organization.0.as_bytes(), name],
        decode,
    )
}

pub(super) fn by_id(db: &Connection, id: RepositoryId) -> Result<Option<Repository>> {
    let sql = "SELECT * FROM repositories WHERE id = ?1 AND deleted_at IS NULL";
    one(db, sql, [id.0.as_bytes()], decode)
}

pub(super) fn everything(db: &Connection) -> Result<Vec<Repository>> {
    all(db, "SELECT * FROM repositories ORDER BY id", [], decode)
}

pub(super) fn of_organization(
    db: &Connection,
    organization: OrganizationId,
    page: &PageRequest,
) -> Result<Page<NamedRepository>> {
    let amount = page.amount.clamp(1, PAGE_ROWS_MAX);
    let rows = all(
        db,
        "SELECT repositories.*, organizations.name AS organization_name,
            organizations.display_name AS organization_display_name
         FROM repositories JOIN organizations ON organizations.id = repositories.organization
         WHERE organization = ?1 AND repositories.deleted_at IS NULL AND repositories.name > ?2
         ORDER BY repositories.name LIMIT ?3",
        params![
            organization.0.as_bytes(),
            page.after.as_deref().unwrap_or_default(),
            of_count(amount as u64 + 1)
        ],
        decode_named,
    )?;
    Ok(cut(rows, amount, |last| last.repository.name.clone()))
}

pub(super) fn of_user(
    db: &Connection,
    user: UserId,
    page: &PageRequest,
) -> Result<Page<NamedRepository>> {
    let amount = page.amount.clamp(1, PAGE_ROWS_MAX);
    let after = page.after.as_deref().unwrap_or_default();
    let (organization, name) = after.split_once('/').unwrap_or((after, ""));
    let rows = all(
        db,
        "SELECT repositories.*, organizations.name AS organization_name,
            organizations.display_name AS organization_display_name
         FROM members JOIN organizations ON organizations.id = members.organization
         JOIN repositories ON repositories.organization = organizations.id
         WHERE members.user = ?1
            AND organizations.deleted_at IS NULL AND repositories.deleted_at IS NULL
            AND (organizations.name, repositories.name) > (?2, ?3)
         ORDER BY organizations.name, repositories.name LIMIT ?4",
        params![user.0.as_bytes(), organization, name, of_count(amount as u64 + 1)],
        decode_named,
    )?;
    Ok(cut(rows, amount, |last| format!("{}/{}", last.organization_name, last.repository.name)))
}

pub(super) fn update(db: &Connection, repository: &Repository, deed: &Deed) -> Result<bool> {
    let changed = change(
        db,
        "UPDATE repositories SET description = ?2, visibility = ?3, retention_days = ?4,
            session_max_duration_days = ?5
         WHERE id = ?1 AND deleted_at IS NULL",
        params![
            repository.id.0.as_bytes(),
            repository.description,
            repository.visibility,
            repository.retention_days,
            repository.session_max_duration_days
        ],
    )?;
    audit::record_if(db, changed > 0, deed)
}

pub(super) fn delete(db: &Connection, id: RepositoryId, deed: &Deed) -> Result<bool> {
    change(db, "DELETE FROM attachments WHERE repository = ?1", [id.0.as_bytes()])?;
    let changed = change(
        db,
        "UPDATE repositories SET deleted_at = ?2 WHERE id = ?1 AND deleted_at IS NULL",
        params![id.0.as_bytes(), deed.at.0],
    )?;
    audit::record_if(db, changed > 0, deed)
}

/// Deletes all repositories of an organization.
pub(super) fn delete_all(
    db: &Connection,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<()> {
    change(
        db,
        "UPDATE repositories SET deleted_at = ?2 WHERE organization = ?1 AND deleted_at IS NULL",
        params![organization.0.as_bytes(), now.0],
    )?;
    Ok(())
}

fn decode_named(row: &Row<'_>) -> rusqlite::Result<NamedRepository> {
    Ok(NamedRepository {
        repository: decode(row)?,
        organization_name: row.get("organization_name")?,
        organization_display_name: row.get("organization_display_name")?,
    })
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Repository> {
    decode_at(row, COLUMNS)
}

pub(super) fn decode_at<C: RowIndex>(
    row: &Row<'_>,
    columns: [C; COLUMNS.len()],
) -> rusqlite::Result<Repository> {
    let [id, organization, name, description, visibility, retention, session, by, at, head] =
        columns;
    Ok(Repository {
        id: RepositoryId(uuid(row, id)?),
        organization: OrganizationId(uuid(row, organization)?),
        name: row.get(name)?,
        description: row.get(description)?,
        visibility: row.get(visibility)?,
        retention_days: row.get(retention)?,
        session_max_duration_days: row.get(session)?,
        created_by: UserId(uuid(row, by)?),
        created_at: time(row, at)?,
        head: commit_if_any(row, head)?,
    })
}
