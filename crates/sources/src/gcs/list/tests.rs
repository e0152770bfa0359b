//! Pages, good and bad, without a server.

use serde_json::{Value, json};

use super::*;

fn item(name: &str, generation: u64) -> Value {
    json!({
        "name": name, "size": "1", "etag": "e", "generation": generation.to_string(),
        "updated": "2025-01-15T10:30:00Z",
    })
}

fn page(items: &[(&str, u64)], next: Option<&str>) -> RawPage {
    let items: Vec<Value> = items.iter().map(|(name, number)| item(name, *number)).collect();
    let document = json!({ "kind": KIND, "items": items, "nextPageToken": next });
    parse(document.to_string().as_bytes()).expect("a page")
}

fn query<'a>(prefix: &'a str, after: Option<&'a str>) -> Query<'a> {
    Query { prefix: prefix.as_bytes(), after: after.map(str::as_bytes), token: None, keys_max: 9 }
}

fn keys(page: &ListPage) -> Vec<&str> {
    let text = |object| std::str::from_utf8(object).expect("utf-8");
    page.objects.iter().map(|object| text(&object.key)).collect()
}

#[test]
fn a_query_is_encoded() {
    let asked = Query { token: Some("t+/="), ..query("a b/", Some("é")) };
    assert_eq!(
        asked.encode(),
        "maxResults=9&prefix=a%20b%2F&startOffset=%C3%A9&pageToken=t%2B%2F%3D\
         &fields=kind,nextPageToken,items(name,size,etag,generation,updated,crc32c,md5Hash,\
         contentType,contentEncoding,metadata)"
    );
}

#[test]
fn only_a_listing_is_a_listing() {
    for (document, what) in [
        ("", "it is not the JSON of a listing"),
        ("[]", "it is not the JSON of a listing"),
        ("{\"kind\":\"storage#objects\"", "it is not the JSON of a listing"),
        ("{\"kind\":\"storage#objects\",\"items\":7}", "it is not the JSON of a listing"),
        ("{\"kind\":\"storage#objects\",\"items\":[{}]}", "an object has no name"),
        ("{}", "it is another JSON document"),
        ("{\"error\":{\"code\":500}}", "it is another JSON document"),
        ("{\"kind\":\"storage#bucket\"}", "it is another JSON document"),
    ] {
        assert_eq!(parse(document.as_bytes()).err(), Some(what), "{document}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(parse(deep.as_bytes()).is_err());
    assert!(parse(b"{\"kind\":\"storage#objects\"}").expect("an empty page").objects.is_empty());
}

#[test]
fn what_is_not_behind_the_start_is_left_out() {
    let raw = page(&[("a", 1), ("b", 1), ("c", 1)], None);
    let page = check(raw, &query("", Some("b")), None).expect("a page");
    assert_eq!(keys(&page), ["c"]);
}

#[test]
fn pages_are_checked_in_themselves_and_against_the_last() {
    let first = check(page(&[("a", 1), ("b", 1)], Some("t")), &query("", None), None);
    let first = first.expect("a page").next.expect("a token");
    let next =
        |items: &[(&str, u64)], token| check(page(items, token), &query("", None), Some(&first));
    assert_eq!(keys(&next(&[("b", 1), ("b", 1), ("c", 1)], None).expect("a page")), ["c"]);
    for (items, token, part) in [
        (&[("a", 1)][..], None, "does not list its keys in order"),
        (&[("d", 1), ("c", 1)], None, "does not list its keys in order"),
        (&[("b", 2)], None, "one key twice, as different objects"),
        (&[("c", 1)], Some("t"), "repeats a page token"),
    ] {
        let error = next(items, token).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
    let off = check(page(&[("a", 1)], None), &query("b", None), None).expect_err("off the prefix");
    assert!(off.to_string().contains("off the prefix"), "{off}");
}

#[test]
fn a_listing_in_any_order_is_checked_for_the_rest() {
    let raw = || page(&[("b", 1), ("a", 1), ("b", 1)], Some("t"));
    let first = check_unordered(raw(), &query("", None), None).expect("a page");
    assert_eq!(keys(&first), ["b", "a", "b"]);
    let again = check_unordered(raw(), &query("", None), first.next.as_ref());
    assert!(again.expect_err("the same token").to_string().contains("repeats a page token"));
    check_unordered(raw(), &query("b", None), None).expect_err("off the prefix");
}
