//! The XML documents of S3, written by hand: they are few and flat.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use crate::listing::{Page, Query};
use crate::{Error, REGION};

const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

/// Text safe between tags. Control characters become references, as S3 writes them, although
/// XML 1.0 has no place for most: that is what `encoding-type=url` is for.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\0'..='\x1f' => escaped += &format!("&#x{:x};", u32::from(character)),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A key as `encoding-type=url` shows it: as in S3, a space is `+` and `/` stays.
pub fn url_encode(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace("%20", "+")
}

/// The body of a refusal.
pub fn error(error: &Error, resource: &str, request_id: &str) -> String {
    let region = match error {
        Error::AuthorizationHeaderMalformed(_) => REGION,
        _ => "",
    };
    error_document(error.code(), &error.to_string(), resource, request_id, region)
}

/// An `<Error>` document; `region` is left out if empty.
pub fn error_document(
    code: &str,
    message: &str,
    resource: &str,
    request_id: &str,
    region: &str,
) -> String {
    let region = match region {
        "" => String::new(),
        region => format!("<Region>{}</Region>", escape(region)),
    };
    format!(
        "{HEADER}<Error><Code>{code}</Code><Message>{}</Message>{region}\
         <Resource>{}</Resource><RequestId>{request_id}</RequestId></Error>",
        escape(message),
        escape(resource),
    )
}

/// The answer of GetBucketLocation; us-east-1 is the empty name.
pub fn location(region: &str) -> String {
    let name = if region == "us-east-1" { "" } else { region };
    format!("{HEADER}<LocationConstraint {NAMESPACE}>{}</LocationConstraint>", escape(name))
}

/// The answer of ListObjectsV2.
pub fn listing(bucket: &str, query: &Query, page: &Page) -> String {
    let shown = |key: &str| if query.url_encoding { url_encode(key) } else { escape(key) };
    let tag = |name: &str, text: Option<String>| {
        text.map(|text| format!("<{name}>{text}</{name}>")).unwrap_or_default()
    };
    let mut xml = format!(
        "{HEADER}<ListBucketResult {NAMESPACE}><Name>{}</Name><Prefix>{}</Prefix>{}{}{}{}{}\
         <KeyCount>{}</KeyCount><MaxKeys>{}</MaxKeys><IsTruncated>{}</IsTruncated>",
        escape(bucket),
        shown(&query.prefix),
        tag("StartAfter", query.start_after.as_deref().map(shown)),
        tag("ContinuationToken", query.continuation_token.as_deref().map(escape)),
        tag("NextContinuationToken", page.next_token.as_deref().map(escape)),
        tag("Delimiter", query.delimiter.as_deref().map(shown)),
        tag("EncodingType", query.url_encoding.then(|| "url".into())),
        page.entries.len() + page.common_prefixes.len(),
        query.max_keys,
        page.truncated,
    );
    for entry in &page.entries {
        xml += &format!(
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag>\
             <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            shown(&entry.key),
            timestamp(entry.last_modified),
            escape(&entry.etag),
            entry.size,
        );
    }
    for prefix in &page.common_prefixes {
        xml += &format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", shown(prefix));
    }
    xml + "</ListBucketResult>"
}

fn timestamp(moment: OffsetDateTime) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    moment.to_utc().format(format).expect("the format needs only what every date has")
}

/// A moment as HTTP headers write it.
pub fn http_date(moment: OffsetDateTime) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    moment.to_utc().format(format).expect("the format needs only what every date has")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Entry;

    #[test]
    fn keys_are_shown_raw_or_url_encoded() {
        let entry = Entry {
            key: "a b+c/<&>\"%\u{e9}\n".into(),
            size: 3,
            etag: "\"e\"".into(),
            last_modified: time::macros::datetime!(2025-03-04 05:06:07.089 UTC),
        };
        let page = Page { entries: vec![entry], ..Page::default() };
        let raw = listing("b", &Query { max_keys: 7, ..Query::default() }, &page);
        assert!(raw.contains("<Key>a b+c/&lt;&amp;&gt;&quot;%\u{e9}&#xa;</Key>"), "{raw}");
        assert!(raw.contains("<LastModified>2025-03-04T05:06:07.089Z</LastModified>"), "{raw}");
        assert!(raw.contains("<KeyCount>1</KeyCount><MaxKeys>7</MaxKeys>"), "{raw}");
        assert!(!raw.contains("NextContinuationToken"), "{raw}");
        let encoded = listing("b", &Query { url_encoding: true, ..Query::default() }, &page);
        assert!(encoded.contains("<Key>a+b%2Bc/%3C%26%3E%22%25%C3%A9%0A</Key>"), "{encoded}");
        assert!(encoded.contains("<EncodingType>url</EncodingType>"), "{encoded}");
    }

    #[test]
    fn errors_and_dates_have_the_forms_of_s3() {
        let xml = error(&Error::NoSuchKey, "/b/<k>", "1");
        assert!(xml.contains("<Code>NoSuchKey</Code>"), "{xml}");
        assert!(xml.contains("<Resource>/b/&lt;k&gt;</Resource>"), "{xml}");
        let moment = time::macros::datetime!(2025-01-05 00:00 UTC);
        assert_eq!(http_date(moment), "Sun, 05 Jan 2025 00:00:00 GMT");
        assert!(location("us-east-1").ends_with("\"></LocationConstraint>"));
        assert!(location("eu-west-1").ends_with(">eu-west-1</LocationConstraint>"));
    }
}
