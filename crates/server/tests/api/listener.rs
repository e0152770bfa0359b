//! The listener, over real sockets: ambiguous requests, slow clients, caps, TLS, and the orderly
//! end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{any, get};
use futures_util::StreamExt;
use futures_util::stream::once;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use server::{Limits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A listener with quick limits.
struct Served {
    addr: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

const QUICK: Limits =
    Limits { connections_max: 64, head_ms: 400, idle_ms: 800, shutdown_ms: 1_000 };

fn router() -> Router {
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "slow"
    };
    let cut = async || {
        let half = once(async { Ok(Bytes::from_static(b"half")) });
        let damage = once(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(std::io::Error::other("damaged"))
        });
        ([("content-length", "8")], Body::from_stream(half.chain(damage)))
    };
    Router::new()
        .route("/echo", any(|body: Bytes| async move { body }))
        .route("/slow", get(slow))
        .route("/never", get(std::future::pending::<()>))
        .route("/cut", get(cut))
        .route("/known", get(async || http::StatusCode::NOT_MODIFIED))
        .route("/secret", get(async || "smuggled"))
}

async fn start(limits: Limits, tls: Option<Arc<ServerConfig>>) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, router(), tls, limits, shutdown.clone()));
    Served { addr, shutdown, task }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("it listens")
    }

    /// Everything that comes back on one connection until the server closes it.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("it reads");
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let _end_or_reset =
        tokio::time::timeout(Duration::from_secs(5), reading).await.expect("the server closes");
    String::from_utf8(answer).expect("ASCII")
}

#[tokio::test]
async fn requests_that_two_parsers_could_read_differently_are_refused() {
    let server = start(QUICK, None).await;
    let hidden = "GET /secret HTTP/1.1\r\nhost: x\r\n\r\n";
    for headers in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 4\r\ncontent-length: 40\r\n",
        "content-length: 4\r\ncontent-length: 4\r\n",
        "content-length: +4\r\n",
        "content-length: 4,4\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding : chunked\r\n",
        "content-length : 4\r\n",
        "x: a\r\n folded: b\r\n",
        "x: a\ncontent-length: 4\r\n",
        "x: a\0b\r\n",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nhost: x\r\n{headers}\r\n0\r\n\r\n{hidden}");
        let answer = server.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers:?}: {answer}");
        assert!(!answer.contains("smuggled"), "{headers:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers:?}: {answer}");
        // The same in two pieces, cut inside of the headers.
        let mut stream = server.connect().await;
        let (first, second) = request.split_at(40);
        stream.write_all(first.as_bytes()).await.expect("it reads");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _closed_already = stream.write_all(second.as_bytes()).await;
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("smuggled") && !answer.contains(" 200 "), "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests_but_none_after_a_chunked_one() {
    let server = start(QUICK, None).await;
    let plain = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    let last = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                3\r\ndef\r\n0\r\n\r\n";
    let hidden = "GET /secret HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = server.exchange(format!("{plain}{plain}{last}{hidden}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert!(answer.ends_with("def") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_in_which_a_request_hides_stays_a_body() {
    let server = start(QUICK, None).await;
    let hidden = "GET /secret HTTP/1.1\r\nhost: x\r\n\r\n";
    let request = format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    let answer = server.exchange(request.as_bytes()).await;
    assert!(answer.ends_with(hidden) && !answer.contains("smuggled"), "{answer}");
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let server = start(QUICK, None).await;
    let long = format!("GET /echo HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(200 << 10));
    let many = format!("GET /echo HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: a\r\n".repeat(1_000));
    for request in [long, many] {
        let mut stream = server.connect().await;
        let _closed_early = stream.write_all(request.as_bytes()).await;
        let answer = rest(&mut stream).await;
        assert!(!answer.contains(" 200 "), "{answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed_while_others_are_served() {
    let server = start(QUICK, None).await;
    let begun = Instant::now();
    let mut silent = server.connect().await;
    let mut dripping = server.connect().await;
    let mut idle = server.connect().await;
    let request = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";
    idle.write_all(request).await.expect("it reads");

    let drip = async {
        dripping.write_all(b"GET /echo HTTP/1.1\r\n").await.expect("it reads");
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if dripping.write_all(b"x: a\r\n").await.is_err() {
                return begun.elapsed();
            }
        }
        panic!("a head that drips in is never given up");
    };
    let silence = async {
        assert_eq!(rest(&mut silent).await, "");
        begun.elapsed()
    };
    let idling = async {
        let answer = rest(&mut idle).await;
        assert!(answer.ends_with("slow"), "{answer}");
        begun.elapsed()
    };
    let (dripped, silent, idled) = tokio::join!(drip, silence, idling);
    assert!(dripped >= Duration::from_millis(400) && dripped < Duration::from_secs(2));
    assert!(silent >= Duration::from_millis(400) && silent < Duration::from_secs(2));
    assert!(idled >= Duration::from_millis(1_050) && idled < Duration::from_secs(3));
}

#[tokio::test]
async fn a_body_that_never_comes_and_an_answer_nobody_reads_end_the_connection() {
    let server = start(QUICK, None).await;
    let begun = Instant::now();
    let request = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    let answer = server.exchange(request).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(3));
    let answer = server.exchange(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_body_that_fails_is_never_a_clean_end() {
    let server = start(QUICK, None).await;
    let answer = server.exchange(b"GET /cut HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.contains("content-length: 8"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhalf"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_leaves_its_body_out_does_not_say_that_it_is_empty() {
    let server = start(QUICK, None).await;
    for request in ["GET /known", "HEAD /known", "HEAD /none"] {
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = server.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 304") || answer.starts_with("HTTP/1.1 404"));
        assert!(answer.ends_with("\r\n\r\n") && !answer.contains("content-length"), "{answer}");
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let server = start(Limits { connections_max: 1, ..QUICK }, None).await;
    let request = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let begun = Instant::now();
    let (first, second) = tokio::join!(server.exchange(request), server.exchange(request));
    assert!(first.ends_with("slow") && second.ends_with("slow"), "{first} {second}");
    assert!(begun.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_cuts_off_what_does_not() {
    let server = start(QUICK, None).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
    let mut never = server.connect().await;
    never.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    server.shutdown.cancel();
    assert!(rest(&mut slow).await.ends_with("slow"));
    assert_eq!(rest(&mut never).await, "");
    server.task.await.expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(TcpStream::connect(server.addr).await.is_err());
}

#[tokio::test]
async fn tls_is_served_with_the_config_handed_in() {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/certificate.pem"));
    let certificate = certificate.expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a pair");
    let server = start(QUICK, Some(Arc::new(config))).await;

    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = connector.connect(name, server.connect().await).await;
    let mut stream = stream.expect("a handshake");
    let request = b"GET /secret HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    assert!(answer.ends_with("smuggled"), "{answer}");

    // Plain HTTP, and silence, end the connection.
    let plain = server.exchange(b"GET /secret HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!plain.contains("smuggled"));
    assert_eq!(rest(&mut server.connect().await).await, "");
}
