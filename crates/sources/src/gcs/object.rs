//! An object resource: how Google Cloud Storage describes an object, in listings and alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::limits::{METADATA_BYTES_MAX, METADATA_PAIRS_MAX};
use serde::Deserialize;

use crate::{Checksum, Details, Listed};

/// The fields that are asked for, of an object in a listing.
pub(super) const FIELDS: &str =
    "name,size,etag,generation,updated,crc32c,md5Hash,contentType,contentEncoding,metadata";
/// Where an object has no usable media type.
const CONTENT_TYPE_DEFAULT: &str = "application/octet-stream";
/// Bytes of a media type.
const CONTENT_TYPE_BYTES_MAX: usize = 255;

/// A resource as it came.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    name: Option<String>,
    size: Option<Integer>,
    etag: Option<String>,
    generation: Option<Integer>,
    updated: Option<String>,
    crc32c: Option<String>,
    md5_hash: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
}

/// Google writes a long integer as a text; some emulators do not.
#[derive(Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(u64),
    Text(String),
}

impl Integer {
    fn value(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl Resource {
    /// The object. It has no details if its metadata is more than an entry can hold, so that one
    /// such object fails alone, and only when it is read.
    pub(super) fn listed(self) -> Result<Listed, &'static str> {
        let name = self.name.filter(|name| !name.is_empty()).ok_or("an object has no name")?;
        let size = self.size.as_ref().and_then(Integer::value).ok_or("an object has no size")?;
        let updated = self.updated.and_then(|updated| updated.parse().ok());
        let last_modified = updated.ok_or("an object has no time")?;
        let version_id = match &self.generation {
            None => None,
            Some(number) => {
                let number = number.value().ok_or("an object has a malformed generation")?;
                Some(number.to_string().into())
            }
        };
        let etag = self.etag.filter(|etag| !etag.is_empty());
        let etag: Option<Arc<str>> = etag.map(|etag| format!("\"{etag}\"").into());
        let crc32c = self.crc32c.as_deref().map(crc32c).transpose()?;
        let md5 = self.md5_hash.as_deref().map(md5).transpose()?;
        let checksums = crc32c.into_iter().chain(md5).collect();
        let content_type = content_type(self.content_type.as_deref());
        let metadata = metadata(self.metadata.unwrap_or_default(), self.content_encoding);
        let details =
            metadata.map(|metadata| Arc::new(Details { content_type, metadata, checksums }));
        Ok(Listed { key: name.into_bytes(), size, etag, last_modified, version_id, details })
    }
}

fn content_type(told: Option<&str>) -> Arc<str> {
    let good = |text: &&str| {
        (1..=CONTENT_TYPE_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    told.filter(good).unwrap_or(CONTENT_TYPE_DEFAULT).into()
}

/// With names in lower case, and the encoding that the bytes stay in; `None` if it is too much.
fn metadata(
    told: BTreeMap<String, String>,
    encoding: Option<String>,
) -> Option<BTreeMap<String, String>> {
    let mut metadata: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in told {
        metadata
            .entry(name.to_lowercase())
            .and_modify(|before| *before += &format!(",{value}"))
            .or_insert(value);
    }
    if let Some(encoding) = encoding.filter(|encoding| !encoding.is_empty()) {
        metadata.insert("content-encoding".into(), encoding);
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    let fits = metadata.len() <= METADATA_PAIRS_MAX && bytes <= METADATA_BYTES_MAX;
    fits.then_some(metadata)
}

/// Base64 of the big-endian sum, as in JSON and in `x-goog-hash`.
pub(super) fn crc32c(text: &str) -> Result<Checksum, &'static str> {
    let sum = base64(text).ok_or("an object has a malformed crc32c")?;
    Ok(Checksum::Crc32c(u32::from_be_bytes(sum)))
}

/// Base64 of the sum.
pub(super) fn md5(text: &str) -> Result<Checksum, &'static str> {
    base64(text).map(Checksum::Md5).ok_or("an object has a malformed MD5")
}

fn base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn listed(changes: Value) -> Result<Listed, &'static str> {
        let mut resource = json!({
            "name": "a/b", "size": "9", "etag": "CJ==", "generation": "17",
            "updated": "2025-01-15T10:30:00.123Z", "crc32c": "4waSgw==",
        });
        for (name, value) in changes.as_object().expect("an object") {
            resource[name] = value.clone();
        }
        serde_json::from_value::<Resource>(resource).map_err(|_| "another document")?.listed()
    }

    #[test]
    fn a_resource_says_all_there_is_to_know() {
        let object = listed(json!({
            "contentType": "text/plain", "contentEncoding": "gzip",
            "md5Hash": "JfnnlDI7RThV8YGGHxtNCw==", "metadata": { "Owner": "me", "owner": "you" },
        }));
        let object = object.expect("an object");
        assert_eq!((object.key.as_slice(), object.size), (&b"a/b"[..], 9));
        assert_eq!(object.etag.as_deref(), Some("\"CJ==\""));
        assert_eq!(object.version_id.as_deref(), Some("17"));
        assert_eq!(object.last_modified.to_string(), "2025-01-15T10:30:00.123Z");
        let details = object.details.expect("details");
        assert_eq!(&*details.content_type, "text/plain");
        assert_eq!(details.metadata["owner"], "me,you");
        assert_eq!(details.metadata["content-encoding"], "gzip");
        assert_eq!(details.checksums[0], Checksum::Crc32c(0xe306_9283));
        assert!(matches!(details.checksums[1], Checksum::Md5([0x25, 0xf9, ..])));
    }

    #[test]
    fn numbers_may_be_numbers_and_much_may_be_absent() {
        let object = listed(json!({
            "size": 18446744073709551615_u64, "generation": null, "etag": null, "crc32c": null,
            "contentType": "text/\u{e9}", "metadata": null,
        }));
        let object = object.expect("an object");
        assert_eq!((object.size, object.version_id, object.etag), (u64::MAX, None, None));
        let details = object.details.expect("details");
        assert_eq!(&*details.content_type, CONTENT_TYPE_DEFAULT);
        assert!(details.checksums.is_empty() && details.metadata.is_empty());
    }

    #[test]
    fn what_cannot_be_an_object_is_refused() {
        for (changes, what) in [
            (json!({ "name": null }), "an object has no name"),
            (json!({ "name": "" }), "an object has no name"),
            (json!({ "size": null }), "an object has no size"),
            (json!({ "size": "-1" }), "an object has no size"),
            (json!({ "size": "18446744073709551616" }), "an object has no size"),
            (json!({ "updated": "yesterday" }), "an object has no time"),
            (json!({ "generation": "x" }), "an object has a malformed generation"),
            (json!({ "crc32c": "4waSgwA=" }), "an object has a malformed crc32c"),
            (json!({ "md5Hash": "4waSgw==" }), "an object has a malformed MD5"),
            (json!({ "size": -1 }), "another document"),
            (json!({ "name": 7 }), "another document"),
        ] {
            assert_eq!(listed(changes), Err(what));
        }
    }

    #[test]
    fn too_much_metadata_leaves_an_object_without_details() {
        let long = "x".repeat(METADATA_BYTES_MAX);
        let object = listed(json!({ "metadata": { "a": long } })).expect("an object");
        assert_eq!(object.details, None);
    }
}
