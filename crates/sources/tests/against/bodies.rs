//! Bodies that are cut, drip or are packed, and answers that no honest store gives.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sources::{Config, Egress, Error, Private, Source, Sources, Timeouts, TokenEndpoint};
use testkit::s3::{Fault, HostileS3, Objects, Op, Rule, Settings};
use testkit::{SeededEntropy, SystemClock};

use super::{at_once, list_all, read, reading, source, uri};

const CONTENT: &str = "the quick brown fox jumps over the lazy dog";

/// 64 KiB of zeros, packed by gzip: a small bomb.
const BOMB: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x01, 0x01, 0x00, 0x00,
    0x00, 0x80, 0x90, 0xfe, 0xaf, 0xee, 0x08, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6a, 0xeb, 0x8e, 0x97, 0xd7, 0x00, 0x00, 0x01, 0x00,
];

fn status(code: u16, s3_code: &'static str) -> Fault {
    Fault::Status { code, s3_code, headers: Vec::new() }
}

async fn outcome(source: &dyn Source, key: &str) -> Result<Vec<u8>, Error> {
    let object = source.stat(key.as_bytes()).await.expect("a look-up").expect("it is there");
    read(source, &object).await
}

#[tokio::test]
async fn a_small_body_cut_at_any_place_is_not_whole() {
    for cut in [Fault::CloseAfter, Fault::ResetAfter] {
        let keys: Vec<String> = (0..CONTENT.len()).map(|at| format!("k{at:02}")).collect();
        let objects = Objects::from_iter(keys.iter().map(|key| (key, CONTENT)));
        let server = Arc::new(HostileS3::start(objects).await);
        for (at, key) in keys.iter().enumerate() {
            server.rule(Rule::on(Op::Get, cut(at as u64)).key(key).nth(0));
        }
        let check = |(at, key): (usize, String)| {
            let (server, source) = (Arc::clone(&server), source(&server));
            async move {
                let error = outcome(&*source, &key).await.expect_err("a cut body");
                let expected = format!("cut a body short: {at} of {} bytes came", CONTENT.len());
                assert!(error.to_string().contains(&expected), "{at}: {error}");
                assert!(error.is_retryable(), "{error}");
                let again = outcome(&*source, &key).await.expect("an object");
                assert_eq!(again, CONTENT.as_bytes());
                assert!(server.stats().gets[&key] == 2);
            }
        };
        at_once(keys.clone().into_iter().enumerate().map(check)).await;
    }
}

#[tokio::test]
async fn a_large_body_cut_somewhere_is_not_whole() {
    let long: Vec<u8> = (0..3 << 20).map(|at: u32| (at ^ (at >> 9)) as u8).collect();
    let server = HostileS3::start(Objects::from([("k", long.clone())])).await;
    let source = source(&server);
    let scattered = (1..12_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (3 << 20));
    let edges = [1, (64 << 10) - 1, 64 << 10, 1 << 20, (3 << 20) - 1];
    for at in edges.into_iter().chain(scattered) {
        server.clear_rules();
        server.rule(Rule::on(Op::Get, Fault::CloseAfter(at)));
        let error = outcome(&*source, "k").await.expect_err("a cut body").to_string();
        assert!(error.contains(&format!("{at} of {} bytes came", long.len())), "{error}");
    }
    server.clear_rules();
    assert!(outcome(&*source, "k").await.expect("an object") == long);
}

/// Whether a length like these is taken is a matter of taste; that other bytes than the listed ones
/// never come of it is not.
#[tokio::test]
async fn odd_lengths_give_the_right_bytes_or_none() {
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let odd = [
        &["43", "43"][..],
        &["43, 43"],
        &["+43"],
        &["0x2b"],
        &["043"],
        &["43.0"],
        &["4 3"],
        &[""],
        &["18446744073709551616"],
        &["43", "0"],
        &["0"],
        &["9223372036854775807"],
    ];
    let mut faults: Vec<Fault> = odd.map(lines).map(Fault::ContentLengthLines).into();
    faults.push(Fault::Header("Transfer-Encoding", "chunked".into()));
    faults.push(Fault::Header("Transfer-Encoding", "gzip".into()));
    let check = |fault| async move {
        let server = HostileS3::start(Objects::from([("k", CONTENT)])).await;
        let source = source(&server);
        server.rule(Rule::on(Op::Get, fault));
        match outcome(&*source, "k").await {
            Ok(bytes) => assert_eq!(bytes, CONTENT.as_bytes()),
            Err(error) => assert!(!error.is_vanished() && !error.is_changed(), "{error}"),
        }
        server.clear_rules();
        assert_eq!(outcome(&*source, "k").await.expect("an object"), CONTENT.as_bytes());
    };
    at_once(faults.into_iter().map(check)).await;
}

/// In a time of its own: the waits are those of a real server, half a minute and more.
#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_is_too_slow() {
    let server = HostileS3::start(Objects::from([("k", CONTENT)])).await;
    let config = Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    let entropy = Arc::new(SeededEntropy::new(7));
    let opener = Sources::new(config, Arc::new(SystemClock), entropy).expect("no files");
    let config = super::config(&server.endpoint(), json!({}));
    let source = opener.open(&uri(), config, reading(b"", 1)).expect("a source");
    let drip = Fault::SlowDrip { bytes: 1, every: Duration::from_secs(20) };
    server.rule(Rule::on(Op::Get, drip).nth(0));
    let error = outcome(&*source, "k").await.expect_err("a trickle");
    assert!(error.to_string().contains("sends less than 1024 bytes per second"), "{error}");
    assert!(error.is_retryable());
    // The one place there is for an open object is free again.
    assert_eq!(outcome(&*source, "k").await.expect("an object"), CONTENT.as_bytes());
}

#[tokio::test]
async fn packed_bodies_come_as_they_are_stored() {
    let server = HostileS3::start(Objects::from([("k", BOMB)])).await;
    let source = source(&server);
    let object = source.stat(b"k").await.expect("a look-up").expect("it is there");
    for (told, kept) in [
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("br", Some("br")),
        ("aws-chunked,gzip", Some("gzip")),
        ("aws-chunked", None),
    ] {
        server.clear_rules();
        server.rule(Rule::on(Op::Get, Fault::Header("Content-Encoding", told.into())));
        assert_eq!(read(&*source, &object).await.expect("an object"), BOMB, "{told}");
        let opened = source.open(&object, None).await.expect("an object");
        let encoding = opened.meta.metadata.get("content-encoding");
        assert_eq!(encoding.map(String::as_str), kept, "{told}");
    }
    let gets = server.stats().seen.into_iter().filter(|seen| seen.op == Op::Get);
    assert!(gets.into_iter().all(|get| get.headers["accept-encoding"] == "identity"));
}

#[tokio::test]
async fn what_cannot_be_handed_out_is_called_what_it_is() {
    for (code, s3_code, part) in [
        (400, "InvalidRequest", "(SSE-C), which is not supported"),
        (403, "AccessDenied", "requesters pay cannot be read"),
        (403, "InvalidObjectState", "restore it in the source first"),
        (405, "MethodNotAllowed", "refused reading the object (HTTP 405, MethodNotAllowed)"),
        (400, "KMS.DisabledException", "refused reading the object (HTTP 400)"),
    ] {
        let server = HostileS3::start(Objects::from([("k", CONTENT)])).await;
        server.rule(Rule::on(Op::Get, status(code, s3_code)));
        let error = outcome(&*source(&server), "k").await.expect_err("refused");
        assert!(error.to_string().contains(part), "wanted {part:?}, got: {error}");
        assert!(error.is_about_object() && !error.is_retryable(), "{error}");
        assert_eq!(server.stats().count(Op::Get), 1, "{s3_code}: it is not tried again");
    }
}

/// What the answer to a HEAD cannot say, a GET is asked for: that the credentials are refused says
/// nothing of the object.
#[tokio::test]
async fn why_a_head_is_refused_is_found_out() {
    for (code, s3_code, part, of_object) in [
        (400, "ExpiredToken", "session_token: it has expired", false),
        (403, "ExpiredToken", "session_token: it has expired", false),
        (403, "InvalidAccessKeyId", "check access_key_id", false),
        (401, "", "(Unauthorized): check access_key_id and secret_access_key", false),
        (400, "InvalidRequest", "(SSE-C)", true),
        (403, "AccessDenied", "need s3:GetObject", true),
        (403, "InvalidObjectState", "restore it", true),
    ] {
        let server = HostileS3::start(Objects::from([("k", CONTENT)])).await;
        let source = source(&server);
        let object = source.stat(b"k").await.expect("a look-up").expect("it is there");
        server.rule(Rule::on(Op::Head, status(code, s3_code)));
        server.rule(Rule::on(Op::Get, status(code, s3_code)));
        let error = source.head(&object).await.expect_err("refused");
        assert!(error.to_string().contains(part), "wanted {part:?}, got: {error}");
        assert_eq!(error.is_about_object(), of_object, "{error}");
        assert!(server.stats().count(Op::Get) <= 1);
    }
}

#[tokio::test]
async fn documents_that_are_no_listing_are_refused() {
    let page = |inner: &str| {
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{inner}</ListBucketResult>")
    };
    let deep = "<a>".repeat(100_000);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (page(&deep).into_bytes(), "nested too deeply"),
        (page("<Name>a\u{0}b</Name>").replace('\0', "\u{fffe}&#0;").into_bytes(), "entity"),
        (page("<Name>&secret;</Name>").into_bytes(), "unknown entity"),
        ([b"<ListBucketResult>\xff".as_slice(), b"</ListBucketResult>"].concat(), "not UTF-8"),
        (page("").repeat(2).into_bytes(), "not XML"),
        (b"<Other/>".to_vec(), "another XML document"),
    ];
    let check = |(body, part): (Vec<u8>, &'static str)| async move {
        let server = HostileS3::start(Objects::from([("k", CONTENT)])).await;
        server.rule(Rule::on(Op::List, Fault::Body(body)));
        let error = list_all(&*source(&server)).await.expect_err(part).to_string();
        assert!(error.contains(part), "wanted {part:?}, got: {error}");
    };
    at_once(cases.into_iter().map(check)).await;
}

#[tokio::test]
async fn circles_and_twins_are_found_out() {
    let keys: Vec<String> = (0..40).map(|at| format!("k{at:02}")).collect();
    let objects = Objects::from_iter(keys.iter().map(|key| (key, "x")));
    let settings = Settings { page_keys: 3, ..Settings::default() };
    let server = HostileS3::start_with(objects, settings).await;
    let source = source(&server);
    server.rule(Rule::on(Op::List, Fault::ListStartsOver));
    assert!(matches!(list_all(&*source).await, Err(Error::Unordered)));
    let mut token = None;
    let error = loop {
        match source.list_unordered(token.as_ref()).await {
            Ok(page) => token = Some(page.next.expect("it never ends")),
            Err(error) => break error.to_string(),
        }
        assert!(server.stats().count(Op::List) < 200, "it goes round and round");
    };
    assert!(error.contains("repeats a page token"), "{error}");
    server.clear_rules();
    server.rule(Rule::on(Op::List, Fault::ListTwins));
    let error = list_all(&*source).await.expect_err("twins").to_string();
    assert!(error.contains("one key twice, as different objects"), "{error}");
}

#[tokio::test]
async fn our_own_address_is_no_source() {
    let server = HostileS3::start(Objects::from([("k", CONTENT)])).await;
    let config = Config {
        egress: Egress { private: Private::Allow, own: vec![server.addr()] },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: TokenEndpoint::Google,
        timeouts: super::TIMEOUTS,
    };
    let entropy = Arc::new(SeededEntropy::new(7));
    let opener = Sources::new(config, Arc::new(SystemClock), entropy).expect("no files");
    let mine = || super::config(&server.endpoint(), json!({}));
    let at_create = opener.validate(&uri(), &mine()).await.expect_err("refused").to_string();
    let source = opener.open(&uri(), mine(), reading(b"", 1)).expect("a source");
    let at_connect = source.list(None, None).await.expect_err("refused").to_string();
    let at_test = opener.probe(&uri(), mine()).await.expect_err("refused").to_string();
    for error in [at_create, at_connect, at_test] {
        assert!(error.contains("a source cannot be the server itself"), "{error}");
    }
    assert_eq!(server.stats().connections, 0);
}
