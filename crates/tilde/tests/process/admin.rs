//! `tilde admin`, without a server and beside one.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::program::{Folder, Server, refused, run, said, tilde};

fn add_with_password(data: &Path, name: &str, password: &str) -> Output {
    let mut child = tilde()
        .args(["admin", "user", "add", name, "--password-stdin", "--data-dir"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    writeln!(child.stdin.take().expect("piped"), "{password}").expect("sent");
    child.wait_with_output().expect("it ends")
}

fn username(server: &Server, token: &str) -> Option<String> {
    let (status, me) = server.call("GET", "/api/v1/auth/me", token, None);
    (status == 200).then(|| me["user"]["username"].as_str().expect("a name").to_owned())
}

#[test]
fn users_and_keys_are_made_without_a_server_and_beside_one() {
    let folder = Folder::new();
    let data = folder.path("data");
    let too_early = refused(&run(&data, &["admin", "user", "add", "ann"]), 1);
    assert!(too_early.contains("is not a data directory"), "{too_early}");
    assert!(!data.exists());

    Server::start(&data, |_| {}).stop();
    assert_eq!(said(&run(&data, &["admin", "user", "add", "ann"])), "added user ann\n");
    let create = ["admin", "key", "create", "--user", "ann"];
    let offline = said(&run(&data, &create)).trim().to_owned();
    assert!(offline.starts_with("tuk-"));

    let server = Server::start(&data, |_| {});
    assert_eq!(username(&server, &offline).as_deref(), Some("ann"));
    let beside = said(&run(&data, &[&create[..], &["--name", "laptop"]].concat()));
    assert_eq!(username(&server, beside.trim()).as_deref(), Some("ann"));
    said(&add_with_password(&data, "bob", "a long enough password"));
    let bob = said(&run(&data, &["admin", "key", "create", "--user", "bob"]));
    assert_eq!(username(&server, bob.trim()).as_deref(), Some("bob"));

    assert!(refused(&run(&data, &["admin", "user", "add", "ann"]), 1).contains("exists already"));
    let nobody = refused(&run(&data, &["admin", "key", "create", "--user", "nobody"]), 1);
    assert!(nobody.contains("not found"), "{nobody}");
    assert!(refused(&add_with_password(&data, "eve", ""), 1).contains("no password"));
    server.stop();
}
