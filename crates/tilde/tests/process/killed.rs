//! The server is killed at every step of an upload, a copy and a commit. What it had acknowledged
//! is there when it is back, of the rest there is all or nothing, and who tries again succeeds.
//!
//! `KILL_ROUNDS` repeats the whole table (a soak); the default is one round.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use crate::importing::{User, segment_files};
use crate::program::{Folder, Server, run, said};
use crate::staging::Parts;

/// Where the process ends, and at which of how many times in [`Work`].
const SITES: [(&str, u64); 14] = [
    ("upload.received", 1),
    ("upload.received", 2),
    ("upload.received", 3),
    ("upload.received", 4),
    ("upload.received", 5),
    ("upload.durable", 1),
    ("upload.durable", 3),
    ("upload.durable", 5),
    ("upload.durable", 6),
    ("upload.staged", 1),
    ("upload.staged", 3),
    ("upload.staged", 4),
    ("copy.found", 1),
    ("land.pages_durable", 1),
];
const BASE: &str = "base";

/// What a user does in one session, and how far it has come.
struct Work {
    session: String,
    /// Paths that were staged, with their bytes, as far as the server has said so.
    staged: Vec<(&'static str, Vec<u8>)>,
    parts: Option<Parts>,
    sent: usize,
    committed: Option<String>,
}

fn noise(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect()
}

/// Every object of the work; the one in parts has a first part that does not end with a piece.
fn objects() -> [(&'static str, Vec<u8>); 5] {
    [
        ("a-small", noise(1_000, 1)),
        ("b-large", noise(3 << 20, 2)),
        ("c-at-once", noise(2_000, 3)),
        ("d-parts", noise((5 << 20) + 7, 4)),
        ("e-copy", BASE.as_bytes().to_vec()),
    ]
}

impl Work {
    fn is_staged(&self, path: &str) -> bool {
        self.staged.iter().any(|(staged, _)| *staged == path)
    }

    /// Does what is not done yet; `None` if the server goes away.
    fn go_on(&mut self, user: &User<'_>) -> Option<()> {
        for (path, bytes) in objects() {
            if self.is_staged(path) {
                continue;
            }
            let session = self.session.clone();
            match path {
                "c-at-once" => user.put(&session, path, &bytes)?,
                "d-parts" => self.send_parts(user, path, &bytes)?,
                "e-copy" => user.copy(&session, BASE, path)?,
                _ => user.upload(&session, path, &bytes)?,
            }
            self.staged.push((path, bytes));
        }
        self.committed = Some(user.commit(&self.session)?);
        Some(())
    }

    /// Parts that were acknowledged before the server went away are not sent again.
    fn send_parts(&mut self, user: &User<'_>, path: &str, bytes: &[u8]) -> Option<()> {
        let session = self.session.clone();
        if self.parts.is_none() {
            self.parts = Some(user.begin_parts(&session, path)?);
        }
        let parts = self.parts.as_mut().expect("begun");
        for part in bytes.chunks(5 << 20).skip(self.sent) {
            user.send_part((&session, path), parts, part)?;
            self.sent += 1;
        }
        user.complete(&session, path, parts)
    }

    /// What is visible is what was acknowledged, and perhaps the step that was on its way; each
    /// object of it is whole.
    fn assert_all_or_nothing(&mut self, user: &User<'_>, at: &str) {
        assert_eq!(user.log().len(), 1, "{at}: no commit");
        assert_eq!(user.paths(None), [BASE], "{at}: nothing at the head");
        let seen = user.paths(Some(&self.session));
        let seen: Vec<&str> =
            seen.iter().map(|path| &**path).filter(|path| *path != BASE).collect();
        assert!(self.staged.iter().all(|(path, _)| seen.contains(path)), "{at}: {seen:?}");
        assert!(seen.len() <= self.staged.len() + 1, "{at}: {seen:?}");
        if seen.contains(&"d-parts") {
            // Completed, but it was not told: it is as if it had not begun.
            (self.parts, self.sent) = (None, 0);
        }
        for (path, bytes) in objects().iter().filter(|(path, _)| seen.contains(path)) {
            let read = user.object("data", &format!("{path}&session_id={}", self.session));
            assert!(read == *bytes, "{at}: {path}");
        }
    }
}

fn serve(data: &Path, failpoint: Option<&str>) -> Server {
    Server::start(data, |command| {
        command.env("TILDE__GC__INTERVAL_HOURS", "0");
        command.envs(failpoint.map(|failpoint| ("TILDE_FAILPOINTS", failpoint)));
    })
}

/// Nothing lies there that the catalog does not know.
fn assert_no_leftovers(data: &Path, at: &str) {
    let report = said(&run(data, &["gc", "--dry-run", "--json"]));
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let files = segment_files(data);
    assert_eq!(report["segments"], files.len(), "{at}: {report} {files:?}");
}

fn disturbed(site: &str, count: u64) {
    let (folder, at) = (Folder::new(), format!("{site}={count}"));
    let data = folder.path("data");
    let server = serve(&data, None);
    let user = User::admin(&server, &data);
    user.organization();
    let session = user.session();
    user.put(&session, BASE, BASE.as_bytes()).expect("uploaded");
    user.commit(&session).expect("committed");
    server.stop();
    std::fs::write(data.join("test-failpoints"), "").expect("the marker");

    let server = serve(&data, Some(&at));
    let user = User::admin(&server, &data);
    let mut work =
        Work { session: user.session(), staged: Vec::new(), parts: None, sent: 0, committed: None };
    assert!(work.go_on(&user).is_none(), "{at} was not reached");
    let (status, errors) = server.ended();
    assert!(status.signal().is_some(), "{at}: {status} {errors}");

    let server = serve(&data, None);
    let user = User::admin(&server, &data);
    work.assert_all_or_nothing(&user, &at);
    assert!(said(&run(&data, &["check"])).contains(": clean ("), "{at}");
    work.go_on(&user).expect("it is not killed again");
    let expected = ["a-small", "b-large", BASE, "c-at-once", "d-parts", "e-copy"];
    assert_eq!(user.paths(None), expected, "{at}");
    for (path, bytes) in objects() {
        assert!(user.object("data", path) == bytes, "{at}: {path}");
    }
    assert_eq!(user.log()[0], *work.committed.as_ref().expect("committed"), "{at}");
    assert_eq!(user.log().len(), 2, "{at}: committed once");
    assert!(said(&run(&data, &["check"])).contains(": clean ("), "{at}");
    server.stop();
    assert_no_leftovers(&data, &at);
}

#[test]
fn killed_at_any_step_an_upload_is_whole_or_nothing() {
    let rounds = std::env::var("KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for _ in 0..rounds.unwrap_or(1) {
        for (site, count) in SITES {
            disturbed(site, count);
        }
    }
}
