//! The nouns of Tilde: pure values without IO.
//!
//! Everything every room must agree on lives here: identifiers, paths, entries and their
//! provenance, records of the catalog, the states of an import, and the limits of the system.
//! Nothing here reads a clock, draws randomness or touches a file; [`Clock`] and [`Entropy`] are
//! only the shape of those.
#![forbid(unsafe_code)]

mod account;
mod audit;
mod cidr;
mod collection;
mod commit;
mod connector;
mod entry;
mod extent;
mod hash;
mod id;
mod import;
pub mod limits;
mod login;
mod page;
mod path;
mod ports;
mod preview;
mod repository;
mod secret;
mod session;
mod timestamp;
mod upload;

pub use account::{ApiKey, Member, NewApiKey, Organization, Role, User};
pub use audit::{Actor, AuditRecord, Deed};
pub use cidr::{Cidr, CidrError};
pub use collection::{CollectOptions, CollectReport, Collection};
pub use commit::{Commit, CommitId, Root};
pub use connector::{Connector, ConnectorKind};
pub use entry::{Content, Entry, Piece, SourceMetadata};
pub use extent::{Extent, SegmentId, SegmentRecord, WriterId};
pub use hash::Hash;
pub use id::{
    ApiKeyId, ConnectorId, JobId, OrganizationId, RepositoryId, SessionId, UploadId, UserId,
};
pub use import::{
    Fragment, Import, ImportMode, ImportOptions, ImportProgress, ImportSource, ImportSpec, JobPins,
    JobStatus, OnError, PendingKey, Phase, Run, ShardState, Skipped, SourceRepository,
};
pub use login::{DeviceCode, Login};
pub use page::{Page, PageRequest};
pub use path::{ObjectPath, PathError, successor};
pub use ports::{Clock, Entropy, Failpoints, Injected, NoFailpoints};
pub use preview::{Count, Preview};
pub use repository::Repository;
pub use secret::Secret;
pub use session::{Session, StagedChange};
pub use timestamp::{Timestamp, TimestampError};
pub use upload::{Part, Upload};

/// A text that was meant to be an identifier and is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}")]
pub struct IdError {
    /// What the text was meant to be, e.g. `commit id`.
    pub what: &'static str,
}
