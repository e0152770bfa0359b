//! Faults of objects: never another generation, never wrong bytes, never more or fewer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sources::{Checksum, Error, Listed, Source, TokenEndpoint, Verifier, VerifyMode};
use testkit::gcs::{FakeGcs, Fault, Object, Op, Rule};
use testkit::{SystemClock, s3};

use super::{assert_discreet, at_once, config, opener, read, reading, source, status, uri};

const CONTENT: &str = "the quick brown fox jumps over the lazy dog";

async fn server() -> FakeGcs {
    FakeGcs::start([("k", CONTENT)]).await
}

async fn listed(source: &dyn Source) -> Listed {
    source.stat(b"k").await.expect("a look-up").expect("it is there")
}

fn wire(fault: s3::Fault) -> Fault {
    Fault::Wire(fault)
}

fn header(name: &'static str, value: &str) -> Fault {
    wire(s3::Fault::Header(name, value.into()))
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

async fn outcome(fault: Fault) -> Result<Vec<u8>, Error> {
    let server = server().await;
    let source = source(&server);
    let object = listed(&*source).await;
    server.rule(Rule::on(Op::Media, fault));
    let start = Instant::now();
    let outcome = read(&*source, &object).await;
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    outcome
}

#[tokio::test]
async fn every_fault_is_of_the_right_kind() {
    let lines = |line: &str| wire(s3::Fault::ContentLengthLines(vec![line.into()]));
    let pause = Duration::from_millis(600);
    let cases = [
        (status(404, ""), Kind::Vanished, "does not exist any more"),
        (Fault::Delete, Kind::Vanished, "does not exist any more"),
        (status(412, "conditionNotMet"), Kind::Changed, "changed while"),
        (status(416, "requestedRangeNotSatisfiable"), Kind::Changed, "changed while"),
        (Fault::Put(Object::new(CONTENT)), Kind::Changed, "changed while"),
        (header("x-goog-generation", "17"), Kind::Changed, "changed while"),
        (Fault::NoHeader("x-goog-generation"), Kind::Final, "sends none"),
        (status(304, ""), Kind::Final, "redirects reading the object (HTTP 304)"),
        (Fault::Redirect("http://127.0.0.1:1/".into()), Kind::Final, "redirects are not followed"),
        (status(403, "forbidden"), Kind::Final, "needs storage.objects.get"),
        (status(401, "authError"), Kind::Final, "check credentials_json"),
        (status(503, "backendError"), Kind::Final, "(gave up after"),
        (status(501, "notImplemented"), Kind::Final, "(HTTP 501, notImplemented)"),
        (wire(s3::Fault::StallBeforeHeaders), Kind::Final, "did not answer within"),
        (wire(s3::Fault::ResetBeforeHeaders), Kind::Final, "closed the connection"),
        (wire(s3::Fault::ResetAfter(7)), Kind::Retry, "cut a body short"),
        (wire(s3::Fault::CloseAfter(7)), Kind::Retry, "cut a body short: 7 of 43 bytes came"),
        (wire(s3::Fault::CloseAfter(0)), Kind::Retry, "cut a body short: 0 of 43 bytes came"),
        (wire(s3::Fault::StallAfter(7)), Kind::Retry, "did not go on sending within"),
        (
            wire(s3::Fault::SlowDrip { bytes: 7, every: pause }),
            Kind::Retry,
            "did not go on sending within",
        ),
        (wire(s3::Fault::ContentLengthOff(1)), Kind::Final, "announces 44 bytes"),
        (wire(s3::Fault::ContentLengthOff(-1)), Kind::Final, "announces 42 bytes"),
        (lines("-43"), Kind::Final, "well-formed HTTP/1.1"),
        (lines("x"), Kind::Final, "well-formed HTTP/1.1"),
        (lines("99999999999999999999999"), Kind::Final, "well-formed HTTP/1.1"),
        (wire(s3::Fault::Chunked), Kind::Final, "without a Content-Length"),
        (wire(s3::Fault::NoLength), Kind::Final, "without a Content-Length"),
        (wire(s3::Fault::PartialToFull), Kind::Final, "a part of an object unasked"),
        (header("x-goog-hash", "crc32c=nonsense"), Kind::Final, "a malformed x-goog-hash"),
    ];
    let check = |(fault, expected, part): (Fault, Kind, &'static str)| async move {
        let error = outcome(fault).await.expect_err(part);
        assert!(error.to_string().contains(part), "wanted {part:?}, got: {error}");
        assert_eq!(kind(&error), expected, "{error}");
        assert_discreet(&error);
    };
    at_once(cases.map(check)).await;
}

#[tokio::test]
async fn what_passes_before_the_body_passes_unnoticed() {
    let faults = [
        status(500, "backendError"),
        status(429, "rateLimitExceeded"),
        status(401, "authError"),
        wire(s3::Fault::ResetBeforeHeaders),
        wire(s3::Fault::StallBeforeHeaders),
    ];
    let check = |fault| async move {
        let server = server().await;
        server.rule(Rule::on(Op::Media, fault).nth(0));
        let source = source(&server);
        let object = listed(&*source).await;
        assert_eq!(read(&*source, &object).await.expect("an object"), CONTENT.as_bytes());
    };
    at_once(faults.map(check)).await;
}

#[tokio::test]
async fn another_generation_is_found_out_even_if_the_precondition_is_ignored() {
    let server = server().await;
    server.set(|settings| settings.honours_preconditions = false);
    let source = source(&server);
    let object = listed(&*source).await;
    let forgotten = Listed { details: None, ..object.clone() };
    // Of the same bytes, so that only the generation tells.
    server.put("k", Object::new(CONTENT));
    for (object, range) in [(&object, None), (&object, Some(2..5)), (&forgotten, None)] {
        let error = source.open(object, range).await.err().expect("another generation");
        assert!(error.is_changed(), "{error}");
    }
    assert!(source.head(&forgotten).await.expect_err("another generation").is_changed());
}

#[tokio::test]
async fn ranges_are_exactly_what_was_asked_for() {
    let server = server().await;
    let source = source(&server);
    let object = listed(&*source).await;
    for range in [0..1, 4..9, 42..43, 0..43] {
        let mut opened = source.open(&object, Some(range.clone())).await.expect("a range");
        assert_eq!(opened.length, range.end - range.start);
        assert!(opened.meta.checksums.is_empty(), "they are of the whole object");
        let mut bytes = Vec::new();
        while let Some(chunk) = opened.body.chunk().await.expect("bytes") {
            bytes.extend_from_slice(&chunk);
        }
        assert_eq!(bytes, &CONTENT.as_bytes()[range.start as usize..range.end as usize]);
    }
    for (fault, part) in [
        (Fault::FullToRange, "a whole object for a range"),
        (wire(s3::Fault::WrongContentRange), "another range"),
    ] {
        server.clear_rules();
        server.rule(Rule::on(Op::Media, fault));
        let error = source.open(&object, Some(4..9)).await.err().expect("a wrong range");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn an_empty_object_is_read_as_one() {
    let server = FakeGcs::start([("k", "")]).await;
    let source = source(&server);
    let object = listed(&*source).await;
    assert_eq!((object.size, read(&*source, &object).await.expect("an object")), (0, vec![]));
}

#[tokio::test]
async fn packed_objects_come_as_they_are_stored() {
    let server = server().await;
    let packed: &[u8] = b"\x1f\x8b few bytes that claim to be many";
    let unpacked = Some(vec![0; 1 << 20].into());
    server.put("k", Object { unpacked, ..Object::new(packed) });
    let source = source(&server);
    let object = listed(&*source).await;
    assert_eq!(read(&*source, &object).await.expect("an object"), packed);
    let opened = source.open(&object, None).await.expect("an object");
    assert_eq!(opened.meta.metadata["content-encoding"], "gzip");
    let stats = server.stats();
    assert!(stats.of(Op::Media).all(|seen| seen.headers["accept-encoding"] == "gzip"));
    assert!(stats.of(Op::List).all(|seen| seen.headers["accept-encoding"] == "identity"));
}

/// Reads and verifies.
async fn verified(server: &FakeGcs) -> Result<Vec<Checksum>, String> {
    let source = source(server);
    let object = listed(&*source).await;
    let mut opened = source.open(&object, None).await.map_err(|error| error.to_string())?;
    let offered = opened.meta.checksums.clone();
    let mut verifier = Verifier::new(VerifyMode::Auto, &opened.meta, object.size);
    while let Some(chunk) = opened.body.chunk().await.map_err(|error| error.to_string())? {
        verifier.update(&chunk);
    }
    verifier.finish().map_err(|mismatch| mismatch.to_string())?;
    Ok(offered)
}

#[tokio::test]
async fn the_sums_of_listing_and_answer_are_compared() {
    let server = server().await;
    let offered = verified(&server).await.expect("good bytes");
    assert!(matches!(offered[..], [Checksum::Crc32c(_), Checksum::Md5(_)]), "{offered:?}");
    for (op, fault) in [
        (Op::Media, wire(s3::Fault::FlippedByte(5))),
        (Op::Media, header("x-goog-hash", "crc32c=AAAAAA==")),
        (Op::List, Fault::Field("crc32c", "AAAAAA==".into())),
    ] {
        server.clear_rules();
        server.rule(Rule::on(op, fault));
        let error = verified(&server).await.expect_err("other bytes");
        assert!(error.contains("do not have the CRC-32C"), "{error}");
    }
    // Where the listing gives none, those of the answer count.
    server.clear_rules();
    server.rule(Rule::on(Op::List, Fault::Field("crc32c", Value::Null)));
    assert_eq!(verified(&server).await.expect("good bytes").len(), 2);
    server.rule(Rule::on(Op::Media, wire(s3::Fault::FlippedByte(5))));
    verified(&server).await.expect_err("other bytes");
}

#[tokio::test]
async fn what_a_listing_told_is_asked_for_again_only_where_it_was_forgotten() {
    let server = server().await;
    let metadata = [("owner".to_owned(), "me".to_owned())].into();
    server.put("k", Object { metadata, ..Object::new(CONTENT) });
    let source = source(&server);
    let object = listed(&*source).await;
    let whole = source.head(&object).await.expect("what is known");
    assert_eq!(server.stats().count(Op::Describe), 0);
    let forgotten = Listed { details: None, ..object.clone() };
    assert_eq!(source.head(&forgotten).await.expect("what is told"), whole);
    assert_eq!(server.stats().count(Op::Describe), 1);
    assert_eq!((whole.checksums.len(), whole.metadata["owner"].as_str()), (2, "me"));
    assert_eq!((&whole.etag, &whole.version_id), (&object.etag, &object.version_id));
    let opened = source.open(&forgotten, None).await.expect("an object");
    assert_eq!(opened.meta, whole);
    server.rule(Rule::on(Op::Describe, Fault::Delete));
    assert!(source.head(&forgotten).await.expect_err("it is gone").is_vanished());
    server.clear_rules();
    server.rule(Rule::on(Op::Describe, wire(s3::Fault::Body(b"{}".to_vec()))));
    let error = source.head(&forgotten).await.expect_err("no description").to_string();
    assert!(error.contains("does not describe the object"), "{error}");
}

#[tokio::test]
async fn metadata_that_is_too_much_fails_its_object_alone() {
    let server = server().await;
    let metadata = [("long".to_owned(), "x".repeat(20_000))].into();
    server.put("k", Object { metadata, ..Object::new(CONTENT) });
    let source = source(&server);
    let object = listed(&*source).await;
    let error = read(&*source, &object).await.expect_err("too much").to_string();
    assert!(error.contains("metadata cannot be kept"), "{error}");
}

#[tokio::test]
async fn a_lying_listing_is_found_out() {
    for size in ["42", "44"] {
        let server = server().await;
        server.rule(Rule::on(Op::List, Fault::Field("size", size.into())));
        let source = source(&server);
        let object = listed(&*source).await;
        let error = read(&*source, &object).await.expect_err("another length");
        assert!(error.to_string().contains("of one generation"), "{error}");
        assert_eq!(kind(&error), Kind::Final);
    }
}

#[tokio::test]
async fn an_emulator_may_say_less() {
    let server = server().await;
    server.set(|settings| {
        settings.checks_tokens = false;
        settings.honours_preconditions = false;
    });
    server.rule(Rule::on(Op::Media, Fault::NoHeader("x-goog-generation")));
    server.rule(Rule::on(Op::List, Fault::Field("size", json!(CONTENT.len()))));
    let opener = opener(SystemClock, &server.endpoint(), TokenEndpoint::None);
    let source = opener.open(&uri(), config(json!({})), reading("")).expect("a source");
    let object = listed(&*source).await;
    assert_eq!(read(&*source, &object).await.expect("an object"), CONTENT.as_bytes());
    let stats = server.stats();
    assert_eq!(stats.count(Op::Token), 0);
    assert!(stats.seen.iter().all(|seen| !seen.headers.contains_key("authorization")));
}

#[tokio::test]
async fn no_more_objects_are_open_than_allowed() {
    let server = server().await;
    let source = source(&server);
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
