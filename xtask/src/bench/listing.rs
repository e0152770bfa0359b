//! ListObjectsV2: what is asked for, and the pages of the answer.

use std::fmt::Write as _;

/// Keys of a page.
pub(super) const PAGE_KEYS: u64 = 1_000;

/// An object of a source.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) size: u64,
    /// Without its quotes.
    pub(super) etag: String,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

/// What a listing is asked for; the names are those of the protocol.
pub(super) struct Query {
    pub(super) prefix: String,
    pub(super) start_after: String,
    /// The number of the object that the page starts with.
    pub(super) token: Option<u64>,
    pub(super) keys_max: u64,
}

impl Query {
    /// Reads it from a request's query; `None` if it asks for what this source cannot do.
    pub(super) fn parse(query: &str) -> Option<Self> {
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
        };
        let text = |name| parameter(name).map_or(Some(String::new()), decode);
        let number = |name| parameter(name).map(|value| value.trim_start_matches('p').parse());
        if parameter("delimiter").is_some() {
            return None;
        }
        Some(Self {
            prefix: text("prefix")?,
            start_after: text("start-after")?,
            token: number("continuation-token").transpose().ok()?,
            keys_max: number("max-keys").transpose().ok()?.unwrap_or(PAGE_KEYS).min(PAGE_KEYS),
        })
    }
}

/// A parameter's value without its percent signs.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Name of the page that starts with this object in a `continuation-token`.
pub(super) fn token(start: u64) -> String {
    format!("p{start}")
}

/// The answer that lists `objects`, which `next` follows.
pub(super) fn page(bucket: &str, objects: &[Object], next: Option<u64>) -> String {
    let mut xml = String::with_capacity(300 * objects.len() + 500);
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    let (keys, truncated) = (objects.len(), next.is_some());
    xml.push_str(&format!(
        "<Name>{bucket}</Name><Prefix></Prefix><MaxKeys>{PAGE_KEYS}</MaxKeys>\
         <KeyCount>{keys}</KeyCount><IsTruncated>{truncated}</IsTruncated>"
    ));
    if let Some(next) = next {
        let next = token(next);
        xml.push_str(&format!("<NextContinuationToken>{next}</NextContinuationToken>"));
    }
    // Objects of one time are many: it is written once.
    let mut time = (0, rfc3339(0));
    for Object { key, size, etag, modified } in objects {
        if time.0 != *modified {
            time = (*modified, rfc3339(*modified));
        }
        let time = &time.1;
        // Writing to a string cannot fail.
        let _ = write!(
            xml,
            "<Contents><Key>{key}</Key><LastModified>{time}</LastModified>\
             <ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>"
        );
    }
    xml.push_str("</ListBucketResult>");
    xml
}

/// All pages of a bucket, with the numbers of the objects that they start with.
pub(super) fn pages(bucket: &str, objects: &[Object]) -> Vec<(u64, String)> {
    let chunks = objects.chunks(PAGE_KEYS as usize).enumerate();
    let render = |(number, chunk): (usize, &[Object])| {
        let start = number as u64 * PAGE_KEYS;
        let end = start + chunk.len() as u64;
        (start, page(bucket, chunk, (end < objects.len() as u64).then_some(end)))
    };
    chunks.map(render).collect()
}

/// A time as listings have it.
pub(super) fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Counts in eras of 400 years
/// from the first of March, so that the leap day is the last of its year.
pub(super) fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, after) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + after, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_736_937_000), "2025-01-15T10:30:00.000Z");
    }

    #[test]
    fn pages_follow_each_other() {
        let object = |n| Object { key: format!("k{n:04}"), size: n, etag: "e".into(), modified: 0 };
        let objects: Vec<_> = (0..1_001).map(object).collect();
        let pages = pages("b", &objects);
        assert_eq!((pages.len(), pages[0].0, pages[1].0), (2, 0, 1_000));
        let (first, second) = (&pages[0].1, &pages[1].1);
        assert!(first.contains("<NextContinuationToken>p1000</NextContinuationToken>"));
        assert!(first.contains("<KeyCount>1000</KeyCount><IsTruncated>true</IsTruncated>"));
        assert!(second.contains("<Key>k1000</Key>") && !second.contains("NextContinuation"));
    }

    #[test]
    fn queries_are_read_as_clients_write_them() {
        let text = "list-type=2&max-keys=7&prefix=a%2Fb&start-after=a%2Fb%20c&continuation-token=";
        let query = Query::parse(text).expect("a query");
        assert_eq!((&*query.prefix, &*query.start_after), ("a/b", "a/b c"));
        assert_eq!((query.token, query.keys_max), (None, 7));
        let query = Query::parse("continuation-token=p2000").expect("a query");
        assert_eq!((query.token, query.keys_max), (Some(2_000), PAGE_KEYS));
        assert!(Query::parse("delimiter=%2F").is_none());
        assert!(Query::parse("prefix=%2").is_none());
    }
}
