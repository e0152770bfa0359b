//! The life of an import, from the request to the commit.
//!
//! [`start`] writes the job, [`worker`] claims it, [`run`] carries it out and reads like a table of
//! contents: [`plan`] lists and compares, [`transfer`] copies in batches that end in checkpoints,
//! [`finish`] commits.

mod batch;
mod end;
mod fetch;
mod finish;
mod flight;
mod job;
mod merge;
mod pending;
mod plan;
mod progress;
mod run;
mod start;
mod stop;
mod transfer;
mod unreadable;
mod worker;

use model::limits;

pub use start::ImportRequest;
pub use worker::Worker;

/// How imports run on this server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// GET requests in flight for one import.
    pub transfers_max: usize,
    /// Imports that run side by side on this node.
    pub jobs_max: usize,
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
            verify: sources::VerifyMode::Auto,
            owner: "local".to_owned(),
        }
    }
}
