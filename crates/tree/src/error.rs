//! What can go wrong with a tree, in the kinds a caller acts upon.

use model::{Extent, ObjectPath};

/// The result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A page is not what was written there, or not the page its parent means.
    #[error("the page at {} is damaged: {what}", place(address))]
    Page {
        /// Where it lies.
        address: Extent,
        /// Which check failed.
        what: &'static str,
    },
    /// The bytes of a run or an extent list are not what was written.
    #[error("the {item} is damaged: {what}")]
    Item {
        /// `run` or `extent list`.
        item: &'static str,
        /// Which check failed.
        what: &'static str,
    },
    /// Edits, or the entries of a run, do not ascend strictly.
    #[error("{path} does not follow the path before it in byte order")]
    OutOfOrder {
        /// The path that came too late.
        path: ObjectPath,
    },
    /// The entry exceeds a limit and cannot be stored.
    #[error("the entry of {path} cannot be stored: {what}")]
    Unstorable {
        /// Its path.
        path: ObjectPath,
        /// Which limit.
        what: &'static str,
    },
    /// A run or an extent list has too few or too many elements to be written.
    #[error("wrong use of a tree: {what}")]
    Misuse {
        /// What is wrong with the call.
        what: &'static str,
    },
    /// The runtime ended while a segment was being made durable.
    #[error("interrupted while pages were made durable")]
    Interrupted,
    /// Reading or writing pages failed.
    #[error("reading or writing pages failed")]
    Blocks(#[from] blocks::Error),
}

/// How an error names an address.
pub(crate) fn place(address: &Extent) -> String {
    let segment = address.segment;
    format!("{:x}-{:x}+{}", segment.writer.0, segment.number, address.offset)
}
