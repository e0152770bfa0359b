//! The operations on sessions: staging, multipart uploads, and commits that no import makes.

use std::ops::Bound;

use async_trait::async_trait;
use model::{
    Deed, ObjectPath, Part, RepositoryId, SegmentRecord, Session, SessionId, StagedChange,
    Timestamp, Upload, UploadId,
};

use crate::{Landed, Landing, Result};

/// A part of [`Catalog`](crate::Catalog).
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    // Sessions. One that has ended or expired is not there any more.

    /// Stores a session whose base is the present head, whatever `session` says of it; returns it
    /// as stored. `Error::NotFound` if the repository is gone, `Error::TooMany` if it has
    /// [`model::limits::OPEN_SESSIONS_MAX`] open ones.
    async fn create_session(&self, session: &Session, deed: &Deed) -> Result<Session>;
    /// An open session of this repository.
    async fn session(
        &self,
        repository: RepositoryId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Session>>;
    /// Stages changes, each replacing what was staged at its path, and makes their segments known;
    /// a segment that is known already stays as it is. With `completes`, that multipart upload and
    /// its parts are removed in the same transaction; `Error::NotFound` if it is gone by then.
    /// `false` (and nothing staged) if the session has ended. `Error::TooMany` beyond
    /// [`model::limits::STAGED_CHANGES_MAX`].
    async fn stage(
        &self,
        session: SessionId,
        changes: &[StagedChange],
        segments: &[SegmentRecord],
        completes: Option<UploadId>,
        now: Timestamp,
    ) -> Result<bool>;
    /// What is staged at a path: `Some` with no entry for a deletion.
    async fn staged_at(
        &self,
        session: SessionId,
        path: &ObjectPath,
    ) -> Result<Option<StagedChange>>;
    /// Staged changes at paths from `start` up to, not including, `end`, ascending, at most
    /// `limit`.
    async fn staged(
        &self,
        session: SessionId,
        start: Bound<Vec<u8>>,
        end: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<StagedChange>>;
    /// Lands what the session has staged: see [`Catalog::land`]. The session ends with it; if its
    /// revision is another by then, or it has ended, nothing is written.
    async fn commit_session(
        &self,
        session: SessionId,
        revision: u64,
        landing: &Landing,
        deed: &Deed,
    ) -> Result<Landed>;
    /// Ends a session without a commit; `false` if it has ended.
    async fn end_session(&self, session: SessionId, deed: &Deed) -> Result<bool>;
    /// Head, commit and segments in one transaction, if the head is the expected one.
    async fn land(&self, landing: &Landing, deed: &Deed) -> Result<Landed>;
    /// All sessions that have not ended, expired ones too: what they hold must stay.
    async fn open_sessions(&self) -> Result<Vec<Session>>;

    // Multipart uploads.

    /// Stores an upload. `Error::NotFound` if its session has ended, `Error::TooMany` if that has
    /// [`model::limits::OPEN_UPLOADS_MAX`].
    async fn create_upload(&self, upload: &Upload) -> Result<()>;
    /// An upload that has neither ended nor expired, of a session that has not.
    async fn upload(&self, id: UploadId, now: Timestamp) -> Result<Option<Upload>>;
    /// Stores a part, replacing the one with its number, and makes its segments known. `false`
    /// (and nothing stored) if the upload is gone.
    async fn record_part(
        &self,
        upload: UploadId,
        part: &Part,
        segments: &[SegmentRecord],
    ) -> Result<bool>;
    /// All parts by number.
    async fn parts(&self, upload: UploadId) -> Result<Vec<Part>>;
    /// Removes an upload and its parts; `false` if there is none.
    async fn abort_upload(&self, id: UploadId) -> Result<bool>;
    /// All uploads that are stored, expired ones too: their parts must stay.
    async fn open_uploads(&self) -> Result<Vec<UploadId>>;

    // What ends by itself.

    /// Removes up to about `limit` rows of what has ended by `now`: expired sessions with their
    /// uploads, staged changes of ended sessions, expired uploads, logins and device codes. Returns
    /// how many rows went; fewer than `limit` means that nothing is left.
    async fn purge_ended(&self, now: Timestamp, limit: u64) -> Result<u64>;
}
