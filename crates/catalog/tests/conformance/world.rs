//! A small world to act in: makes users, organizations, repositories, connectors and jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use catalog::{Catalog, Checkpoint, Claim, ClaimKey, Finish, Finished, Landing, NewUser};
use model::{
    Actor, ApiKey, ApiKeyId, AuditRecord, Commit, CommitId, Connector, ConnectorId, ConnectorKind,
    Deed, Extent, Hash, Import, ImportOptions, ImportProgress, ImportSource, ImportSpec, JobId,
    JobStatus, NewApiKey, ObjectPath, Organization, OrganizationId, PageRequest, Repository,
    RepositoryId, Root, Run, SegmentId, SegmentRecord, Session, SessionId, ShardState,
    SourceRepository, StagedChange, Timestamp, Upload, UploadId, User, UserId, WriterId,
};
use uuid::Uuid;

/// A lease that does not end during a test.
pub(crate) const LONG_MS: i64 = 60_000;
/// A lease that has ended at once.
pub(crate) const ENDED_MS: i64 = -1;
/// Attempts that no test but those about attempts exhausts.
pub(crate) const ATTEMPTS: u32 = 5;

/// How long sessions and uploads of the tests are open.
pub(crate) const OPEN_MS: i64 = 100_000_000;

/// The catalog with an organization, its owner, a repository and a connector attached to it.
pub(crate) struct World {
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) owner: User,
    pub(crate) organization: Organization,
    pub(crate) repository: Repository,
    pub(crate) connector: Connector,
    clock: AtomicI64,
}

/// A time of the tests: `n` seconds after some start.
pub(crate) fn at(n: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + n)
}

/// Something done by whoever runs the server, where it does not matter what.
pub(crate) fn deed(now: Timestamp) -> Deed {
    Deed {
        at: now,
        organization: None,
        actor: Actor::Operator,
        request_id: String::new(),
        action: "Test",
        resource: String::new(),
        details: [].into(),
    }
}

pub(crate) fn new_user(name: &str) -> NewUser {
    let user = User {
        id: UserId(Uuid::new_v4()),
        username: name.to_owned(),
        email: format!("{name}@example.org"),
        full_name: format!("{name} Doe"),
        bio: format!("I am {name}"),
        created_at: at(0),
        has_password: false,
    };
    NewUser { user, password_hash: None }
}

pub(crate) fn new_key(user: UserId, byte: u8) -> NewApiKey {
    let key = ApiKey {
        id: ApiKeyId(Uuid::new_v4()),
        user,
        name: format!("key {byte}"),
        description: "for tests".to_owned(),
        hint: "abcd".to_owned(),
        created_at: at(i64::from(byte)),
        last_used_at: None,
        revoked_at: None,
    };
    NewApiKey { key, token_hash: [byte; 32] }
}

pub(crate) fn new_organization(name: &str) -> Organization {
    Organization {
        id: OrganizationId(Uuid::new_v4()),
        name: name.to_owned(),
        display_name: format!("The {name}"),
        created_at: at(0),
    }
}

pub(crate) fn new_repository(
    organization: OrganizationId,
    owner: UserId,
    name: &str,
) -> Repository {
    Repository {
        id: RepositoryId(Uuid::new_v4()),
        organization,
        name: name.to_owned(),
        description: "data".to_owned(),
        visibility: "private".to_owned(),
        retention_days: None,
        session_max_duration_days: 7,
        created_by: owner,
        created_at: at(1),
        head: None,
    }
}

pub(crate) fn new_connector(organization: OrganizationId, owner: UserId, name: &str) -> Connector {
    Connector {
        id: ConnectorId(Uuid::new_v4()),
        organization,
        name: name.to_owned(),
        kind: ConnectorKind::S3,
        source_uri: "s3://bucket/prefix/".to_owned(),
        disabled: false,
        created_by: owner,
        created_at: at(2),
        deleted_at: None,
    }
}

pub(crate) fn segment(repository: RepositoryId, writer: WriterId, number: u32) -> SegmentRecord {
    let file = format!("segments/{repository}/{:016x}-{number:08x}", writer.0);
    let directory = Hash::of(file.as_bytes());
    SegmentRecord { id: SegmentId { writer, number }, repository, file, length: 1 << 20, directory }
}

pub(crate) fn run(writer: WriterId, number: u32) -> Run {
    Run {
        number,
        extent: Extent { segment: SegmentId { writer, number }, offset: 7, length: 100 },
        entries: 10,
        first: b"a\0\xff".to_vec(),
        last: b"b".to_vec(),
    }
}

/// Does so many things, many of them at a time: alone each would wait for the disk.
pub(crate) async fn many<F>(amount: u64, mut thing: impl FnMut() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..amount {
        if tasks.len() == 200 {
            tasks.join_next().await.expect("a task").expect("no panic");
        }
        tasks.spawn(thing());
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
}

/// A staged entry, or a deletion.
pub(crate) fn change(path: &str, entry: Option<&[u8]>) -> StagedChange {
    let path = ObjectPath::new(path).expect("a path");
    StagedChange { path, entry: entry.map(<[u8]>::to_vec) }
}

/// The shard after `objects` objects.
pub(crate) fn shard(objects: u64) -> ShardState {
    ShardState {
        cursor: Some(format!("key {objects}").into_bytes()),
        objects,
        bytes: objects * 100,
        missing: objects / 10,
        listed: objects + objects / 10,
        ..ShardState::default()
    }
}

/// What a worker tells of its objects, of those that vanished, and of its bytes.
pub(crate) fn progress(objects: u64, missing: u64, bytes: u64) -> ImportProgress {
    ImportProgress {
        objects_imported: objects,
        objects_missing: missing,
        bytes_imported: bytes,
        ..ImportProgress::default()
    }
}

/// The three counts of [`progress`] again.
pub(crate) fn counts(import: &Import) -> (u64, u64, u64) {
    let progress = &import.progress;
    (progress.objects_imported, progress.objects_missing, progress.bytes_imported)
}

pub(crate) fn key(claim: &Claim) -> ClaimKey {
    ClaimKey { job: claim.import.id, epoch: claim.epoch }
}

impl World {
    /// A world whose organization is called `acme`.
    pub(crate) async fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self::named(catalog, "acme").await
    }

    /// A world whose organization is called `name`: several fit into one catalog.
    pub(crate) async fn named(catalog: Arc<dyn Catalog>, name: &str) -> Self {
        let owner = new_user(if name == "acme" { "owner" } else { name }).user;
        let new = NewUser { user: owner.clone(), password_hash: None };
        catalog.create_user(&new, &deed(at(0))).await.expect("a user");
        let organization = new_organization(name);
        catalog
            .create_organization(&organization, owner.id, &deed(at(0)))
            .await
            .expect("an organization");
        let repository = new_repository(organization.id, owner.id, "data");
        catalog.create_repository(&repository, &deed(at(0))).await.expect("a repository");
        let connector = new_connector(organization.id, owner.id, "lake");
        catalog
            .create_connector(&connector, "tc1:a:sealed", &deed(at(0)))
            .await
            .expect("a connector");
        catalog.attach(repository.id, connector.id, &deed(at(3))).await.expect("an attachment");
        Self { catalog, owner, organization, repository, connector, clock: AtomicI64::new(10) }
    }

    /// The next second.
    pub(crate) fn tick(&self) -> Timestamp {
        at(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    /// One more user.
    pub(crate) async fn user(&self, name: &str) -> User {
        let new = new_user(name);
        self.catalog.create_user(&new, &deed(at(0))).await.expect("a user");
        new.user
    }

    /// One more organization of the owner.
    pub(crate) async fn another_organization(&self, name: &str) -> Organization {
        let new = new_organization(name);
        self.catalog
            .create_organization(&new, self.owner.id, &deed(at(0)))
            .await
            .expect("an organization");
        new
    }

    /// One more repository.
    pub(crate) async fn another_repository(
        &self,
        organization: &Organization,
        name: &str,
    ) -> Repository {
        let new = new_repository(organization.id, self.owner.id, name);
        self.catalog.create_repository(&new, &deed(at(0))).await.expect("a repository");
        new
    }

    /// A job that is not stored.
    pub(crate) fn new_import(&self) -> Import {
        let now = self.tick();
        let spec = ImportSpec {
            repository: self.repository.id,
            source: ImportSource::Connector(self.connector.id),
            source_prefix: "datasets/".to_owned(),
            destination_path: "imported/".to_owned(),
            commit_message: "Import".to_owned(),
            created_by: self.owner.id,
            options: ImportOptions::default(),
        };
        Import::new(JobId(Uuid::new_v4()), spec, now)
    }

    /// A job that is not stored and imports from `source`, a repository of the organization `of`.
    pub(crate) fn new_import_from(&self, of: &Organization, source: &Repository) -> Import {
        let mut import = self.new_import();
        import.spec.source = ImportSource::Repository(SourceRepository {
            repository: source.id,
            organization_name: of.name.clone(),
            name: source.name.clone(),
        });
        import
    }

    /// A stored, pending job.
    pub(crate) async fn start(&self) -> JobId {
        self.catalog.create_import(&self.new_import(), None, &deed(at(0))).await.expect("a job")
    }

    /// The next claim, if there is one.
    pub(crate) async fn claim_with(&self, lease_ms: i64) -> Option<Claim> {
        let now = self.tick();
        self.catalog.claim_import("worker", lease_ms, ATTEMPTS, now).await.expect("a claim")
    }

    /// A claim with a long lease.
    pub(crate) async fn claim(&self) -> Claim {
        self.claim_with(LONG_MS).await.expect("a job to claim")
    }

    /// A started and claimed job.
    pub(crate) async fn running(&self) -> Claim {
        let job = self.start().await;
        let claim = self.claim().await;
        assert_eq!(claim.import.id, job);
        claim
    }

    pub(crate) async fn job(&self, id: JobId) -> Import {
        let found = self.catalog.import(self.repository.id, id).await.expect("an answer");
        found.expect("the job")
    }

    pub(crate) async fn head(&self) -> Option<CommitId> {
        let found = self.catalog.repository_by_id(self.repository.id).await.expect("an answer");
        found.expect("the repository").head
    }

    /// A checkpoint with run `number` in a segment of the claim's.
    pub(crate) fn batch(&self, claim: &Claim, number: u32, objects: u64) -> Checkpoint {
        Checkpoint {
            segments: vec![segment(self.repository.id, claim.writer, number)],
            run: Some(run(claim.writer, number)),
            shard: shard(objects),
        }
    }

    pub(crate) async fn checkpoint(&self, claim: &Claim, number: u32, objects: u64) {
        let batch = self.batch(claim, number, objects);
        let now = self.tick();
        self.catalog.checkpoint(key(claim), &batch, now).await.expect("a checkpoint");
    }

    /// A job that failed with so many runs.
    pub(crate) async fn failed_with_runs(&self, runs: u32) -> JobId {
        let new = self.new_import();
        self.failed(&new, runs).await
    }

    /// Stores `new`, which then fails with so many runs.
    pub(crate) async fn failed(&self, new: &Import, runs: u32) -> JobId {
        let job = self.catalog.create_import(new, None, &deed(at(0))).await.expect("a job");
        let claim = self.claim().await;
        assert_eq!(claim.import.id, job);
        for number in 0..runs {
            self.checkpoint(&claim, number, u64::from(number + 1) * 10).await;
        }
        let (status, error, now) = (JobStatus::Failed, Some("x"), self.tick());
        let ended = self.catalog.end_import(key(&claim), status, error, now).await;
        assert!(ended.expect("an answer"));
        job
    }

    /// A commit on `parent`, different from all others.
    pub(crate) fn new_commit(&self, parent: Option<CommitId>, page_writer: WriterId) -> Commit {
        let created_at = self.tick();
        let segment = SegmentId { writer: page_writer, number: 1 };
        let mut commit = Commit {
            id: CommitId([0; 32]),
            repository: self.repository.id,
            parent,
            root: Root {
                page: Some(Extent { segment, offset: 16, length: 2000 }),
                level: 1,
                hash: Hash::of(created_at.to_string().as_bytes()),
                entries: 10,
                bytes: 1000,
            },
            message: "Import \u{fe0f}\n'; --".to_owned(),
            committer: self.owner.id,
            committer_name: self.owner.display_name().to_owned(),
            created_at,
            metadata: [("import_job_id".to_owned(), "\"1\"".to_owned())].into(),
            superseded_at: None,
            expired: false,
        };
        commit.id = commit.content_id();
        commit
    }

    /// The finish of a claim with a new commit on `parent`.
    pub(crate) fn finish_on(&self, claim: &Claim, parent: Option<CommitId>) -> Finish {
        let commit = self.new_commit(parent, claim.writer);
        Finish {
            expected_head: parent,
            commit_id: Some(commit.id),
            commit: Some(commit),
            segments: vec![segment(self.repository.id, claim.writer, 1000)],
            progress: progress(10, 1, 1000),
            preview: None,
        }
    }

    pub(crate) async fn finish(&self, claim: &Claim, finish: &Finish) -> Finished {
        let now = self.tick();
        self.catalog.finish_import(key(claim), finish, &deed(now)).await.expect("a finish")
    }

    /// Starts, claims and finishes a job; its commit is the new head.
    pub(crate) async fn commit(&self) -> Commit {
        let claim = self.running().await;
        let finish = self.finish_on(&claim, self.head().await);
        assert_eq!(self.finish(&claim, &finish).await, Finished::Completed);
        finish.commit.expect("the commit")
    }

    /// Something that the owner does at `now`.
    pub(crate) fn deed_at(&self, action: &'static str, now: Timestamp) -> Deed {
        Deed {
            at: now,
            organization: Some(self.organization.id),
            actor: Actor::User { id: self.owner.id, name: self.owner.username.clone() },
            request_id: format!("request of {action}"),
            action,
            resource: format!("things/{action}"),
            details: [("why".to_owned(), "\"test\"".to_owned())].into(),
        }
    }

    /// Something that the owner does in the next second.
    pub(crate) fn deed(&self, action: &'static str) -> Deed {
        self.deed_at(action, self.tick())
    }

    /// The organization's log, newest first.
    pub(crate) async fn log(&self) -> Vec<AuditRecord> {
        let page = PageRequest { after: None, amount: 1_000 };
        self.catalog.audit(self.organization.id, &page).await.expect("a page").rows
    }

    /// What the organization's log says was done, oldest first.
    pub(crate) async fn actions(&self) -> Vec<String> {
        let log = self.log().await.into_iter().rev();
        log.map(|record| record.action).collect()
    }

    /// A session that is not stored.
    pub(crate) fn new_session(&self) -> Session {
        let created_at = self.tick();
        Session {
            id: SessionId(Uuid::new_v4()),
            repository: self.repository.id,
            base: None,
            created_by: self.owner.id,
            created_at,
            expires_at: created_at.plus_ms(OPEN_MS),
            revision: 0,
        }
    }

    /// An open session.
    pub(crate) async fn session(&self) -> Session {
        let deed = self.deed("CreateSession");
        self.catalog.create_session(&self.new_session(), &deed).await.expect("a session")
    }

    /// Stages changes; whether the session was open.
    pub(crate) async fn stage(&self, session: &Session, changes: &[StagedChange]) -> bool {
        let now = self.tick();
        self.catalog.stage(session.id, changes, &[], None, now).await.expect("an answer")
    }

    /// A multipart upload that is not stored.
    pub(crate) fn new_upload(&self, session: &Session) -> Upload {
        let created_at = self.tick();
        Upload {
            id: UploadId(Uuid::new_v4()),
            repository: session.repository,
            session: session.id,
            path: ObjectPath::new("large//\u{e4}").expect("a path"),
            created_at,
            expires_at: created_at.plus_ms(OPEN_MS),
        }
    }

    /// A stored multipart upload.
    pub(crate) async fn upload(&self, session: &Session) -> Upload {
        let new = self.new_upload(session);
        self.catalog.create_upload(&new).await.expect("an upload");
        new
    }

    /// A commit to be made on `parent`, its pages in a segment of a new writer.
    pub(crate) async fn landing_on(&self, parent: Option<CommitId>) -> Landing {
        let writer = self.catalog.open_writer(self.tick()).await.expect("a writer");
        Landing {
            expected_head: parent,
            commit: self.new_commit(parent, writer),
            segments: vec![segment(self.repository.id, writer, 1)],
        }
    }
}
