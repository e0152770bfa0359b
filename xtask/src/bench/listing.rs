//! Pages of ListObjectsV2 answers.

/// Keys of a page.
pub(super) const PAGE_KEYS: u64 = 1_000;

/// An object of a source.
pub(super) struct Object {
    pub(super) key: String,
    pub(super) size: u64,
    /// Without its quotes.
    pub(super) etag: String,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

/// Name of the page with this number in a `continuation-token`.
pub(super) fn token(page: u64) -> String {
    format!("p{page}")
}

/// The answer that lists `objects` as page number `page`.
pub(super) fn page(bucket: &str, page: u64, is_last: bool, objects: &[Object]) -> String {
    let mut xml = String::with_capacity(300 * objects.len() + 500);
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    let (keys, truncated) = (objects.len(), !is_last);
    xml.push_str(&format!(
        "<Name>{bucket}</Name><Prefix></Prefix><MaxKeys>{PAGE_KEYS}</MaxKeys>\
         <KeyCount>{keys}</KeyCount><IsTruncated>{truncated}</IsTruncated>"
    ));
    if truncated {
        let next = token(page + 1);
        xml.push_str(&format!("<NextContinuationToken>{next}</NextContinuationToken>"));
    }
    for Object { key, size, etag, modified } in objects {
        let time = rfc3339(*modified);
        xml.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>{time}</LastModified>\
             <ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>"
        ));
    }
    xml.push_str("</ListBucketResult>");
    xml
}

/// All pages of a bucket.
pub(super) fn pages(bucket: &str, objects: &[Object]) -> Vec<String> {
    let chunks: Vec<_> = objects.chunks(PAGE_KEYS as usize).collect();
    let numbered = chunks.iter().enumerate();
    let render = |(number, chunk): (usize, &&[Object])| {
        page(bucket, number as u64, number + 1 == chunks.len(), chunk)
    };
    numbered.map(render).collect()
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
        assert_eq!(pages.len(), 2);
        assert!(pages[0].contains("<NextContinuationToken>p1</NextContinuationToken>"));
        assert!(pages[0].contains("<KeyCount>1000</KeyCount><IsTruncated>true</IsTruncated>"));
        assert!(pages[1].contains("<Key>k1000</Key>") && !pages[1].contains("NextContinuation"));
    }
}
