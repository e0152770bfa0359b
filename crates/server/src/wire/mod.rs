//! What goes over the wire: one type per JSON object, separate from the model so that neither
//! bends the other.
//!
//! What the public clients stumble over is ruled out here: lists are never null, times never
//! empty.

mod accounts;
mod audit;
mod commits;
mod connectors;
mod imports;
mod jobs;
mod logins;
mod objects;
mod organizations;
mod repositories;
mod sessions;
mod uploads;

use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use accounts::{
    ApiKey, ApiKeyCreated, ChangePassword, CreateApiKey, Me, UpdateMe, User,
};
pub(crate) use audit::AuditRecord;
pub(crate) use commits::CommitLog;
pub(crate) use connectors::{
    AttachConnector, Connector, CreateConnector, TestConnectorConfig, UpdateConnector,
};
pub(crate) use imports::{ImportStarted, StartImport};
pub(crate) use jobs::{Import, PlannedChange};
pub(crate) use logins::{ConfirmDevice, DeviceCode, DevicePoll, DeviceToken, LogIn, LoggedIn};
pub(crate) use objects::ListingEntry;
pub(crate) use organizations::{
    AddMember, CreateOrganization, Membership, NameCheck, Organization,
};
pub(crate) use repositories::{CreateRepository, Repository, UpdateRepository};
pub(crate) use sessions::{CommitSession, Committed, EntryRecord, RevertCommit, SessionCreated};
pub(crate) use uploads::{
    CompleteMultipart, DeleteObjects, FinalizeObject, MultipartStarted, ObjectCopied, ObjectStaged,
    ObjectsDeleted, PartLink, UploadStarted,
};

/// How every refusal and failure looks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Error {
    /// What is wrong and, where that helps, what to do.
    pub(crate) message: String,
    /// UPPER_SNAKE, for programs.
    pub(crate) code: String,
    /// Also in the `X-Request-Id` header and in the server's log.
    pub(crate) request_id: String,
    /// Only of a device login whose time is over: `expired_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'static str>,
}

impl Error {
    pub(crate) fn new(error: &crate::error::Error, request_id: &str) -> Self {
        Self {
            message: error.message().to_owned(),
            code: error.code().to_owned(),
            request_id: request_id.to_owned(),
            error: error.device_error(),
        }
    }
}

/// A complete list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Results<T> {
    pub(crate) results: Vec<T>,
}

impl<T> Results<T> {
    pub(crate) fn new<R>(rows: Vec<R>, row: impl FnMut(R) -> T) -> Self {
        Self { results: rows.into_iter().map(row).collect() }
    }
}

/// It is done, or it works.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    /// `ok`, or `confirmed` of a device.
    pub(crate) status: &'static str,
}

impl Status {
    pub(crate) const OK: Self = Self { status: "ok" };
    pub(crate) const CONFIRMED: Self = Self { status: "confirmed" };
}

/// The kind of principal that makes things: this version knows users.
pub(crate) const USER: &str = "user";
