//! The signature check against the worked examples of the S3 documentation, and against every
//! way to get a request wrong.

use super::*;
use http::{HeaderName, HeaderValue};

/// The moment of the documentation's examples: 2013-05-24T00:00:00Z.
const EXAMPLE_UNIX_S: u64 = 1_369_353_600;
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
    }
}

fn at(offset_s: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(EXAMPLE_UNIX_S.saturating_add_signed(offset_s))
}

fn headers(more: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let always = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("x-amz-content-sha256", EMPTY_SHA256),
        ("x-amz-date", "20130524T000000Z"),
    ];
    for (name, value) in always.iter().chain(more) {
        let value = HeaderValue::from_str(value).expect("a legal value");
        headers.insert(HeaderName::from_static(name), value);
    }
    headers
}

fn authorization(scope: &str, signed_headers: &str, signature: &str) -> String {
    let id = credentials().access_key_id;
    format!(
        "{ALGORITHM} Credential={id}/{scope},SignedHeaders={signed_headers},Signature={signature}"
    )
}

fn check(path: &str, query: &str, headers: &HeaderMap, now: SystemTime) -> Result<(), Error> {
    verify(Request { method: "GET", path, query, headers }, &credentials(), "us-east-1", now)
}

/// Signs with what `headers` holds, puts the result into them.
fn signed(path: &str, query: &str, scope: &str, mut headers: HeaderMap) -> HeaderMap {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let names = names.join(";");
    let request = Request { method: "GET", path, query, headers: &headers };
    let signature = sign(request, &credentials(), scope, &names).expect("it can be signed");
    let value = authorization(scope, &names, &signature);
    headers.insert("authorization", value.parse().expect("a legal value"));
    headers
}

#[test]
fn the_documented_examples_verify() {
    let basic = "host;x-amz-content-sha256;x-amz-date";
    let range: &[(&str, &str)] = &[("range", "bytes=0-9")];
    for (path, query, more, names, signature) in [
        (
            "/test.txt",
            "",
            range,
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "/",
            "lifecycle",
            &[],
            basic,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "/",
            "max-keys=2&prefix=J",
            &[],
            basic,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let mut headers = headers(more);
        let value = authorization(SCOPE, names, signature);
        headers.insert("authorization", value.parse().expect("a legal value"));
        assert_eq!(check(path, query, &headers, at(0)), Ok(()), "{path}?{query}");
        assert_eq!(check("/other", query, &headers, at(0)), Err(Error::SignatureDoesNotMatch));
    }
}

#[test]
fn equal_encodings_of_path_and_query_are_one() {
    let ours = signed("/b/a%2Bb%20%C3%A9/../~x", "prefix=a%2Bb&list-type=2", SCOPE, headers(&[]));
    let same = check("/b/a+b%20%c3%a9/../%7Ex", "list-type=2&prefix=a%2bb", &ours, at(0));
    assert_eq!(same, Ok(()));
    let normalized = check("/b/~x", "prefix=a%2Bb&list-type=2", &ours, at(0));
    assert_eq!(normalized, Err(Error::SignatureDoesNotMatch));
}

#[test]
fn the_date_may_be_a_quarter_of_an_hour_off() {
    let ours = signed("/b/k", "", SCOPE, headers(&[]));
    for (offset_s, expected) in [
        (900, Ok(())),
        (-900, Ok(())),
        (901, Err(Error::RequestTimeTooSkewed)),
        (-901, Err(Error::RequestTimeTooSkewed)),
    ] {
        assert_eq!(check("/b/k", "", &ours, at(offset_s)), expected, "{offset_s}");
    }
}

#[test]
fn every_flaw_has_its_error() {
    let fine = || headers(&[]);
    let none = check("/b/k", "", &fine(), at(0));
    assert!(matches!(none, Err(Error::AccessDenied(_))));

    let elsewhere = signed("/b/k", "", "20130524/eu-west-1/s3/aws4_request", fine());
    let elsewhere = check("/b/k", "", &elsewhere, at(0));
    assert!(matches!(elsewhere, Err(Error::AuthorizationHeaderMalformed(_))));

    let other_day = signed("/b/k", "", "20130523/us-east-1/s3/aws4_request", fine());
    assert_eq!(check("/b/k", "", &other_day, at(0)), Err(Error::SignatureDoesNotMatch));

    let payload = signed("/b/k", "", SCOPE, headers(&[("x-amz-content-sha256", "ab")]));
    assert_eq!(check("/b/k", "", &payload, at(0)), Err(Error::XAmzContentSha256Mismatch));
    let unsigned = signed("/b/k", "", SCOPE, headers(&[("x-amz-content-sha256", UNSIGNED)]));
    assert_eq!(check("/b/k", "", &unsigned, at(0)), Ok(()));

    let mut uncovered = signed("/b/k", "", SCOPE, fine());
    uncovered.insert("x-amz-checksum-mode", HeaderValue::from_static("ENABLED"));
    assert!(matches!(check("/b/k", "", &uncovered, at(0)), Err(Error::AccessDenied(_))));

    let ours = signed("/b/k", "", SCOPE, fine());
    let request = Request { method: "HEAD", path: "/b/k", query: "", headers: &ours };
    let head = verify(request, &credentials(), "us-east-1", at(0));
    assert_eq!(head, Err(Error::SignatureDoesNotMatch));
    let get = Request { method: "GET", ..request };
    let other_id = Credentials { access_key_id: "AKIDOTHER".into(), ..credentials() };
    assert_eq!(verify(get, &other_id, "us-east-1", at(0)), Err(Error::InvalidAccessKeyId));
    let other_secret = Credentials { secret_access_key: "wrong".into(), ..credentials() };
    let refused = verify(get, &other_secret, "us-east-1", at(0));
    assert_eq!(refused, Err(Error::SignatureDoesNotMatch));
}

#[test]
fn garbled_headers_never_panic() {
    for text in [
        "",
        "Basic eHg6eXk=",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=,Signature=",
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date;nope, Signature=00",
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date;\u{1}, Signature=zz",
    ] {
        let mut headers = headers(&[]);
        let value = HeaderValue::from_bytes(text.replace('\u{1}', "(").as_bytes());
        headers.insert("authorization", value.expect("a legal value"));
        assert!(check("/b/k", "", &headers, at(0)).is_err(), "{text}");
    }
}
