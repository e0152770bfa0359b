//! AWS Signature Version 4 for requests without a body.
//!
//! The time is handed in, and the signing key is derived once a day, which makes a signature cost
//! two hashes. A signer crate was the alternative; the ones there are read the system's clock.

use std::fmt::Write;
use std::sync::Mutex;

use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use model::{Secret, Timestamp};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::S3Config;

/// SHA-256 of the empty body.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs with one set of static credentials for one region.
pub(crate) struct Signer {
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    region: String,
    today: Mutex<Option<(String, Key)>>,
}

/// Good for one day, region and service.
type Key = Zeroizing<[u8; 32]>;

/// What is signed, as it will be on the wire.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    /// Percent-encoded once.
    pub(crate) path: &'a str,
    /// Percent-encoded, sorted by name.
    pub(crate) query: &'a str,
}

impl Signer {
    pub(crate) fn new(config: S3Config) -> Self {
        let S3Config { access_key_id, secret_access_key, session_token, region, .. } = config;
        Self { access_key_id, secret_access_key, session_token, region, today: Mutex::new(None) }
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Adds what a signed request needs to `headers`, all of which are covered by the signature.
    pub(crate) fn sign(&self, request: &Unsigned<'_>, now: Timestamp, headers: &mut HeaderMap) {
        let (day, date) = dates(now);
        headers.insert(X_AMZ_CONTENT_SHA256, HeaderValue::from_static(EMPTY_SHA256));
        headers.insert(X_AMZ_DATE, header(&date));
        if let Some(token) = &self.session_token {
            headers.insert(X_AMZ_SECURITY_TOKEN, sensitive(token.expose()));
        }
        let (canonical, names) = canonical(request, headers);
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let hash = hex(&Sha256::digest(canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
        let signature = hex(&hmac(&*self.key(&day), text.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            self.access_key_id.expose()
        );
        headers.insert(AUTHORIZATION, sensitive(&authorization));
    }

    fn key(&self, day: &str) -> Key {
        let mut today = self.today.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((known, key)) = &*today
            && known == day
        {
            return key.clone();
        }
        let secret = Zeroizing::new(format!("AWS4{}", self.secret_access_key.expose()));
        let key = [day, &self.region, "s3", "aws4_request"]
            .iter()
            .fold(Zeroizing::new(secret.as_bytes().to_vec()), |key, part| {
                Zeroizing::new(hmac(&key, part.as_bytes()).to_vec())
            });
        let mut bytes = Key::default();
        bytes.copy_from_slice(&key);
        *today = Some((day.to_owned(), bytes.clone()));
        bytes
    }
}

/// The canonical request, and the names of the headers it covers.
fn canonical(request: &Unsigned<'_>, headers: &HeaderMap) -> (String, String) {
    let mut fields: Vec<_> = headers.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| name.as_str());
    let Unsigned { method, path, query } = request;
    let mut text = format!("{method}\n{path}\n{query}\n");
    let mut names = String::new();
    for (name, value) in fields {
        let value = String::from_utf8_lossy(value.as_bytes());
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}:{}", words.join(" "));
        let separator = if names.is_empty() { "" } else { ";" };
        let _ = write!(names, "{separator}{name}");
    }
    let _ = write!(text, "\n{names}\n{EMPTY_SHA256}");
    (text, names)
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// `20250115` and `20250115T103000Z`.
fn dates(now: Timestamp) -> (String, String) {
    let time =
        OffsetDateTime::from_unix_timestamp(now.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let day = format!("{:04}{:02}{:02}", time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    let date = format!("{day}T{hour:02}{minute:02}{second:02}Z");
    (day, date)
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a checked config is printable ASCII")
}

fn sensitive(text: &str) -> HeaderValue {
    let mut value = header(text);
    value.set_sensitive(true);
    value
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use http::header::{HOST, RANGE};
    use serde_json::json;

    use super::*;

    /// The examples of the S3 API reference, "Authenticating Requests: Using the Authorization
    /// Header".
    #[test]
    fn the_documented_examples_come_out() {
        let config = json!({
            "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        });
        let signer = Signer::new(S3Config::parse(&config).expect("a config"));
        let now = "2013-05-24T00:00:00Z".parse().expect("a time");
        for (path, query, range, signature) in [
            (
                "/test.txt",
                "",
                Some("bytes=0-9"),
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/",
                "lifecycle=",
                None,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "/",
                "max-keys=2&prefix=J",
                None,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("examplebucket.s3.amazonaws.com"));
            if let Some(range) = range {
                headers.insert(RANGE, HeaderValue::from_static(range));
            }
            signer.sign(&Unsigned { method: "GET", path, query }, now, &mut headers);
            let authorization = headers[AUTHORIZATION].to_str().expect("ascii");
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
            assert!(headers[AUTHORIZATION].is_sensitive());
        }
    }

    #[test]
    fn the_key_follows_the_day() {
        let config = json!({ "access_key_id": "a", "secret_access_key": "b" });
        let signer = Signer::new(S3Config::parse(&config).expect("a config"));
        let first = signer.key("20250101");
        assert_eq!(*first, *signer.key("20250101"));
        assert_ne!(*first, *signer.key("20250102"));
        assert_eq!(*first, *signer.key("20250101"));
    }
}
