//! How long an answer with an object's bytes must be, and which of them it must be.

use std::ops::Range;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap};
use http::{Response, StatusCode};

use crate::{Error, Listed, Result};

/// Bytes of the body, and whether they are all of the object's. Status, length and range must be
/// what was asked for and what was listed. `pinned` says by what the source vouches that it is the
/// listed object, if by anything.
pub(crate) fn check<B>(
    response: &Response<B>,
    object: &Listed,
    range: Option<&Range<u64>>,
    pinned: Option<&str>,
) -> Result<(u64, bool)> {
    let headers = response.headers();
    let all = 0..object.size;
    let partial = response.status() == StatusCode::PARTIAL_CONTENT;
    let expected = match (partial, range) {
        (false, None) => all,
        (false, Some(range)) if *range == all => all,
        (false, Some(_)) => return Err(Error::protocol("it sends a whole object for a range")),
        (true, None) => return Err(Error::protocol("it sends a part of an object unasked")),
        (true, Some(range)) => {
            let (told, size) = content_range(headers)
                .ok_or_else(|| Error::protocol("it sends a part without a good Content-Range"))?;
            if size.is_some_and(|size| size != object.size) {
                return Err(Error::Changed);
            }
            if told != *range {
                return Err(Error::protocol("it sends another range than was asked for"));
            }
            told
        }
    };
    let expected = expected.end - expected.start;
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length: Option<u64> = told.and_then(|text| text.parse().ok());
    match length {
        None => Err(Error::protocol("it sends an object without a Content-Length")),
        Some(length) if length == expected => Ok((expected, !partial)),
        Some(length) => Err(match pinned {
            // Nothing but the size tells that this is another object.
            None => Error::Changed,
            Some(pinned) => Error::Protocol(format!(
                "it announces {length} bytes where its listing says {expected}, {pinned}"
            )),
        }),
    }
}

/// `bytes 0-99/1000`: the range, and the size unless it is `*`.
fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let end = last.parse::<u64>().ok()?.checked_add(1)?;
    let size = if size == "*" { None } else { Some(size.parse().ok()?) };
    Some((first.parse().ok()?..end, size))
}
