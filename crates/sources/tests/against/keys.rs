//! Keys go over the wire byte for byte, and come back so.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::ODD_KEYS;
use testkit::s3::{BUCKET, Fault, HostileS3, Objects, Op, Rule};

use super::{list_all, read, source, source_at};

/// What a version 4 signature asks for, said in another way than the client says it.
fn encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[tokio::test]
async fn odd_keys_are_listed_and_read_as_they_are() {
    let server =
        HostileS3::start(Objects::from_iter(ODD_KEYS.iter().map(|key| (*key, *key)))).await;
    let source = source(&server);
    let all = list_all(&*source).await.expect("a listing");
    let mut sorted: Vec<&[u8]> = ODD_KEYS.iter().map(|key| key.as_bytes()).collect();
    sorted.sort_unstable();
    let found: Vec<&[u8]> = all.iter().map(|object| object.key.as_slice()).collect();
    assert_eq!(found, sorted);
    for object in &all {
        assert_eq!(read(&*source, object).await.expect("an object"), object.key);
        let again = source.stat(&object.key).await.expect("a look-up").expect("it is there");
        assert_eq!(again, *object);
    }
    let stats = server.stats();
    let mut expected: Vec<String> =
        all.iter().map(|o| encoded(std::str::from_utf8(&o.key).expect("utf-8"))).collect();
    let mut targets = stats.targets(Op::Get);
    expected.iter_mut().for_each(|key| key.insert_str(0, &format!("/{BUCKET}/")));
    expected.sort();
    targets.sort();
    assert_eq!(targets, expected);
}

#[tokio::test]
async fn every_odd_key_is_a_prefix_and_a_place_to_go_on_from() {
    let server = HostileS3::start(Objects::from_iter(ODD_KEYS.iter().map(|key| (*key, "x")))).await;
    let everything: BTreeMap<&[u8], ()> = ODD_KEYS.iter().map(|key| (key.as_bytes(), ())).collect();
    let all = source(&server);
    for key in ODD_KEYS {
        let source = source_at(&server.endpoint(), key, json!({}));
        let under = list_all(&*source).await.expect("a listing");
        let expected = everything.keys().filter(|other| other.starts_with(key.as_bytes()));
        assert!(under.iter().map(|object| &object.key[..]).eq(expected.copied()), "{key:?}");
        let page = all.list(Some(key.as_bytes()), None).await.expect("a listing");
        let expected = everything.keys().filter(|other| **other > key.as_bytes());
        assert!(page.objects.iter().map(|object| &object.key[..]).eq(expected.copied()), "{key:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_no_text_is_listed_all_the_same() {
    let server = HostileS3::start(Objects::from([("\u{10ffff}", "x")])).await;
    server.rule(Rule::on(Op::List, Fault::ListInvalidUtf8Key));
    let all = list_all(&*source(&server)).await.expect("a listing");
    assert_eq!(all[0].key[..2], [0xff, 0xfe]);
}

#[tokio::test]
async fn an_absent_key_is_absent_even_if_it_starts_another() {
    let server = HostileS3::start(Objects::from([("ab", "x")])).await;
    let source = source(&server);
    assert_eq!(source.stat(b"a").await.expect("a look-up"), None);
    assert_eq!(source.stat(b"zz").await.expect("a look-up"), None);
    assert!(source.stat(b"ab").await.expect("a look-up").is_some());
}
