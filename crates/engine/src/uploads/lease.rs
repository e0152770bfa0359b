//! Leases: writers that the catalog counts as live for as long as something here refers to them.
//!
//! A collection takes nothing that a live writer wrote, so whoever has bytes in segments that no
//! row refers to yet holds the lease of their writer. A repository in use has one lease with one
//! [`Intake`]; it is replaced after a while, because nothing of a live writer is ever compacted,
//! and closed once nothing refers to it. The next start of the server closes what this one left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blocks::Writer;
use model::{RepositoryId, Timestamp, WriterId};

use super::intake::Intake;
use crate::{Parts, Result};

/// Milliseconds after which a lease is replaced.
const LEASE_AGE_MS: i64 = 5 * 60_000;
/// Milliseconds after which an unused one is given up.
const LEASE_IDLE_MS: i64 = 60_000;
/// Repositories in use at a time; of more, the one that was used longest ago makes room.
const REPOSITORIES_MAX: usize = 256;

/// A writer of segments that stays live while this exists.
pub(crate) struct Lease {
    id: WriterId,
    writer: Writer,
}

impl Lease {
    /// Opens segments, each with a number of its own.
    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }
}

/// The leases of all repositories in use.
pub(super) struct Leases {
    parts: Arc<Parts>,
    state: Mutex<State>,
    /// Held while a lease is opened, so that a repository has one.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    current: HashMap<RepositoryId, Current>,
    /// To be closed once nothing else refers to them.
    retired: Vec<Arc<Lease>>,
}

struct Current {
    intake: Arc<Intake>,
    opened_at: Timestamp,
    used_at: Timestamp,
}

impl State {
    /// The intake of a repository, used at `now`; none if it is too old or does not work any more.
    fn used(&mut self, repository: RepositoryId, now: Timestamp) -> Option<Arc<Intake>> {
        let current = self.current.get_mut(&repository)?;
        current.used_at = now;
        let is_fit = !is_past(current.opened_at, LEASE_AGE_MS, now) && current.intake.works();
        is_fit.then(|| Arc::clone(&current.intake))
    }

    fn retire(&mut self, repository: RepositoryId) {
        if let Some(current) = self.current.remove(&repository) {
            self.retired.push(Arc::clone(current.intake.lease()));
        }
    }

    fn retire_due(&mut self, now: Timestamp) {
        let is_due = |current: &Current| {
            is_past(current.opened_at, LEASE_AGE_MS, now)
                || is_past(current.used_at, LEASE_IDLE_MS, now)
        };
        let due = self.current.iter().filter(|(_, current)| is_due(current));
        for repository in due.map(|(repository, _)| *repository).collect::<Vec<_>>() {
            self.retire(repository);
        }
    }

    fn make_room(&mut self) {
        if self.current.len() < REPOSITORIES_MAX {
            return;
        }
        let oldest = self.current.iter().min_by_key(|(_, current)| current.used_at);
        if let Some(repository) = oldest.map(|(repository, _)| *repository) {
            self.retire(repository);
        }
    }
}

fn is_past(since: Timestamp, ms: i64, now: Timestamp) -> bool {
    now.0.saturating_sub(since.0) >= ms * 1_000
}

impl Leases {
    pub(super) fn new(parts: Arc<Parts>) -> Self {
        Self { parts, state: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// Where bytes of this repository go.
    pub(super) async fn intake(&self, repository: RepositoryId) -> Result<Arc<Intake>> {
        if let Some(intake) = self.state().used(repository, self.parts.clock.now()) {
            return Ok(intake);
        }
        let _one = self.opening.lock().await;
        let now = self.parts.clock.now();
        if let Some(intake) = self.state().used(repository, now) {
            return Ok(intake);
        }
        // Whoever is cut off here leaves a writer open that wrote nothing, until the next start.
        let id = self.parts.catalog.open_writer(now).await?;
        let writer = self.parts.blocks.writer(repository, id);
        let intake = Intake::start(Lease { id, writer }, Arc::clone(&self.parts.located));
        let mut state = self.state();
        state.retire(repository);
        state.make_room();
        let current = Current { intake: Arc::clone(&intake), opened_at: now, used_at: now };
        state.current.insert(repository, current);
        Ok(intake)
    }

    /// Replaces what is old, gives up what is idle, and closes what nothing refers to any more.
    pub(super) async fn keep(&self, now: Timestamp) -> Result<()> {
        self.state().retire_due(now);
        for lease in self.unused() {
            let closed = self.parts.catalog.close_writer(lease.id).await;
            if let Err(error) = closed {
                self.state().retired.push(lease);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Takes out the retired leases that only this refers to. Nobody can get hold of one again.
    fn unused(&self) -> Vec<Arc<Lease>> {
        let retired = &mut self.state().retired;
        retired.extract_if(.., |lease| Arc::strong_count(lease) == 1).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
