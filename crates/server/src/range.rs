//! The `Range` header: one byte range, or none at all.
//!
//! Several ranges, other units and malformed values are ignored, as RFC 9110 allows: the client
//! gets the whole object.

use engine::RangeRequest;
use http::HeaderMap;
use http::header::RANGE;

/// The range that a request asks for. Numbers beyond 64 bits count as the largest.
pub(crate) fn requested(headers: &HeaderMap) -> Option<RangeRequest> {
    let mut values = headers.get_all(RANGE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => parse(value.to_str().ok()?),
        _ => None,
    }
}

fn parse(value: &str) -> Option<RangeRequest> {
    let (unit, range) = value.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match (first, last) {
        ("", length) => Some(RangeRequest::Suffix { length: number(length)? }),
        (first, "") => Some(RangeRequest::From { first: number(first)? }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(RangeRequest::Closed { first, last })
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    let legal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    legal.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_everything_else_ignored() {
        let closed = |first, last| Some(RangeRequest::Closed { first, last });
        let table = [
            ("bytes=0-0", closed(0, 0)),
            ("bytes=5-9", closed(5, 9)),
            ("Bytes = 5-9 ", closed(5, 9)),
            ("bytes=5-99999999999999999999999", closed(5, u64::MAX)),
            ("bytes=5-", Some(RangeRequest::From { first: 5 })),
            ("bytes=99999999999999999999999-", Some(RangeRequest::From { first: u64::MAX })),
            ("bytes=-5", Some(RangeRequest::Suffix { length: 5 })),
            ("bytes=-0", Some(RangeRequest::Suffix { length: 0 })),
        ];
        for (value, expected) in table {
            assert_eq!(parse(value), expected, "{value}");
        }
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=9-5",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=a-b",
            "items=0-5",
            "bytes=0x1-2",
            "bytes=1 -2",
        ] {
            assert_eq!(parse(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn two_range_headers_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(RANGE, "bytes=0-1".parse().expect("a value"));
        assert!(requested(&headers).is_some());
        headers.append(RANGE, "bytes=2-3".parse().expect("a value"));
        assert_eq!(requested(&headers), None);
    }
}
