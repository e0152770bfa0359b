//! What a tree hashes: the canonical form of entries and children, and the rule that ends a page.
//!
//! Everything here is set in stone: another hash or another boundary would make equal trees differ.
//! The description is in docs/formats.md, "Where a page ends" and "Hashes of a tree".

use model::limits::{METADATA_PAIRS_MAX, PAGE_ENTRIES_MAX, PAGE_ENTRIES_MIN};
use model::{Entry, Hash, SourceMetadata};

/// Bytes of the canonical form of an entry: what keeps a page of the most entries below
/// [`model::limits::PAGE_BYTES_MAX`].
pub const ENTRY_BYTES_MAX: usize = 31 << 10;
/// How many origins a provenance may have nested in it.
pub const ORIGINS_MAX: usize = 8;

/// A page of enough entries ends where the hash of its last key is below this: 1 in 96.
const BOUNDARY: u32 = 44_739_242;

/// The hash of the empty tree: of a leaf page without entries.
pub(crate) const EMPTY: Hash = Hash([
    0xaf, 0xec, 0xeb, 0x11, 0x34, 0x28, 0x50, 0x99, 0x5e, 0x4f, 0x2c, 0xd6, 0x98, 0x3d, 0x6c, 0x2f,
    0x11, 0x07, 0xb3, 0x20, 0xe5, 0xf9, 0x3a, 0xd0, 0xe5, 0x94, 0x01, 0xda, 0x71, 0x69, 0x94, 0x5b,
]);

/// BLAKE3 of the canonical form of a leaf page's entries.
pub(crate) fn leaf_hash(canonical: &[u8]) -> Hash {
    Hash(blake3::derive_key("tilde tree leaf v1", canonical))
}

/// BLAKE3 of the canonical form of a node page: its level and its children.
pub(crate) fn node_hash(canonical: &[u8]) -> Hash {
    Hash(blake3::derive_key("tilde tree node v1", canonical))
}

/// Decides where pages end, from keys alone.
pub(crate) struct Boundary(blake3::Hasher);

impl Boundary {
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new_derive_key("tilde tree boundary v1"))
    }

    /// Whether a page of `level` ends after `key`, its `count`th.
    pub(crate) fn ends(&mut self, level: u8, key: &[u8], count: usize) -> bool {
        if count < PAGE_ENTRIES_MIN {
            return false;
        }
        if count >= PAGE_ENTRIES_MAX {
            return true;
        }
        let hash = self.0.reset().update(&[level]).update(key).finalize();
        let [a, b, c, d, ..] = *hash.as_bytes();
        u32::from_le_bytes([a, b, c, d]) < BOUNDARY
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(text.is_some().into());
    if let Some(text) = text {
        put_bytes(out, text.as_bytes());
    }
}

/// Appends the canonical form of an entry; refuses, with the reason, one that exceeds a limit.
pub(crate) fn put_entry(out: &mut Vec<u8>, path: &[u8], entry: &Entry) -> Result<(), &'static str> {
    let start = out.len();
    put_bytes(out, path);
    out.extend_from_slice(&entry.size.to_le_bytes());
    out.extend_from_slice(&entry.hash.0);
    put_bytes(out, entry.content_type.as_bytes());
    out.extend_from_slice(&entry.last_modified.0.to_le_bytes());
    if entry.metadata.len() > METADATA_PAIRS_MAX {
        return Err("too many metadata pairs");
    }
    out.extend_from_slice(&(entry.metadata.len() as u32).to_le_bytes());
    for (key, value) in &entry.metadata {
        put_bytes(out, key.as_bytes());
        put_bytes(out, value.as_bytes());
    }
    let mut next = entry.source.as_deref();
    let mut sources = 0;
    while let Some(source) = next {
        if sources > ORIGINS_MAX {
            return Err("its provenance has too many origins");
        }
        out.push(1);
        put_source(out, source);
        next = source.origin.as_deref();
        sources += 1;
    }
    out.push(0);
    if out.len() - start > ENTRY_BYTES_MAX {
        return Err("its path, metadata and provenance are too long");
    }
    Ok(())
}

/// Appends a provenance without its origin.
fn put_source(out: &mut Vec<u8>, source: &SourceMetadata) {
    out.push(source.connector_id.is_some().into());
    if let Some(connector) = source.connector_id {
        out.extend_from_slice(connector.0.as_bytes());
    }
    put_bytes(out, source.connector_type.as_bytes());
    put_bytes(out, source.source_path.as_bytes());
    put_optional(out, source.version_id.as_deref());
    put_optional(out, source.source_etag.as_deref());
    out.extend_from_slice(&source.import_time.0.to_le_bytes());
    out.extend_from_slice(source.import_job_id.0.as_bytes());
}

/// Appends the canonical form of a child.
pub(crate) fn put_child(out: &mut Vec<u8>, key: &[u8], hash: Hash, entries: u64, bytes: u64) {
    put_bytes(out, key);
    out.extend_from_slice(&hash.0);
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&bytes.to_le_bytes());
}

/// Appends the canonical forms of the entries of a page and gives their hash.
pub(crate) fn hash_entries(entries: &[(model::ObjectPath, Entry)]) -> Result<Hash, &'static str> {
    let mut canonical = Vec::new();
    for (path, entry) in entries {
        put_entry(&mut canonical, path.as_bytes(), entry)?;
    }
    Ok(leaf_hash(&canonical))
}

/// Whether two entries of one path hash alike: equal in everything but where their bytes lie.
pub fn same(left: &Entry, right: &Entry) -> bool {
    left.size == right.size
        && left.hash == right.hash
        && left.content_type == right.content_type
        && left.last_modified == right.last_modified
        && left.metadata == right.metadata
        && left.source == right.source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_has_the_hash_of_no_entries() {
        assert_eq!(leaf_hash(&[]), EMPTY);
    }

    #[test]
    fn one_key_in_96_ends_a_page() {
        let mut boundary = Boundary::new();
        let keys = 0..20_000u32;
        let ends = |n: &u32| boundary.ends(0, &n.to_le_bytes(), PAGE_ENTRIES_MIN);
        let count = keys.filter(ends).count();
        assert!((180..=240).contains(&count), "{count}");
        assert!(boundary.ends(0, b"", PAGE_ENTRIES_MAX));
        assert!(!boundary.ends(0, b"", PAGE_ENTRIES_MIN - 1));
    }
}
