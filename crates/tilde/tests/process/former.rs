//! A data directory that an earlier version wrote is brought forward when it is opened.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use testkit::s3::{Objects, Op, Settings};

use crate::importing::{ORGANIZATION, REPOSITORY, Source, User};
use crate::program::{Folder, Server, run, said};

/// `tests/fixtures/README.md` says what is in it.
fn unpack(into: &Path) {
    std::fs::create_dir(into).expect("a folder");
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1.tar.gz");
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
    unpack(&data);

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
