//! What a dry run found.

use crate::Root;

/// Objects and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// How many.
    pub objects: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

impl Count {
    /// One more object of this size.
    pub fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// What an import would change in the head as it was when the dry run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preview {
    /// A tree of all changes: at each changed path an entry with the size the object would have (or
    /// had, if it would be removed) and metadata that tells `status`: `added`, `modified` or
    /// `removed`. Kept as long as a checkpoint; after that the empty tree, and only the counts are
    /// left.
    pub changes: Root,
    /// New paths.
    pub added: Count,
    /// Paths whose object would be replaced; bytes of the new ones.
    pub modified: Count,
    /// Paths that a mirror would delete.
    pub removed: Count,
    /// Objects that are in place as they are in the source.
    pub unchanged: Count,
    /// Why the import itself would fail, such as too many deletions.
    pub refusal: Option<String>,
}
