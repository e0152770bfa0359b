//! Object paths: UTF-8, 1 to 2,048 bytes, no NUL, otherwise opaque.
//!
//! A path is a key, not a place in a file system: `a`, `a/`, `a/b` and `a//b` are four objects,
//! `..` is a name like any other, and the order is that of the bytes. Nothing is ever stripped or
//! normalized.

use std::fmt;
use std::sync::Arc;

use crate::limits::PATH_BYTES_MAX;

/// A valid object path. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath(Arc<str>);

/// Why a text is not an object path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The empty text.
    #[error("a path must not be empty")]
    Empty,
    /// More bytes than [`PATH_BYTES_MAX`].
    #[error("a path has at most {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A NUL character.
    #[error("a path must not contain a NUL character")]
    Nul,
    /// Bytes that are not UTF-8.
    #[error("a path must be UTF-8")]
    NotUtf8,
}

impl ObjectPath {
    /// Checks `text` and makes a path of it.
    pub fn new(text: &str) -> Result<Self, PathError> {
        match text.len() {
            0 => Err(PathError::Empty),
            length if length > PATH_BYTES_MAX => Err(PathError::TooLong),
            _ if text.as_bytes().contains(&0) => Err(PathError::Nul),
            _ => Ok(Self(text.into())),
        }
    }

    /// As [`ObjectPath::new`], for bytes from a page or a source.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PathError> {
        Self::new(std::str::from_utf8(bytes).map_err(|_| PathError::NotUtf8)?)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as bytes, whose order is the order of the tree.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// The smallest byte string greater than every string that starts with `prefix`; `None` when there
/// is no such string (an empty prefix, or one of 0xFF bytes only).
pub fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if last < u8::MAX {
            next.push(last + 1);
            return Some(next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked_and_nothing_is_normalized() {
        assert_eq!(ObjectPath::new(""), Err(PathError::Empty));
        assert_eq!(ObjectPath::new("a\0b"), Err(PathError::Nul));
        assert_eq!(ObjectPath::new(&"x".repeat(PATH_BYTES_MAX + 1)), Err(PathError::TooLong));
        assert_eq!(ObjectPath::from_bytes(b"\xff"), Err(PathError::NotUtf8));
        for odd in ["a//b", "/a", "a/", ".", "..", "a/../b", "a\nb", "\u{feff}a"] {
            assert_eq!(ObjectPath::new(odd).expect("a path").as_str(), odd);
        }
    }

    #[test]
    fn the_successor_follows_every_string_with_the_prefix() {
        assert_eq!(successor(b"a/").as_deref(), Some(&b"a0"[..]));
        assert_eq!(successor(b"a\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!(successor(b""), None);
        assert_eq!(successor(b"\xff\xff"), None);
    }
}
