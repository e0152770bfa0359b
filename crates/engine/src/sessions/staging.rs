//! Staging: how changes come into a session. Each is durable when its verb returns.

use std::collections::BTreeSet;

use model::limits::DELETE_PATHS_MAX;
use model::{Entry, ObjectPath, SegmentRecord, Session, SessionId, StagedChange, UploadId};

use super::not_found;
use crate::access::Verb;
use crate::names::check_path;
use crate::{Engine, Error, Principal, Result};

impl Engine {
    /// Stages the entry at `source`, as the session sees it, at `destination`. No bytes are
    /// copied; metadata and provenance stay.
    pub async fn copy_object(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        source: &str,
        destination: &str,
    ) -> Result<()> {
        let verb = Verb::CopyObject;
        let (_, _, session) =
            self.open_session(principal, organization, repository, session, verb).await?;
        let source = check_path("source_path", source)?;
        let destination = check_path("destination_path", destination)?;
        let _carrying = self.carrying.read().await;
        let entry = self.session_entry(&session, &source).await;
        let entry = entry.map_err(|error| error.about(source.as_str()))?;
        let entry = entry.ok_or_else(|| Error::not_found("object"))?;
        self.reach("copy.found")?;
        self.stage(&session, destination, entry, &[], None).await
    }

    /// Stages deletions of 1 to [`DELETE_PATHS_MAX`] paths, whether or not there is anything;
    /// returns how many different ones.
    pub async fn delete_objects(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        paths: Vec<String>,
    ) -> Result<u64> {
        let verb = Verb::DeleteObject;
        let (_, _, session) =
            self.open_session(principal, organization, repository, session, verb).await?;
        if !(1..=DELETE_PATHS_MAX).contains(&paths.len()) {
            return Err(Error::invalid(format!("paths: must be 1 to {DELETE_PATHS_MAX}")));
        }
        let paths = paths.iter().map(|path| check_path("paths", path));
        let paths = paths.collect::<Result<BTreeSet<ObjectPath>>>()?;
        let changes: Vec<_> =
            paths.into_iter().map(|path| StagedChange { path, entry: None }).collect();
        self.stage_changes(&session, &changes, &[], None).await?;
        Ok(changes.len() as u64)
    }

    /// Stages `entry` at `path`, with the `segments` that its bytes lie in as far as no row knows
    /// them. With `completes`, that multipart upload ends in the same transaction. `NotFound` if
    /// session or upload have ended.
    pub(crate) async fn stage(
        &self,
        session: &Session,
        path: ObjectPath,
        entry: Entry,
        segments: &[SegmentRecord],
        completes: Option<UploadId>,
    ) -> Result<()> {
        let entry = Some(tree::staged::encode(&path, &entry)?);
        self.stage_changes(session, &[StagedChange { path, entry }], segments, completes).await
    }

    async fn stage_changes(
        &self,
        session: &Session,
        changes: &[StagedChange],
        segments: &[SegmentRecord],
        completes: Option<UploadId>,
    ) -> Result<()> {
        let (catalog, now) = (self.catalog(), self.now());
        match catalog.stage(session.id, changes, segments, completes, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(not_found()),
            Err(catalog::Error::TooMany { .. }) => Err(Error::conflict(
                "the session has staged as many changes as one can: commit it, and go on in \
                 another",
            )),
            Err(error) => Err(error.into()),
        }
    }
}
