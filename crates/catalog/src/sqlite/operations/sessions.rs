//! The operations on sessions, multipart uploads, and commits that no import makes.

use std::ops::Bound;

use async_trait::async_trait;
use model::{
    Deed, ObjectPath, Part, RepositoryId, SegmentRecord, Session, SessionId, StagedChange,
    Timestamp, Upload, UploadId,
};

use super::super::{Sqlite, ended, landing, sessions, staged, uploads};
use crate::{Landed, Landing, Result, Sessions};

#[async_trait]
impl Sessions for Sqlite {
    // Sessions.

    async fn create_session(&self, session: &Session, deed: &Deed) -> Result<Session> {
        let (session, deed) = (session.clone(), deed.clone());
        self.write(move |db| sessions::create(db, &session, &deed)).await
    }

    async fn session(
        &self,
        repository: RepositoryId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Session>> {
        self.read_here(move |db| sessions::session(db, repository, id, now)).await
    }

    async fn stage(
        &self,
        session: SessionId,
        changes: &[StagedChange],
        segments: &[SegmentRecord],
        completes: Option<UploadId>,
        now: Timestamp,
    ) -> Result<bool> {
        let (changes, segments) = (changes.to_vec(), segments.to_vec());
        self.write(move |db| staged::stage(db, session, &changes, &segments, completes, now)).await
    }

    async fn staged_at(
        &self,
        session: SessionId,
        path: &ObjectPath,
    ) -> Result<Option<StagedChange>> {
        let path = path.clone();
        self.read_here(move |db| staged::at(db, session, &path)).await
    }

    async fn staged(
        &self,
        session: SessionId,
        start: Bound<Vec<u8>>,
        end: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<StagedChange>> {
        self.read(move |db| staged::between(db, session, &start, end.as_deref(), limit)).await
    }

    async fn commit_session(
        &self,
        session: SessionId,
        revision: u64,
        landing: &Landing,
        deed: &Deed,
    ) -> Result<Landed> {
        let (landing, deed) = (landing.clone(), deed.clone());
        self.write(move |db| landing::commit_session(db, session, revision, &landing, &deed)).await
    }

    async fn end_session(&self, session: SessionId, deed: &Deed) -> Result<bool> {
        let deed = deed.clone();
        self.write(move |db| sessions::end(db, session, &deed)).await
    }

    async fn land(&self, landing: &Landing, deed: &Deed) -> Result<Landed> {
        let (landing, deed) = (landing.clone(), deed.clone());
        self.write(move |db| landing::land(db, &landing, &deed)).await
    }

    async fn open_sessions(&self) -> Result<Vec<Session>> {
        self.read(sessions::open).await
    }

    // Multipart uploads.

    async fn create_upload(&self, upload: &Upload) -> Result<()> {
        let upload = upload.clone();
        self.write(move |db| uploads::create(db, &upload)).await
    }

    async fn upload(&self, id: UploadId, now: Timestamp) -> Result<Option<Upload>> {
        self.read_here(move |db| uploads::upload(db, id, now)).await
    }

    async fn record_part(
        &self,
        upload: UploadId,
        part: &Part,
        segments: &[SegmentRecord],
    ) -> Result<bool> {
        let (part, segments) = (part.clone(), segments.to_vec());
        self.write(move |db| uploads::record_part(db, upload, &part, &segments)).await
    }

    async fn parts(&self, upload: UploadId) -> Result<Vec<Part>> {
        self.read(move |db| uploads::parts(db, upload)).await
    }

    async fn abort_upload(&self, id: UploadId) -> Result<bool> {
        self.write(move |db| uploads::remove(db, id)).await
    }

    async fn open_uploads(&self) -> Result<Vec<UploadId>> {
        self.read(uploads::stored).await
    }

    // What ends by itself.

    async fn purge_ended(&self, now: Timestamp, limit: u64) -> Result<u64> {
        self.write(move |db| ended::purge(db, now, limit)).await
    }
}
