//! The `Range` header of one byte range, and `If-Match`.

use std::ops::Range;

use crate::Error;

/// The bytes a GET asks for, as a half-open range within an object of `len` bytes.
///
/// `None` means the whole object: without a header, and with one that S3 ignores (another unit,
/// several ranges, first behind last). `Error::InvalidRange` if no byte of the object is asked for.
pub fn parse(header: Option<&str>, len: u64) -> Result<Option<Range<u64>>, Error> {
    let Some((first, last)) =
        header.and_then(|text| text.strip_prefix("bytes=")).and_then(|text| text.split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Some(first), None) if last.is_empty() => first..len,
        (None, Some(suffix)) if first.is_empty() => len.saturating_sub(suffix)..len,
        _ => return Ok(None),
    };
    if range.is_empty() { Err(Error::InvalidRange(len)) } else { Ok(Some(range)) }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Whether an `If-Match` header allows an object with this quoted `etag`; quotes may be missing.
pub fn if_match(header: Option<&str>, etag: &str) -> Result<(), Error> {
    let bare = etag.trim_matches('"');
    let names = |part: &str| part == "*" || part.trim_matches('"') == bare;
    match header {
        Some(list) if !list.split(',').map(str::trim).any(names) => Err(Error::PreconditionFailed),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_to_the_object() {
        let parsed = |text| parse(Some(text), 10);
        assert_eq!(parsed("bytes=0-0"), Ok(Some(0..1)));
        assert_eq!(parsed("bytes=2-5"), Ok(Some(2..6)));
        assert_eq!(parsed("bytes=2-"), Ok(Some(2..10)));
        assert_eq!(parsed("bytes=9-99999999999999999999999"), Ok(Some(9..10)));
        assert_eq!(parsed("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(parsed("bytes=-30"), Ok(Some(0..10)));
    }

    #[test]
    fn a_range_behind_the_end_is_refused() {
        for text in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(parse(Some(text), 10), Err(Error::InvalidRange(10)), "{text}");
        }
        assert_eq!(parse(Some("bytes=0-0"), 0), Err(Error::InvalidRange(0)));
        assert_eq!(parse(Some("bytes=-1"), 0), Err(Error::InvalidRange(0)));
    }

    #[test]
    fn what_is_not_one_byte_range_means_the_whole() {
        for text in
            ["bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes=a-b", "bytes=+1-2"]
        {
            assert_eq!(parse(Some(text), 10), Ok(None), "{text}");
        }
        assert_eq!(parse(None, 10), Ok(None));
    }

    #[test]
    fn if_match_knows_lists_stars_and_missing_quotes() {
        for text in ["\"abc\"", "abc", "*", "\"x\", \"abc\""] {
            assert_eq!(if_match(Some(text), "\"abc\""), Ok(()), "{text}");
        }
        assert_eq!(if_match(None, "\"abc\""), Ok(()));
        assert_eq!(if_match(Some("\"abd\""), "\"abc\""), Err(Error::PreconditionFailed));
    }
}
