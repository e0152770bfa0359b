//! Bodies that are cut or packed, and listings that go round in circles.

use std::collections::BTreeSet;

use serde_json::json;
use sources::Error;
use testkit::gcs::{FakeGcs, Fault, Op, Rule};
use testkit::s3;

use super::{list_all, read, source};

const CONTENT: &str = "the quick brown fox jumps over the lazy dog";

#[tokio::test]
async fn a_small_body_cut_at_any_place_is_not_whole() {
    let server = FakeGcs::start([("k", CONTENT)]).await;
    let source = source(&server);
    let object = source.stat(b"k").await.expect("a look-up").expect("it is there");
    for at in 0..CONTENT.len() {
        server.clear_rules();
        server.rule(Rule::on(Op::Media, Fault::Wire(s3::Fault::CloseAfter(at as u64))));
        let error = read(&*source, &object).await.expect_err("a cut body");
        let expected = format!("cut a body short: {at} of {} bytes came", CONTENT.len());
        assert!(error.to_string().contains(&expected), "{error}");
        assert!(error.is_retryable());
    }
    server.clear_rules();
    assert_eq!(read(&*source, &object).await.expect("an object"), CONTENT.as_bytes());
}

#[tokio::test]
async fn every_encoding_stays_on_the_bytes() {
    for encoding in ["gzip", "zstd", "br"] {
        let server = FakeGcs::start([("k", CONTENT)]).await;
        server.rule(Rule::on(Op::List, Fault::Field("contentEncoding", json!(encoding))));
        let header = s3::Fault::Header("Content-Encoding", encoding.into());
        server.rule(Rule::on(Op::Media, Fault::Wire(header)));
        let source = source(&server);
        let object = source.stat(b"k").await.expect("a look-up").expect("it is there");
        assert_eq!(read(&*source, &object).await.expect("an object"), CONTENT.as_bytes());
        let opened = source.open(&object, None).await.expect("an object");
        assert_eq!(opened.meta.metadata["content-encoding"], encoding);
    }
}

#[tokio::test]
async fn circles_and_twins_are_found_out() {
    let keys: Vec<String> = (0..40).map(|at| format!("k{at:02}")).collect();
    let server = FakeGcs::start(keys.iter().map(|key| (key, "x"))).await;
    server.set(|settings| settings.page_keys = 3);
    let source = source(&server);
    server.rule(Rule::on(Op::List, Fault::ListStartsOver));
    assert!(matches!(list_all(&*source).await, Err(Error::Unordered)));
    let (mut token, mut found) = (None, BTreeSet::new());
    let error = loop {
        match source.list_unordered(token.as_ref()).await {
            Ok(page) => {
                found.extend(page.objects.into_iter().map(|object| object.key));
                token = Some(page.next.expect("it never ends"));
            }
            Err(error) => break error.to_string(),
        }
        assert!(server.stats().count(Op::List) < 200, "it goes round and round");
    };
    assert!(error.contains("repeats a page token"), "{error}");
    assert_eq!(found.len(), 40);
    server.clear_rules();
    server.rule(Rule::on(Op::List, Fault::ListTwins));
    let error = list_all(&*source).await.expect_err("twins").to_string();
    assert!(error.contains("one key twice, as different objects"), "{error}");
}
