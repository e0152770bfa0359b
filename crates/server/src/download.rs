//! The headers under which an object leaves: what it is, that it is data, and that it is nobody
//! else's.
//!
//! Stored types and metadata come from foreign sources, so nothing of them reaches a header
//! unchecked. A pair of metadata becomes `X-Tilde-Meta-<key>` if its key is a token and its
//! value printable ASCII without space at the ends; other pairs are left out here and stand in
//! listings, which carry any text.

use http::HeaderMap;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, LAST_MODIFIED,
};
use model::{Entry, Hash, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::macros::format_description;

/// Bytes of a file name that is offered.
const FILENAME_BYTES_MAX: usize = 255;
/// Types that a browser may show in place, as they cannot run anything.
const INLINE_TYPES: [&str; 6] =
    ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain"];
/// What RFC 8187 lets stand unencoded.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const DEFAULT_TYPE: &str = "application/octet-stream";

/// Headers that validate a cached copy: of a 304 and of the full answer.
pub(crate) fn validators(entry: &Entry) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, etag(&entry.hash));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Some(date) = http_date(entry.last_modified) {
        headers.insert(LAST_MODIFIED, date);
    }
    headers
}

/// All headers of an object but its length and range.
pub(crate) fn headers(path: &str, entry: &Entry) -> HeaderMap {
    let mut headers = validators(entry);
    let content_type = content_type(&entry.content_type);
    headers.insert(CONTENT_DISPOSITION, disposition(path, content_type));
    let content_type = HeaderValue::from_str(content_type).expect("it was checked to be ASCII");
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-tilde-reproducible"), "true"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.extend(entry.metadata.iter().filter_map(|(key, value)| metadata(key, value)));
    headers
}

/// The quoted ETag of an object.
pub(crate) fn etag(hash: &Hash) -> HeaderValue {
    HeaderValue::try_from(format!("\"{hash}\"")).expect("hex digits are legal in a header")
}

/// The stored type if it has the grammar of one.
fn content_type(stored: &str) -> &str {
    let mut parts = stored.split(';');
    let essence = parts.next().unwrap_or_default().trim_end().split_once('/');
    let legal = essence.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        && parts.all(|parameter| match parameter.trim().split_once('=') {
            Some((name, value)) => is_token(name) && (is_token(value) || is_quoted(value)),
            None => false,
        });
    if legal { stored } else { DEFAULT_TYPE }
}

fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

fn is_quoted(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|text| {
        text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte))
    })
}

fn disposition(path: &str, content_type: &str) -> HeaderValue {
    let essence = content_type.split(';').next().unwrap_or_default().trim_end();
    let inline = INLINE_TYPES.iter().any(|safe| safe.eq_ignore_ascii_case(essence));
    let kind = if inline { "inline" } else { "attachment" };
    let name = filename(path);
    let plain: String = name
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() || "-_.".contains(char) { char } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(name, ATTRIBUTE);
    HeaderValue::try_from(format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"))
        .expect("both names are ASCII")
}

/// The last segment of the path that is not empty, at most [`FILENAME_BYTES_MAX`] of it.
fn filename(path: &str) -> &str {
    let name = path.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or("object");
    &name[..name.floor_char_boundary(FILENAME_BYTES_MAX)]
}

fn metadata(key: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.trim() == value;
    let name = HeaderName::try_from(format!("x-tilde-meta-{key}")).ok()?;
    printable.then(|| HeaderValue::from_str(value).ok()).flatten().map(|value| (name, value))
}

/// The time as HTTP writes it, to the second.
pub(crate) fn http_date(time: Timestamp) -> Option<HeaderValue> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = OffsetDateTime::from_unix_timestamp(time.seconds()).ok()?;
    HeaderValue::try_from(date.format(format).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_type_is_sent_only_if_it_is_one() {
        for good in [
            "text/plain",
            "image/svg+xml",
            "text/html; charset=utf-8",
            "text/csv;header=present",
            "multipart/x; boundary=\"a b\"",
        ] {
            assert_eq!(content_type(good), good);
        }
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "text/plain\r\nset-cookie: a=b",
            "text/plain; charset=\"a\r\n\"",
            "text/pl\u{e4}in",
            "text/plain;",
            "text/plain; a=\"b\\\"",
            "text /plain",
        ] {
            assert_eq!(content_type(bad), DEFAULT_TYPE, "{bad:?}");
        }
    }

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let of =
            |path: &str, kind: &str| disposition(path, kind).to_str().expect("ASCII").to_owned();
        assert_eq!(
            of("a/b c.csv", "text/csv"),
            "attachment; filename=\"b_c.csv\"; filename*=UTF-8''b%20c.csv"
        );
        assert_eq!(
            of("x\"\r\nset-cookie: a=b", "TEXT/plain; charset=utf-8"),
            "inline; filename=\"x___set-cookie__a_b\"; \
             filename*=UTF-8''x%22%0D%0Aset-cookie%3A%20a%3Db"
        );
        assert_eq!(
            of("d\u{fc}/\u{e4}", "image/svg+xml"),
            "attachment; filename=\"_\"; filename*=UTF-8''%C3%A4"
        );
        assert!(of("dir/", "text/html").contains("\"dir\""));
        assert!(of("//", "text/html").contains("\"object\""));
        assert!(filename(&"\u{e4}".repeat(500)).len() <= FILENAME_BYTES_MAX);
    }

    #[test]
    fn metadata_that_is_no_header_is_left_out() {
        let (name, value) = metadata("Owner", "data team").expect("a pair");
        assert_eq!((name.as_str(), value.as_bytes()), ("x-tilde-meta-owner", &b"data team"[..]));
        for (key, value) in
            [("a b", "c"), ("a\r\nb", "c"), ("a", "b\r\nset-cookie: c=d"), ("a", "\u{e4}")]
        {
            assert!(metadata(key, value).is_none(), "{key:?}: {value:?}");
        }
        assert!(metadata("a", " b").is_none() && metadata("\u{e4}", "b").is_none());
    }

    #[test]
    fn dates_have_the_one_http_format() {
        let date = http_date(Timestamp::from_seconds(784_111_777)).expect("a date");
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(http_date(Timestamp(i64::MIN)).is_none());
    }
}
