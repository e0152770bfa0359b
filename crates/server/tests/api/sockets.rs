//! The API over real sockets: bodies that are framed in two ways or come too early, and addresses
//! that log in too often.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use server::{Limits, serve};
use testkit::s3::Objects;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, local, place};

async fn listen(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (router, shutdown) = (world.router.clone(), world.shutdown.clone());
    tokio::spawn(serve(listener, router, None, Limits::default(), shutdown));
    address
}

/// All that comes back until the server closes the connection.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let _closed_early = stream.write_all(request).await;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let _end_or_reset =
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn upload_link(world: &World, session: &str) -> String {
    let begun = world.call("PUT", &place("object", session, "a"), None).await.is(200).json();
    local(&begun["upload_url"])
}

#[tokio::test]
async fn a_body_with_a_length_and_chunks_is_no_upload() {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    let address = listen(&world).await;
    let link = upload_link(&world, &session).await;
    let direct = place("object", &session, "a");
    let hidden = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    for path in [&link, &direct] {
        for framing in [
            "content-length: 4\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
            "content-length: 4\r\ncontent-length: 5\r\n",
        ] {
            let head = format!(
                "PUT {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{framing}\r\n",
                world.owner
            );
            let request = format!("{head}1\r\nx\r\n0\r\n\r\n{hidden}");
            let answer = exchange(address, request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{framing}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{framing}: {answer}");
        }
    }
    world.get(&direct).await.refused(404);
}

#[tokio::test]
async fn uploads_with_a_length_keep_the_connection_and_others_end_it() {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    let address = listen(&world).await;
    let link = upload_link(&world, &session).await;
    let put = |framing: &str, body: &str| {
        format!("PUT {link} HTTP/1.1\r\nhost: x\r\n{framing}\r\n{body}")
    };
    let known = put("content-length: 5\r\n", "bytes");
    let chunked = put("transfer-encoding: chunked\r\n", "5\r\nbytes\r\n0\r\n\r\n");
    let answer = exchange(address, format!("{known}{known}{chunked}{known}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert_eq!(answer.matches("etag: \"").count(), 3, "{answer}");

    // Refused before the body has come: the answer is there at once, and the connection ends.
    let refused = "PUT /api/v1/uploads/x HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n";
    let answer = exchange(address, refused.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    let waits = "PUT /api/v1/uploads/x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                 content-length: 999\r\n\r\n";
    let answer = exchange(address, waits.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "the body is not asked for: {answer}");
}

#[tokio::test]
async fn an_address_with_too_many_wrong_passwords_waits() {
    let world = World::bare(Objects::new()).await;
    let address = listen(&world).await;
    let attempt = async |login: &str, forwarded: &str| {
        let body = json!({"login": login, "password": "wrong"}).to_string();
        let request = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             x-forwarded-for: {forwarded}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        exchange(address, request.as_bytes()).await
    };
    let mut limited = None;
    for number in 0..20 {
        // Other accounts, and an address that nobody vouches for: neither helps.
        let answer = attempt(&format!("user-{number}"), &format!("203.0.113.{number}")).await;
        if answer.starts_with("HTTP/1.1 429 ") {
            limited = Some(answer);
            break;
        }
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    let limited = limited.expect("the address is limited");
    assert!(limited.contains("RATE_LIMITED") && limited.contains("retry-after: "), "{limited}");
}

#[tokio::test]
async fn an_early_answer_is_read_though_the_body_is_not() {
    const SENT: usize = 900 << 10;
    let world = World::new(Objects::new()).await;
    let address = listen(&world).await;
    // More than fits in between: without the server's reading, the client's writing would end in a
    // reset, and with it the answer that it has not read yet.
    for (length, times) in [(SENT, 20), (64 << 20, 2)] {
        for _ in 0..times {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            let head =
                format!("PUT /api/v1/uploads/x HTTP/1.1\r\nhost: x\r\ncontent-length: {length}");
            stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.expect("sent");
            for chunk in vec![b'x'; SENT].chunks(64 << 10) {
                stream.write_all(chunk).await.expect("the server reads on");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let mut answer = Vec::new();
            let reading = stream.read_to_end(&mut answer);
            let ended = tokio::time::timeout(Duration::from_secs(5), reading).await;
            ended.expect("the server closes").expect("in order");
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
            assert!(answer.contains("LINK_INVALID"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_not_read_for_ever() {
    let world = World::new(Objects::new()).await;
    let address = listen(&world).await;
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut reader, mut writer) = stream.into_split();
    let head = "PUT /api/v1/uploads/x HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n";
    writer.write_all(head.as_bytes()).await.expect("sent");
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        while writer.write_all(&[b'x'; 64 << 10]).await.is_ok() {
            sent += 64 << 10;
        }
        sent
    });
    let mut answer = Vec::new();
    let since = std::time::Instant::now();
    let _end_or_reset = reader.read_to_end(&mut answer).await;
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 403 "));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    // What is on its way in buffers of the system comes on top.
    assert!(sending.await.expect("no panic") < 32 << 20);
}
