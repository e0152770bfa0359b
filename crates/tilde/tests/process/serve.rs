//! The life of a server process: start, first user, lock, format, ports, signals, and what it never
//! shows.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::program::{Folder, Server, admin_key, refused, run, said, tilde};
use serde_json::json;

#[test]
fn a_server_starts_answers_and_stops_in_order() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Server::start(&data, |_| {});
    let token = admin_key(&data);
    let (status, me) = server.call("GET", "/api/v1/auth/me", &token, None);
    assert_eq!((status, me["user"]["username"].as_str()), (200, Some("admin")));
    assert_eq!(server.call("GET", "/livez", "", None).0, 200);
    assert_eq!(server.call("GET", "/readyz", "", None).0, 200);
    let log = server.stop();
    assert!(log.contains("started") && log.contains("stopped"), "{log}");

    let again = Server::start(&data, |_| {});
    assert!(!again.greeting.contains("API key"), "{}", again.greeting);
    assert_eq!(again.call("GET", "/api/v1/auth/me", &token, None).0, 200);
    again.signal("INT");
    assert_eq!(again.ended().0.code(), Some(0));
}

#[test]
fn the_first_key_is_private_and_in_no_output() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Server::start(&data, |command| {
        command.env("TILDE__LOG__LEVEL", "trace").env("TILDE__LOG__FORMAT", "json");
    });
    let token = admin_key(&data);
    for (path, mode) in [
        ("", 0o700),
        ("admin.key", 0o600),
        ("keys", 0o700),
        ("keys/encryption.key", 0o600),
        ("tilde.db", 0o600),
        ("tilde.db-wal", 0o600),
    ] {
        let found = std::fs::metadata(data.join(path)).expect("it exists").permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
    let secret = "hush-hush-hush";
    server.call(
        "POST",
        "/api/v1/organizations",
        &token,
        Some(json!({"name": "acme", "display_name": "A"})),
    );
    let connector = json!({
        "name": "c", "type": "s3", "source_uri": "s3://bucket/",
        "config": {
            "access_key_id": "id", "secret_access_key": secret, "endpoint": "http://127.0.0.1:9",
        },
    });
    let (status, _) =
        server.call("POST", "/api/v1/organizations/acme/connectors", &token, Some(connector));
    assert_eq!(status, 201);
    let key = std::fs::read_to_string(data.join("keys/encryption.key")).expect("a key");
    let command_line = std::fs::read(format!("/proc/{}/cmdline", server.pid())).expect("it runs");
    let greeting = server.greeting.clone();
    assert!(greeting.contains("admin.key"), "{greeting}");
    let log = server.stop();
    let first = log.lines().next().expect("it logs");
    assert!(serde_json::from_str::<serde_json::Value>(first).is_ok(), "{first}");
    let seen = format!("{greeting}{log}{}", String::from_utf8_lossy(&command_line));
    for secret in [&*token, secret, key.trim()] {
        assert!(!seen.contains(secret));
    }
    let catalog = std::fs::read(data.join("tilde.db")).expect("the catalog");
    assert!(!catalog.windows(secret.len()).any(|window| window == secret.as_bytes()));
    assert!(!catalog.windows(token.len()).any(|window| window == token.as_bytes()));
}

#[test]
fn a_start_warns_of_connectors_whose_key_is_lost() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Server::start(&data, |_| {});
    let token = admin_key(&data);
    let connector = json!({
        "name": "c", "type": "s3", "source_uri": "s3://bucket/",
        "config": {"access_key_id": "id", "secret_access_key": "secret"},
    });
    for (path, body) in [
        ("", json!({"name": "acme", "display_name": "A"})),
        ("/acme/repositories", json!({"name": "repo"})),
        ("/acme/connectors", connector),
    ] {
        let path = format!("/api/v1/organizations{path}");
        assert_eq!(server.call("POST", &path, &token, Some(body)).0, 201, "{path}");
    }
    server.stop();
    assert!(!Server::start(&data, |_| {}).stop().contains("auth.encryption.keys"));
    std::fs::remove_file(data.join("keys/encryption.key")).expect("lost");
    assert!(Server::start(&data, |_| {}).stop().contains("add it to auth.encryption.keys"));
}

#[test]
fn the_first_user_can_be_given() {
    let folder = Folder::new();
    let data = folder.path("data");
    let made = folder.path("other");
    drop(Server::start(&made, |_| {}));
    let token = admin_key(&made);
    let server = Server::start(&data, |command| {
        command.env("TILDE_BOOTSTRAP_API_KEY", &token);
        command.env("TILDE_BOOTSTRAP_PASSWORD", "a long enough password");
    });
    assert_eq!(server.call("GET", "/api/v1/auth/me", &token, None).0, 200);
    assert!(!data.join("admin.key").exists());
    drop(server);
    let bad = tilde()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path("third"))
        .env("TILDE_BOOTSTRAP_API_KEY", "secret")
        .output()
        .expect("it runs");
    assert!(refused(&bad, 1).contains("TILDE_BOOTSTRAP_API_KEY"));
}

#[test]
fn the_first_key_is_kept_before_it_is_made() {
    let folder = Folder::new();
    let data = folder.path("data");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir"];
    let weak = tilde().args(serve).arg(&data).env("TILDE_BOOTSTRAP_PASSWORD", "short").output();
    assert!(refused(&weak.expect("it runs"), 1).contains("TILDE_BOOTSTRAP_PASSWORD"));
    let file = data.join("admin.key");
    assert!(!file.exists(), "a key that opens nothing is not left behind");

    // Nothing can be written there, as if the process had died on the way.
    std::fs::create_dir(&file).expect("made");
    assert!(refused(&run(&data, &serve[..3]), 1).contains("admin.key"));
    std::fs::remove_dir(&file).expect("removed");
    let server = Server::start(&data, |_| {});
    assert_eq!(server.call("GET", "/api/v1/auth/me", &admin_key(&data), None).0, 200);
}

#[test]
fn a_data_directory_in_use_newer_or_foreign_is_refused() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Server::start(&data, |_| {});
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let message = refused(&run(&data, &serve), 1);
    assert!(message.contains(&data.display().to_string()) && message.contains("lock"), "{message}");
    server.stop();

    let format = data.join("format");
    let present = std::fs::read_to_string(&format).expect("a format");
    std::fs::write(&format, present.replace("tilde 1", "tilde 2")).expect("written");
    for command in [&serve[..], &["admin", "key", "create", "--user", "admin"]] {
        assert!(refused(&run(&data, command), 1).contains("a newer version of tilde"));
    }
    assert!(refused(&run(&data, &["check"]), 2).contains("a newer version of tilde"));
    std::fs::write(&format, &present).expect("written");
    run_and_stop(&data);

    let foreign = folder.path("foreign");
    std::fs::create_dir(&foreign).expect("made");
    std::fs::write(foreign.join("letter.txt"), "").expect("written");
    assert!(refused(&run(&foreign, &serve), 1).contains("it holds letter.txt"));
}

#[test]
fn a_catalog_of_another_directory_is_refused() {
    let folder = Folder::new();
    let (data, other) = (folder.path("data"), folder.path("other"));
    run_and_stop(&data);
    run_and_stop(&other);
    std::fs::copy(other.join("tilde.db"), data.join("tilde.db")).expect("copied");
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    assert!(refused(&run(&data, &serve), 1).contains("belongs to the store"));
    std::fs::remove_file(data.join("tilde.db")).expect("removed");
    assert!(refused(&run(&data, &serve), 1).contains("is missing"));
    assert!(!data.join("tilde.db").exists());
}

#[test]
fn a_taken_port_is_named() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let message = refused(&run(&folder.path("data"), &["serve", "--listen", &address]), 1);
    assert!(message.contains(&format!("{address} is taken")), "{message}");
    let metrics = tilde()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path("data"))
        .env("TILDE__METRICS__LISTEN", &address)
        .output()
        .expect("it runs");
    assert!(refused(&metrics, 1).contains("metrics.listen"));
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let folder = Folder::new();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let mut server = Server::start(&folder.path("data"), |command| {
        command.env("TILDE__METRICS__LISTEN", port.to_string());
    });
    assert_eq!(server.call("GET", "/metrics", "", None).0, 404);
    server.url = format!("http://{port}");
    assert_eq!(server.call("GET", "/metrics", "", None).0, 200);
    server.stop();
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = Folder::new();
    let server = Server::start(&folder.path("data"), |_| {});
    // A request that never ends its head keeps the orderly stop waiting.
    let address = server.url.strip_prefix("http://").expect("plain HTTP").to_owned();
    let mut open = std::net::TcpStream::connect(&address).expect("it listens");
    open.write_all(b"GET /livez HTTP/1.1\r\n").expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    let (status, log) = server.ended();
    assert!(started.elapsed() < Duration::from_secs(5), "{log}");
    assert!(matches!(status.code(), Some(0 | 130)), "{status}");
}

#[test]
fn the_version_is_said() {
    let version = said(&tilde().arg("version").output().expect("it runs"));
    assert_eq!(version, concat!("tilde ", env!("CARGO_PKG_VERSION"), "\n"));
}

fn run_and_stop(data: &Path) {
    Server::start(data, |_| {}).stop();
}

#[test]
fn https_is_spoken_with_the_configured_certificate() {
    let folder = Folder::new();
    let pem =
        |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../sources/tests/tls").join(name);
    let data = folder.path("data");
    let server = Server::start(&data, |command| {
        command.env("TILDE__TLS__CERT_FILE", pem("server.pem"));
        command.env("TILDE__TLS__KEY_FILE", pem("server.key"));
    });
    let address = server.url.strip_prefix("https://").expect("HTTPS").to_owned();
    let authority = CertificateDer::from_pem_file(pem("authority.pem")).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(authority).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = std::net::TcpStream::connect(&address).expect("it listens");
    let mut stream = rustls::StreamOwned::new(client, stream);
    let request = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    stream.write_all(request).expect("sent");
    let mut answer = String::new();
    let _end_or_cut = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop();

    let mixed = tilde()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .env("TILDE__TLS__CERT_FILE", pem("authority.pem"))
        .env("TILDE__TLS__KEY_FILE", pem("server.key"))
        .output()
        .expect("it runs");
    assert!(refused(&mixed, 1).contains("do not belong together"));
}
