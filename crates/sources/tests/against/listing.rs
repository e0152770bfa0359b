//! Faults of listings and of everything before them.

use crate::reading;
use std::time::{Duration, Instant};

use serde_json::json;
use sources::{Error, Listing};
use testkit::s3::{Fault, HostileS3, Objects, Op, Rule, Settings};
use testkit::{ODD_KEYS, SystemClock};

use super::{Skewed, at_once, config, list_all, opener, source, source_at, uri};

async fn server() -> HostileS3 {
    let settings = Settings { page_keys: 2, ..Settings::default() };
    let objects = Objects::from([("d/a", "1"), ("d/b", "2"), ("d/c", "3"), ("d/d", "4")]);
    HostileS3::start_with(objects, settings).await
}

fn status(code: u16, s3_code: &'static str) -> Fault {
    Fault::Status { code, s3_code, headers: Vec::new() }
}

/// How a listing fails, under the prefix `d/`.
async fn failure(server: &HostileS3) -> Error {
    let source = source_at(&server.endpoint(), "d/", json!({}));
    let start = Instant::now();
    let error = list_all(&*source).await.expect_err("a bad listing");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(!error.is_retryable(), "the client has retried already: {error}");
    assert!(!error.is_vanished() && !error.is_changed());
    error
}

#[tokio::test]
async fn every_lasting_fault_says_what_to_do() {
    let tls_alert = Fault::Raw(vec![0x15, 3, 3, 0, 2, 2, 0x16]);
    let plain = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 52\r\n\r\n\
                  Client sent an HTTP request to an HTTPS server.     ";
    let html = b"<!doctype html><html><body>Console</body></html>".to_vec();
    let cases = [
        (status(503, "SlowDown"), "overloaded or out of order (HTTP 503, SlowDown)"),
        (status(500, "InternalError"), "(HTTP 500, InternalError)"),
        (status(400, "RequestTimeout"), "(HTTP 400, RequestTimeout)"),
        (status(502, "<b>not a code</b>"), "(HTTP 502): try again"),
        (Fault::OkWithError("InternalError"), "(HTTP 200, InternalError)"),
        (Fault::OkWithError("AccessDenied"), "need s3:ListBucket"),
        (status(403, "AccessDenied"), "forbids listing the bucket (AccessDenied)"),
        (status(403, "InvalidAccessKeyId"), "(InvalidAccessKeyId): check access_key_id"),
        (status(403, "SignatureDoesNotMatch"), "check secret_access_key"),
        (status(400, "ExpiredToken"), "it has expired"),
        (status(404, "NoSuchBucket"), "the bucket source-bucket does not exist"),
        (status(404, ""), "refused listing the bucket (HTTP 404)"),
        (status(400, "AuthorizationHeaderMalformed"), "not in region us-east-1"),
        (Fault::RequestTimeTooSkewed, "best by NTP"),
        (Fault::Body(html), "with something else (its XML has a DTD)"),
        (Fault::Body(b"pong".to_vec()), "with something else (it is not XML)"),
        (Fault::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "well-formed HTTP/1.1"),
        (tls_alert, "with the right scheme (http or https)"),
        (Fault::Raw(plain.to_vec()), "expects TLS: check the scheme"),
        (Fault::ResetBeforeHeaders, "closed the connection without an answer"),
        (Fault::StallBeforeHeaders, "did not answer within"),
        (Fault::StallAfter(20), "did not"),
        (Fault::CloseAfter(20), "closed the connection"),
        (Fault::ListGarbageXml, "with something else"),
        (Fault::ListHugePage, "a page of its listing is too long"),
        (Fault::ListEntityBomb, "its XML has a DTD"),
        (Fault::ListKeyOutsidePrefix, "off the prefix"),
        (Fault::ListOutOfOrder, "in order"),
        (Fault::ListRepeatsToken, "repeats a page token"),
        (Fault::ListTruncatedWithoutToken, "without a token to go on with"),
        (Fault::ListEmptyPages, "one empty page after the other"),
    ];
    let check = |(fault, part)| async move {
        let server = server().await;
        server.rule(Rule::on(Op::List, fault));
        let error = failure(&server).await.to_string();
        assert!(error.contains(part), "wanted {part:?}, got: {error}");
        assert!(!error.contains("script of the test"), "a foreign message: {error}");
    };
    at_once(cases.map(check)).await;
}

#[tokio::test]
async fn every_passing_fault_passes_unnoticed() {
    let retry_after = Fault::Status {
        code: 503,
        s3_code: "SlowDown",
        headers: vec![("Retry-After", "1".into())],
    };
    let faults = [
        status(500, "InternalError"),
        status(429, "TooManyRequests"),
        retry_after,
        Fault::OkWithError("SlowDown"),
        Fault::ResetBeforeHeaders,
        Fault::StallBeforeHeaders,
        Fault::ResetAfter(30),
        Fault::CloseAfter(30),
        Fault::StallAfter(30),
        Fault::ListGarbageXml,
        Fault::Body(Vec::new()),
        Fault::ContentLengthLines(vec!["5".into(), "6".into()]),
    ];
    let check = |fault| async move {
        let server = server().await;
        server.rule(Rule::on(Op::List, fault).nth(1));
        let all = list_all(&*source(&server)).await.expect("a listing");
        assert_eq!(all.len(), 4);
    };
    at_once(faults.map(check)).await;
}

#[tokio::test]
async fn some_empty_pages_and_repeated_objects_are_borne() {
    let server = server().await;
    server.rule(Rule::on(Op::List, Fault::ListEmptyPages).hits(1..4));
    assert_eq!(list_all(&*source(&server)).await.expect("a listing").len(), 4);
    server.clear_rules();
    server.rule(Rule::on(Op::List, Fault::ListDuplicates));
    assert_eq!(list_all(&*source(&server)).await.expect("a listing").len(), 4);
}

#[tokio::test]
async fn a_source_that_asks_to_wait_is_waited_for() {
    let server = server().await;
    let headers = vec![("Retry-After", "1".to_owned())];
    server
        .rule(Rule::on(Op::List, Fault::Status { code: 503, s3_code: "SlowDown", headers }).nth(0));
    let start = Instant::now();
    list_all(&*source(&server)).await.expect("a listing");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn ranges_are_listed_side_by_side_over_the_wire() {
    let mut keys: Vec<String> = (0..1200).map(|at| format!("obj-{at:05}")).collect();
    keys.extend(ODD_KEYS.iter().map(ToString::to_string));
    keys.sort();
    let objects = Objects::from_iter(keys.iter().map(|key| (key, "x")));
    let list_latency = Duration::from_millis(15);
    let settings = Settings { page_keys: 20, list_latency, ..Settings::default() };
    let server = HostileS3::start_with(objects, settings).await;
    for versions in [false, true] {
        let reading = sources::Reading { prefix: b"", concurrency: 4, versions };
        let config = config(&server.endpoint(), json!({}));
        let source = opener(SystemClock, Vec::new()).open(&uri(), config, reading);
        let mut listing = Listing::start(source.expect("a source"), None);
        let mut found = Vec::new();
        while let Some(objects) = listing.next().await.expect("a listing") {
            found.extend(objects.into_iter().map(|object| object.key));
        }
        assert!(found.iter().map(Vec::as_slice).eq(keys.iter().map(String::as_bytes)));
    }
    let stats = server.stats();
    assert!(stats.targets(Op::List).iter().any(|target| target.contains("start-after=obj-")));
    let guessed =
        |target: &str| target.contains("key-marker=obj-") && !target.contains("version-id-marker");
    assert!(stats.targets(Op::Versions).into_iter().any(guessed));
}

#[tokio::test]
async fn a_page_that_drips_is_given_up_as_a_whole() {
    let server = server().await;
    let drip = Fault::SlowDrip { bytes: 20, every: Duration::from_millis(100) };
    server.rule(Rule::on(Op::List, drip));
    // Had the time for all attempts ended the first one, it would say that nothing was answered.
    let error = failure(&server).await.to_string();
    assert!(error.contains("did not go on sending within"), "{error}");
}

#[tokio::test]
async fn a_source_that_throttles_is_read_to_the_end() {
    let server = server().await;
    server.rule(Rule::on(Op::List, status(503, "SlowDown")).every(2));
    server.rule(Rule::on(Op::Get, status(429, "TooManyRequests")).every(2));
    let source = source(&server);
    assert_eq!(source.retries(), 0);
    for object in list_all(&*source).await.expect("a listing") {
        super::read(&*source, &object).await.expect("an object");
    }
    let stats = server.stats();
    let requests = stats.count(Op::List) + stats.count(Op::Get);
    assert!(source.retries() > 0);
    assert_eq!(source.retries(), requests - 2 - 4);
}

#[tokio::test]
async fn a_wrong_region_names_the_right_one_and_no_redirect_is_followed() {
    let elsewhere = server().await;
    for (code, region) in [(301, "eu-west-1"), (307, "ap-south-1")] {
        let server = server().await;
        let location = elsewhere.endpoint();
        let fault = Fault::Redirect { code, location, region: region.into() };
        server.rule(Rule::on(Op::List, fault));
        let error = failure(&server).await.to_string();
        assert!(error.contains(&format!("set region to {region} in the connector")), "{error}");
    }
    assert_eq!(elsewhere.stats().connections, 0);
    // A signature for another region, as a real server refuses it.
    let settings = Settings { region: "eu-north-1".into(), ..Settings::default() };
    let server = HostileS3::start_with(Objects::from([("d/a", "1")]), settings).await;
    let error = failure(&server).await.to_string();
    assert!(error.contains("the bucket is not in region us-east-1"), "{error}");
}

#[tokio::test]
async fn credentials_are_checked_by_the_source_not_taken_from_elsewhere() {
    let server = server().await;
    for (changes, part) in [
        (json!({ "access_key_id": "AKIAOTHER" }), "(InvalidAccessKeyId): check access_key_id"),
        (
            json!({ "secret_access_key": "other" }),
            "(SignatureDoesNotMatch): check secret_access_key",
        ),
    ] {
        let source = source_at(&server.endpoint(), "", changes);
        let error = source.list(None, None).await.expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("AKIAOTHER"), "{error}");
    }
    let good = source_at(&server.endpoint(), "", json!({}));
    good.list(None, None).await.expect("the right credentials");
}

#[tokio::test]
async fn a_session_token_is_sent_and_signed() {
    let settings = Settings { session_token: Some("tok/en==".into()), ..Settings::default() };
    let server = HostileS3::start_with(Objects::from([("a", "1")]), settings).await;
    let with = source_at(&server.endpoint(), "", json!({ "session_token": "tok/en==" }));
    with.list(None, None).await.expect("the right token");
    let without = source_at(&server.endpoint(), "", json!({}));
    without.list(None, None).await.expect_err("no token");
    let seen = &server.stats().seen[0];
    let signature = seen.headers["authorization"].to_str().expect("ascii");
    assert!(signature.contains("x-amz-security-token"), "{signature}");
}

#[tokio::test]
async fn a_wrong_clock_is_measured() {
    let server = server().await;
    for (ahead, part) in [(-1800, "behind the source's"), (1800, "ahead of the source's")] {
        let opener = opener(Skewed(ahead), Vec::new());
        let config = config(&server.endpoint(), json!({}));
        let source = opener.open(&uri(), config, reading(b"", 1)).expect("a source");
        let error = source.list(None, None).await.expect_err("refused").to_string();
        assert!(error.contains(part) && error.contains("RequestTimeTooSkewed"), "{error}");
        assert!(error.contains("180") || error.contains("179"), "{error}");
    }
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let source = source_at("http://127.0.0.1:1", "", json!({}));
    let error = source.list(None, None).await.expect_err("nobody listens").to_string();
    assert!(error.starts_with("cannot connect to 127.0.0.1:1 (connection refused)"), "{error}");
    assert!(error.contains("gave up after"), "{error}");
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = server().await;
    let source = source(&server);
    for _ in 0..5 {
        list_all(&*source).await.expect("a listing");
    }
    assert_eq!(server.stats().connections, 1);
}
