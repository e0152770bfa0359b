//! What the built-in source serves: files with the ETags they were listed with, or objects that are
//! computed from their number and stored nowhere.

use std::collections::HashMap;
use std::path::PathBuf;

use super::data::Prepared;
use super::listing::{Object, PAGE_KEYS, Query, page, pages};

/// What a source holds: objects, numbered in the order of their keys.
pub(super) trait Content: Send + Sync + 'static {
    /// How many; `None` where there is no such bucket.
    fn count(&self, bucket: &str) -> Option<u64>;

    /// The object with this number.
    fn object(&self, bucket: &str, number: u64) -> Object;

    /// How many keys are less than this one.
    fn position(&self, bucket: &str, key: &str) -> u64;

    /// The bytes of the object with this number.
    fn body(&self, bucket: &str, number: u64) -> Body;

    /// A full page that was rendered beforehand.
    fn rendered(&self, _bucket: &str, _start: u64) -> Option<&str> {
        None
    }
}

/// Where the bytes of an object come from.
pub(super) enum Body {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// The number of the object with this key.
pub(super) fn find(content: &dyn Content, bucket: &str, key: &str) -> Option<u64> {
    let count = content.count(bucket)?;
    let number = content.position(bucket, key);
    (number < count && content.object(bucket, number).key == key).then_some(number)
}

/// The answer to a listing; `None` where there is no such bucket.
pub(super) fn list(content: &dyn Content, bucket: &str, query: &Query) -> Option<String> {
    let count = content.count(bucket)?;
    let (first, behind) = match &*query.prefix {
        "" => (0, count),
        // No key has anything that sorts behind this.
        prefix => {
            let behind = format!("{prefix}\u{7f}");
            (content.position(bucket, prefix), content.position(bucket, &behind))
        }
    };
    let start = match (query.token, &*query.start_after) {
        (Some(token), _) => token,
        (None, "") => first,
        (None, after) => {
            let at = content.position(bucket, after);
            first.max(at + u64::from(find(content, bucket, after).is_some()))
        }
    };
    let start = start.min(behind);
    let end = behind.min(start + query.keys_max);
    let is_usual = behind == count && query.keys_max == PAGE_KEYS;
    if let Some(rendered) = content.rendered(bucket, start).filter(|_| is_usual) {
        return Some(rendered.to_owned());
    }
    let objects: Vec<_> = (start..end).map(|number| content.object(bucket, number)).collect();
    Some(page(bucket, &objects, (end < behind).then_some(end)))
}

/// The data sets on disk.
pub(super) struct Files(HashMap<String, Bucket>);

struct Bucket {
    folder: PathBuf,
    pages: HashMap<u64, String>,
    objects: Vec<Object>,
}

impl Files {
    pub(super) fn new(sets: &[Prepared]) -> Self {
        let bucket = |set: &Prepared| Bucket {
            folder: set.folder.clone(),
            pages: pages(&set.bucket, &set.objects).into_iter().collect(),
            objects: set.objects.clone(),
        };
        Self(sets.iter().map(|set| (set.bucket.clone(), bucket(set))).collect())
    }
}

impl Content for Files {
    fn count(&self, bucket: &str) -> Option<u64> {
        Some(self.0.get(bucket)?.objects.len() as u64)
    }

    fn object(&self, bucket: &str, number: u64) -> Object {
        self.0[bucket].objects[number as usize].clone()
    }

    fn position(&self, bucket: &str, key: &str) -> u64 {
        self.0[bucket].objects.partition_point(|object| *object.key < *key) as u64
    }

    fn body(&self, bucket: &str, number: u64) -> Body {
        let bucket = &self.0[bucket];
        Body::File(bucket.folder.join(&bucket.objects[number as usize].key))
    }

    fn rendered(&self, bucket: &str, start: u64) -> Option<&str> {
        self.0.get(bucket)?.pages.get(&start).map(String::as_str)
    }
}

/// Objects that are computed from their number; every bucket has the same.
pub(super) struct Computed {
    pub(super) count: u64,
    /// The smallest and the largest size in bytes; an object's lies between, by its number.
    pub(super) sizes: (u64, u64),
    pub(super) folder_objects: u64,
}

/// Objects in a folder, where nothing depends on it.
pub(super) const FOLDER_OBJECTS: u64 = 1_000;
const MODIFIED: u64 = 1_700_000_000;

impl Computed {
    /// Objects so small that little but the work for each of them is measured.
    pub(super) fn tiny(count: u64) -> Self {
        Self { count, sizes: (64, 200), folder_objects: FOLDER_OBJECTS }
    }

    /// `count` objects of one size.
    pub(super) fn even(count: u64, bytes: u64) -> Self {
        Self { sizes: (bytes, bytes), ..Self::tiny(count) }
    }

    fn key(&self, number: u64) -> String {
        format!("part-{:06}/obj-{number:09}.bin", number / self.folder_objects)
    }

    fn number(&self, key: &str) -> Option<u64> {
        let number = key.rsplit_once("/obj-")?.1.strip_suffix(".bin")?.parse().ok()?;
        (self.key(number) == key).then_some(number)
    }
}

impl Content for Computed {
    fn count(&self, _: &str) -> Option<u64> {
        Some(self.count)
    }

    fn object(&self, _: &str, number: u64) -> Object {
        let (least, most) = self.sizes;
        let size = least + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (most - least + 1);
        let etag = format!("computed-{number}");
        Object { key: self.key(number), size, etag, modified: MODIFIED }
    }

    fn position(&self, _: &str, key: &str) -> u64 {
        if let Some(number) = self.number(key) {
            return number.min(self.count);
        }
        let (mut start, mut end) = (0, self.count);
        while start < end {
            let middle = start.midpoint(end);
            if *self.key(middle) < *key {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }

    fn body(&self, bucket: &str, number: u64) -> Body {
        let size = self.object(bucket, number).size as usize;
        let mut bytes = number.to_le_bytes().repeat(size / 8 + 1);
        bytes.truncate(size);
        Body::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(source: &Computed, query: &str) -> (Vec<String>, bool) {
        let query = Query::parse(query).expect("a query");
        let page = list(source, "b", &query).expect("a page");
        let keys = page.split("<Key>").skip(1).filter_map(|part| part.split_once("</Key>"));
        let keys = keys.map(|(key, _)| key.to_owned()).collect();
        (keys, page.contains("<IsTruncated>true"))
    }

    #[test]
    fn computed_objects_are_listed_as_they_are_read() {
        let source = Computed::tiny(1_500);
        let (last, truncated) = keys(&source, "continuation-token=p1000");
        assert_eq!((last.len(), truncated), (500, false));
        let number = find(&source, "b", &last[499]).expect("the last object");
        assert_eq!(number, 1_499);
        let Body::Bytes(body) = source.body("b", number) else {
            panic!("computed objects are bytes")
        };
        assert_eq!(source.object("b", number).size, body.len() as u64);
        assert_eq!(find(&source, "b", "part-000001/obj-000001500.bin"), None);
        assert_eq!(find(&source, "b", "part-000000/obj-000001499.bin"), None);
    }

    #[test]
    fn a_listing_begins_behind_a_key_and_keeps_to_a_prefix() {
        let source = Computed::tiny(2_500);
        let first = |query| keys(&source, query).0.into_iter().next();
        let behind = first("start-after=part-000001%2Fobj-000001499.bin");
        assert_eq!(behind.as_deref(), Some("part-000001/obj-000001500.bin"));
        let between = first("start-after=part-000001%2Fobj-000001499.bin0");
        assert_eq!(between, behind);
        let (part, truncated) = keys(&source, "prefix=part-000002%2F");
        assert_eq!((part.len(), truncated), (500, false));
        let (few, truncated) = keys(&source, "prefix=part-000001%2F&max-keys=3");
        assert_eq!((few[2].as_str(), truncated), ("part-000001/obj-000001002.bin", true));
        assert_eq!(keys(&source, "start-after=z"), (vec![], false));
    }
}
