//! Heads of answers, good and bad.

use http::StatusCode;

use super::*;

fn object(size: u64, etag: Option<&str>) -> Listed {
    let last_modified = model::Timestamp::from_seconds(5);
    Listed {
        key: b"k".to_vec(),
        size,
        etag: etag.map(Into::into),
        last_modified,
        version_id: None,
        details: None,
    }
}

type Fields = Vec<(&'static str, &'static str)>;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

fn length(
    status: u16,
    fields: &[(&'static str, &str)],
    object: &Listed,
    range: Option<Range<u64>>,
) -> Result<(u64, bool)> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    *response.headers_mut() = headers(fields);
    length::check(&response, object, range.as_ref(), pinned(object))
}

fn content_length(value: &str) -> (&'static str, &str) {
    ("content-length", value)
}

#[test]
fn a_length_is_what_was_listed_and_asked_for() {
    let ten = object(10, Some("\"e\""));
    let whole = length(200, &[content_length("10")], &ten, None);
    assert_eq!(whole.expect("the whole"), (10, true));
    let part = [content_length("3"), ("content-range", "bytes 2-4/10")];
    assert_eq!(length(206, &part, &ten, Some(2..5)).expect("a part"), (3, false));
    let unsized_part = [content_length("3"), ("content-range", "bytes 2-4/*")];
    assert_eq!(length(206, &unsized_part, &ten, Some(2..5)).expect("a part"), (3, false));
    let all = length(200, &[content_length("10")], &ten, Some(0..10));
    assert_eq!(all.expect("the whole"), (10, true));
    let empty = object(0, None);
    assert_eq!(length(200, &[content_length("0")], &empty, None).expect("nothing"), (0, true));
}

#[test]
fn any_other_length_is_an_error() {
    let ten = object(10, Some("\"e\""));
    let range = |text| [content_length("3"), ("content-range", text)];
    let cases: Vec<(u16, Fields, Option<Range<u64>>, &str)> = vec![
        (200, vec![], None, "without a Content-Length"),
        (200, vec![content_length("x")], None, "without a Content-Length"),
        (200, vec![content_length("9")], None, "announces 9 bytes where its listing says 10"),
        (200, vec![content_length("10")], Some(2..5), "a whole object for a range"),
        (206, range("bytes 0-2/10").to_vec(), None, "unasked"),
        (206, vec![content_length("3")], Some(2..5), "without a good Content-Range"),
        (206, range("bytes 2-4").to_vec(), Some(2..5), "without a good Content-Range"),
        (206, range("bytes 2-18446744073709551615/10").to_vec(), Some(2..5), "good Content-Range"),
        (206, range("bytes 3-5/10").to_vec(), Some(2..5), "another range"),
        (206, range("bytes 2-5/10").to_vec(), Some(2..5), "another range"),
        (
            206,
            vec![content_length("4"), ("content-range", "bytes 2-4/10")],
            Some(2..5),
            "announces 4",
        ),
    ];
    for (status, fields, range, part) in cases {
        let error = length(status, &fields, &ten, range).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.is_retryable() && !error.is_changed());
    }
    let grown = length(206, &range("bytes 2-4/11"), &ten, Some(2..5)).expect_err("grown");
    assert!(grown.is_changed());
    // Without an ETag, another length is the only sign of another object.
    let nameless = length(200, &[content_length("9")], &object(10, None), None);
    assert!(nameless.expect_err("changed").is_changed());
}

#[test]
fn the_etag_must_be_the_pinned_one() {
    let etag = |value: &str, pinned| check_etag(&headers(&[("etag", value)]), pinned);
    assert_eq!(etag("\"e\"", Some("\"e\"")).expect("equal").as_deref(), Some("\"e\""));
    assert_eq!(etag("e", Some("\"e\"")).expect("equal").as_deref(), Some("\"e\""));
    assert!(etag("W/\"e\"", Some("\"e\"")).is_ok());
    assert!(etag("\"f\"", None).is_ok());
    assert!(etag("\"f\"", Some("\"e\"")).expect_err("changed").is_changed());
    assert!(check_etag(&HeaderMap::new(), None).expect("none").is_none());
    let missing = check_etag(&HeaderMap::new(), Some("\"e\"")).expect_err("missing");
    assert!(missing.to_string().contains("sends none"), "{missing}");
}

#[test]
fn metadata_is_kept_as_it_is() {
    let headers = headers(&[
        ("content-type", "text/csv"),
        ("last-modified", "Wed, 15 Jan 2025 10:30:00 GMT"),
        ("etag", "\"25f9e794323b453885f5181f1b624d0b\""),
        ("x-amz-version-id", "v1"),
        ("x-amz-meta-name", "caf\u{e9}"),
        ("x-amz-meta-twice", "1"),
        ("x-amz-meta-twice", "2"),
        ("content-encoding", "aws-chunked, gzip"),
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
    ]);
    let etag = check_etag(&headers, None).expect("an etag");
    let meta = meta(&headers, &object(9, None), etag, true).expect("metadata");
    assert_eq!(&*meta.content_type, "text/csv");
    assert_eq!(meta.last_modified.to_string(), "2025-01-15T10:30:00Z");
    assert_eq!(meta.version_id.as_deref(), Some("v1"));
    assert!(meta.etag_is_md5);
    assert_eq!(meta.checksums, [Checksum::Crc32(0xcbf4_3926)]);
    let pairs: Vec<_> = meta.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("content-encoding", "gzip"), ("name", "caf\u{e9}"), ("twice", "1,2")]);
}

#[test]
fn what_is_missing_has_a_default() {
    let fields = headers(&[("x-amz-version-id", "null"), ("content-encoding", "aws-chunked")]);
    let meta = meta(&fields, &object(9, None), None, true).expect("metadata");
    assert_eq!(&*meta.content_type, CONTENT_TYPE_DEFAULT);
    assert_eq!(meta.last_modified.seconds(), 5);
    assert_eq!((meta.version_id, meta.etag, meta.etag_is_md5), (None, None, false));
    assert!(meta.metadata.is_empty() && meta.checksums.is_empty());
}

#[test]
fn metadata_that_does_not_fit_is_refused() {
    let mut latin = HeaderMap::new();
    let value = HeaderValue::from_bytes(b"caf\xe9").expect("a header value");
    latin.insert(HeaderName::from_static("x-amz-meta-name"), value);
    let error = metadata(&latin).expect_err("not UTF-8").to_string();
    assert_eq!(error, "the object's metadata cannot be kept: a value of it is not UTF-8");
    let long = "x".repeat(METADATA_BYTES_MAX);
    let error = metadata(&headers(&[("x-amz-meta-a", &long)])).expect_err("too long");
    assert!(matches!(error, Error::Metadata(_)));
    let mut many = HeaderMap::new();
    for number in 0..=METADATA_PAIRS_MAX {
        let name = HeaderName::from_bytes(format!("x-amz-meta-{number}").as_bytes());
        many.insert(name.expect("a header name"), HeaderValue::from_static("x"));
    }
    assert!(metadata(&many).is_err());
}

#[test]
fn an_etag_of_foreign_encryption_is_no_md5() {
    let md5 = ("etag", "\"25f9e794323b453885f5181f1b624d0b\"");
    for (name, value, expected) in [
        ("x-amz-server-side-encryption", "AES256", true),
        ("x-amz-server-side-encryption", "aws:kms", false),
        ("x-amz-server-side-encryption", "aws:kms:dsse", false),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", false),
    ] {
        let headers = headers(&[md5, (name, value)]);
        let etag = check_etag(&headers, None).expect("an etag");
        let meta = meta(&headers, &object(9, None), etag, true).expect("metadata");
        assert_eq!(meta.etag_is_md5, expected, "{name}: {value}");
    }
}

#[test]
fn only_checksums_of_the_whole_object_count() {
    let crc = ("x-amz-checksum-crc32", "y/Q5Jg==");
    let count = |fields: &[(&'static str, &str)]| checksums(&headers(fields)).map(|all| all.len());
    assert_eq!(count(&[crc, ("x-amz-checksum-type", "FULL_OBJECT")]).ok(), Some(1));
    assert_eq!(count(&[crc, ("x-amz-checksum-type", "COMPOSITE")]).ok(), Some(0));
    assert_eq!(count(&[("x-amz-checksum-crc32", "y/Q5Jg==-2")]).ok(), Some(0));
    assert_eq!(count(&[("x-amz-checksum-xxhash64", "?")]).ok(), Some(0));
    assert!(count(&[("x-amz-checksum-crc32", "y/Q5")]).is_err());
    assert!(count(&[("x-amz-checksum-sha256", "not base64")]).is_err());
    let part = meta(&headers(&[crc]), &object(9, None), None, false).expect("metadata");
    assert!(part.checksums.is_empty());
}
