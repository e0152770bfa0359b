//! A data directory that an earlier version wrote is brought forward when it is opened.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use testkit::s3::{Objects, Op, Settings};

use crate::importing::{ORGANIZATION, REPOSITORY, Source, User};
use crate::program::{Folder, Server, run, said};

/// `tests/fixtures/README.md` says what is in each.
fn unpack(name: &str, into: &Path) {
    std::fs::create_dir(into).expect("a folder");
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let unpacked =
        Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(into).status().expect("tar");
    assert!(unpacked.success());
}

#[test]
fn a_directory_of_the_first_release_is_served_imported_into_and_clean() {
    let first = b"first version of a\n".to_vec();
    let second = b"second version of a\n".to_vec();
    let objects = [
        ("a.txt".to_owned(), second.clone()),
        ("folder/b.txt".to_owned(), b"b\n".repeat(40)),
        ("new".to_owned(), b"new".to_vec()),
    ];
    let source = Source::start(objects.into_iter().collect::<Objects>(), Settings::default());
    let folder = Folder::new();
    let data = folder.path("data");
    unpack("format-1.tar.gz", &data);

    let server = Server::start(&data, |_| {});
    let user = User::admin(&server, &data);
    let log = user.call("GET", &format!("{REPOSITORY}/log"), None);
    assert_eq!(log["results"].as_array().map(Vec::len), Some(2));
    assert_eq!(user.object("data", "in/a.txt"), second);
    let old = format!("in/a.txt&ref={}", log["results"][1]["id"].as_str().expect("an id"));
    assert_eq!(user.object("data", &old), first);

    let connector = format!("{ORGANIZATION}/connectors/{}", user.connector().as_str().expect("id"));
    user.call("PATCH", &connector, Some(json!({"config": source.config()})));
    let import = user.import("data", "");
    assert_eq!((&import["objects_imported"], &import["objects_unchanged"]), (&3.into(), &2.into()));
    assert_eq!(source.s3.stats().count(Op::Get), 1, "what was there is not read again");
    assert_eq!(user.object("data", "in/new"), b"new");
    assert_eq!(user.object("data", "in/folder/c.bin").len(), 1_024);
    let jobs = user.call("GET", &format!("{REPOSITORY}/import"), None);
    assert_eq!(jobs["results"].as_array().map(Vec::len), Some(3), "{jobs}");
    server.stop();
    assert!(said(&run(&data, &["check"])).contains("clean (3 commits"));
}

#[test]
fn a_directory_from_before_there_were_sessions_takes_them() {
    let second = b"second version of a\n";
    let folder = Folder::new();
    let data = folder.path("data");
    unpack("format-1-catalog-2.tar.gz", &data);

    // The trash has expired, by the time this is run.
    let server = Server::start(&data, |command| {
        command.env("TILDE__GC__INTERVAL_HOURS", "0");
    });
    let user = User::admin(&server, &data);
    let before = user.log();
    assert_eq!(before.len(), 2);
    let session = user.session();
    assert_eq!(user.paths(Some(&session)), ["in/a.txt", "in/folder/c.bin"]);
    user.upload(&session, "small", b"uploaded").expect("uploaded");
    user.put(&session, "large", &vec![7; 3 << 20]).expect("uploaded");
    user.copy(&session, "in/a.txt", "copy").expect("copied");
    let commit = user.commit(&session).expect("committed");
    assert_eq!(user.log(), [&*commit, &*before[0], &*before[1]]);
    let read = |path: &str| user.object("data", path);
    assert_eq!((read("small"), read("copy")), (b"uploaded".to_vec(), second.to_vec()));
    assert_eq!((read("in/a.txt"), read("large").len()), (second.to_vec(), 3 << 20));
    let old = format!("in/folder/b.txt&ref={}", before[1]);
    assert_eq!(user.object("data", &old), b"b\n".repeat(40));
    assert_eq!(user.object("copy", "from/in/a.txt"), second);

    // Deleted by a mirror of the former version; reverted by this one.
    let revert = format!("{REPOSITORY}/commits/{}/revert", before[0]);
    user.call("POST", &revert, None);
    let first = b"first version of a\n";
    assert_eq!((read("in/a.txt"), read("in/folder/b.txt")), (first.to_vec(), b"b\n".repeat(40)));
    assert_eq!(read("small"), b"uploaded");
    let jobs = user.call("GET", &format!("{REPOSITORY}/import"), None);
    assert_eq!(jobs["results"].as_array().map(Vec::len), Some(3), "{jobs}");
    server.stop();
    assert!(said(&run(&data, &["check"])).contains("clean (5 commits"));
    let undone = said(&run(&data, &["gc", "--undo"]));
    assert!(undone.contains("brought back from the trash: 9 segments"), "{undone}");
    assert!(said(&run(&data, &["check"])).contains("clean (5 commits"));
}
