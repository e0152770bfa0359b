//! Connectors, their sealed configs and where they are attached.

use model::{Connector, ConnectorId, Deed, OrganizationId, RepositoryId, Timestamp, UserId};
use rusqlite::{Connection, Row, params};

use super::columns::{name, time, time_if_any, uuid};
use super::query::{all, change, exists, one};
use super::{audit, organizations};
use crate::{ConnectorChange, Error, Result};

pub(super) fn create(db: &Connection, new: &Connector, sealed: &str, deed: &Deed) -> Result<()> {
    organizations::require(db, new.organization)?;
    change(
        db,
        "INSERT INTO connectors (id, organization, name, kind, source_uri, disabled, created_by,
            created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            new.id.0.as_bytes(),
            new.organization.0.as_bytes(),
            new.name,
            new.kind.as_str(),
            new.source_uri,
            new.disabled,
            new.created_by.0.as_bytes(),
            new.created_at.0
        ],
    )
    .map_err(|error| error.or_conflict("a connector with this name"))?;
    insert_config(db, new.id, sealed)?;
    audit::record(db, deed)
}

fn insert_config(db: &Connection, id: ConnectorId, sealed: &str) -> Result<()> {
    let sql = "INSERT INTO sealed_configs (connector, sealed) VALUES (?1, ?2)";
    change(db, sql, params![id.0.as_bytes(), sealed]).map(|_| ())
}

fn delete_config(db: &Connection, id: ConnectorId) -> Result<()> {
    let sql = "DELETE FROM sealed_configs WHERE connector = ?1";
    change(db, sql, [id.0.as_bytes()]).map(|_| ())
}

pub(super) fn of_organization(
    db: &Connection,
    organization: OrganizationId,
) -> Result<Vec<Connector>> {
    all(
        db,
        "SELECT * FROM connectors WHERE organization = ?1 AND deleted_at IS NULL ORDER BY name",
        [organization.0.as_bytes()],
        decode,
    )
}

pub(super) fn connector(
    db: &Connection,
    organization: OrganizationId,
    id: ConnectorId,
) -> Result<Option<Connector>> {
    one(
        db,
        "SELECT * FROM connectors WHERE organization = ?1 AND id = ?2",
        params![organization.0.as_bytes(), id.0.as_bytes()],
        decode,
    )
}

pub(super) fn sealed_config(db: &Connection, id: ConnectorId) -> Result<Option<String>> {
    let sql = "SELECT sealed FROM sealed_configs WHERE connector = ?1";
    one(db, sql, [id.0.as_bytes()], |row| row.get("sealed"))
}

pub(super) fn update(
    db: &Connection,
    organization: OrganizationId,
    id: ConnectorId,
    wanted: &ConnectorChange,
    deed: &Deed,
) -> Result<Option<Connector>> {
    let changed = change(
        db,
        "UPDATE connectors SET name = ifnull(?3, name), disabled = ifnull(?4, disabled)
         WHERE organization = ?1 AND id = ?2 AND deleted_at IS NULL",
        params![organization.0.as_bytes(), id.0.as_bytes(), wanted.name, wanted.disabled],
    )
    .map_err(|error| error.or_conflict("a connector with this name"))?;
    if changed == 0 {
        return Ok(None);
    }
    if let Some(sealed) = &wanted.sealed {
        // The old row goes as a whole, in the one way that is known to leave nothing behind.
        delete_config(db, id)?;
        insert_config(db, id, sealed)?;
    }
    audit::record_if(db, *wanted != ConnectorChange::default(), deed)?;
    connector(db, organization, id)
}

pub(super) fn delete(
    db: &Connection,
    organization: OrganizationId,
    id: ConnectorId,
    deed: &Deed,
) -> Result<bool> {
    let deleted = wipe(db, organization, id, deed.at)?;
    audit::record_if(db, deleted, deed)
}

fn wipe(
    db: &Connection,
    organization: OrganizationId,
    id: ConnectorId,
    now: Timestamp,
) -> Result<bool> {
    let changed = change(
        db,
        "UPDATE connectors SET deleted_at = ?3
         WHERE organization = ?1 AND id = ?2 AND deleted_at IS NULL",
        params![organization.0.as_bytes(), id.0.as_bytes(), now.0],
    )?;
    if changed > 0 {
        delete_config(db, id)?;
        change(db, "DELETE FROM attachments WHERE connector = ?1", [id.0.as_bytes()])?;
    }
    Ok(changed > 0)
}

/// Deletes all connectors of an organization.
pub(super) fn delete_all(
    db: &Connection,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<()> {
    for connector in of_organization(db, organization)? {
        wipe(db, organization, connector.id, now)?;
    }
    Ok(())
}

pub(super) fn attach(
    db: &Connection,
    repository: RepositoryId,
    connector: ConnectorId,
    deed: &Deed,
) -> Result<()> {
    let pair = [repository.0.as_bytes(), connector.0.as_bytes()];
    let are_a_pair = exists(
        db,
        "SELECT 1 FROM repositories JOIN connectors USING (organization)
         WHERE repositories.id = ?1 AND repositories.deleted_at IS NULL
            AND connectors.id = ?2 AND connectors.deleted_at IS NULL",
        pair,
    )?;
    if !are_a_pair {
        return Err(Error::NotFound { what: "the repository or the connector" });
    }
    change(
        db,
        "INSERT INTO attachments (repository, connector, attached_at) VALUES (?1, ?2, ?3)",
        params![pair[0], pair[1], deed.at.0],
    )
    .map_err(|error| error.or_conflict("this attachment"))?;
    audit::record(db, deed)
}

pub(super) fn attached(db: &Connection, repository: RepositoryId) -> Result<Vec<Connector>> {
    all(
        db,
        "SELECT connectors.* FROM attachments
         JOIN connectors ON connectors.id = attachments.connector
         WHERE repository = ?1 AND deleted_at IS NULL ORDER BY name",
        [repository.0.as_bytes()],
        decode,
    )
}

pub(super) fn detach(
    db: &Connection,
    repository: RepositoryId,
    connector: ConnectorId,
    deed: &Deed,
) -> Result<bool> {
    let changed = change(
        db,
        "DELETE FROM attachments WHERE repository = ?1 AND connector = ?2",
        [repository.0.as_bytes(), connector.0.as_bytes()],
    )?;
    audit::record_if(db, changed > 0, deed)
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Connector> {
    Ok(Connector {
        id: ConnectorId(uuid(row, "id")?),
        organization: OrganizationId(uuid(row, "organization")?),
        name: row.get("name")?,
        kind: name(row, "kind")?,
        source_uri: row.get("source_uri")?,
        disabled: row.get("disabled")?,
        created_by: UserId(uuid(row, "created_by")?),
        created_at: time(row, "created_at")?,
        deleted_at: time_if_any(row, "deleted_at")?,
    })
}
