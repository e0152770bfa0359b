//! The quickstart as a user runs it, and `tilde check` on what it leaves.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::program::{Folder, Server, refused, run, said, tilde};

fn once(data: &Path) -> Output {
    run(data, &["quickstart", "--once", "--listen", "127.0.0.1:0"])
}

#[test]
fn it_succeeds_twice_and_leaves_a_clean_directory() {
    let folder = Folder::new();
    let data = folder.path("data");
    for again in [false, true] {
        let text = said(&once(&data));
        for expected in [
            "imported 121 objects",
            "stopped the sample bucket",
            "Commit ",
            "s3://sample-bucket/datasets/",
            "byte for byte what the sample bucket held",
            "serve --data-dir",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert_eq!(text.contains("there already"), again, "{text}");
        assert!(!text.contains('\x1b') && !text.contains("tuk-"), "{text}");
    }
    let checked = said(&run(&data, &["check"]));
    assert!(checked.contains(": clean (2 commits"), "{checked}");
    let server = Server::start(&data, |_| {});
    assert!(said(&run(&data, &["check"])).contains("clean"), "beside a server");
    let (_, log) = server.call(
        "GET",
        "/api/v1/organizations/demo/repositories/weather/log",
        &crate::program::admin_key(&data),
        None,
    );
    let commits = log["results"].as_array().expect("commits").clone();
    server.stop();
    let digests: Vec<String> = commits
        .iter()
        .map(|commit| {
            said(&run(&data, &["check", "--digest", commit["id"].as_str().expect("an id")]))
        })
        .collect();
    assert_eq!(digests.len(), 2);
    assert!(digests.iter().all(|digest| digest.trim().len() == 64));
}

#[test]
fn a_flipped_bit_is_found_and_named() {
    let folder = Folder::new();
    let data = folder.path("data");
    said(&once(&data));
    let segment = largest_file(&data.join("segments"));
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let damaged = run(&data, &["check"]);
    let text = String::from_utf8_lossy(&damaged.stdout).into_owned();
    assert_eq!(damaged.status.code(), Some(1), "{text}");
    assert!(text.contains("damaged: ") && text.contains("DAMAGED"), "{text}");
    assert!(text.contains("path \""), "{text}");

    let catalog = data.join("tilde.db");
    let mut bytes = std::fs::read(&catalog).expect("the catalog");
    bytes[0] ^= 1;
    std::fs::write(&catalog, bytes).expect("written");
    let damaged = run(&data, &["check"]);
    let text = String::from_utf8_lossy(&damaged.stdout).into_owned();
    assert_eq!(damaged.status.code(), Some(1), "{text}");
    assert!(text.contains("damaged: ") && text.contains("tilde.db"), "{text}");
    let mut bytes = std::fs::read(&catalog).expect("the catalog");
    bytes[0] ^= 1;
    std::fs::write(&catalog, bytes).expect("written");

    let nothing = refused(&run(&folder.path("nothing"), &["check"]), 2);
    assert!(nothing.contains("is not a data directory"), "{nothing}");
    let unknown = run(&data, &["check", "--digest", "00000000"]);
    assert!(refused(&unknown, 2).contains("not found"));
}

#[test]
fn a_taken_port_gives_way_to_a_free_one() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let text = said(&run(
        &folder.path("data"),
        &["quickstart", "--once", "--listen", &address.to_string()],
    ));
    let expected = format!("port {} is taken, so a free one is used", address.port());
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn it_stays_up_with_what_to_do_next_until_a_signal() {
    let folder = Folder::new();
    let data = folder.path("data with space");
    let output = folder.path("output");
    let mut child = tilde()
        .args(["quickstart", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .stdout(std::fs::File::create(&output).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let read = || std::fs::read_to_string(&output).expect("UTF-8");
    let mut rounds = 0..600;
    while !read().contains("Ctrl-C stops it") {
        rounds.next().expect("it does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = read();
    for expected in [
        "export TILDE_ENDPOINT_URL=http://127.0.0.1:",
        "admin.key",
        "curl -H \"Authorization: Bearer $TILDE_API_KEY\"",
        "pip install -q tilde-sdk",
        "\nEND\n",
        "rm -r '",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-s", "INT", &pid]).status().expect("kill runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    said(&once(&data));
}

#[test]
fn an_own_source_needs_credentials_and_a_bucket_that_answers() {
    let folder = Folder::new();
    let quickstart = |source: &str, environment: &[(&str, &str)]| {
        tilde()
            .args(["quickstart", "--once", "--listen", "127.0.0.1:0", "--source", source])
            .arg("--data-dir")
            .arg(folder.path("data"))
            .envs(environment.iter().copied())
            .output()
            .expect("it runs")
    };
    let bare = refused(&quickstart("s3://bucket/", &[]), 1);
    assert!(bare.contains("AWS_ACCESS_KEY_ID is not set"), "{bare}");
    let credentials = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ];
    let silent = quickstart("s3://bucket/", &credentials);
    let message = refused(&silent, 1);
    assert!(message.contains("cannot read s3://bucket/"), "{message}");
    assert!(!message.contains("hush-hush"));
    assert!(!String::from_utf8_lossy(&silent.stdout).contains("hush-hush"));
}

#[test]
fn an_own_bucket_is_imported_with_the_usual_variables() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let credentials = sample::Credentials {
        access_key_id: "own-id".to_owned(),
        secret_access_key: "hush-hush".to_owned(),
    };
    let _in_runtime = runtime.enter();
    let bucket = sample::demo_bucket();
    let source = sample::Server::start(listener, [bucket], credentials, std::time::SystemTime::now);
    let folder = Folder::new();
    let quickstart = |secret: &str| {
        tilde()
            .args(["quickstart", "--once", "--listen", "127.0.0.1:0"])
            .args(["--source", "s3://sample-bucket/datasets/notes", "--endpoint"])
            .arg(format!("http://{}", source.addr()))
            .arg("--data-dir")
            .arg(folder.path("data"))
            .env("AWS_ACCESS_KEY_ID", "own-id")
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .output()
            .expect("it runs")
    };
    let text = said(&quickstart("hush-hush"));
    assert!(text.contains("repository demo/sample-bucket"), "{text}");
    assert!(text.contains("imported 2 objects") && text.contains("with its BLAKE3"), "{text}");
    assert!(text.contains("how to read.txt") && text.contains("donn\u{e9}es.md"), "{text}");
    let wrong = refused(&quickstart("wrong"), 1);
    assert!(wrong.contains("SignatureDoesNotMatch"), "{wrong}");
}

fn largest_file(folder: &Path) -> PathBuf {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort_by_key(|path| path.metadata().map_or(0, |metadata| metadata.len()));
    files.pop().expect("a file")
}
