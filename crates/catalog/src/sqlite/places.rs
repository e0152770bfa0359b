//! The way from names to a repository and its head in one statement: nearly every request goes it.

use model::UserId;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::query::one;
use super::{columns, commits, organizations, repositories};
use crate::{Place, Result};

const ROLE: usize = organizations::COLUMNS.len();
const REPOSITORY: usize = ROLE + 1;
const HEAD: usize = REPOSITORY + repositories::COLUMNS.len();

/// The columns are those of the three decoders, in their order.
const SQL: &str = "
    SELECT o.id, o.name, o.display_name, o.created_at, role,
        r.id, r.organization, r.name, r.description, r.visibility, r.retention_days,
        r.session_max_duration_days, r.created_by, r.created_at, r.head,
        c.id, c.repository, c.parent, c.root_page, c.root_level, c.root_hash, c.root_entries,
        c.root_bytes, c.message, c.committer, c.committer_name, c.created_at, c.metadata,
        c.superseded_at, c.expired_at
    FROM organizations AS o
    JOIN members ON members.organization = o.id AND members.user = ?2
    LEFT JOIN repositories AS r
        ON r.organization = o.id AND r.name = ?3 AND r.deleted_at IS NULL
    LEFT JOIN commits AS c ON c.repository = r.id AND c.id = r.head
    WHERE o.name = ?1 AND o.deleted_at IS NULL";

pub(super) fn place(
    db: &Connection,
    organization: &str,
    viewer: UserId,
    repository: &str,
) -> Result<Option<Place>> {
    one(db, SQL, params![organization, viewer.0.as_bytes(), repository], decode)
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Place> {
    // An outer join answers with nulls where it finds nothing, and no id is null.
    Ok(Place {
        organization: organizations::decode_at(row, columns::from(0))?,
        role: organizations::decode_role(row, ROLE)?,
        repository: match row.get_ref(REPOSITORY)? {
            ValueRef::Null => None,
            _ => Some(repositories::decode_at(row, columns::from(REPOSITORY))?),
        },
        head: match row.get_ref(HEAD)? {
            ValueRef::Null => None,
            _ => Some(commits::decode_at(row, columns::from(HEAD))?),
        },
    })
}
