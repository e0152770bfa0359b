//! What is particular to the engine on SQLite: files, versions, deletion, and several processes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use catalog::sqlite::Sqlite;
use catalog::{Catalog, Error, NewUser};
use model::{
    Connector, ConnectorId, ConnectorKind, Entropy, Organization, OrganizationId, Timestamp, User,
    UserId,
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
        created_at: NOW,
        has_password: false,
    };
    let new = NewUser { user: user.clone(), password_hash: None };
    catalog.create_user(&new).await.expect("a user");
    user
}

async fn organization(catalog: &Sqlite, owner: UserId, name: &str) -> OrganizationId {
    let id = OrganizationId(Uuid::new_v4());
    let new =
        Organization { id, name: name.to_owned(), display_name: name.to_owned(), created_at: NOW };
    catalog.create_organization(&new, owner).await.expect("an organization");
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
    catalog.create_connector(&connector, &sealed).await.expect("a connector");
    (id, sealed)
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
    assert!(matches!(checker.create_user(&new).await, Err(Error::ReadOnly)));
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
                assert!(catalog.delete_connector(kept_in, id, NOW).await.expect("an answer"));
                deleted.push(sealed);
            }
        }
        if number % 45 == 1 {
            assert_eq!(remnants(&bytes_on_disk(&folder), &deleted[deleted.len() - 1..]), 0);
        }
    }
    for (id, sealed) in kept.extract_if(.., |(id, _)| id.0.as_bytes()[0] % 2 == 0) {
        assert!(catalog.delete_connector(kept_in, id, NOW).await.expect("an answer"));
        deleted.push(sealed);
    }
    assert!(catalog.delete_organization(doomed, NOW).await.expect("an answer"));
    let bytes = bytes_on_disk(&folder);
    assert_eq!(remnants(&bytes, &deleted), 0);
    let kept: Vec<_> = kept.into_iter().map(|(_, sealed)| sealed).collect();
    let parts: usize = kept.iter().map(|sealed| (sealed.len() - 6) / 16).sum();
    let found = remnants(&bytes, &kept);
    assert!(found > parts * 9 / 10, "the search itself works: {found} of {parts}");
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
    assert!(catalog.delete_connector(acme, id, NOW).await.expect("an answer"), "it does not fail");
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
    connection.execute("INSERT INTO writers VALUES (7, x'00', 1, 1)", []).expect("damage");
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
        let text = format!("CREATE TABLE {name}");
        let found = sound.windows(text.len()).position(|bytes| bytes == text.as_bytes());
        found.expect("the table's definition is there")
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
