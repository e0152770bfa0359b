//! What a client says of an object, checked, and compared with what arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Content, Entry, Hash, Timestamp};

use super::UploadSpec;
use super::arrival::Object;
use crate::names::{check_label, check_metadata};
use crate::{Error, Result};

const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// A checked [`UploadSpec`].
pub(super) struct Stated {
    hash: Option<Hash>,
    size: Option<u64>,
    content_type: Arc<str>,
    metadata: BTreeMap<String, String>,
}

impl UploadSpec {
    /// Checks everything that can be without the bytes.
    pub(super) fn check(self) -> Result<Stated> {
        let Self { checksum, size, content_type, metadata } = self;
        let content_type = content_type.filter(|text| !text.is_empty());
        let content_type = content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
        check_label("content_type", content_type)?;
        check_metadata(&metadata)?;
        let hash = checksum.map(|text| {
            let message = "checksum: not what the upload answered as its ETag, the BLAKE3 of the \
                           object in 64 hex digits";
            parse_tag(&text).ok_or_else(|| Error::invalid(message))
        });
        Ok(Stated { hash: hash.transpose()?, size, content_type: content_type.into(), metadata })
    }
}

/// A hash in hex, of either case, in quotes or not.
pub(super) fn parse_tag(text: &str) -> Option<Hash> {
    let text = text.trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    quoted.unwrap_or(text).to_ascii_lowercase().parse().ok()
}

impl Stated {
    /// Compares size and checksum with those of what arrived.
    pub(super) fn compare(&self, size: u64, hash: Hash) -> Result<()> {
        self.compare_size(size)?;
        match self.hash.filter(|stated| *stated != hash) {
            None => Ok(()),
            Some(stated) => Err(Error::invalid(format!(
                "checksum: {stated} is stated, {hash} is that of the bytes that arrived"
            ))),
        }
    }

    /// Compares the size alone.
    pub(super) fn compare_size(&self, size: u64) -> Result<()> {
        match self.size.filter(|stated| *stated != size) {
            None => Ok(()),
            Some(stated) => Err(Error::invalid(format!(
                "size_bytes: {stated} bytes are stated, {size} have arrived"
            ))),
        }
    }

    /// The entry of an object that arrived.
    pub(super) fn entry(self, object: &Object, now: Timestamp) -> Entry {
        let content: Content = object.content.clone();
        Entry {
            size: object.size,
            hash: object.hash,
            content_type: self.content_type,
            last_modified: now,
            metadata: self.metadata,
            source: None,
            content,
        }
    }
}
