//! Organizations and their members.

use model::{Deed, Member, Organization, OrganizationId, Role, Timestamp, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, RowIndex, params};

use super::accounts::decode_user;
use super::columns::{time, uuid};
use super::query::{all, change, exists, one};
use super::{audit, connectors, repositories};
use crate::{Error, Result};

/// What [`decode_at`] reads, in its order.
pub(super) const COLUMNS: [&str; 4] = ["id", "name", "display_name", "created_at"];

pub(super) fn create(
    db: &Connection,
    new: &Organization,
    owner: UserId,
    deed: &Deed,
) -> Result<()> {
    change(
        db,
        "INSERT INTO organizations (id, name, display_name, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![new.id.0.as_bytes(), new.name, new.display_name, new.created_at.0],
    )
    .map_err(|error| error.or_conflict("an organization with this name"))?;
    insert_member(db, new.id, owner, Role::Owner, new.created_at)?;
    audit::record(db, deed)
}

pub(super) fn organization(
    db: &Connection,
    name: &str,
    viewer: UserId,
) -> Result<Option<(Organization, Role)>> {
    one(
        db,
        "SELECT organizations.*, role FROM organizations
         JOIN members ON members.organization = organizations.id
         WHERE name = ?1 AND user = ?2 AND deleted_at IS NULL",
        params![name, viewer.0.as_bytes()],
        |row| Ok((decode(row)?, decode_role(row, "role")?)),
    )
}

pub(super) fn organizations_of(db: &Connection, user: UserId) -> Result<Vec<Organization>> {
    all(
        db,
        "SELECT organizations.* FROM members
         JOIN organizations ON organizations.id = members.organization
         WHERE user = ?1 AND deleted_at IS NULL ORDER BY name",
        [user.0.as_bytes()],
        decode,
    )
}

pub(super) fn is_name_taken(db: &Connection, name: &str) -> Result<bool> {
    exists(db, "SELECT 1 FROM organizations WHERE name = ?1 AND deleted_at IS NULL", [name])
}

/// `NotFound` unless it is there and not deleted.
pub(super) fn require(db: &Connection, id: OrganizationId) -> Result<()> {
    let sql = "SELECT 1 FROM organizations WHERE id = ?1 AND deleted_at IS NULL";
    match exists(db, sql, [id.0.as_bytes()])? {
        true => Ok(()),
        false => Err(Error::NotFound { what: "the organization" }),
    }
}

pub(super) fn delete(db: &Connection, id: OrganizationId, deed: &Deed) -> Result<bool> {
    let changed = change(
        db,
        "UPDATE organizations SET deleted_at = ?2 WHERE id = ?1 AND deleted_at IS NULL",
        params![id.0.as_bytes(), deed.at.0],
    )?;
    if changed > 0 {
        connectors::delete_all(db, id, deed.at)?;
        repositories::delete_all(db, id, deed.at)?;
    }
    audit::record_if(db, changed > 0, deed)
}

pub(super) fn members(db: &Connection, organization: OrganizationId) -> Result<Vec<Member>> {
    all(
        db,
        "SELECT users.*, role, joined_at FROM members JOIN users ON users.id = members.user
         WHERE organization = ?1 ORDER BY username",
        [organization.0.as_bytes()],
        |row| {
            Ok(Member {
                user: decode_user(row)?,
                role: decode_role(row, "role")?,
                joined_at: time(row, "joined_at")?,
            })
        },
    )
}

pub(super) fn add_member(
    db: &Connection,
    organization: OrganizationId,
    user: UserId,
    role: Role,
    deed: &Deed,
) -> Result<()> {
    require(db, organization)?;
    insert_member(db, organization, user, role, deed.at)?;
    audit::record(db, deed)
}

fn insert_member(
    db: &Connection,
    organization: OrganizationId,
    user: UserId,
    role: Role,
    now: Timestamp,
) -> Result<()> {
    change(
        db,
        "INSERT INTO members (organization, user, role, joined_at) VALUES (?1, ?2, ?3, ?4)",
        params![organization.0.as_bytes(), user.0.as_bytes(), role.as_str(), now.0],
    )
    .map_err(|error| error.or_conflict("this member"))?;
    Ok(())
}

pub(super) fn remove_member(
    db: &Connection,
    organization: OrganizationId,
    user: UserId,
    deed: &Deed,
) -> Result<bool> {
    let changed = change(
        db,
        "DELETE FROM members WHERE organization = ?1 AND user = ?2",
        params![organization.0.as_bytes(), user.0.as_bytes()],
    )?;
    let sql = "SELECT 1 FROM members WHERE organization = ?1 AND role = 'owner'";
    if changed > 0 && !exists(db, sql, [organization.0.as_bytes()])? {
        return Err(Error::Conflict { what: "only one owner" });
    }
    audit::record_if(db, changed > 0, deed)
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Organization> {
    decode_at(row, COLUMNS)
}

pub(super) fn decode_at<C: RowIndex>(
    row: &Row<'_>,
    [id, name, display_name, created_at]: [C; COLUMNS.len()],
) -> rusqlite::Result<Organization> {
    Ok(Organization {
        id: OrganizationId(uuid(row, id)?),
        name: row.get(name)?,
        display_name: row.get(display_name)?,
        created_at: time(row, created_at)?,
    })
}

pub(super) fn decode_role(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Role> {
    let text = row.get_ref(column)?.as_str()?;
    [Role::Owner, Role::Member].into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
        let index = column.idx(row.as_ref()).unwrap_or(usize::MAX);
        rusqlite::Error::InvalidColumnType(index, "role".to_owned(), Type::Text)
    })
}
