//! Faults of objects: never another version, never wrong bytes, never more or fewer.

use std::time::{Duration, Instant};

use sample::Object;
use serde_json::json;
use sources::{Error, Listed, Source, Verifier, VerifyMode};
use testkit::s3::{Checksum, Etags, Fault, HostileS3, Objects, Op, Rule, Settings};

use super::{at_once, read, source, source_at};

const CONTENT: &str = "the quick brown fox jumps over the lazy dog";

async fn server() -> HostileS3 {
    HostileS3::start(Objects::from([("k", CONTENT)])).await
}

async fn listed(source: &dyn Source) -> Listed {
    source.stat(b"k").await.expect("a look-up").expect("it is there")
}

async fn outcome(fault: Fault) -> Result<Vec<u8>, Error> {
    let server = server().await;
    let source = source(&server);
    let object = listed(&*source).await;
    server.rule(Rule::on(Op::Get, fault));
    let start = Instant::now();
    let outcome = read(&*source, &object).await;
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    outcome
}

/// What the engine does with an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Retry,
    Vanished,
    Changed,
    Final,
}

fn kind(error: &Error) -> Kind {
    match (error.is_retryable(), error.is_vanished(), error.is_changed()) {
        (true, false, false) => Kind::Retry,
        (false, true, false) => Kind::Vanished,
        (false, false, true) => Kind::Changed,
        (false, false, false) => Kind::Final,
        more => panic!("two kinds at once: {more:?}, {error}"),
    }
}

fn status(code: u16, s3_code: &'static str) -> Fault {
    Fault::Status { code, s3_code, headers: Vec::new() }
}

#[tokio::test]
async fn every_fault_is_of_the_right_kind() {
    let lines =
        |lines: &[&str]| Fault::ContentLengthLines(lines.iter().map(|l| l.to_string()).collect());
    let other = || Object::new("other bytes, other length");
    let pause = Duration::from_millis(600);
    let cases = [
        (status(404, "NoSuchKey"), Kind::Vanished, "does not exist any more"),
        (status(404, ""), Kind::Vanished, "does not exist any more"),
        (Fault::DeleteObject, Kind::Vanished, "does not exist any more"),
        (status(404, "NoSuchBucket"), Kind::Final, "the bucket source-bucket"),
        (status(412, "PreconditionFailed"), Kind::Changed, "changed while"),
        (Fault::MutateObject(other()), Kind::Changed, "changed while"),
        (Fault::WrongEtag("\"other\"".into()), Kind::Changed, "changed while"),
        (Fault::NoEtag, Kind::Final, "sends none"),
        (status(403, "AccessDenied"), Kind::Final, "need s3:GetObject"),
        (status(403, "InvalidObjectState"), Kind::Final, "restore it"),
        (status(503, "SlowDown"), Kind::Final, "(gave up after"),
        (status(501, "NotImplemented"), Kind::Final, "(HTTP 501, NotImplemented)"),
        (Fault::StallBeforeHeaders, Kind::Final, "did not answer within"),
        (Fault::ResetBeforeHeaders, Kind::Final, "closed the connection"),
        (
            Fault::Redirect {
                code: 307,
                location: "http://127.0.0.1:1/".into(),
                region: "eu-west-1".into(),
            },
            Kind::Final,
            "set region to eu-west-1",
        ),
        (status(302, ""), Kind::Final, "redirects reading the object (HTTP 302)"),
        (Fault::ResetAfter(7), Kind::Retry, "cut a body short"),
        (Fault::CloseAfter(7), Kind::Retry, "cut a body short: 7 of 43 bytes came"),
        (Fault::CloseAfter(0), Kind::Retry, "cut a body short: 0 of 43 bytes came"),
        (Fault::StallAfter(7), Kind::Retry, "did not go on sending within"),
        (Fault::SlowDrip { bytes: 7, every: pause }, Kind::Retry, "did not go on sending within"),
        (Fault::ContentLengthOff(1), Kind::Final, "announces 44 bytes where its listing says 43"),
        (Fault::ContentLengthOff(-1), Kind::Final, "announces 42 bytes where its listing says 43"),
        (lines(&["43", "44"]), Kind::Final, "well-formed HTTP/1.1"),
        (lines(&["-43"]), Kind::Final, "well-formed HTTP/1.1"),
        (lines(&["18446744073709551615"]), Kind::Final, ""),
        (lines(&["99999999999999999999999"]), Kind::Final, "well-formed HTTP/1.1"),
        (lines(&["x"]), Kind::Final, "well-formed HTTP/1.1"),
        (Fault::Chunked, Kind::Final, "without a Content-Length"),
        (Fault::NoLength, Kind::Final, "without a Content-Length"),
        (Fault::PartialToFull, Kind::Final, "a part of an object unasked"),
        (Fault::Raw(b"220 smtp.example\r\n".to_vec()), Kind::Final, "well-formed HTTP/1.1"),
        (
            Fault::Header("x-amz-checksum-crc32", "nonsense".into()),
            Kind::Final,
            "x-amz-checksum-crc32",
        ),
    ];
    let check = |(fault, expected, part): (Fault, Kind, &'static str)| async move {
        let error = outcome(fault).await.expect_err(part);
        assert!(error.to_string().contains(part), "wanted {part:?}, got: {error}");
        assert_eq!(kind(&error), expected, "{error}");
    };
    at_once(cases.map(check)).await;
}

#[tokio::test]
async fn what_passes_before_the_body_passes_unnoticed() {
    for fault in [
        status(500, "InternalError"),
        status(503, "SlowDown"),
        Fault::ResetBeforeHeaders,
        Fault::StallBeforeHeaders,
        Fault::ContentLengthLines(vec!["1".into(), "2".into()]),
    ] {
        let server = server().await;
        let source = source(&server);
        let object = listed(&*source).await;
        server.rule(Rule::on(Op::Get, fault).nth(0));
        assert_eq!(read(&*source, &object).await.expect("an object"), CONTENT.as_bytes());
        assert_eq!(server.stats().count(Op::Get), 2);
    }
}

#[tokio::test]
async fn bytes_behind_a_body_never_reach_the_next_one() {
    let server = server().await;
    let source = source(&server);
    let object = listed(&*source).await;
    server.rule(Rule::on(Op::Get, Fault::ExtraBytes(100)));
    for _ in 0..10 {
        assert_eq!(read(&*source, &object).await.expect("an object"), CONTENT.as_bytes());
    }
}

#[tokio::test]
async fn a_version_is_pinned_even_where_if_match_is_ignored() {
    let settings = Settings { honours_if_match: false, ..Settings::default() };
    let server = HostileS3::start_with(Objects::from([("k", CONTENT)]), settings).await;
    let source = source(&server);
    let object = listed(&*source).await;
    // Of the same length, so that only the ETag tells.
    let swapped: String = CONTENT.chars().rev().collect();
    server.put("k", Object::new(swapped));
    for range in [None, Some(2..5)] {
        let error = source.open(&object, range).await.err().expect("another version");
        assert!(error.is_changed(), "{error}");
    }
    let sent = &server.stats().seen;
    let get = sent.iter().find(|seen| seen.op == Op::Get).expect("a GET");
    assert_eq!(get.headers["if-match"], object.etag.as_deref().expect("an ETag"));
    assert_eq!(get.headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn ranges_are_exactly_what_was_asked_for() {
    let server = server().await;
    let source = source(&server);
    let object = listed(&*source).await;
    for range in [0..1, 4..9, 42..43, 0..43] {
        let mut opened = source.open(&object, Some(range.clone())).await.expect("a range");
        assert_eq!(opened.length, range.end - range.start);
        let mut bytes = Vec::new();
        while let Some(chunk) = opened.body.chunk().await.expect("bytes") {
            bytes.extend_from_slice(&chunk);
        }
        assert_eq!(bytes, &CONTENT.as_bytes()[range.start as usize..range.end as usize]);
    }
    for (fault, part) in [
        (Fault::FullToRange, "a whole object for a range"),
        (Fault::WrongContentRange, "another range"),
    ] {
        server.clear_rules();
        server.rule(Rule::on(Op::Get, fault));
        let error = source.open(&object, Some(4..9)).await.err().expect("a wrong range");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_listing_without_etags_is_read_unpinned() {
    let server = server().await;
    server.rule(Rule::on(Op::List, Fault::ListNoEtags));
    let source = source(&server);
    let object = listed(&*source).await;
    assert_eq!(object.etag, None);
    assert_eq!(read(&*source, &object).await.expect("an object"), CONTENT.as_bytes());
    let get = server.stats().seen.into_iter().find(|seen| seen.op == Op::Get).expect("a GET");
    assert!(!get.headers.contains_key("if-match"));
    // A listing that lies about the length of a nameless object: it must be another one.
    server.put("k", Object::new("longer than it was listed, whatever that was"));
    assert!(read(&*source, &object).await.expect_err("another object").is_changed());
}

#[tokio::test]
async fn a_lying_listing_is_found_out() {
    for by in [1, -1] {
        let server = server().await;
        server.rule(Rule::on(Op::List, Fault::ListSizeOff(by)));
        let source = source(&server);
        let object = listed(&*source).await;
        let error = read(&*source, &object).await.expect_err("another length");
        assert!(error.to_string().contains("under the same ETag"), "{error}");
        assert_eq!(kind(&error), Kind::Final);
    }
}

/// Reads and verifies.
async fn verified(server: &HostileS3, mode: VerifyMode) -> Result<usize, String> {
    let source = source(server);
    let object = listed(&*source).await;
    let mut opened = source.open(&object, None).await.map_err(|error| error.to_string())?;
    let offered = opened.meta.checksums.len();
    let mut verifier = Verifier::new(mode, &opened.meta, object.size);
    while let Some(chunk) = opened.body.chunk().await.map_err(|error| error.to_string())? {
        verifier.update(&chunk);
    }
    verifier.finish().map_err(|mismatch| mismatch.to_string())?;
    Ok(offered)
}

#[tokio::test]
async fn offered_checksums_are_asked_for_and_compared() {
    use Checksum::*;
    let all = [Crc32, Crc32c, Crc64Nvme, Sha1, Sha256];
    let settings =
        Settings { checksums: all.to_vec(), etags: Etags::Opaque, ..Settings::default() };
    let server = HostileS3::start_with(Objects::from([("k", CONTENT)]), settings).await;
    assert_eq!(verified(&server, VerifyMode::Auto).await, Ok(5));
    server.rule(Rule::on(Op::Get, Fault::FlippedByte(5)));
    verified(&server, VerifyMode::Auto).await.expect_err("a flipped byte");
    for checksum in all {
        server.clear_rules();
        server.rule(Rule::on(Op::Get, Fault::WrongChecksum(checksum)));
        verified(&server, VerifyMode::Auto).await.expect_err("a wrong checksum");
    }
}

#[tokio::test]
async fn an_md5_etag_finds_a_flipped_byte() {
    let server = server().await;
    assert_eq!(verified(&server, VerifyMode::Full).await, Ok(0));
    server.rule(Rule::on(Op::Get, Fault::FlippedByte(0)));
    let error = verified(&server, VerifyMode::Auto).await.expect_err("a flipped byte");
    assert_eq!(error, "the bytes do not have the MD5 that the source gives for them");
}

#[tokio::test]
async fn no_more_objects_are_open_than_allowed() {
    let server = server().await;
    let source = source_at(&server.endpoint(), "", json!({}));
    let object = listed(&*source).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(source.open(&object, None).await.expect("an object"));
    }
    let fifth = tokio::time::timeout(Duration::from_millis(200), source.open(&object, None)).await;
    assert!(fifth.is_err(), "the fifth waits");
    open.pop();
    source.open(&object, None).await.expect("there is room again");
}

#[tokio::test]
async fn an_object_that_has_come_whole_makes_room_for_the_next() {
    let server = server().await;
    let source = source(&server);
    let object = listed(&*source).await;
    let empty = Listed { key: b"empty".to_vec(), size: 0, etag: None, ..object.clone() };
    server.put("empty", Object::new(""));
    let mut kept = Vec::new();
    for _ in 0..6 {
        let mut opened = source.open(&object, None).await.expect("an object");
        let mut left = object.size;
        while left > 0 {
            left -= opened.body.chunk().await.expect("bytes").expect("more").len() as u64;
        }
        kept.push(opened);
        kept.push(source.open(&empty, None).await.expect("an object without bytes"));
    }
    assert_eq!(kept.len(), 12);
}

#[tokio::test]
async fn a_long_stream_comes_whole_and_a_dropped_one_closes_its_connection() {
    let long: Vec<u8> = (0..8 << 20).map(|at: u32| (at ^ (at >> 11)) as u8).collect();
    let server = HostileS3::start(Objects::from([("k", long.clone())])).await;
    let source = source(&server);
    let object = listed(&*source).await;
    assert!(read(&*source, &object).await.expect("an object") == long);
    let mut opened = source.open(&object, None).await.expect("an object");
    opened.body.chunk().await.expect("bytes").expect("not the end");
    drop(opened);
    server.until(|stats| stats.concurrent_gets == 0).await;
    assert!(read(&*source, &object).await.expect("an object") == long);
}
