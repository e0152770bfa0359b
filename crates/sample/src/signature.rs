//! Checks the AWS version 4 signature in a request's `Authorization` header.
//!
//! Stands on what came over the wire: each path and query part is decoded once and encoded again
//! by the strict rule of S3, nothing is normalized. Signatures in the query and signed payloads
//! are not accepted: every request of a read-only server has an empty body.

use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::{Error, hex, route};

/// How far the date of a request may be off, both ways.
pub const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');

/// The key pair that requests are signed with. Has no `Debug`: it holds a secret.
#[derive(Clone)]
pub struct Credentials {
    /// Names the key; public.
    pub access_key_id: String,
    /// The signing secret.
    pub secret_access_key: String,
}

/// What of a request is signed, as it came over the wire.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Raw, still percent-encoded.
    pub path: &'a str,
    /// Raw, without the `?`; empty if there is none.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
}

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    access_key_id: &'a str,
    /// `DATE/REGION/SERVICE/aws4_request`
    scope: &'a str,
    date: &'a str,
    region: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// Checks that `request` is signed with `credentials`, for `region`, within `MAX_SKEW` of `now`.
pub fn verify(
    request: Request<'_>,
    credentials: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<(), Error> {
    let header = required(request.headers, "authorization")
        .map_err(|_| Error::AccessDenied("the request is not signed in its header"))?;
    let authorization = Authorization::parse(header)?;
    if authorization.access_key_id != credentials.access_key_id {
        return Err(Error::InvalidAccessKeyId);
    }
    if authorization.region != region {
        return Err(Error::AuthorizationHeaderMalformed("the region is wrong"));
    }
    let date = required(request.headers, "x-amz-date")
        .map_err(|_| Error::AccessDenied("x-amz-date is missing"))?;
    check_date(date, authorization.date, now)?;
    let payload = required(request.headers, "x-amz-content-sha256")?;
    if payload != UNSIGNED && payload != EMPTY_SHA256 {
        return Err(Error::XAmzContentSha256Mismatch);
    }
    check_coverage(request.headers, authorization.signed_headers)?;
    let canonical = canonical_request(request, authorization.signed_headers, payload)?;
    let to_sign = string_to_sign(date, authorization.scope, &canonical);
    let given = hex::decode(authorization.signature).ok_or(Error::SignatureDoesNotMatch)?;
    // Compares in constant time.
    keyed(credentials, authorization.scope, &to_sign)
        .verify_slice(&given)
        .map_err(|_| Error::SignatureDoesNotMatch)
}

/// The signature in hex of `request` for `scope` (`DATE/REGION/s3/aws4_request`), which covers
/// `signed_headers` (lower case, sorted, joined by `;`). The headers must hold `x-amz-date` and
/// `x-amz-content-sha256`.
pub fn sign(
    request: Request<'_>,
    credentials: &Credentials,
    scope: &str,
    signed_headers: &str,
) -> Result<String, Error> {
    let date = required(request.headers, "x-amz-date")?;
    let payload = required(request.headers, "x-amz-content-sha256")?;
    let canonical = canonical_request(request, signed_headers, payload)?;
    let mac = keyed(credentials, scope, &string_to_sign(date, scope, &canonical));
    Ok(hex::encode(&mac.finalize().into_bytes()))
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Result<Self, Error> {
        let malformed = Error::AuthorizationHeaderMalformed;
        let fields =
            header.strip_prefix(ALGORITHM).ok_or(malformed("only AWS4-HMAC-SHA256 is known"))?;
        let field = |name: &str| {
            let mut found = fields.split(',').filter_map(|field| field.trim().strip_prefix(name));
            found.next().ok_or(malformed("Credential, SignedHeaders or Signature is missing"))
        };
        let (access_key_id, scope) = field("Credential=")?
            .split_once('/')
            .ok_or(malformed("the credential has no scope"))?;
        let parts: Vec<&str> = scope.split('/').collect();
        let [date, region, "s3", "aws4_request"] = parts[..] else {
            return Err(malformed("the scope is not DATE/REGION/s3/aws4_request"));
        };
        let (signed_headers, signature) = (field("SignedHeaders=")?, field("Signature=")?);
        Ok(Self { access_key_id, scope, date, region, signed_headers, signature })
    }
}

fn required<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Error> {
    let value = headers.get(name).ok_or(Error::InvalidRequest(name))?;
    value.to_str().map_err(|_| Error::InvalidRequest(name))
}

fn check_date(text: &str, scope_date: &str, now: SystemTime) -> Result<(), Error> {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = PrimitiveDateTime::parse(text, format)
        .map_err(|_| Error::AccessDenied("x-amz-date is not of the form 20250101T000000Z"))?;
    if !text.starts_with(scope_date) || scope_date.len() != 8 {
        return Err(Error::SignatureDoesNotMatch);
    }
    let off = (OffsetDateTime::from(now) - date.assume_utc()).unsigned_abs();
    if off > MAX_SKEW { Err(Error::RequestTimeTooSkewed) } else { Ok(()) }
}

/// The host and every `x-amz-` header must be covered, or they could be changed on the way.
fn check_coverage(headers: &HeaderMap, signed_headers: &str) -> Result<(), Error> {
    let covered = |name: &str| signed_headers.split(';').any(|signed| signed == name);
    let must = |name: &str| name == "host" || name.starts_with("x-amz-");
    if covered("host") && headers.keys().map(|name| name.as_str()).all(|n| !must(n) || covered(n)) {
        return Ok(());
    }
    Err(Error::AccessDenied("the signature must cover host and every x-amz- header"))
}

fn canonical_request(
    request: Request<'_>,
    signed_headers: &str,
    payload: &str,
) -> Result<String, Error> {
    let path = percent_encoding::percent_decode_str(request.path);
    let path = path.decode_utf8().map_err(|_| Error::InvalidUri)?;
    let mut canonical =
        format!("{}\n{}\n", request.method, utf8_percent_encode(&path, STRICT_PATH));
    canonical += &canonical_query(request.query)?;
    canonical += "\n";
    for name in signed_headers.split(';') {
        let values: Result<Vec<String>, _> =
            request.headers.get_all(name).iter().map(|value| value.to_str().map(squeeze)).collect();
        let values = values.map_err(|_| Error::SignatureDoesNotMatch)?;
        if values.is_empty() {
            return Err(Error::SignatureDoesNotMatch);
        }
        canonical += &format!("{name}:{}\n", values.join(","));
    }
    Ok(format!("{canonical}\n{signed_headers}\n{payload}"))
}

fn canonical_query(raw: &str) -> Result<String, Error> {
    let strict = |text: &str| utf8_percent_encode(text, STRICT).to_string();
    let mut pairs: Vec<(String, String)> = route::parse_query(raw)?
        .iter()
        .map(|(name, value)| (strict(name), strict(value)))
        .collect();
    pairs.sort();
    let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(joined.join("&"))
}

/// A header's value without outer spaces and with inner runs of spaces made one.
fn squeeze(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn string_to_sign(date: &str, scope: &str, canonical: &str) -> String {
    let hash = hex::encode(&Sha256::digest(canonical));
    format!("{ALGORITHM}\n{date}\n{scope}\n{hash}")
}

/// The MAC over `text`, keyed by the secret and each part of the scope in turn.
fn keyed(credentials: &Credentials, scope: &str, text: &str) -> Hmac<Sha256> {
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(text.as_bytes());
        mac
    };
    let mut key = format!("AWS4{}", credentials.secret_access_key).into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part).finalize().into_bytes().to_vec();
    }
    mac(&key, text)
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
