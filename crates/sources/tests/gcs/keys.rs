//! Keys go over the wire byte for byte, each as one segment of a path, and come back so.

use testkit::ODD_KEYS;
use testkit::gcs::{BUCKET, FakeGcs, Op};

use super::{list_all, read, source, source_under};

/// What RFC 3986 asks for, said in another way than the client says it.
fn encoded(key: &[u8]) -> String {
    key.iter()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(*byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[tokio::test]
async fn odd_keys_are_listed_and_read_as_they_are() {
    let server = FakeGcs::start(ODD_KEYS.iter().map(|key| (*key, *key))).await;
    server.set(|settings| settings.page_keys = 7);
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
    let expected = all.iter().map(|object| {
        let generation = object.version_id.as_deref().expect("a generation");
        let key = encoded(&object.key);
        format!("/storage/v1/b/{BUCKET}/o/{key}?alt=media&ifGenerationMatch={generation}")
    });
    assert!(stats.of(Op::Media).map(|seen| seen.target.clone()).eq(expected));
    assert_eq!(stats.count(Op::Other), 0);
}

#[tokio::test]
async fn every_odd_key_is_a_prefix_and_a_place_to_go_on_from() {
    let server = FakeGcs::start(ODD_KEYS.iter().map(|key| (*key, "x"))).await;
    let mut sorted: Vec<&[u8]> = ODD_KEYS.iter().map(|key| key.as_bytes()).collect();
    sorted.sort_unstable();
    let all = source(&server);
    for key in ODD_KEYS {
        let under = list_all(&*source_under(&server, key)).await.expect("a listing");
        let expected = sorted.iter().filter(|other| other.starts_with(key.as_bytes()));
        assert!(under.iter().map(|object| &object.key[..]).eq(expected.copied()), "{key:?}");
        let page = all.list(Some(key.as_bytes()), None).await.expect("a listing");
        let expected = sorted.iter().filter(|other| **other > key.as_bytes());
        assert!(page.objects.iter().map(|object| &object.key[..]).eq(expected.copied()), "{key:?}");
    }
}

#[tokio::test]
async fn an_absent_key_is_absent_even_if_it_starts_another() {
    let server = FakeGcs::start([("ab", "x")]).await;
    let source = source(&server);
    assert_eq!(source.stat(b"a").await.expect("a look-up"), None);
    assert_eq!(source.stat(b"zz").await.expect("a look-up"), None);
    assert!(source.stat(b"ab").await.expect("a look-up").is_some());
    assert_eq!(source.uri(b"a b/\xff"), format!("gs://{BUCKET}/a b/\u{fffd}"));
    assert_eq!(source.kind(), "gcs");
}
