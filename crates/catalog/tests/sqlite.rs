//! What is particular to the engine on SQLite: files, versions, deletion, and several processes.

use std::collections::HashSet;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catalog::sqlite::Sqlite;
use catalog::{Accounts, Catalog, ConnectorChange, Error, NewUser, Sessions};
use model::limits::STAGED_CHANGES_MAX;
use model::{
    Actor, ApiKey, ApiKeyId, Connector, ConnectorId, ConnectorKind, Deed, DeviceCode, Entropy,
    Login, NewApiKey, ObjectPath, Organization, OrganizationId, PageRequest, Repository,
    RepositoryId, Session, SessionId, StagedChange, Timestamp, User, UserId,
};
use tempfile::TempDir;
use uuid::Uuid;

struct Random;

impl Entropy for Random {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system has randomness");
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    // A name that means something in a URI must mean nothing here.
    let path = folder.path().join("cat?alog%20#1.sqlite");
    (folder, path)
}

fn open(path: &Path) -> Sqlite {
    Sqlite::open(path, &Random).expect("a catalog")
}

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

async fn owner(catalog: &Sqlite) -> User {
    let user = User {
        id: UserId(Uuid::new_v4()),
        username: "owner".to_owned(),
        email: String::new(),
        full_name: String::new(),
        bio: String::new(),
        created_at: NOW,
        has_password: false,
    };
    let new = NewUser { user: user.clone(), password_hash: None };
    catalog.create_user(&new, &by_operator()).await.expect("a user");
    user
}

async fn organization(catalog: &Sqlite, owner: UserId, name: &str) -> OrganizationId {
    let id = OrganizationId(Uuid::new_v4());
    let new =
        Organization { id, name: name.to_owned(), display_name: name.to_owned(), created_at: NOW };
    catalog.create_organization(&new, owner, &by_operator()).await.expect("an organization");
    id
}

/// Stores a connector whose sealed config has about `length` bytes; returns both.
async fn connector(
    catalog: &Sqlite,
    organization: OrganizationId,
    created_by: UserId,
    length: usize,
) -> (ConnectorId, String) {
    let id = ConnectorId(Uuid::new_v4());
    let connector = Connector {
        id,
        organization,
        name: id.to_string(),
        kind: ConnectorKind::S3,
        source_uri: "s3://bucket/".to_owned(),
        disabled: false,
        created_by,
        created_at: NOW,
        deleted_at: None,
    };
    let mut sealed = "tc1:a:".to_owned();
    while sealed.len() < length {
        sealed.push_str(&Uuid::new_v4().simple().to_string());
    }
    catalog.create_connector(&connector, &sealed, &by_operator()).await.expect("a connector");
    (id, sealed)
}

fn deed(user: &User, organization: OrganizationId) -> Deed {
    let actor = Actor::User { id: user.id, name: user.username.clone() };
    Deed { organization: Some(organization), actor, ..by_operator() }
}

/// Something done by whoever runs the server, where it does not matter what.
fn by_operator() -> Deed {
    Deed {
        at: NOW,
        organization: None,
        actor: Actor::Operator,
        request_id: String::new(),
        action: "Test",
        resource: String::new(),
        details: [].into(),
    }
}

/// An open session in a repository of its own.
async fn session(catalog: &Sqlite, user: &User, organization: OrganizationId) -> Session {
    let repository = Repository {
        id: RepositoryId(Uuid::new_v4()),
        organization,
        name: Uuid::new_v4().to_string(),
        description: String::new(),
        visibility: "private".to_owned(),
        retention_days: None,
        session_max_duration_days: 7,
        created_by: user.id,
        created_at: NOW,
        head: None,
    };
    catalog.create_repository(&repository, &by_operator()).await.expect("a repository");
    let session = Session {
        id: SessionId(Uuid::new_v4()),
        repository: repository.id,
        base: None,
        created_by: user.id,
        created_at: NOW,
        expires_at: NOW.plus_ms(60_000),
        revision: 0,
    };
    catalog.create_session(&session, &deed(user, organization)).await.expect("a session")
}

/// Everything in the folder of the database, log included.
fn bytes_on_disk(folder: &TempDir) -> Vec<u8> {
    let files = std::fs::read_dir(folder.path()).expect("a folder");
    files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("bytes")).collect()
}

/// How many 16-byte parts of `sealed` are still somewhere in `bytes`.
fn remnants(bytes: &[u8], sealed: &[String]) -> usize {
    // The format and the key id at the front are no secret and the same in all.
    let parts: HashSet<&[u8]> =
        sealed.iter().flat_map(|text| text.as_bytes()[6..].chunks_exact(16)).collect();
    let found: HashSet<&[u8]> = bytes.windows(16).filter(|part| parts.contains(part)).collect();
    found.len()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let (_folder, path) = folder();
    let first = open(&path);
    let user = owner(&first).await;
    let info = first.store_info().await.expect("the identity");
    drop(first);
    let second = open(&path);
    assert_eq!(second.store_info().await.expect("the identity"), info);
    assert_eq!(second.user(user.id).await.expect("an answer"), Some(user));
    let elsewhere = folder();
    let other = open(&elsewhere.1).store_info().await.expect("the identity");
    assert_ne!(other.id, info.id);
}

#[tokio::test]
async fn dropping_the_catalog_finishes_what_is_queued_and_empties_the_log() {
    let (folder, path) = folder();
    let catalog = open(&path);
    owner(&catalog).await;
    drop(catalog);
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|file| file.expect("a file").file_name())
        .collect();
    assert_eq!(names, [path.file_name().expect("a name")]);
}

#[tokio::test]
async fn a_newer_version_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    drop(open(&path));
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection.pragma_update(None, "user_version", 99).expect("a version");
    drop(connection);
    for refused in [Sqlite::open(&path, &Random).err(), Sqlite::open_read_only(&path).err()] {
        assert!(matches!(refused, Some(Error::NewerVersion { found: 99, .. })));
    }
    let connection = rusqlite::Connection::open(&path).expect("a database");
    let version: u32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    assert_eq!(version, 99);
}

#[tokio::test]
async fn what_is_no_catalog_is_refused() {
    let (folder, path) = folder();
    assert!(Sqlite::open_read_only(&path).is_err(), "reading makes no file");
    assert!(!path.exists());
    std::fs::write(&path, b"not a database, but long enough to look at ".repeat(100))
        .expect("a file");
    for refused in [Sqlite::open(&path, &Random).err(), Sqlite::open_read_only(&path).err()] {
        assert!(matches!(refused, Some(Error::Damaged { .. })), "{refused:?}");
    }
    let empty = folder.path().join("empty");
    std::fs::write(&empty, b"").expect("a file");
    let refused = Sqlite::open_read_only(&empty).err();
    assert!(matches!(refused, Some(Error::OlderVersion { found: 0, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_reader_beside_a_running_server_sees_what_is_committed_and_writes_nothing() {
    let (_folder, path) = folder();
    let server = open(&path);
    let checker = Sqlite::open_read_only(&path).expect("a reader");
    let user = owner(&server).await;
    assert_eq!(checker.user(user.id).await.expect("an answer"), Some(user.clone()));
    let new = NewUser { user, password_hash: None };
    assert!(matches!(checker.create_user(&new, &by_operator()).await, Err(Error::ReadOnly)));
    let revoked = checker.void_leases().await;
    assert!(matches!(revoked, Err(Error::ReadOnly)));
    assert!(checker.integrity().await.expect("an answer").is_empty());
    drop(server);
    checker.ping().await.expect("the checker goes on without the server");
}

#[tokio::test]
async fn two_processes_may_write() {
    let (_folder, path) = folder();
    let (server, admin) = (open(&path), open(&path));
    let user = owner(&server).await;
    let write = async |catalog: &Sqlite, name: &str| {
        for number in 0..20 {
            organization(catalog, user.id, &format!("{name}-{number}")).await;
        }
    };
    tokio::join!(write(&server, "server"), write(&admin, "admin"));
    assert_eq!(server.organizations_of(user.id).await.expect("a list").len(), 40);
}

/// Another process's connection, in the middle of a write.
fn holder(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).expect("a database");
    connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    connection
}

#[tokio::test]
async fn what_another_process_kept_from_the_catalog_was_not_done() {
    let (_folder, path) = folder();
    let timeout = Duration::from_millis(50);
    let catalog = Sqlite::open_waiting(&path, &Random, timeout).expect("a catalog");
    let user = owner(&catalog).await;
    let acme = organization(&catalog, user.id, "acme").await;
    let other = holder(&path);
    let deed = by_operator();
    let refused = tokio::join!(
        catalog.add_member(acme, user.id, model::Role::Member, &deed),
        catalog.delete_organization(acme, &deed),
    );
    let (add, delete) = (refused.0.err(), refused.1.err());
    assert!(matches!((&add, &delete), (Some(Error::Busy(_)), Some(Error::Busy(_)))), "{add:?}");
    assert_eq!(catalog.organizations_of(user.id).await.expect("reading goes on").len(), 1);
    drop(other);
    assert!(catalog.delete_organization(acme, &by_operator()).await.expect("the writer goes on"));
}

#[tokio::test]
async fn a_key_is_found_while_another_process_writes_and_its_use_is_recorded_later() {
    let (_folder, path) = folder();
    let timeout = Duration::from_secs(60);
    let catalog = Sqlite::open_waiting(&path, &Random, timeout).expect("a catalog");
    let user = owner(&catalog).await;
    let key = ApiKey {
        id: ApiKeyId(Uuid::new_v4()),
        user: user.id,
        name: "laptop".to_owned(),
        description: String::new(),
        hint: "1234".to_owned(),
        created_at: NOW,
        last_used_at: None,
        revoked_at: None,
    };
    let new = NewApiKey { key, token_hash: [1; 32] };
    catalog.create_api_key(&new, &by_operator()).await.expect("a key");
    let last_used = async || catalog.api_keys(user.id).await.expect("keys")[0].last_used_at;

    let other = holder(&path);
    // More than the writer's queue holds: each of them would stand in it if they piled up.
    for _ in 0..1_000 {
        let found = catalog.user_by_token([1; 32], NOW).await.expect("an answer");
        assert_eq!(found.as_ref(), Some(&user));
    }
    assert_eq!(last_used().await, None, "nobody waited for the writer");
    drop(other);
    // What is queued later is done later.
    organization(&catalog, user.id, "acme").await;
    let minute = NOW.0 - NOW.0.rem_euclid(60_000_000);
    assert_eq!(last_used().await, Some(Timestamp(minute)));
}

#[tokio::test]
async fn deleted_configs_are_nowhere_on_disk() {
    let (folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await.id;
    let kept_in = organization(&catalog, user, "kept").await;
    let doomed = organization(&catalog, user, "doomed").await;
    let (mut kept, mut deleted) = (Vec::new(), Vec::new());
    // Sizes around those at which SQLite keeps a row in a page or spills it, many enough for
    // pages to be split and merged.
    for number in 0..90 {
        let length = [60, 300, 1000, 3000, 4090, 9000][number / 3 % 6];
        let (id, sealed) = connector(&catalog, kept_in, user, length).await;
        deleted.push(connector(&catalog, doomed, user, length).await.1);
        match number % 3 {
            0 => kept.push((id, sealed)),
            _ => {
                assert!(
                    catalog.delete_connector(kept_in, id, &by_operator()).await.expect("an answer")
                );
                deleted.push(sealed);
            }
        }
        if number % 45 == 1 {
            assert_eq!(remnants(&bytes_on_disk(&folder), &deleted[deleted.len() - 1..]), 0);
        }
    }
    for (id, sealed) in kept.extract_if(.., |(id, _)| id.0.as_bytes()[0] % 2 == 0) {
        assert!(catalog.delete_connector(kept_in, id, &by_operator()).await.expect("an answer"));
        deleted.push(sealed);
    }
    assert!(catalog.delete_organization(doomed, &by_operator()).await.expect("an answer"));
    let bytes = bytes_on_disk(&folder);
    assert_eq!(remnants(&bytes, &deleted), 0);
    let kept: Vec<_> = kept.into_iter().map(|(_, sealed)| sealed).collect();
    let parts: usize = kept.iter().map(|sealed| (sealed.len() - 6) / 16).sum();
    let found = remnants(&bytes, &kept);
    assert!(found > parts * 9 / 10, "the search itself works: {found} of {parts}");
}

#[tokio::test]
async fn replaced_configs_are_nowhere_on_disk() {
    let (folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await.id;
    let acme = organization(&catalog, user, "acme").await;
    let (mut kept, mut replaced) = (Vec::new(), Vec::new());
    for number in 0..60 {
        let length = |at: usize| [60, 300, 1000, 3000, 4090, 9000][at % 6];
        let (id, old) = connector(&catalog, acme, user, length(number)).await;
        // The same length, a longer one, and a shorter one.
        let mut new = "tc1:a:".to_owned();
        while new.len() < length(number + number % 3) {
            new.push_str(&Uuid::new_v4().simple().to_string());
        }
        let sealed = (number % 5 > 0).then(|| new.clone());
        let change = ConnectorChange { sealed, ..ConnectorChange::default() };
        let changed =
            catalog.update_connector(acme, id, &change, &by_operator()).await.expect("an answer");
        assert!(changed.is_some());
        let stored = catalog.sealed_config(id).await.expect("an answer").expect("a config");
        if number % 5 > 0 {
            assert_eq!(stored, new);
            replaced.push(old);
        }
        if number % 20 == 1 {
            assert_eq!(remnants(&bytes_on_disk(&folder), &replaced[replaced.len() - 1..]), 0);
        }
        kept.push(stored);
    }
    let bytes = bytes_on_disk(&folder);
    assert_eq!(remnants(&bytes, &replaced), 0);
    let parts: usize = kept.iter().map(|sealed| (sealed.len() - 6) / 16).sum();
    let found = remnants(&bytes, &kept);
    assert!(found > parts * 9 / 10, "the search itself works: {found} of {parts}");
}

#[tokio::test]
async fn a_snapshot_is_the_whole_catalog_of_one_moment() {
    let (folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await;
    let acme = organization(&catalog, user.id, "acme").await;
    let (id, sealed) = connector(&catalog, acme, user.id, 9000).await;
    let deleted = connector(&catalog, acme, user.id, 9000).await;
    assert!(catalog.delete_connector(acme, deleted.0, &by_operator()).await.expect("an answer"));
    let writer = catalog.open_writer(NOW).await.expect("a writer");

    let login = Login {
        user: user.id,
        token_hash: *Uuid::new_v4().as_bytes().repeat(2).as_array().expect("32 bytes"),
        created_at: NOW,
        expires_at: Timestamp(i64::MAX),
    };
    catalog.create_login(&login, &deed(&user, acme)).await.expect("a login");
    let code = DeviceCode {
        device_hash: *Uuid::new_v4().as_bytes().repeat(2).as_array().expect("32 bytes"),
        user_code: "BCDF-GHJK".to_owned(),
        created_at: NOW,
        expires_at: Timestamp(i64::MAX),
        confirmed_by: None,
    };
    catalog.create_device_code(&code).await.expect("a code");
    let session = session(&catalog, &user, acme).await;

    catalog.hold("whoever makes the copy", 60_000).await.expect("a hold");
    let copy = folder.path().join("co?py%20#1'.sqlite");
    catalog.snapshot(&copy).await.expect("a copy");
    assert!(matches!(catalog.purge_trash(NOW).await, Err(Error::Held { .. })));
    let mode = std::fs::metadata(&copy).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = std::fs::read(&copy).expect("bytes");
    assert_eq!(remnants(&bytes, &[deleted.1]), 0);
    for secret in [&login.token_hash, &code.device_hash] {
        assert!(!bytes.windows(32).any(|part| part == secret));
    }
    organization(&catalog, user.id, "later").await;

    let info = catalog.store_info().await.expect("the identity");
    let copied = open(&copy);
    assert_eq!(copied.integrity().await.expect("an answer"), Vec::<String>::new());
    assert_eq!(copied.store_info().await.expect("the identity"), info);
    assert_eq!(copied.organizations_of(user.id).await.expect("a list").len(), 1);
    assert_eq!(copied.sealed_config(id).await.expect("an answer"), Some(sealed));
    assert_eq!(copied.purge_trash(NOW).await.expect("nobody holds it"), Vec::<String>::new());
    assert_eq!(copied.user_by_login_token(login.token_hash, NOW).await.expect("an answer"), None);
    assert_eq!(copied.device_code(code.device_hash, NOW).await.expect("an answer"), None);
    assert_eq!(copied.open_sessions().await.expect("sessions"), [session]);
    assert!(catalog.user_by_login_token(login.token_hash, NOW).await.expect("an answer").is_some());
    assert!(copied.open_writer(NOW).await.expect("a writer") > writer);
}

#[tokio::test]
async fn a_snapshot_overwrites_nothing_and_leaves_nothing_half_done() {
    let (folder, path) = folder();
    let catalog = open(&path);
    let copy = folder.path().join("copy.sqlite");
    std::fs::write(&copy, b"precious").expect("a file");
    let refused = catalog.snapshot(&copy).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&copy).expect("bytes"), b"precious");
    let refused = catalog.snapshot(&folder.path().join("no folder/copy")).await;
    assert!(matches!(refused, Err(Error::Snapshot(_))), "{refused:?}");
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"not UTF-8 \xff"));
    let refused = catalog.snapshot(&odd).await;
    assert!(matches!(refused, Err(Error::Snapshot(_))), "{refused:?}");
    assert!(!odd.exists(), "what it began is gone");
}

#[tokio::test]
async fn a_snapshot_may_be_taken_while_others_write_and_without_a_server() {
    let (folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await;
    let write = async {
        for number in 0..40 {
            organization(&catalog, user.id, &format!("org-{number:02}")).await;
        }
    };
    let copies: Vec<_> =
        (0..4).map(|number| folder.path().join(format!("copy-{number}"))).collect();
    let copy = async {
        for copy in &copies {
            catalog.snapshot(copy).await.expect("a copy");
        }
    };
    tokio::join!(write, copy);
    drop(catalog);
    let last = folder.path().join("last");
    let reader = Sqlite::open_read_only(&path).expect("a reader");
    reader.snapshot(&last).await.expect("a copy");
    let mut before = 0;
    for copy in copies.iter().chain([&last]) {
        let copied = open(copy);
        assert_eq!(copied.integrity().await.expect("an answer"), Vec::<String>::new());
        let names = copied.organizations_of(user.id).await.expect("a list");
        let expected: Vec<_> = (0..names.len()).map(|number| format!("org-{number:02}")).collect();
        assert_eq!(
            names.iter().map(|found| &found.name).collect::<Vec<_>>(),
            Vec::from_iter(&expected)
        );
        assert!(names.len() >= before, "a later copy is of a later moment");
        before = names.len();
    }
    assert_eq!(before, 40);
}

#[tokio::test]
async fn a_reader_in_another_process_puts_the_wiping_off_but_not_away() {
    let (folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await.id;
    let acme = organization(&catalog, user, "acme").await;
    let (id, sealed) = connector(&catalog, acme, user, 300).await;
    let reader = rusqlite::Connection::open(&path).expect("a database");
    let snapshot = reader.unchecked_transaction().expect("a transaction");
    let count = |db: &rusqlite::Connection| -> i64 {
        db.query_row("SELECT count(*) FROM sealed_configs", [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(count(&snapshot), 1);
    assert!(
        catalog.delete_connector(acme, id, &by_operator()).await.expect("an answer"),
        "it does not fail"
    );
    assert_eq!(count(&snapshot), 1, "the reader keeps its state");
    drop(snapshot);
    organization(&catalog, user, "next").await;
    assert_eq!(remnants(&bytes_on_disk(&folder), &[sealed]), 0, "the next write makes up for it");
}

#[tokio::test]
async fn damage_is_reported() {
    let (_folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await;
    drop(catalog);
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection.pragma_update(None, "foreign_keys", 0).expect("a setting");
    connection.execute("INSERT INTO writers VALUES (7, x'00', 1, 1, NULL)", []).expect("damage");
    drop(connection);
    let catalog = open(&path);
    let found = catalog.integrity().await.expect("an answer");
    assert_eq!(found, ["a row of writers refers to a row of jobs that is not there"]);
    assert!(catalog.user(user.id).await.expect("an answer").is_some());
}

#[tokio::test]
async fn no_flipped_bit_of_the_schema_is_taken_for_a_failure() {
    let (folder, path) = folder();
    let catalog = open(&path);
    owner(&catalog).await;
    drop(catalog);
    let sound = std::fs::read(&path).expect("readable");
    let table = |name: &str| {
        // A table that a migration made anew has its name in quotes.
        [format!("CREATE TABLE {name} "), format!("CREATE TABLE \"{name}\" ")]
            .iter()
            .find_map(|text| sound.windows(text.len()).position(|b| b == text.as_bytes()))
            .expect("the table's definition is there")
    };
    // Names of columns that a check reads, and that it does not; and the format of the header.
    let column = |name: &str, at: usize| {
        at + sound[at..].windows(name.len()).position(|b| b == name.as_bytes()).expect("a column")
    };
    let repositories = table("repositories");
    for at in [
        47,
        repositories + 14,
        column("visibility", repositories),
        column("directory", table("segments")),
        column("owner TEXT", table("jobs")),
    ] {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        let found = damage_found(&path).await;
        assert!(found, "byte {at}");
        for beside in ["-wal", "-shm"] {
            let name = format!("{}{beside}", path.display());
            let _absent = std::fs::remove_file(folder.path().join(name));
        }
    }
}

/// Whether a check says that the catalog is damaged, whatever way it comes to know.
async fn damage_found(path: &Path) -> bool {
    let damaged = |error: Error| {
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        true
    };
    let catalog = match Sqlite::open_read_only(path) {
        Ok(catalog) => catalog,
        Err(error) => return damaged(error),
    };
    let found = catalog.integrity().await.map_or_else(damaged, |found| !found.is_empty());
    let rows = catalog.all_repositories().await.map_or_else(damaged, |_| false);
    let segments = catalog.segments(None, 10).await.map_or_else(damaged, |_| false);
    found || rows || segments
}

#[tokio::test]
async fn the_audit_log_is_only_added_to() {
    let (_folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await;
    let acme = organization(&catalog, user.id, "acme").await;
    session(&catalog, &user, acme).await;
    let log = async || {
        let page = PageRequest { after: None, amount: 100 };
        catalog.audit(acme, &page).await.expect("a page").rows
    };
    let before = log().await;
    assert!(!before.is_empty());
    let connection = rusqlite::Connection::open(&path).expect("a database");
    for sql in [
        "UPDATE audit SET resource = ''",
        "UPDATE audit SET id = id + 100",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
    ] {
        let refused = connection.execute(sql, []).expect_err("it is only added to");
        assert!(refused.to_string().contains("only added to"), "{refused}");
    }
    assert_eq!(log().await, before);
}

#[tokio::test]
async fn what_a_session_stages_is_limited() {
    let (_folder, path) = folder();
    let catalog = open(&path);
    let user = owner(&catalog).await;
    let acme = organization(&catalog, user.id, "acme").await;
    let session = session(&catalog, &user, acme).await;
    let connection = rusqlite::Connection::open(&path).expect("a database");
    let sql = "UPDATE sessions SET revision = ?1";
    connection.execute(sql, [STAGED_CHANGES_MAX as i64 - 2]).expect("a revision");
    let staged = |name: &str| StagedChange {
        path: ObjectPath::new(name).expect("a path"),
        entry: Some(name.into()),
    };
    let stage =
        async |changes: &[StagedChange]| catalog.stage(session.id, changes, &[], None, NOW).await;
    let refused = stage(&[staged("a"), staged("b"), staged("c")]).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
    assert!(stage(&[staged("d"), staged("e")]).await.expect("an answer"), "it fits just");
    assert!(matches!(stage(&[staged("d")]).await, Err(Error::TooMany { .. })));
    let found = catalog.staged(session.id, Bound::Unbounded, None, 9).await.expect("changes");
    assert_eq!(found, [staged("d"), staged("e")]);
}
