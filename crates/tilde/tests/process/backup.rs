//! `tilde backup`, beside a server and without one, and what is restored from it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::s3::{Objects, Op, Settings};

use crate::importing::{REPOSITORY, Source, User, flip, segment_files};
use crate::program::{Folder, Server, refused, run, said, tilde};

/// Objects of the import that is backed up in the middle.
const OBJECTS: u64 = 300;

fn backup(data: &Path, to: &Path, arguments: &[&str]) -> Output {
    let to = to.to_str().expect("UTF-8");
    run(data, &[&["backup", to], arguments].concat())
}

fn report(data: &Path, to: &Path) -> Value {
    serde_json::from_str(&said(&backup(data, to, &["--json"]))).expect("JSON")
}

/// As `cp -a` of an operator.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(copied.success());
}

fn is_clean(data: &Path) {
    let checked = said(&run(data, &["check"]));
    assert!(checked.contains(": clean ("), "{checked}");
}

/// The key of the user admin is in no backup.
fn key_of_user(original: &Path, restored: &Path) {
    std::fs::copy(original.join("admin.key"), restored.join("admin.key")).expect("copied");
}

fn three_parts() -> Source {
    let part = |name: &str, byte: u8| (name.to_owned(), vec![byte; 50_000]);
    let objects = [part("one/a", 1), part("two/b", 2), part("three/c", 3)];
    Source::start(objects.into_iter().collect::<Objects>(), Settings::default())
}

/// A data directory into which `prefixes` were imported, each in an import of its own.
fn imported(data: &Path, source: &Source, prefixes: &[&str]) {
    let is_new = !data.exists();
    let server = Server::start(data, |command| {
        command.env("TILDE__GC__INTERVAL_HOURS", "0");
    });
    let user = User::admin(&server, data);
    if is_new {
        user.set_up(source);
        user.repository("data");
    }
    for prefix in prefixes {
        user.import("data", prefix);
    }
    server.stop();
}

#[test]
fn a_running_server_is_backed_up_and_the_running_job_goes_on_in_the_copy() {
    let objects = (0..OBJECTS).map(|n| (format!("k{n:04}"), vec![n as u8; 3_000]));
    let settings = Settings { latency: Duration::from_millis(50), ..Settings::default() };
    let source = Source::start(objects.collect::<Objects>(), settings);
    let folder = Folder::new();
    let (data, saved, copied) = (folder.path("data"), folder.path("backup"), folder.path("copy"));
    let server = Server::start(&data, |_| {});
    let user = User::admin(&server, &data);
    user.set_up(&source);
    user.repository("data");
    let before = user.import("data", "k000");
    let job = user.start_import("data", "k");
    source.runtime.block_on(source.s3.until(|stats| stats.count(Op::Get) > OBJECTS / 4));
    // So slow that the import cannot end meanwhile.
    source.s3.set(|settings| settings.latency = Duration::from_secs(2));
    said(&backup(&data, &saved, &["--with-key"]));
    source.s3.set(|settings| settings.latency = Duration::ZERO);
    let ended = user.ended(&job);
    assert_eq!(ended["status"], "completed", "{ended}");
    server.stop();

    copy(&saved, &copied);
    is_clean(&saved);
    key_of_user(&data, &copied);
    let read = source.s3.stats().count(Op::Get);
    let server = Server::start(&copied, |_| {});
    assert!(!copied.join("backup.lock").exists(), "it is a data directory now");
    let user = User::admin(&server, &copied);
    let first = format!("in/k0001&ref={}", before["commit_id"].as_str().expect("a commit"));
    assert_eq!(user.object("data", &first), vec![1; 3_000]);
    let resumed = user.ended(&job);
    assert_eq!(resumed["status"], "completed", "{resumed}");
    assert_eq!(resumed["objects_imported"], OBJECTS);
    assert!(source.s3.stats().count(Op::Get) > read, "it was running in the backup");
    for n in [0, 7, OBJECTS - 1] {
        assert_eq!(user.object("data", &format!("in/k{n:04}")), vec![n as u8; 3_000], "{n}");
    }
    server.stop();
    is_clean(&copied);
    let digest = |data: &Path, job: &Value| {
        said(&run(data, &["check", "--digest", job["commit_id"].as_str().expect("a commit")]))
    };
    assert_eq!(digest(&copied, &resumed), digest(&data, &ended));
}

#[test]
fn a_second_backup_copies_what_is_new_and_removes_what_is_gone() {
    let source = three_parts();
    let folder = Folder::new();
    let (data, saved) = (folder.path("data"), folder.path("backup"));
    imported(&data, &source, &["one/"]);
    let first = report(&data, &saved);
    let files = segment_files(&data).len();
    assert_eq!((&first["files_copied"], &first["files"]), (&files.into(), &files.into()));
    let same = report(&data, &saved);
    assert_eq!((&same["files_copied"], &same["files_kept"]), (&0.into(), &files.into()));
    is_clean(&saved);

    imported(&data, &source, &["two/"]);
    let second = report(&data, &saved);
    let new = segment_files(&data).len() - files;
    assert!(new > 0);
    assert_eq!((&second["files_copied"], &second["files_kept"]), (&new.into(), &files.into()));
    assert_eq!(second["bytes_kept"], first["bytes"]);

    let server = Server::start(&data, |_| {});
    User::admin(&server, &data).call("DELETE", REPOSITORY, None);
    server.stop();
    let gone = ["gc", "--force", "--grace-hours", "0", "--trash-days", "0"];
    said(&run(&data, &gone));
    let emptied = report(&data, &saved);
    assert_eq!(emptied["files_removed"], files + new);
    assert_eq!((segment_files(&saved).len(), &emptied["files"]), (0, &0.into()));
    is_clean(&saved);
}

#[test]
fn it_is_private_and_holds_the_key_only_if_asked() {
    let folder = Folder::new();
    let (data, saved) = (folder.path("data"), folder.path("backup"));
    imported(&data, &three_parts(), &["one/"]);
    std::fs::create_dir(&saved).expect("an empty folder is taken");
    let text = said(&backup(&data, &saved, &[]));
    assert!(text.contains("copied: ") && text.contains("--with-key"), "{text}");
    let mode = |path: PathBuf| {
        std::fs::metadata(&path).map(|found| found.permissions().mode() & 0o777).ok()
    };
    assert_eq!(mode(saved.clone()), Some(0o700));
    for name in ["lock", "admin.key", "keys", "tilde.db.new", "tilde.db-wal"] {
        assert_eq!(mode(saved.join(name)), None, "{name}");
    }
    let text = said(&backup(&data, &saved, &["--with-key"]));
    assert!(!text.contains("--with-key"), "{text}");
    let key = saved.join("keys/encryption.key");
    assert_eq!(std::fs::read(&key).ok(), std::fs::read(data.join("keys/encryption.key")).ok());
    let files = [key, saved.join("tilde.db"), saved.join("format"), saved.join("backup.lock")];
    for file in files.into_iter().chain(segment_files(&saved)) {
        assert_eq!(mode(file.clone()), Some(0o600), "{}", file.display());
    }
}

#[test]
fn a_damaged_segment_is_named_and_the_former_backup_stays() {
    let source = three_parts();
    let folder = Folder::new();
    let (data, saved) = (folder.path("data"), folder.path("backup"));
    imported(&data, &source, &["one/"]);
    said(&backup(&data, &saved, &[]));
    let kept = segment_files(&data);
    imported(&data, &source, &["two/"]);
    let damaged = segment_files(&data).into_iter().find(|file| !kept.contains(file));
    let damaged = damaged.expect("the second import wrote one");
    let catalog = std::fs::read(saved.join("tilde.db")).expect("readable");
    let sound = std::fs::read(&damaged).expect("readable");

    let name = damaged.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    flip(&damaged);
    let refusal = refused(&backup(&data, &saved, &[]), 1);
    assert!(refusal.contains(name) && refusal.contains("is damaged"), "{refusal}");
    std::fs::remove_file(&damaged).expect("removed");
    let refusal = refused(&backup(&data, &saved, &[]), 1);
    assert!(refusal.contains(name) && refusal.contains("it is missing"), "{refusal}");
    assert!(std::fs::read(saved.join("tilde.db")).expect("readable") == catalog);
    assert!(!segment_files(&saved).iter().any(|file| file.ends_with(name)));
    is_clean(&saved);

    std::fs::write(&damaged, sound).expect("written");
    // One that is in the backup is not read again, so the backup can mend it.
    let (mended, place) = (kept[0].clone(), kept[0].strip_prefix(&data).expect("below"));
    flip(&mended);
    said(&backup(&data, &saved, &[]));
    std::fs::copy(saved.join(place), &mended).expect("copied");
    is_clean(&data);
    is_clean(&saved);
    // No backup, refused or done, has left its hold behind.
    said(&run(&data, &["gc"]));
}

#[test]
fn killed_anywhere_it_leaves_a_whole_backup_and_the_next_one_goes_on() {
    let source = three_parts();
    let folder = Folder::new();
    let (data, saved) = (folder.path("data"), folder.path("backup"));
    imported(&data, &source, &["one/"]);
    std::fs::write(data.join("test-failpoints"), "").expect("the marker");
    let killed = |site: &str| {
        let output = tilde()
            .args(["backup", "--data-dir"])
            .args([&data, &saved])
            .env("TILDE_FAILPOINTS", format!("{site}=1"))
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), None, "it was killed");
    };
    killed("backup.file_copied");
    assert!(!saved.join("tilde.db").exists(), "there was none before");
    said(&backup(&data, &saved, &[]));
    let former = std::fs::read(saved.join("tilde.db")).expect("readable");
    let files = segment_files(&saved);

    imported(&data, &source, &["two/"]);
    for site in ["backup.catalog_copied", "backup.file_copied"] {
        killed(site);
        assert!(saved.join("tilde.db.new").exists(), "{site}");
        let present = segment_files(&saved);
        assert!(files.iter().all(|file| present.contains(file)), "{site}");
        assert!(std::fs::read(saved.join("tilde.db")).expect("readable") == former, "{site}");
        is_clean(&saved);
    }
    // As if it had been killed while it wrote a file.
    let unfinished = files[0].with_file_name("00000000000000ff-00000000.open");
    std::fs::write(&unfinished, "half a segm").expect("written");
    killed("backup.published");
    assert!(std::fs::read(saved.join("tilde.db")).expect("readable") != former);
    is_clean(&saved);
    assert!(!unfinished.exists());
    let last = report(&data, &saved);
    assert_eq!(last["files_copied"], 0, "{last}");
    assert!(!saved.join("tilde.db.new").exists());
    let restored = folder.path("restored");
    copy(&saved, &restored);
    key_of_user(&data, &restored);
    let server = Server::start(&restored, |_| {});
    assert_eq!(User::admin(&server, &restored).object("data", "in/b"), vec![2; 50_000]);
}

#[test]
fn a_folder_that_is_no_backup_of_this_directory_is_refused() {
    let source = three_parts();
    let folder = Folder::new();
    let (data, saved, other) = (folder.path("data"), folder.path("backup"), folder.path("other"));
    imported(&data, &source, &["one/"]);
    imported(&other, &source, &["one/"]);
    let why = |to: &Path| refused(&backup(&data, to, &[]), 1);
    for within in [data.clone(), data.join("backup"), data.join("segments")] {
        assert!(why(&within).contains("lies in the data directory"), "{}", within.display());
    }
    assert!(!data.join("backup").exists());
    assert!(why(&other).contains("belongs to another store"));
    let foreign = folder.path("foreign");
    std::fs::create_dir(&foreign).expect("made");
    std::fs::write(foreign.join("letter.txt"), "").expect("written");
    assert!(why(&foreign).contains("it holds letter.txt"));
    assert!(!foreign.join("backup.lock").exists(), "nothing was written");

    said(&backup(&data, &saved, &[]));
    let held = std::fs::File::open(saved.join("backup.lock")).expect("it is there");
    held.lock().expect("locked");
    assert!(why(&saved).contains("another backup is being written"));
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    assert!(refused(&run(&saved, &serve), 1).contains("a backup is being written"));
    drop(held);
    said(&backup(&data, &saved, &[]));
    Server::start(&saved, |_| {}).stop();
    assert!(why(&saved).contains("a data directory of its own"));
}

#[test]
fn a_backup_of_another_past_is_left_alone() {
    let source = three_parts();
    let folder = Folder::new();
    let (data, old, new) = (folder.path("data"), folder.path("old"), folder.path("new"));
    imported(&data, &source, &["one/"]);
    said(&backup(&data, &old, &["--with-key"]));
    imported(&data, &source, &["two/"]);
    said(&backup(&data, &new, &[]));

    let restored = folder.path("restored");
    copy(&old, &restored);
    key_of_user(&data, &restored);
    imported(&restored, &source, &["three/"]);
    let refusal = refused(&backup(&restored, &new, &[]), 1);
    assert!(refusal.contains("another past of this store"), "{refusal}");
    is_clean(&new);
    said(&backup(&restored, &folder.path("newest"), &[]));
    is_clean(&folder.path("newest"));
}

#[test]
fn what_waits_in_the_trash_is_backed_up_too() {
    let source = three_parts();
    let folder = Folder::new();
    let (data, saved, copied) = (folder.path("data"), folder.path("backup"), folder.path("copy"));
    imported(&data, &source, &["one/"]);
    let server = Server::start(&data, |_| {});
    User::admin(&server, &data).call("DELETE", REPOSITORY, None);
    said(&run(&data, &["gc", "--force", "--grace-hours", "0"]));
    let saved_files = report(&data, &saved)["files"].clone();
    server.stop();
    assert_eq!(saved_files, segment_files(&data).len());
    assert_ne!(saved_files, 0);
    copy(&saved, &copied);
    let undone = said(&run(&copied, &["gc", "--undo"]));
    assert!(undone.contains("brought back from the trash: 2 segments"), "{undone}");
    is_clean(&copied);
}

#[test]
fn open_sessions_and_unfinished_uploads_are_backed_up_and_logins_are_not() {
    let folder = Folder::new();
    let (data, saved, copied) = (folder.path("data"), folder.path("backup"), folder.path("copy"));
    let large: Vec<u8> = (0..(16 << 20) + 9_u32).map(|n| (n % 241) as u8).collect();
    let server = Server::start(&data, |command| {
        command.env("TILDE_BOOTSTRAP_PASSWORD", "correct horse battery staple");
    });
    let user = User::admin(&server, &data);
    user.organization();
    let first = user.session();
    user.upload(&first, "first", b"1").expect("uploaded");
    user.commit(&first).expect("committed");
    let open = user.session();
    user.upload(&open, "small", b"staged").expect("uploaded");
    user.put(&open, "large", &large).expect("uploaded");
    user.copy(&open, "first", "second").expect("copied");
    let mut parts = user.begin_parts(&open, "parts").expect("begun");
    user.send_part((&open, "parts"), &mut parts, &large[..16 << 20]).expect("sent");
    let login = json!({"login": "admin", "password": "correct horse battery staple"}).to_string();
    let log_in = |server: &Server| {
        let json = "content-type: application/json\r\n";
        server.send("POST", "/api/v1/auth/login", json, login.as_bytes()).expect("an answer")
    };
    let cookie = log_in(&server).cookies();
    let me = |server: &Server| {
        let cookie = format!("cookie: {cookie}\r\n");
        server.send("GET", "/api/v1/auth/me", &cookie, b"").expect("an answer").status
    };
    assert_eq!(me(&server), 200, "signed in");
    said(&backup(&data, &saved, &["--with-key"]));
    server.stop();
    let (log, seen) = {
        let server = Server::start(&data, |_| {});
        let user = User::admin(&server, &data);
        (user.log(), user.paths(Some(&open)))
    };

    copy(&saved, &copied);
    is_clean(&saved);
    key_of_user(&data, &copied);
    let server = Server::start(&copied, |_| {});
    let user = User::admin(&server, &copied);
    assert_eq!(me(&server), 401, "a login is worth nothing in the copy");
    assert_eq!(log_in(&server).status, 200, "the password is");
    assert_eq!((user.log(), user.paths(Some(&open))), (log, seen));
    user.send_part((&open, "parts"), &mut parts, &large[16 << 20..]).expect("sent");
    user.complete(&open, "parts", &parts).expect("completed");
    let commit = user.commit(&open).expect("committed");
    assert_eq!(user.log()[0], commit);
    assert_eq!(user.paths(None), ["first", "large", "parts", "second", "small"]);
    for path in ["large", "parts"] {
        assert!(user.object("data", path) == large, "{path}");
    }
    assert_eq!(user.object("data", "small"), b"staged");
    assert_eq!(user.object("data", "second"), b"1");
    server.stop();
    is_clean(&copied);
}
