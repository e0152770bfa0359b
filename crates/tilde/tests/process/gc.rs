//! `tilde gc`, without a server and beside one.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use testkit::s3::{Objects, Settings};

use crate::importing::{ORGANIZATION, Source, User, segment_files};
use crate::program::{Folder, Server, refused, run, said, tilde};

/// Bytes of an object of the repository that goes.
const LARGE: usize = 100_000;

/// A store with a repository that lives and one that was deleted; the server that runs on it.
fn store(data: &Path) -> Server {
    let objects = [
        ("live/a".to_owned(), vec![b'a'; 1_000]),
        ("dead/b".to_owned(), vec![b'b'; LARGE]),
        ("dead/c".to_owned(), vec![b'c'; LARGE]),
    ];
    let source = Source::start(objects.into_iter().collect::<Objects>(), Settings::default());
    let server = Server::start(data, |command| {
        command.env("TILDE__GC__INTERVAL_HOURS", "0");
    });
    let user = User::admin(&server, data);
    user.set_up(&source);
    for (name, prefix) in [("data", "live/"), ("gone", "dead/")] {
        user.repository(name);
        user.import(name, prefix);
    }
    user.call("DELETE", &format!("{ORGANIZATION}/repositories/gone"), None);
    server
}

fn report(data: &Path, arguments: &[&str]) -> Value {
    let output = run(data, &[&["gc", "--json"], arguments].concat());
    serde_json::from_str(&said(&output)).expect("JSON")
}

/// What is the same beside a server and without one.
fn collect_and_undo(data: &Path) {
    let text = said(&run(data, &["gc"]));
    let files = segment_files(data).len();
    assert!(text.contains("condemned: 2 segments in which nothing is needed"), "{text}");
    assert!(text.contains("for 24 h (gc.grace_hours)"), "{text}");

    let foretold = report(data, &["--dry-run", "--grace-hours", "0"]);
    assert_eq!((&foretold["trashed"], &foretold["condemned"]), (&2.into(), &0.into()));
    let refusal = refused(&run(data, &["gc", "--grace-hours", "0"]), 1);
    assert!(refusal.contains("more than 20 %") && refusal.contains("with force"), "{refusal}");
    assert_eq!(segment_files(data).len(), files, "nothing was taken away by any of these");

    let trashed = report(data, &["--grace-hours", "0", "--force"]);
    assert_eq!((&trashed["trashed"], &trashed["unlinked"]), (&2.into(), &0.into()));
    assert!(trashed["trashed_bytes"].as_u64() > Some(2 * LARGE as u64), "{trashed}");
    let undone = said(&run(data, &["gc", "--undo"]));
    assert!(undone.contains("brought back from the trash: "), "{undone}");

    let kept = said(&run(data, &["gc", "--grace-hours", "0", "--force"]));
    assert!(kept.contains("put into the trash: 2 segments"), "{kept}");
    assert!(kept.contains("7 days (gc.trash_days)"), "{kept}");
    let text = said(&run(data, &["gc", "--trash-days", "0"]));
    assert!(text.contains("freed: "), "{text}");
    assert!(
        segment_files(data)
            .iter()
            .all(|file| { std::fs::metadata(file).expect("a file").len() < LARGE as u64 })
    );
    assert_eq!(report(data, &["--undo"])["restored"], 0, "the trash is empty");
}

#[test]
fn without_a_server_it_collects_itself() {
    let folder = Folder::new();
    let data = folder.path("data");
    store(&data).stop();
    collect_and_undo(&data);
    assert!(said(&run(&data, &["check"])).contains("clean (1 commit, 1 entries"));
    let server = Server::start(&data, |_| {});
    assert_eq!(User::admin(&server, &data).object("data", "in/a"), vec![b'a'; 1_000]);
}

#[test]
fn beside_a_server_the_server_collects() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = store(&data);
    collect_and_undo(&data);
    assert_eq!(User::admin(&server, &data).object("data", "in/a"), vec![b'a'; 1_000]);
    assert!(said(&run(&data, &["check"])).contains("clean (1 commit, 1 entries"));
    let log = server.stop();
    assert!(log.contains("collection ended"), "it was the server: {log}");
}

#[test]
fn when_the_server_dies_it_takes_over() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = store(&data);
    server.signal("STOP");
    let mut command = tilde();
    command.args(["gc", "--data-dir"]).arg(&data).stdout(Stdio::piped()).stderr(Stdio::piped());
    let asking = command.spawn().expect("it runs");
    server.signal("KILL");
    drop(server);
    let output = asking.wait_with_output().expect("it ends");
    assert!(said(&output).contains("condemned: 2 segments"));
}

#[test]
fn what_cannot_run_says_so() {
    let folder = Folder::new();
    let data = folder.path("data");
    let refusal = refused(&run(&data, &["gc"]), 2);
    assert!(refusal.contains("is not a data directory"), "{refusal}");
    assert!(!data.exists());
    Server::start(&data, |_| {}).stop();
    refused(&run(&data, &["gc", "--undo", "--force"]), 2);
    refused(&run(&data, &["gc", "--grace-hours", "-1"]), 2);
    assert!(said(&run(&data, &["gc"])).contains("nothing to do"));
}
