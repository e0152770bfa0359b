//! The life of an import, from the request to the commit.
//!
//! [`start`] writes the job, [`worker`] claims it, [`run`] carries it out and reads like a table of
//! contents: [`plan`] lists and compares, [`transfer`] copies in batches that end in checkpoints,
//! [`finish`] commits. A dry run lists only ([`survey`]), an import from another repository has
//! nothing to copy ([`share`]).

mod batch;
mod changes;
mod end;
mod fetch;
mod filter;
mod finish;
mod flight;
mod fragments;
mod invalid;
mod job;
mod lister;
mod merge;
mod patience;
mod pending;
mod plan;
mod progress;
mod promise;
mod reconcile;
mod run;
mod share;
mod start;
mod stop;
mod survey;
mod transfer;
mod unreadable;
mod worker;

use std::time::Duration;

use model::limits;

pub use changes::{ChangeStatus, PlannedChange};
pub use start::ImportRequest;
pub use worker::Worker;

/// How imports run on this server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// GET requests in flight for one import.
    pub transfers_max: usize,
    /// Imports that run side by side on this node.
    pub jobs_max: usize,
    /// How long a job keeps its place while an organization waits that has none.
    pub turn: Duration,
    /// What is verified beyond length and pinned ETag.
    pub verify: sources::VerifyMode,
    /// Names this node as the owner of its leases.
    pub owner: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            transfers_max: limits::TRANSFERS_DEFAULT,
            jobs_max: limits::JOBS_DEFAULT,
            turn: Duration::from_millis(limits::TURN_MS),
            verify: sources::VerifyMode::Auto,
            owner: "local".to_owned(),
        }
    }
}
