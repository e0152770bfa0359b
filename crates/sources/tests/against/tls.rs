//! TLS: verified always, and a wrong scheme is called that.

use crate::reading;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use sources::{Config, Egress, Private, Sources};
use testkit::s3::{HostileS3, Objects};
use testkit::{SeededEntropy, SystemClock};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{TIMEOUTS, config, list_all, opener, source_at, uri};

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "tls", name].iter().collect()
}

/// Puts TLS before a plain server; gives the endpoint.
async fn with_tls(server: &HostileS3, certificate: &str) -> String {
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("supported versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("key and certificate fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    let inner = server.addr();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(inner).await.expect("the server listens");
                let _either_side_closes =
                    tokio::io::copy_bidirectional(&mut outer, &mut plain).await;
            });
        }
    });
    endpoint
}

async fn server() -> HostileS3 {
    HostileS3::start(Objects::from([("a", "1")])).await
}

#[tokio::test]
async fn a_certificate_of_the_operators_authority_is_trusted() {
    let server = server().await;
    let endpoint = with_tls(&server, "server.pem").await;
    let opener = opener(SystemClock, vec![file("authority.pem")]);
    let config = config(&endpoint, json!({}));
    let source = opener.open(&uri(), config, reading(b"", 1)).expect("a source");
    assert_eq!(list_all(&*source).await.expect("a listing").len(), 1);
}

/// Closes every connection once so many bytes have come down it.
async fn cut_after(endpoint: &str, bytes: u64) -> String {
    let inner = endpoint.strip_prefix("https://").expect("an endpoint with TLS").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let cut = format!("https://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((outer, _)) = listener.accept().await {
            let whole = TcpStream::connect(&inner).await.expect("the server listens");
            tokio::spawn(async move {
                let (mut up_from, mut down_to) = outer.into_split();
                let (down_from, mut up_to) = whole.into_split();
                let up = tokio::io::copy(&mut up_from, &mut up_to);
                let mut limited = down_from.take(bytes);
                let down = tokio::io::copy(&mut limited, &mut down_to);
                tokio::select! {
                    _ = down => {}
                    Err(_) = up => {}
                }
            });
        }
    });
    cut
}

#[tokio::test]
async fn a_connection_cut_within_a_record_gives_no_whole_body() {
    let long: Vec<u8> = (0..1 << 20).map(|at: u32| (at ^ (at >> 9)) as u8).collect();
    let server = HostileS3::start(Objects::from([("k", long.clone())])).await;
    let endpoint = with_tls(&server, "server.pem").await;
    let opener = opener(SystemClock, vec![file("authority.pem")]);
    let whole = config(&endpoint, json!({}));
    let whole = opener.open(&uri(), whole, reading(b"", 1)).expect("a source");
    let object = whole.stat(b"k").await.expect("a look-up").expect("it is there");
    assert!(super::read(&*whole, &object).await.expect("an object") == long);
    for bytes in [50_000, 200_001, 700_007] {
        let config = config(&cut_after(&endpoint, bytes).await, json!({}));
        let source = opener.open(&uri(), config, reading(b"", 1)).expect("a source");
        let error = super::read(&*source, &object).await.expect_err("a cut body");
        assert!(error.to_string().contains("cut a body short"), "{error}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn every_other_certificate_is_refused_at_once() {
    let server = server().await;
    for (certificate, trusted, part) in [
        ("server.pem", false, "add the authority's certificate (PEM) to sources.ca_files"),
        ("expired.pem", true, "has expired"),
        ("misnamed.pem", true, "is made out to another name"),
    ] {
        let endpoint = with_tls(&server, certificate).await;
        let files = if trusted { vec![file("authority.pem")] } else { Vec::new() };
        let config = config(&endpoint, json!({}));
        let source =
            opener(SystemClock, files).open(&uri(), config, reading(b"", 1)).expect("a source");
        let start = std::time::Instant::now();
        let error = source.list(None, None).await.expect_err("an untrusted certificate");
        assert!(start.elapsed() < TIMEOUTS.retry, "it is not retried");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(server.stats().connections, 0);
}

#[tokio::test]
async fn a_wrong_scheme_is_called_that() {
    let server = server().await;
    let tls = with_tls(&server, "server.pem").await;
    let plain_to_tls = source_at(&tls.replace("https", "http"), "", json!({}));
    let error = plain_to_tls.list(None, None).await.expect_err("the wrong scheme").to_string();
    assert!(error.contains("with the right scheme (http or https)"), "{error}");
    // A plain server that waits for the rest of a request it cannot read.
    let tls_to_plain = source_at(&server.endpoint().replace("http", "https"), "", json!({}));
    let error = tls_to_plain.list(None, None).await.expect_err("the wrong scheme").to_string();
    assert!(error.contains("the connector's endpoint"), "{error}");
    let answering = sample_server().await;
    let tls_to_answering = source_at(&answering, "", json!({}));
    let error = tls_to_answering.list(None, None).await.expect_err("the wrong scheme").to_string();
    assert!(error.contains("http instead of https"), "{error}");
}

/// A server that answers anything in plain HTTP, as most do.
async fn sample_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _hello = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("the client reads");
        }
    });
    endpoint
}

#[test]
fn a_file_without_certificates_is_named() {
    for name in ["server.key", "absent.pem"] {
        let egress = Egress { private: Private::Allow, own: Vec::new() };
        let expected = format!("the file {} holds no readable certificate", file(name).display());
        let ca_files = vec![file(name)];
        let config = Config {
            egress,
            ca_files,
            s3_endpoint: None,
            gcs_endpoint: None,
            gcs_token_endpoint: sources::TokenEndpoint::Google,
            timeouts: TIMEOUTS,
        };
        let entropy = Arc::new(SeededEntropy::new(1));
        let error = Sources::new(config, Arc::new(SystemClock), entropy).err().expect("no roots");
        assert_eq!(error.to_string(), expected);
    }
}
