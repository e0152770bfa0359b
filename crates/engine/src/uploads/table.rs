//! Single uploads that have begun and are not staged yet. In memory alone: a restart forgets them,
//! and their clients send again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::limits::UPLOADS_WAITING_MAX;
use model::{RepositoryId, SessionId, Timestamp, UploadId};

use super::arrival::Object;
use crate::{Error, Kind, Result};

/// Seconds after which one who finds no room may try again.
const RETRY_S: u32 = 60;

/// The table; [`UPLOADS_WAITING_MAX`] rows.
#[derive(Default)]
pub(super) struct Table(Mutex<HashMap<UploadId, Waiting>>);

/// A session, as it is found.
pub(super) type SessionKey = (RepositoryId, SessionId);

struct Waiting {
    session: SessionKey,
    expires_at: Timestamp,
    state: State,
}

enum State {
    /// No bytes yet.
    Begun,
    /// Bytes; others may still replace them.
    Arrived(Box<Object>),
    /// Being staged: [`Taken`] has the object.
    Taken,
}

fn gone() -> Error {
    Error::not_found("upload")
}

impl Table {
    /// Adds an upload.
    pub(super) fn begin(
        &self,
        id: UploadId,
        session: SessionKey,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let mut rows = self.rows();
        if rows.len() >= UPLOADS_WAITING_MAX {
            rows.retain(|_, waiting| waiting.expires_at > now);
        }
        if rows.len() >= UPLOADS_WAITING_MAX {
            let message = "too many uploads have begun and are not finalized; finalize some";
            let kind = Kind::Throttled { retry_s: RETRY_S };
            return Err(Error::new(kind, "RATE_LIMITED", message));
        }
        rows.insert(id, Waiting { session, expires_at, state: State::Begun });
        Ok(())
    }

    /// `NotFound` if bytes of this upload are not wanted (any more).
    pub(super) fn check(&self, id: UploadId) -> Result<()> {
        match self.rows().get(&id) {
            Some(Waiting { state: State::Begun | State::Arrived(_), .. }) => Ok(()),
            _ => Err(gone()),
        }
    }

    /// Its bytes have arrived; they replace what arrived before, and wait no longer than until
    /// `expires_at`.
    pub(super) fn arrived(
        &self,
        id: UploadId,
        object: Object,
        expires_at: Timestamp,
    ) -> Result<()> {
        let mut rows = self.rows();
        match rows.get_mut(&id) {
            Some(Waiting { state: State::Taken, .. }) | None => Err(gone()),
            Some(waiting) => {
                waiting.state = State::Arrived(Box::new(object));
                waiting.expires_at = waiting.expires_at.min(expires_at);
                Ok(())
            }
        }
    }

    /// Takes an upload to stage it. Nobody else can meanwhile.
    pub(super) fn take(&self, id: UploadId) -> Result<Taken<'_>> {
        let mut rows = self.rows();
        let waiting = rows.get_mut(&id).ok_or_else(gone)?;
        match std::mem::replace(&mut waiting.state, State::Taken) {
            State::Arrived(object) => Ok(Taken { table: self, id, object: Some(object) }),
            State::Taken => Err(gone()),
            State::Begun => {
                waiting.state = State::Begun;
                let message = "upload_token: nothing has been uploaded to its upload_url yet";
                Err(Error::invalid(message))
            }
        }
    }

    /// Forgets what has expired by `now`.
    pub(super) fn keep(&self, now: Timestamp) {
        self.rows().retain(|_, waiting| waiting.expires_at > now);
    }

    /// The sessions that uploads go into.
    pub(super) fn sessions(&self) -> HashSet<SessionKey> {
        self.rows().values().map(|waiting| waiting.session).collect()
    }

    /// Forgets the uploads of these sessions.
    pub(super) fn forget(&self, ended: &HashSet<SessionKey>) {
        self.rows().retain(|_, waiting| !ended.contains(&waiting.session));
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<UploadId, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upload that is being staged. Dropped before [`Taken::done`], it waits again.
pub(super) struct Taken<'a> {
    table: &'a Table,
    id: UploadId,
    object: Option<Box<Object>>,
}

impl Taken<'_> {
    pub(super) fn object(&self) -> &Object {
        self.object.as_ref().expect("only done and drop take it")
    }

    /// Nobody needs it any more: it is staged, or its bytes are lost.
    pub(super) fn done(mut self) {
        self.object = None;
        self.table.rows().remove(&self.id);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        if let Some(waiting) = self.table.rows().get_mut(&self.id) {
            waiting.state = State::Arrived(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_full_table_takes_more_only_when_something_has_expired() {
        let (table, now, later) = (Table::default(), Timestamp(0), Timestamp(10));
        let id = |number: usize| UploadId(Uuid::from_u128(number as u128));
        let session = (RepositoryId(Uuid::nil()), SessionId(Uuid::nil()));
        for number in 0..UPLOADS_WAITING_MAX {
            let expires_at = if number == 0 { later } else { Timestamp(20) };
            table.begin(id(number), session, expires_at, now).expect("room");
        }
        let one_more = |now| table.begin(id(UPLOADS_WAITING_MAX), session, Timestamp(20), now);
        let full = one_more(now).expect_err("full");
        assert_eq!((full.kind, full.code), (Kind::Throttled { retry_s: RETRY_S }, "RATE_LIMITED"));
        one_more(later).expect("one has expired");
        assert!(table.check(id(0)).is_err() && table.check(id(1)).is_ok());
        table.keep(Timestamp(20));
        assert!(table.rows().is_empty());
    }
}
