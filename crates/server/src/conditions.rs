//! Conditional requests, judged in the order of RFC 9110, section 13.2.2.
//!
//! Tags are compared; a date only where the request has no tag for the same question. A date never
//! allows a range (`If-Range`): it is the source's claim, and not exact enough to join two parts.

use http::HeaderMap;
use http::header::{
    HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE,
};
use httpdate::HttpDate;
use model::Entry;

use crate::download::{etag, http_date};

/// What to do about a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Answer it as if it had no conditions.
    Proceed,
    /// The client has the object.
    Known,
    /// It is not the object that the client means.
    Failed,
}

/// Whether the request has conditions.
pub(crate) fn any(request: &HeaderMap) -> bool {
    [IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE]
        .iter()
        .any(|name| request.contains_key(name))
}

/// Judges all conditions but that of a range.
pub(crate) fn verdict(request: &HeaderMap, entry: &Entry) -> Verdict {
    let fails = match request.contains_key(IF_MATCH) {
        true => !names(request, &IF_MATCH, entry, false),
        false => date(request, &IF_UNMODIFIED_SINCE)
            .is_some_and(|date| modified(entry).is_some_and(|modified| modified > date)),
    };
    let is_known = match request.contains_key(IF_NONE_MATCH) {
        true => names(request, &IF_NONE_MATCH, entry, true),
        false => date(request, &IF_MODIFIED_SINCE)
            .is_some_and(|date| modified(entry).is_some_and(|modified| modified <= date)),
    };
    match (fails, is_known) {
        (true, _) => Verdict::Failed,
        (_, true) => Verdict::Known,
        _ => Verdict::Proceed,
    }
}

/// Whether the range asked for is one of this object: where `If-Range` names another, all of it is
/// to be sent.
pub(crate) fn allow_range(request: &HeaderMap, entry: &Entry) -> bool {
    request.get(IF_RANGE).is_none_or(|tag| *tag == etag(&entry.hash))
}

/// Whether a list of tags has the object's, or is `*`. Weak tags count only where `weak`.
fn names(request: &HeaderMap, header: &HeaderName, entry: &Entry, weak: bool) -> bool {
    lists(request, header, &etag(&entry.hash), weak)
}

/// Whether the client has what this tag is of.
pub(crate) fn is_known(request: &HeaderMap, etag: &HeaderValue) -> bool {
    lists(request, &IF_NONE_MATCH, etag, true)
}

fn lists(request: &HeaderMap, header: &HeaderName, etag: &HeaderValue, weak: bool) -> bool {
    let lists = request.get_all(header).iter().map(HeaderValue::as_bytes);
    let mut tags = lists.flat_map(|list| list.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    tags.any(|tag| {
        let strong = if weak { tag.strip_prefix(b"W/").unwrap_or(tag) } else { tag };
        tag == b"*" || strong == etag.as_bytes()
    })
}

/// A date; anything else counts as absent.
fn date(request: &HeaderMap, header: &HeaderName) -> Option<HttpDate> {
    parse(request.get(header)?)
}

/// When the object was last modified, as it is told: to the second.
fn modified(entry: &Entry) -> Option<HttpDate> {
    parse(&http_date(entry.last_modified)?)
}

fn parse(value: &HeaderValue) -> Option<HttpDate> {
    value.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use model::{Content, Hash, Timestamp};

    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const EXACTLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn entry() -> Entry {
        Entry {
            size: 0,
            hash: Hash::of(b""),
            content_type: "".into(),
            last_modified: Timestamp::from_seconds(784_111_777).plus_ms(999),
            metadata: Default::default(),
            source: None,
            content: Content::Pieces(Vec::new()),
        }
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pair = |(name, value): &(HeaderName, &str)| {
            (name.clone(), value.parse().expect("a legal header value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn conditions_are_judged_in_their_order() {
        use Verdict::{Failed, Known, Proceed};
        let (own, other) = (format!("\"{}\"", Hash::of(b"")), "\"other\"");
        let weak = format!("W/{own}");
        let list = format!("{other}, {own}");
        for (pairs, expected) in [
            (vec![], Proceed),
            (vec![(IF_MATCH, &*own)], Proceed),
            (vec![(IF_MATCH, "*")], Proceed),
            (vec![(IF_MATCH, &list)], Proceed),
            (vec![(IF_MATCH, other)], Failed),
            (vec![(IF_MATCH, &weak)], Failed),
            (vec![(IF_MATCH, "")], Failed),
            (vec![(IF_MATCH, &own), (IF_UNMODIFIED_SINCE, BEFORE)], Proceed),
            (vec![(IF_UNMODIFIED_SINCE, BEFORE)], Failed),
            (vec![(IF_UNMODIFIED_SINCE, EXACTLY)], Proceed),
            (vec![(IF_UNMODIFIED_SINCE, "yesterday")], Proceed),
            (vec![(IF_NONE_MATCH, &own)], Known),
            (vec![(IF_NONE_MATCH, &weak)], Known),
            (vec![(IF_NONE_MATCH, "*")], Known),
            (vec![(IF_NONE_MATCH, other)], Proceed),
            (vec![(IF_NONE_MATCH, other), (IF_MODIFIED_SINCE, EXACTLY)], Proceed),
            (vec![(IF_MODIFIED_SINCE, EXACTLY)], Known),
            (vec![(IF_MODIFIED_SINCE, "Sunday, 06-Nov-94 08:49:37 GMT")], Known),
            (vec![(IF_MODIFIED_SINCE, "Sun Nov  6 08:49:37 1994")], Known),
            (vec![(IF_MODIFIED_SINCE, BEFORE)], Proceed),
            (vec![(IF_MATCH, other), (IF_NONE_MATCH, &own)], Failed),
            (vec![(IF_MATCH, &own), (IF_NONE_MATCH, &own)], Known),
        ] {
            assert_eq!(verdict(&headers(&pairs), &entry()), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_range_needs_the_very_tag() {
        let own = format!("\"{}\"", Hash::of(b""));
        let allowed = |value: &str| allow_range(&headers(&[(IF_RANGE, value)]), &entry());
        assert!(allow_range(&HeaderMap::new(), &entry()) && allowed(&own));
        for other in ["\"other\"", &format!("W/{own}"), EXACTLY, "*", ""] {
            assert!(!allowed(other), "{other}");
        }
    }
}
