//! Uploads: the bytes of an object on their way into a session.
//!
//! A single upload waits in memory ([`table`]) from its first request to its last, a multipart one
//! in the catalog ([`multipart`]). Bytes go into segments as they arrive ([`arrival`], [`lane`],
//! [`intake`]) under a writer that stays live until a row refers to them ([`lease`]); what a client
//! is told has been stored or staged is durable by then. Nothing is held in memory but bodies of up
//! to 1 MiB while they arrive.

mod arrival;
mod assemble;
mod intake;
mod lane;
mod lease;
mod multipart;
mod spec;
mod table;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use model::limits::{SINGLE_UPLOAD_MS, UPLOAD_LANES_MAX, UPLOAD_MEMORY_BYTES, UPLOAD_MS};
use model::{
    Entry, Hash, ObjectPath, Repository, RepositoryId, SegmentRecord, Session, SessionId,
    Timestamp, UploadId,
};
use tokio::sync::Semaphore;

use self::arrival::{Held, Incoming, Place};
use self::lease::Leases;
use self::table::Table;
use crate::access::Verb;
use crate::links::{self, Link, Target};
use crate::locks::Locks;
use crate::names::check_path;
use crate::{Engine, Error, Parts, Principal, Result};

pub(crate) use lease::Lease;

/// A body that arrives.
pub struct Body {
    /// Bytes, where the client says so.
    pub length: Option<u64>,
    /// The bytes.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

/// What a client says of an object once its bytes are there.
#[derive(Clone, Debug, Default)]
pub struct UploadSpec {
    /// What the object must have as its ETag, quotes or not.
    pub checksum: Option<String>,
    /// Bytes that it must have.
    pub size: Option<u64>,
    /// Media type; `application/octet-stream` if `None` or empty.
    pub content_type: Option<String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
}

/// A multipart upload that has begun.
pub struct MultipartTicket {
    /// Its id.
    pub id: UploadId,
    /// Goes with every later request.
    pub token: String,
}

/// Which multipart upload a request is about.
#[derive(Clone, Debug)]
pub struct PartOf {
    /// Its id.
    pub id: UploadId,
    /// Its token; some clients leave it out.
    pub token: Option<String>,
}

/// A part, as the client names it when all have arrived.
#[derive(Clone, Debug)]
pub struct PartRef {
    /// 1 to 10,000; ascending.
    pub number: u32,
    /// Its ETag, quotes or not.
    pub etag: String,
}

/// What the uploads of this node share.
pub(crate) struct Uploads {
    parts: Arc<Parts>,
    leases: Leases,
    table: Table,
    /// Keep parts from being replaced while their upload is being completed: what is replaced may
    /// be collected before it is staged.
    turns: Locks<UploadId>,
    /// Bytes for bodies that are gathered.
    memory: Arc<Semaphore>,
    /// Bodies that are streamed.
    lanes: Arc<Semaphore>,
}

impl Uploads {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self {
            leases: Leases::new(Arc::clone(&parts)),
            parts,
            table: Table::default(),
            turns: Locks::default(),
            memory: Arc::new(Semaphore::new(UPLOAD_MEMORY_BYTES)),
            lanes: Arc::new(Semaphore::new(UPLOAD_LANES_MAX)),
        }
    }

    /// Forgets what has expired by `now` or whose session has ended, and closes writers that nobody
    /// needs any more. To be called once a minute. Reads one row for each session that has an
    /// upload here, of which there are at most [`model::limits::UPLOADS_WAITING_MAX`].
    pub(crate) async fn keep(&self, now: Timestamp) -> Result<()> {
        self.table.keep(now);
        let mut ended = HashSet::new();
        for (repository, session) in self.table.sessions() {
            if self.parts.catalog.session(repository, session, now).await?.is_none() {
                ended.insert((repository, session));
            }
        }
        self.table.forget(&ended);
        self.turns.keep();
        self.leases.keep(now).await
    }
}

/// Where an upload goes, once access is decided.
struct Destination {
    repository: Repository,
    session: Session,
    path: ObjectPath,
}

impl Destination {
    fn target(&self, upload: UploadId) -> Target {
        Target::new(upload, self.repository.id, self.session.id, &self.path)
    }
}

impl Engine {
    /// A writer for pages and whatever else a commit needs. Segments of a writer are safe from
    /// collections as long as the lease is held: until a row refers to them.
    pub(crate) async fn page_writer(&self, repository: RepositoryId) -> Result<Arc<Lease>> {
        Ok(Arc::clone(self.uploads.leases.intake(repository).await?.lease()))
    }

    /// Begins an upload to `path`; the token is both what the link
    /// [`Engine::receive`] takes and what [`Engine::finalize_upload`] takes. `Throttled` if too
    /// many wait to be finalized.
    pub async fn begin_upload(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
    ) -> Result<String> {
        let to = self.destination(principal, organization, repository, session, path).await?;
        let id = UploadId(self.entropy().uuid());
        let expires_at = self.in_ms(UPLOAD_MS);
        let token = self.links.sign(Link::Upload(to.target(id)), expires_at)?;
        let session = (to.repository.id, to.session.id);
        self.uploads.table.begin(id, session, expires_at, self.now())?;
        Ok(token)
    }

    /// Takes the bytes of an upload or a part, for whoever holds the token of its link; gives the
    /// ETag, without quotes. `Forbidden` (`LINK_EXPIRED`, `LINK_INVALID`) for a bad token,
    /// `NotFound` once the upload or its session has ended.
    pub async fn receive(&self, token: &str, body: Body) -> Result<Hash> {
        match self.links.open(token, self.now())? {
            Link::Upload(target) => self.receive_object(target, body.into()).await,
            Link::Part { upload, number, .. } => {
                self.receive_part(upload, number, body.into()).await
            }
            Link::Multipart(_) | Link::Download(_) => Err(links::invalid()),
        }
    }

    async fn receive_object(&self, target: Target, incoming: Incoming) -> Result<Hash> {
        let Target { upload, repository, session, .. } = target;
        self.uploads.table.check(upload)?;
        let open = self.catalog().session(repository, session, self.now()).await?;
        open.ok_or_else(|| Error::not_found("session"))?;
        let arrived = self.uploads.take_in(repository, incoming, Place::Object).await?;
        let object = self.uploads.object(repository, arrived).await?;
        self.reach("upload.received")?;
        let hash = object.hash;
        self.uploads.table.arrived(upload, object, self.in_ms(SINGLE_UPLOAD_MS))?;
        Ok(hash)
    }

    /// Stages what has arrived; durable when this returns. Gives the object's ETag, without quotes.
    /// `Forbidden` (`LINK_INVALID`) for the token of another path or session, `Invalid` if size or
    /// checksum are not those of the bytes: then they wait for another try. `NotFound` once it is
    /// staged.
    #[expect(clippy::too_many_arguments, reason = "a verb names its resource in full")]
    pub async fn finalize_upload(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
        token: &str,
        spec: UploadSpec,
    ) -> Result<Hash> {
        let to = self.destination(principal, organization, repository, session, path).await?;
        let stated = spec.check()?;
        let upload = match self.links.open(token, self.now())? {
            Link::Upload(target) if target == to.target(target.upload) => target.upload,
            _ => return Err(links::invalid()),
        };
        let taken = self.uploads.table.take(upload)?;
        let object = taken.object();
        stated.compare(object.size, object.hash)?;
        let (hash, entry) = (object.hash, stated.entry(object, self.now()));
        let segments = match object.held.durable().await {
            Ok(segments) => segments,
            Err(error) => {
                // The bytes are lost, so there is nothing to try again with.
                taken.done();
                return Err(error);
            }
        };
        self.reach("upload.durable")?;
        self.stage_upload(&to, entry, &segments, None).await?;
        taken.done();
        Ok(hash)
    }

    /// All three in one request: takes the bytes and stages them.
    #[expect(clippy::too_many_arguments, reason = "a verb names its resource in full")]
    pub async fn put_object(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
        spec: UploadSpec,
        body: Body,
    ) -> Result<Hash> {
        let to = self.destination(principal, organization, repository, session, path).await?;
        let (stated, id) = (spec.check()?, to.repository.id);
        let arrived = self.uploads.take_in(id, body.into(), Place::Object).await?;
        let object = self.uploads.object(id, arrived).await?;
        self.reach("upload.received")?;
        stated.compare(object.size, object.hash)?;
        let entry = stated.entry(&object, self.now());
        let segments = self.durable(&object.held).await?;
        self.stage_upload(&to, entry, &segments, None).await?;
        Ok(object.hash)
    }

    async fn destination(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
    ) -> Result<Destination> {
        let verb = Verb::PutObject;
        let opened = self.open_session(principal, organization, repository, session, verb).await?;
        let (_, repository, session) = opened;
        Ok(Destination { repository, session, path: check_path("path", path)? })
    }

    /// The barrier: waits until these bytes are durable.
    async fn durable(&self, held: &Held) -> Result<Vec<SegmentRecord>> {
        let segments = held.durable().await?;
        self.reach("upload.durable")?;
        Ok(segments)
    }

    async fn stage_upload(
        &self,
        to: &Destination,
        entry: Entry,
        segments: &[SegmentRecord],
        completes: Option<UploadId>,
    ) -> Result<()> {
        let bytes = entry.size;
        self.stage(&to.session, to.path.clone(), entry, segments, completes).await?;
        metrics::counter!("tilde_upload_objects_total").increment(1);
        metrics::counter!("tilde_upload_bytes_total").increment(bytes);
        self.reach("upload.staged")
    }
}
