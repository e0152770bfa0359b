//! A data directory of an older version opens, and everything in it is still there.

use std::path::{Path, PathBuf};

use catalog::sqlite::Sqlite;
use catalog::{Accounts, Catalog, Error, Sessions, Standing};
use model::{
    Actor, CommitId, ConnectorId, Deed, Entropy, Extent, Import, ImportOptions, ImportProgress,
    ImportSource, JobId, JobStatus, Login, OrganizationId, PageRequest, Phase, RepositoryId,
    SegmentId, Session, SessionId, Timestamp, UserId, WriterId,
};
use tempfile::TempDir;
use uuid::Uuid;

/// The steps to each version; released, so they are never edited.
const STEPS: [&str; 2] = [
    include_str!("../migrations/sqlite/0001_initial.sql"),
    include_str!("../migrations/sqlite/0002_imports_and_collection.sql"),
];
/// What a program of each version left behind.
const ROWS: [&str; 2] =
    [include_str!("fixtures/version_1.sql"), include_str!("fixtures/version_2.sql")];

const REPOSITORY: RepositoryId = RepositoryId(Uuid::from_bytes([0x02; 16]));
const COMPLETED: JobId = JobId(Uuid::from_bytes([0xa1; 16]));
const FAILED: JobId = JobId(Uuid::from_bytes([0xa2; 16]));
const CANCELED: JobId = JobId(Uuid::from_bytes([0xa3; 16]));
const RUNNING: JobId = JobId(Uuid::from_bytes([0xa4; 16]));
const PENDING: JobId = JobId(Uuid::from_bytes([0xa5; 16]));
const HEAD: CommitId = CommitId([0xc1; 32]);

struct NoChance;

impl Entropy for NoChance {
    fn fill(&self, _: &mut [u8]) {
        panic!("the store has its id already")
    }
}

/// A database of version 1.
fn version_1() -> (TempDir, PathBuf) {
    version(1)
}

/// A database that programs up to this version have worked with.
fn version(version: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.sqlite");
    let db = rusqlite::Connection::open(&path).expect("a database");
    db.pragma_update(None, "journal_mode", "wal").expect("a setting");
    for (step, rows) in STEPS.iter().zip(ROWS).take(version as usize) {
        db.pragma_update(None, "foreign_keys", 0).expect("a setting");
        db.execute_batch(step).expect("the schema");
        db.pragma_update(None, "foreign_keys", 1).expect("a setting");
        db.execute_batch(rows).expect("the rows");
    }
    db.pragma_update(None, "user_version", version).expect("a version");
    (folder, path)
}

fn open(path: &Path) -> Sqlite {
    Sqlite::open(path, &NoChance).expect("it is migrated")
}

fn deed() -> Deed {
    Deed {
        at: Timestamp(1_000),
        organization: Some(OrganizationId(Uuid::from_bytes([0x01; 16]))),
        actor: Actor::User { id: UserId(Uuid::nil()), name: "owner".to_owned() },
        request_id: String::new(),
        action: "Test",
        resource: String::new(),
        details: [].into(),
    }
}

async fn job(catalog: &Sqlite, id: JobId) -> Import {
    catalog.import(REPOSITORY, id).await.expect("an answer").expect("the job")
}

fn progress(phase: Phase, objects: u64) -> ImportProgress {
    ImportProgress {
        phase,
        objects_imported: objects,
        objects_missing: 1,
        bytes_imported: objects * 100,
        ..ImportProgress::default()
    }
}

#[tokio::test]
async fn every_job_is_as_it_was() {
    let (_folder, path) = version_1();
    let catalog = open(&path);
    for (id, status, expected, commit, error, base) in [
        (COMPLETED, JobStatus::Completed, progress(Phase::Ended, 10), Some(HEAD), None, None),
        (
            FAILED,
            JobStatus::Failed,
            progress(Phase::Ended, 30),
            None,
            Some("it failed"),
            Some(HEAD),
        ),
        (CANCELED, JobStatus::Canceled, progress(Phase::Ended, 40), None, None, Some(HEAD)),
        (RUNNING, JobStatus::Running, progress(Phase::Listing, 50), None, None, Some(HEAD)),
        (PENDING, JobStatus::Pending, progress(Phase::Waiting, 0), None, None, Some(HEAD)),
    ] {
        let job = job(&catalog, id).await;
        assert_eq!((job.status, job.progress, job.commit), (status, expected, commit));
        assert_eq!((job.error.as_deref(), job.base, job.preview), (error, base, None));
        let connector = ConnectorId(Uuid::from_bytes([0x03; 16]));
        assert_eq!(job.spec.source, ImportSource::Connector(connector));
        assert_eq!((job.spec.options, job.source_commit), (ImportOptions::default(), None));
        assert_eq!((job.spec.created_by, &*job.spec.source_prefix), (UserId(Uuid::nil()), "a/"));
        assert_eq!((&*job.spec.destination_path, &*job.spec.commit_message), ("b/", "Import"));
    }
    let page = PageRequest { after: None, amount: 9 };
    let listed = catalog.imports(REPOSITORY, &page).await.expect("a page").rows;
    let listed: Vec<_> = listed.iter().map(|import| import.id).collect();
    assert_eq!(listed, [RUNNING, CANCELED, FAILED, PENDING, COMPLETED]);
    let mut again = job(&catalog, PENDING).await;
    again.id = JobId(Uuid::from_bytes([0xaa; 16]));
    let first = catalog.create_import(&again, Some(("key", Timestamp(0))), &deed()).await;
    assert_eq!(first.expect("an answer"), COMPLETED, "idempotency keys are kept");
}

#[tokio::test]
async fn history_segments_and_writers_are_as_they_were() {
    let (_folder, path) = version_1();
    let catalog = open(&path);
    assert_eq!(catalog.store_info().await.expect("an identity").id, "store of version 1");
    assert_eq!(catalog.integrity().await.expect("an answer"), Vec::<String>::new());
    let head = catalog.commit(REPOSITORY, HEAD).await.expect("an answer").expect("the commit");
    assert_eq!((&*head.message, head.parent), ("Import", None));
    let segments = catalog.segments(None, 9).await.expect("a list");
    let found: Vec<_> = segments
        .iter()
        .map(|segment| (segment.id.writer.0, segment.id.number, &*segment.file, segment.length))
        .collect();
    assert_eq!(found, [(1, 0, "segments/one", 100), (3, u32::MAX, "segments/two", 200)]);
    assert_eq!(catalog.condemned(Timestamp(i64::MAX)).await.expect("a list"), []);
    assert!(catalog.is_file_named("segments/two").await.expect("an answer"));
    assert_eq!(catalog.live_writers().await.expect("writers"), [WriterId(9)]);
    let next = catalog.open_writer(Timestamp(1)).await.expect("a writer");
    assert_eq!(next, WriterId(10), "ids go on from where they were");
}

#[tokio::test]
async fn jobs_go_on_from_where_they_were() {
    let (_folder, path) = version_1();
    let catalog = open(&path);
    let now = Timestamp(1_000);
    let key = catalog::ClaimKey { job: RUNNING, epoch: 3 };
    let told = progress(Phase::Copying, 60);
    let beat = catalog.heartbeat(key, 60_000, &told, now).await.expect("a heartbeat");
    assert_eq!(beat, Standing::Good, "a claim outlives the migration");
    let retried = catalog.retry_import(REPOSITORY, FAILED, &deed()).await.expect("an answer");
    assert_eq!(retried.expect("the job").progress.objects_listed, 1 + 30 + 1 + 1);
    let claim = async || catalog.claim_import("w", 60_000, 9, now).await.expect("an answer");
    assert_eq!(claim().await.expect("a claim").import.id, PENDING);
    let claim = claim().await.expect("a claim");
    assert_eq!((claim.import.id, claim.epoch), (FAILED, 3));
    let shard = claim.shard;
    assert_eq!((shard.cursor, shard.objects, shard.missing), (Some(b"k".to_vec()), 30, 1));
    assert_eq!((shard.pending[0].size, shard.pending[0].last_modified), (7, Timestamp(5)));
    let segment = SegmentId { writer: WriterId(3), number: u32::MAX };
    assert_eq!(claim.runs[0].extent, Extent { segment, offset: 44, length: 100 });
    assert_eq!((claim.runs.len(), claim.prior_runs.len()), (1, 0));
}

#[tokio::test]
async fn what_does_not_fit_together_stays_as_it_was() {
    let (_folder, path) = version_1();
    let db = rusqlite::Connection::open(&path).expect("a database");
    db.pragma_update(None, "foreign_keys", 0).expect("a setting");
    db.execute("DELETE FROM jobs WHERE rowid = 3", []).expect("damage");
    drop(db);
    let refused = Sqlite::open(&path, &NoChance).err();
    assert!(matches!(refused, Some(Error::Damaged { .. })), "{refused:?}");
    let db = rusqlite::Connection::open(&path).expect("a database");
    let version: u32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    let jobs: u32 = db.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0)).expect("rows");
    assert_eq!((version, jobs), (1, 4));
    let columns = db.prepare("SELECT objects_imported FROM jobs").map(|_| ());
    columns.expect("the old schema");
}

#[tokio::test]
async fn a_migrated_schema_is_that_of_a_new_store() {
    for before in 1..=STEPS.len() as u32 {
        let (_folder, path) = version(before);
        drop(open(&path));
        let checker = Sqlite::open_read_only(&path).expect("a reader");
        assert_eq!(checker.integrity().await.expect("an answer"), Vec::<String>::new());
        let again = open(&path);
        assert_eq!(again.store_info().await.expect("an identity").version, 3);
    }
}

#[tokio::test]
async fn what_version_2_added_is_as_it_was() {
    let (_folder, path) = version(2);
    let catalog = open(&path);
    let copy = RepositoryId(Uuid::from_bytes([0x04; 16]));
    let dry_run = catalog.import(copy, JobId(Uuid::from_bytes([0xa6; 16]))).await;
    let dry_run = dry_run.expect("an answer").expect("the job");
    assert_eq!((dry_run.status, dry_run.source_commit), (JobStatus::Completed, Some(HEAD)));
    assert_eq!(dry_run.preview.expect("a preview").added.objects, 2);
    assert!(dry_run.spec.options.dry_run);
    assert_eq!(catalog.live_writers().await.expect("writers"), [WriterId(9), WriterId(20)]);
    let condemned = catalog.condemned(Timestamp(600)).await.expect("a list");
    assert_eq!(condemned[0].file, "segments/three");
    assert_eq!(catalog.trashed().await.expect("a list")[0].file, "segments/four");
    let waiting = catalog.next_collection().await.expect("an answer").expect("a collection");
    assert!(!waiting.options.dry_run);
}

#[tokio::test]
async fn a_store_of_version_2_takes_sessions_and_logins() {
    let (_folder, path) = version(2);
    let catalog = open(&path);
    let owner = catalog.user(UserId(Uuid::nil())).await.expect("an answer").expect("the owner");
    assert_eq!(owner.bio, "");
    let deed = deed();
    let session = Session {
        id: SessionId(Uuid::from_bytes([0x05; 16])),
        repository: REPOSITORY,
        base: None,
        created_by: owner.id,
        created_at: deed.at,
        expires_at: Timestamp(2_000),
        revision: 0,
    };
    let stored = catalog.create_session(&session, &deed).await.expect("a session");
    assert_eq!(stored.base, Some(HEAD));
    let login = Login {
        user: owner.id,
        token_hash: [1; 32],
        created_at: deed.at,
        expires_at: Timestamp(2_000),
    };
    catalog.create_login(&login, &deed).await.expect("a login");
    let found = catalog.user_by_login_token([1; 32], deed.at).await.expect("an answer");
    assert_eq!(found, Some(owner));
}
