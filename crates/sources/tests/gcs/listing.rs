//! Faults of listings, and of everything before them.

use std::time::{Duration, Instant};

use model::ConnectorKind;
use serde_json::{Value, json};
use sources::{Error, SourceConfig, Step, TokenEndpoint};
use testkit::gcs::{FakeGcs, Fault, Object, Op, Rule, credentials_json};
use testkit::{SystemClock, s3};

use super::{
    assert_discreet, at_once, config, list_all, opener, opener_of, reading, source, source_under,
    status, uri,
};

async fn server() -> FakeGcs {
    let server = FakeGcs::start([("d/a", "1"), ("d/b", "2"), ("d/c", "3"), ("d/d", "4")]).await;
    server.set(|settings| settings.page_keys = 2);
    server
}

fn wire(fault: s3::Fault) -> Fault {
    Fault::Wire(fault)
}

/// How a listing fails, under the prefix `d/`.
async fn failure(server: &FakeGcs) -> Error {
    let source = source_under(server, "d/");
    let start = Instant::now();
    let error = list_all(&*source).await.expect_err("a bad listing");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(!error.is_retryable(), "the client has retried already: {error}");
    assert!(!error.is_vanished() && !error.is_changed());
    assert_discreet(&error);
    error
}

#[tokio::test]
async fn every_lasting_fault_says_what_to_do() {
    let bomb = format!("{{\"kind\":\"storage#objects\",\"x\":{}", "[".repeat(1 << 20));
    let cases = [
        (status(503, "backendError"), "overloaded or out of order (HTTP 503, backendError)"),
        (status(500, "internalError"), "(HTTP 500, internalError)"),
        (status(429, "rateLimitExceeded"), "(HTTP 429, rateLimitExceeded)"),
        (status(403, "userRateLimitExceeded"), "(HTTP 403, userRateLimitExceeded): try again"),
        (status(502, "<b>not a code</b>"), "(HTTP 502): try again"),
        (status(200, "backendError"), "with something else (it is another JSON document)"),
        (status(403, "forbidden"), "(HTTP 403, forbidden): the service account needs storage.obj"),
        (status(403, "insufficientPermissions"), "forbids listing the bucket"),
        (status(401, "authError"), "(authError): check credentials_json"),
        (status(404, "notFound"), "the bucket source-bucket does not exist"),
        (status(400, "invalid"), "refused listing the bucket (HTTP 400, invalid)"),
        (status(400, "userProjectMissing"), "(userProjectMissing): set project_id"),
        (status(403, "userProjectAccessDenied"), "set project_id in the connector's config"),
        (Fault::Redirect("http://127.0.0.1:1/".into()), "redirects listing the bucket (HTTP 307)"),
        (wire(s3::Fault::Body(b"<html>Console</html>".to_vec())), "not the JSON of a listing"),
        (wire(s3::Fault::Body(b"{}".to_vec())), "it is another JSON document"),
        (wire(s3::Fault::Body(bomb.into_bytes())), "not the JSON of a listing"),
        (wire(s3::Fault::Body(vec![b' '; 17 << 20])), "a page of its listing is too long"),
        (wire(s3::Fault::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())), "well-formed HTTP/1.1"),
        (wire(s3::Fault::ResetBeforeHeaders), "closed the connection without an answer"),
        (wire(s3::Fault::StallBeforeHeaders), "did not answer within"),
        (wire(s3::Fault::StallAfter(20)), "did not"),
        (wire(s3::Fault::CloseAfter(20)), "closed the connection"),
        (Fault::Field("name", "\0\u{e9}".into()), "off the prefix"),
        (Fault::Field("name", Value::Null), "an object has no name"),
        (Fault::Field("size", "-1".into()), "an object has no size"),
        (Fault::Field("updated", "never".into()), "an object has no time"),
        (Fault::Field("crc32c", "x".into()), "an object has a malformed crc32c"),
        (Fault::ListKeyOutsidePrefix, "off the prefix"),
        (Fault::ListOutOfOrder, "does not list its keys in order"),
        (Fault::ListRepeatsToken, "repeats a page token"),
        (Fault::ListEmptyPages, "one empty page after the other"),
    ];
    let check = |(fault, part)| async move {
        let server = server().await;
        server.rule(Rule::on(Op::List, fault));
        let error = failure(&server).await.to_string();
        assert!(error.contains(part), "wanted {part:?}, got: {error}");
    };
    at_once(cases.map(check)).await;
}

#[tokio::test]
async fn every_passing_fault_passes_unnoticed_and_is_counted() {
    let faults = [
        status(500, "backendError"),
        status(429, "rateLimitExceeded"),
        status(401, "authError"),
        wire(s3::Fault::ResetBeforeHeaders),
        wire(s3::Fault::StallBeforeHeaders),
        wire(s3::Fault::CloseAfter(30)),
        wire(s3::Fault::StallAfter(30)),
        wire(s3::Fault::Body(Vec::new())),
    ];
    let check = |fault| async move {
        let server = server().await;
        server.rule(Rule::on(Op::List, fault).nth(1));
        let source = source(&server);
        assert_eq!(list_all(&*source).await.expect("a listing").len(), 4);
        assert!(source.retries() >= 1);
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
async fn a_listing_out_of_order_is_read_where_order_does_not_matter() {
    let server = server().await;
    server.rule(Rule::on(Op::List, Fault::ListOutOfOrder));
    let source = source(&server);
    let error = source.list(None, None).await.expect_err("out of order");
    assert!(matches!(error, Error::Unordered), "{error}");
    let first = source.list_unordered(None).await.expect("a page");
    let second = source.list_unordered(first.next.as_ref()).await.expect("a page");
    let keys: Vec<_> = first.objects.iter().chain(&second.objects).map(|o| &o.key[..]).collect();
    assert_eq!(keys, [b"d/b", b"d/a", b"d/d", b"d/c"]);
    assert!(second.next.is_none());
}

#[tokio::test]
async fn a_listing_goes_on_behind_a_key_and_by_its_tokens() {
    let server = server().await;
    let source = source(&server);
    let first = source.list(Some(b"d/a"), None).await.expect("a page");
    let keys: Vec<_> = first.objects.iter().map(|object| &object.key[..]).collect();
    assert_eq!(keys, [b"d/b"], "the offset is part of the page, and left out");
    let second = source.list(Some(b"d/a"), first.next.as_ref()).await.expect("a page");
    let keys: Vec<_> = second.objects.iter().map(|object| &object.key[..]).collect();
    assert_eq!(keys, [b"d/c", b"d/d"]);
}

#[tokio::test]
async fn a_listing_tells_what_else_is_known() {
    let server = server().await;
    let metadata = [("Owner".to_owned(), "me".to_owned())].into();
    let object = Object { content_type: "text/csv".into(), metadata, ..Object::new("abc") };
    server.put("t", object);
    let listed = source(&server).stat(b"t").await.expect("a look-up").expect("it is there");
    let details = listed.details.as_ref().expect("details");
    assert_eq!((&*details.content_type, details.metadata["owner"].as_str()), ("text/csv", "me"));
    assert_eq!(details.checksums.len(), 2);
    assert!(listed.etag.as_ref().is_some_and(|etag| etag.starts_with('"')));
    assert!(listed.version_id.is_some());
}

#[tokio::test]
async fn the_project_is_named_unless_the_account_may_not() {
    let config = json!({
        "credentials_json": credentials_json(json!({})), "project_id": "my-project",
    });
    let config = SourceConfig::parse(ConnectorKind::Gcs, &config).expect("a config");
    for (requester_pays, may_bill, expected) in
        [(false, true, (2, 0)), (true, true, (2, 0)), (false, false, (1, 1))]
    {
        let server = server().await;
        server.set(|settings| {
            (settings.requester_pays, settings.may_bill) = (requester_pays, may_bill);
        });
        let opener = opener_of(&server);
        let source = opener.open(&uri(), config.clone(), reading("")).expect("a source");
        let page = source.list(None, None).await.expect("a page");
        super::read(&*source, &page.objects[0]).await.expect("an object");
        let seen = server.stats().seen;
        let named = seen.iter().filter(|seen| seen.target.contains("userProject=my-project"));
        assert_eq!((named.count(), source.retries()), expected, "tried once, then remembered");
    }
    let server = server().await;
    server.set(|settings| (settings.requester_pays, settings.may_bill) = (true, false));
    let source = opener_of(&server).open(&uri(), config, reading("")).expect("a source");
    let error = source.list(None, None).await.expect_err("somebody has to pay").to_string();
    assert!(error.contains("(userProjectMissing): set project_id"), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_named_and_connections_are_used_again() {
    let opener = opener(SystemClock, "http://127.0.0.1:1", TokenEndpoint::None);
    let closed = opener.open(&uri(), config(json!({})), reading("")).expect("a source");
    let error = closed.list(None, None).await.expect_err("nobody listens").to_string();
    assert!(error.starts_with("cannot connect to 127.0.0.1:1 (connection refused)"), "{error}");
    let server = server().await;
    let source = source(&server);
    for _ in 0..3 {
        list_all(&*source).await.expect("a listing");
    }
    assert_eq!(server.stats().connections, 1);
}

#[tokio::test]
async fn the_connector_test_passes_and_names_the_step_that_failed() {
    let good = server().await;
    opener_of(&good).probe(&uri(), config(json!({}))).await.expect("a good connector");
    assert_eq!((good.stats().count(Op::List), good.stats().count(Op::Media)), (1, 1));
    for (op, fault, step) in [
        (Op::Token, wire(s3::Fault::ResetBeforeHeaders), Step::Reach),
        (Op::Token, Fault::SignIn { code: 400, error: "invalid_grant" }, Step::Authenticate),
        (Op::Token, Fault::SignIn { code: 404, error: "<html>" }, Step::Authenticate),
        (Op::List, wire(s3::Fault::StallBeforeHeaders), Step::Reach),
        (Op::List, Fault::Redirect("http://x/".into()), Step::Reach),
        (Op::List, status(401, "authError"), Step::Authenticate),
        (Op::List, status(403, "forbidden"), Step::List),
        (Op::List, status(404, "notFound"), Step::List),
        (Op::Media, status(403, "forbidden"), Step::Read),
        (Op::Media, wire(s3::Fault::CloseAfter(0)), Step::Read),
    ] {
        let server = server().await;
        server.rule(Rule::on(op, fault));
        let error = opener_of(&server).probe(&uri(), config(json!({}))).await;
        let error = error.expect_err("a bad connector");
        assert_eq!(error.step, step, "{error}");
        assert_discreet(&error);
    }
}
