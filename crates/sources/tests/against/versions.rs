//! Buckets read by versions, and what HEAD tells.

use std::sync::Arc;

use sample::Object;
use serde_json::json;
use sources::{Checksum, Error, Listed, Reading, Source};
use testkit::SystemClock;
use testkit::s3::{self, Fault, HostileS3, Objects, Op, Rule, Settings};

use super::{at_once, config, list_all, opener, read, source, uri};

fn by_versions(server: &HostileS3, prefix: &str) -> Arc<dyn Source> {
    let reading = Reading { prefix: prefix.as_bytes(), concurrency: 4, versions: true };
    let config = config(&server.endpoint(), json!({}));
    opener(SystemClock, Vec::new()).open(&uri(), config, reading).expect("a source")
}

/// Three keys under `d/` with several versions each, one of them deleted, and one from before
/// there were versions.
async fn server() -> HostileS3 {
    let objects = Objects::from([("d/a", "null of a"), ("d/b", "only"), ("e", "x")]).versioned();
    let server =
        HostileS3::start_with(objects, Settings { page_keys: 2, ..Settings::default() }).await;
    server.put("d/a", Object::new("newer"));
    server.put("d/a", Object::new("newest of a"));
    server.put("d/gone", Object::new("1"));
    server.remove("d/gone");
    server.put("d/z+ \n", Object::new("first"));
    server.remove("d/z+ \n");
    server.put("d/z+ \n", Object::new("second of z"));
    server
}

#[tokio::test]
async fn the_latest_version_of_each_key_is_listed_and_read() {
    let server = server().await;
    let source = by_versions(&server, "d/");
    let all = list_all(&*source).await.expect("a listing");
    let keys: Vec<&[u8]> = all.iter().map(|object| object.key.as_slice()).collect();
    assert_eq!(keys, [b"d/a".as_slice(), b"d/b", b"d/z+ \n"]);
    let ids: Vec<bool> = all.iter().map(|object| object.version_id.is_some()).collect();
    assert_eq!(ids, [true, false, true]);
    for (object, bytes) in all.iter().zip(["newest of a", "only", "second of z"]) {
        assert_eq!(read(&*source, object).await.expect("an object"), bytes.as_bytes());
        assert_eq!(source.stat(&object.key).await.expect("a look-up").as_ref(), Some(object));
        let meta = source.head(object).await.expect("a head");
        assert_eq!(meta.version_id, object.version_id);
    }
    assert_eq!(source.stat(b"d/gone").await.expect("a look-up"), None);
    let page = source.list(Some(b"d/a"), None).await.expect("a page");
    assert_eq!(page.objects[0].key, b"d/b");
    let stats = server.stats();
    assert_eq!(stats.count(Op::List), 0);
    let get = stats.seen.iter().find(|seen| seen.op == Op::Get).expect("a GET");
    assert!(get.target.contains("?versionId=v") && !get.headers.contains_key("if-match"));
}

#[tokio::test]
async fn a_version_is_read_whatever_became_of_its_key() {
    let server = server().await;
    let source = by_versions(&server, "d/");
    let all = list_all(&*source).await.expect("a listing");
    server.put("d/a", Object::new("another"));
    server.remove("d/z+ \n");
    assert_eq!(read(&*source, &all[0]).await.expect("an object"), b"newest of a");
    assert_eq!(read(&*source, &all[2]).await.expect("an object"), b"second of z");
    // What has no version id is pinned as ever.
    server.put("d/b", Object::new("then"));
    assert!(read(&*source, &all[1]).await.expect_err("another one").is_changed());
    let absent = Listed { version_id: Some("v0".into()), ..all[0].clone() };
    assert!(read(&*source, &absent).await.expect_err("no such version").is_vanished());
    assert!(source.head(&absent).await.expect_err("no such version").is_vanished());
    // A server that sends another version than was asked for.
    server.rule(Rule::on(Op::Get, Fault::Header("x-amz-version-id", "v1".into())));
    let error = read(&*source, &all[0]).await.expect_err("another version").to_string();
    assert!(error.contains("another version"), "{error}");
    server.clear_rules();
    server.rule(Rule::on(Op::Get, Fault::WrongEtag("\"x\"".into())));
    assert!(read(&*source, &all[0]).await.expect_err("another ETag").is_changed());
}

#[tokio::test]
async fn a_bucket_without_versions_is_read_by_its_keys() {
    let server = HostileS3::start(Objects::from([("a", "1"), ("b", "2")])).await;
    let source = by_versions(&server, "");
    let all = list_all(&*source).await.expect("a listing");
    assert!(all.iter().all(|object| object.version_id.is_none()));
    assert_eq!(read(&*source, &all[1]).await.expect("an object"), b"2");
    assert!(server.stats().seen.iter().all(|seen| !seen.target.contains("versionId")));
}

#[tokio::test]
async fn a_key_with_more_old_versions_than_pages_hold_is_got_over() {
    let server = server().await;
    for at in 0..50 {
        server.put("d/a", Object::new(format!("version {at}")));
    }
    let all = list_all(&*by_versions(&server, "")).await.expect("a listing");
    assert_eq!(all.len(), 4);
    assert!(server.stats().count(Op::Versions) > 25);
}

#[tokio::test]
async fn bad_listings_of_versions_say_what_is_wrong() {
    let status = |code, s3_code| Fault::Status { code, s3_code, headers: Vec::new() };
    let plain = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_vec();
    let cases = [
        (Fault::ListRepeatsToken, "repeats a page token"),
        (Fault::ListTruncatedWithoutToken, "without a token to go on with"),
        (Fault::ListKeyOutsidePrefix, "off the prefix"),
        (Fault::Body(plain), "does not list versions"),
        (status(501, "NotImplemented"), "NotImplemented"),
        (status(403, "AccessDenied"), "need s3:ListBucket"),
        (status(503, "SlowDown"), "overloaded"),
    ];
    let check = |(fault, part)| async move {
        let server = server().await;
        server.rule(Rule::on(Op::Versions, fault));
        let error = list_all(&*by_versions(&server, "d/")).await.expect_err(part).to_string();
        assert!(error.contains(part), "wanted {part:?}, got: {error}");
    };
    at_once(cases.map(check)).await;
    let server = HostileS3::start(Objects::from([("a", "1"), ("b", "2")])).await;
    server.rule(Rule::on(Op::Versions, Fault::ListOutOfOrder).nth(0));
    server.rule(Rule::on(Op::Versions, Fault::ListDuplicates).nth(1));
    let source = by_versions(&server, "");
    assert!(matches!(list_all(&*source).await, Err(Error::Unordered)));
    assert_eq!(list_all(&*source).await.expect("the same twice is borne").len(), 2);
}

#[tokio::test]
async fn a_shuffled_listing_is_read_where_no_order_is_asked_for() {
    let keys: Vec<String> = (0..40).map(|at| format!("d/{at:02}")).collect();
    let objects = Objects::from_iter(keys.iter().map(|key| (key, "x")));
    let settings = Settings { page_keys: 7, shuffled: true, ..Settings::default() };
    let server = HostileS3::start_with(objects, settings).await;
    let source = source(&server);
    assert!(matches!(list_all(&*source).await, Err(Error::Unordered)));
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = source.list_unordered(token.as_ref()).await.expect("a page");
        found.extend(page.objects.into_iter().map(|object| object.key));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    found.sort();
    assert!(found.iter().map(Vec::as_slice).eq(keys.iter().map(String::as_bytes)));
    server.rule(Rule::on(Op::List, Fault::ListRepeatsToken).hits(1..u64::MAX));
    let mut outcome = source.list_unordered(None).await;
    for _ in 0..4 {
        let Ok(page) = &outcome else { break };
        outcome = source.list_unordered(page.next.as_ref()).await;
    }
    assert!(outcome.expect_err("a circle").to_string().contains("repeats a page token"));
}

#[tokio::test]
async fn head_tells_what_a_whole_read_would() {
    let checksums = vec![s3::Checksum::Crc64Nvme, s3::Checksum::Sha1];
    let settings = Settings { checksums, ..Settings::default() };
    let server = HostileS3::start_with(Objects::from([("k", "123456789")]), settings).await;
    let source = source(&server);
    let object = source.stat(b"k").await.expect("a look-up").expect("it is there");
    let meta = source.head(&object).await.expect("a head");
    assert_eq!(meta.checksums[0], Checksum::Crc64Nvme(0xae8b_1486_0a79_9888));
    assert_eq!(meta.checksums.len(), 2);
    assert_eq!(meta, source.open(&object, None).await.expect("an object").meta);
    let seen = server.stats().seen;
    let head = seen.iter().find(|seen| seen.op == Op::Head).expect("a HEAD");
    assert_eq!(head.headers["x-amz-checksum-mode"], "ENABLED");
    assert_eq!(head.headers["if-match"], object.etag.as_deref().expect("an ETag"));
}

#[tokio::test]
async fn head_is_refused_by_status_alone() {
    let status = |code, s3_code| Fault::Status { code, s3_code, headers: Vec::new() };
    for (fault, part) in [
        (status(404, "NoSuchKey"), "does not exist any more"),
        (status(412, "PreconditionFailed"), "changed while it was imported"),
        (status(403, "AccessDenied"), "forbids reading the object (Forbidden)"),
        (status(503, "SlowDown"), "overloaded or out of order (HTTP 503)"),
        (Fault::ContentLengthOff(1), "announces 10 bytes where its listing says 9"),
        (Fault::WrongEtag("\"x\"".into()), "changed while it was imported"),
    ] {
        let server = HostileS3::start(Objects::from([("k", "123456789")])).await;
        let source = source(&server);
        let object = source.stat(b"k").await.expect("a look-up").expect("it is there");
        server.rule(Rule::on(Op::Head, fault));
        let error = source.head(&object).await.expect_err(part).to_string();
        assert!(error.contains(part), "wanted {part:?}, got: {error}");
    }
}
