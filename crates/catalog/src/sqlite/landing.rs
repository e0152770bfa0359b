//! Commits that no import makes: of sessions, and of what needs none.

use model::{Deed, SessionId};
use rusqlite::Connection;

use super::{audit, commits, repositories, segments, sessions};
use crate::{Error, Landed, Landing, Result};

pub(super) fn land(db: &Connection, landing: &Landing, deed: &Deed) -> Result<Landed> {
    let landed = attempt(db, landing)?;
    if landed == Landed::Committed {
        audit::record(db, deed)?;
    }
    Ok(landed)
}

pub(super) fn commit_session(
    db: &Connection,
    session: SessionId,
    revision: u64,
    landing: &Landing,
    deed: &Deed,
) -> Result<Landed> {
    let repository = landing.commit.repository;
    let Some(open) = sessions::session(db, repository, session, deed.at)? else {
        return Ok(Landed::Gone);
    };
    if open.revision != revision {
        return Ok(Landed::Restaged);
    }
    let landed = land(db, landing, deed)?;
    if landed == Landed::Committed {
        sessions::close(db, session, deed.at)?;
    }
    Ok(landed)
}

/// Stores the commit, if the repository is there and its head the expected one.
fn attempt(db: &Connection, landing: &Landing) -> Result<Landed> {
    let commit = &landing.commit;
    let Some(repository) = repositories::by_id(db, commit.repository)? else {
        return Ok(Landed::Gone);
    };
    if repository.head != landing.expected_head {
        return Ok(Landed::HeadMoved);
    }
    if commit.parent != repository.head {
        return Err(Error::Conflict { what: "another history" });
    }
    segments::make_known(db, &landing.segments)?;
    commits::insert(db, commit, None)?;
    commits::move_head(db, commit)?;
    Ok(Landed::Committed)
}
