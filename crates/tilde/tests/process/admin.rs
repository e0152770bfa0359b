//! `tilde admin`, without a server and beside one.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::program::{Folder, Server, refused, run, said, tilde};

fn with_password(data: &Path, verb: &str, name: &str, password: &str) -> Output {
    let mut child = tilde()
        .args(["admin", "user", verb, name, "--password-stdin", "--data-dir"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    writeln!(child.stdin.take().expect("piped"), "{password}").expect("sent");
    child.wait_with_output().expect("it ends")
}

/// The status of a request with name and password.
fn by_password(server: &Server, name: &str, password: &str) -> u16 {
    let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    server.authorized("GET", "/api/v1/auth/me", &basic, None).0
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
    said(&with_password(&data, "add", "bob", "a long enough password"));
    let bob = said(&run(&data, &["admin", "key", "create", "--user", "bob"]));
    assert_eq!(username(&server, bob.trim()).as_deref(), Some("bob"));

    assert!(refused(&run(&data, &["admin", "user", "add", "ann"]), 1).contains("exists already"));
    let nobody = refused(&run(&data, &["admin", "key", "create", "--user", "nobody"]), 1);
    assert!(nobody.contains("not found"), "{nobody}");
    assert!(refused(&with_password(&data, "add", "eve", ""), 1).contains("no password"));
    server.stop();
}

#[test]
fn a_password_is_set_beside_the_server_and_works_at_once() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Server::start(&data, |_| {});
    said(&with_password(&data, "add", "bob", "a long enough password"));
    assert_eq!(by_password(&server, "bob", "a long enough password"), 200);
    let set = said(&with_password(&data, "password", "bob", "quite another one"));
    assert!(set.starts_with("set the password of user bob"), "{set}");
    assert_eq!(by_password(&server, "bob", "quite another one"), 200);
    assert_eq!(by_password(&server, "bob", "a long enough password"), 401);

    let silent = refused(&run(&data, &["admin", "user", "password", "bob"]), 1);
    assert!(silent.contains("--password-stdin"), "{silent}");
    let nobody = refused(&with_password(&data, "password", "nobody", "a long password"), 1);
    assert!(nobody.contains("user not found"), "{nobody}");
    let short = refused(&with_password(&data, "password", "bob", "short"), 1);
    assert!(short.contains("at least 8 characters") && !short.contains("short"), "{short}");
    assert_eq!(by_password(&server, "bob", "quite another one"), 200, "nothing has changed");
    server.stop();
}
