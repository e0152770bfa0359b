//! Pages as they come, and the checks against every way they can be wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn page(body: &str) -> std::result::Result<RawPage, &'static str> {
    match parse(body.as_bytes(), false)? {
        Answer::Page(page) => Ok(page),
        Answer::Refused(_) => Err("refused"),
    }
}

fn contents(key: &str, rest: &str) -> String {
    format!("<Contents><Key>{key}</Key>{rest}</Contents>")
}

const REST: &str = "<Size>7</Size><ETag>&quot;e&quot;</ETag>\
                    <LastModified>2025-01-15T10:30:00.000Z</LastModified>";

fn document(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}\
         <IsTruncated>false</IsTruncated></ListBucketResult>"
    )
}

fn listed(key: &[u8]) -> Listed {
    let last_modified = Timestamp::from_seconds(1_736_937_000);
    Listed {
        key: key.to_vec(),
        size: 7,
        etag: Some("\"e\"".into()),
        last_modified,
        version_id: None,
        details: None,
    }
}

fn query(prefix: &[u8]) -> Query<'_> {
    Query { prefix, after: None, token: None, keys_max: 1000, versions: false, ordered: true }
}

fn token(token: &str, last: Option<&[u8]>) -> PageToken {
    PageToken { last: last.map(listed), ..PageToken::new(token.into()) }
}

#[test]
fn a_page_is_read_exactly() {
    let inner = contents("a+b%2Bc%FF%2F%0A", REST) + "<EncodingType>url</EncodingType>";
    let page = page(&document(&inner)).expect("a page");
    assert_eq!(page.objects, [listed(b"a b+c\xff/\n")]);
    assert!(!page.truncated && page.token.is_none());
}

#[test]
fn without_an_encoding_keys_are_as_they_stand() {
    let page = page(&document(&contents(" a+b%2B&amp;&#13;&#x1F600; ", REST))).expect("a page");
    assert_eq!(page.objects[0].key, " a+b%2B&\r\u{1f600} ".as_bytes());
}

#[test]
fn an_etag_gets_its_quotes_and_may_be_missing() {
    let time = "<LastModified>2025-01-15T10:30:00Z</LastModified><Size>7</Size>";
    let inner = contents("a", &format!("{time}<ETag>e</ETag>"))
        + &contents("b", time)
        + &contents("c", &format!("{time}<ETag/>"))
        + &contents("d", &format!("{time}<ETag>W/\"e\"</ETag>"));
    let page = page(&document(&inner)).expect("a page");
    let etags: Vec<_> = page.objects.iter().map(|object| object.etag.as_deref()).collect();
    assert_eq!(etags, [Some("\"e\""), None, None, Some("W/\"e\"")]);
}

#[test]
fn incomplete_pages_are_refused() {
    for (body, why) in [
        (document(&contents("", REST)), "it has an object without a key"),
        (document(&contents("a", "<Size>-1</Size>")), "it has an object without a size"),
        (document(&contents("a", "<Size>1</Size>")), "it has an object without a time"),
        (document("<EncodingType>rot13</EncodingType>"), "its keys are in an unknown encoding"),
        ("<ListBucketResult/>".into(), "it does not say whether more follows"),
        ("<html><body>hello</body></html>".into(), "it is another XML document"),
        ("<!DOCTYPE html><html></html>".into(), "its XML has a DTD"),
        ("{\"json\": true}".into(), "it is not XML"),
        (String::new(), "it ends too early"),
        ("<Error><Code>SlowDown</Code></Error>".into(), "refused"),
    ] {
        assert_eq!(page(&body).err(), Some(why), "{body}");
    }
}

#[test]
fn a_query_is_sorted_and_encoded() {
    let mut query = Query { after: Some(b"c+"), ..query(b"a b/\xff") };
    assert_eq!(
        query.encode(),
        "encoding-type=url&list-type=2&max-keys=1000&prefix=a%20b%2F%FF&start-after=c%2B"
    );
    let token = token("t/=", None);
    query.token = Some(&token);
    assert_eq!(
        query.encode(),
        "continuation-token=t%2F%3D&encoding-type=url&list-type=2&max-keys=1000&prefix=a%20b%2F%FF"
    );
}

#[test]
fn the_latest_versions_are_kept() {
    let version = |key: &str, id: &str, latest: bool| {
        let head = format!("<VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>");
        format!("<Version><Key>{key}</Key>{head}{REST}</Version>")
    };
    let document = format!(
        "<ListVersionsResult>{}{}<DeleteMarker><Key>b</Key><VersionId>x</VersionId>\
         <IsLatest>true</IsLatest></DeleteMarker>{}{}<EncodingType>url</EncodingType>\
         <NextKeyMarker>d%FF+</NextKeyMarker><NextVersionIdMarker>n/1</NextVersionIdMarker>\
         <IsTruncated>true</IsTruncated></ListVersionsResult>",
        version("a", "v/+1", true),
        version("a", "null", false),
        version("b", "v2", false),
        version("c%2F", "null", true),
    );
    let Ok(Answer::Page(page)) = parse(document.as_bytes(), true) else { panic!("no page") };
    let first = Listed { version_id: Some("v/+1".into()), ..listed(b"a") };
    assert_eq!(page.objects, [first, listed(b"c/")]);
    assert!(page.has_others && page.truncated);
    let asked = Query { versions: true, after: Some(b"A"), ..query(b"") };
    let first = asked.encode();
    assert_eq!(first, "encoding-type=url&key-marker=A&max-keys=1000&prefix=&versions=");
    let token = check(page, &asked).expect("a good page").next.expect("more");
    assert_eq!(
        Query { token: Some(&token), ..asked }.encode(),
        "encoding-type=url&key-marker=d%FF%20&max-keys=1000&prefix=&version-id-marker=n%2F1\
         &versions="
    );
    let other = parse(b"<ListBucketResult/>", true).err();
    assert_eq!(other, Some("it does not list versions"));
}

#[test]
fn the_markers_of_versions_have_to_advance() {
    let before = token(&versions::token(b"k", "2"), None);
    let asked = Query { versions: true, token: Some(&before), ..query(b"") };
    let next = |key: &[u8], version| check(raw(&[], Some(&versions::token(key, version))), &asked);
    assert!(next(b"k", "1").is_ok() && next(b"l", "2").is_ok() && next(b"l", "").is_ok());
    assert!(next(b"k", "2").is_err() && next(b"j", "9").is_err());
    let asked = Query { versions: true, after: Some(b"k"), ..query(b"") };
    assert!(check(raw(&[], Some(&versions::token(b"j", "9"))), &asked).is_err());
    // What other servers list again of the key to start after is left out.
    let again = check(raw(&["k", "l"], None), &asked).expect("a page");
    assert_eq!(again.objects, [listed(b"l")]);
}

#[test]
fn without_order_all_but_order_is_checked() {
    let before = token("t", None);
    let asked = Query { ordered: false, token: Some(&before), ..query(b"p") };
    let page = check(raw(&["p3", "p1", "p1"], Some("u")), &asked).expect("a page");
    let keys: Vec<_> = page.objects.iter().map(|object| object.key.as_slice()).collect();
    assert_eq!(keys, [b"p3", b"p1", b"p1"]);
    assert!(check(raw(&["q"], None), &asked).is_err());
    assert!(check(raw(&["p1"], Some("t")), &asked).is_err());
    let mut at = page.next.expect("more");
    for round in 0.. {
        let asked = Query { ordered: false, token: Some(&at), ..query(b"p") };
        match check(raw(&["p1"], Some(&(round % 3).to_string())), &asked) {
            Ok(page) => at = page.next.expect("more"),
            Err(_) => break,
        }
        assert!(round < 100, "it walks in a circle");
    }
}

fn raw(keys: &[&str], token: Option<&str>) -> RawPage {
    RawPage {
        objects: keys.iter().map(|key| listed(key.as_bytes())).collect(),
        truncated: token.is_some(),
        token: token.map(str::to_owned),
        has_others: false,
    }
}

fn complaint(raw: RawPage, after: Option<&str>, token: Option<&PageToken>) -> String {
    let asked = Query { after: after.map(str::as_bytes), token, ..query(b"p") };
    let error = check(raw, &asked).expect_err("a bad page");
    assert!(!error.is_retryable());
    error.to_string()
}

#[test]
fn every_wrong_page_is_called_what_it_is() {
    let before = token("t", Some(b"p5"));
    for (page, after, token, part) in [
        (raw(&["p1", "q"], None), None, None, "off the prefix"),
        (raw(&["p1", "p"], None), None, None, "in order"),
        (raw(&["p4"], None), None, Some(&before), "in order"),
        (raw(&["p2"], None), Some("p2"), None, "in order"),
        (raw(&["p6"], Some("t")), None, Some(&before), "repeats a page token"),
    ] {
        let complaint = complaint(page, after, token);
        assert!(complaint.contains(part), "{complaint}");
    }
    let cut = RawPage { truncated: true, ..raw(&["p1"], None) };
    assert!(complaint(cut, None, None).contains("without a token"));
    let mut twice = raw(&["p1", "p1"], None);
    twice.objects[1].size = 8;
    assert!(complaint(twice, None, None).contains("one key twice"));
}

#[test]
fn the_same_object_twice_is_dropped_also_across_pages() {
    let before = token("t", Some(b"p1"));
    let asked = Query { token: Some(&before), ..query(b"p") };
    let page = check(raw(&["p1", "p2", "p2"], Some("u")), &asked).expect("a page");
    assert_eq!(page.objects, [listed(b"p2")]);
    assert_eq!(page.next.expect("more").last, Some(listed(b"p2")));
    let empty = check(raw(&["p1"], Some("u")), &asked).expect("a page");
    assert_eq!(empty.next.expect("more").last, Some(listed(b"p1")));
}

proptest! {
    #[test]
    fn any_keys_come_back_through_the_wire(
        keys in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..12), 1..20),
    ) {
        let inner: String = keys.iter().map(|key| contents(&encode_all(key), REST)).collect();
        let page = page(&document(&(inner + "<EncodingType>url</EncodingType>"))).expect("a page");
        let page = check(page, &query(b"")).expect("a good page");
        let found: Vec<_> = page.objects.into_iter().map(|object| object.key).collect();
        prop_assert_eq!(found, keys.into_iter().collect::<Vec<_>>());
    }

    /// Whatever pages a source sends: what passes the checks is strictly ascending, under the
    /// prefix and behind the start, and equal to what was sent but for repetitions.
    #[test]
    fn what_passes_is_in_order(
        pages in prop::collection::vec(prop::collection::vec("[ab]{1,3}", 0..4), 1..4),
        after in prop::option::of("[ab]{1,2}"),
    ) {
        let after = after.as_deref().map(str::as_bytes);
        let (mut token, mut all) = (None, Vec::new());
        for (number, keys) in pages.iter().enumerate() {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let next = format!("t{number}");
            let asked = Query { after, token: token.as_ref(), ..query(b"a") };
            match check(raw(&keys, Some(&next)), &asked) {
                Err(_) => return Ok(()),
                Ok(page) => {
                    all.extend(page.objects.into_iter().map(|object| object.key));
                    token = page.next;
                }
            }
        }
        prop_assert!(all.is_sorted_by(|left, right| left < right));
        prop_assert!(all.iter().all(|key| key.starts_with(b"a")));
        prop_assert!(all.iter().all(|key| after.is_none_or(|after| &key[..] > after)));
        let sent: BTreeMap<_, _> = pages.iter().flatten().map(|key| (key.as_bytes(), ())).collect();
        prop_assert_eq!(all.len(), sent.len());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (parse(&bytes, false), parse(&bytes, true));
    }

    #[test]
    fn a_damaged_page_never_panics(at in 0_usize..200, byte in any::<u8>()) {
        let inner = contents("a%2", REST) + "<EncodingType>url</EncodingType>";
        let mut body = document(&inner).into_bytes();
        let at = at % body.len();
        body[at] = byte;
        let _ = parse(&body, false);
    }
}
