//! The ports of the room: where files rest, and how a segment's file is found.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use model::{SegmentId, SegmentRecord};

use crate::{Name, Result};

/// Alignment of large writes, in the file and in memory, with which any file system can take them
/// straight from the buffer to the disk.
pub(crate) const WRITE_ALIGN: usize = 4_096;

/// Where segment files rest. Files are named as [`Name`] displays; every other name is
/// [`crate::Error::Name`].
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Starts a file that must not exist, finished or not. Nobody can read it before
    /// [`Sink::finish`].
    async fn create(&self, file: &str) -> Result<Box<dyn Sink>>;

    /// Exactly the bytes `range` of a finished file. A file that ends before is
    /// [`crate::Error::Damaged`].
    async fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes>;

    /// Bytes of a finished file, as the store has it now.
    async fn length(&self, file: &str) -> Result<u64>;

    /// Every segment file, those included that a dead writer left unfinished, ascending by name.
    /// Files that are not ours are left out.
    async fn list(&self) -> Result<Vec<StoredFile>>;

    /// Removes a file, finished or not (its name ends in `.open`), durably. One that is not there
    /// is no error.
    async fn delete(&self, file: &str) -> Result<()>;
}

/// A file being written. Dropping it unfinished removes the file.
#[async_trait]
pub trait Sink: Send {
    /// Writes all of `bytes` at `offset`; may overwrite, may leave a gap to be written later.
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()>;

    /// Cuts the file to `length` bytes, makes it durable and visible. After an error there is no
    /// file.
    async fn finish(self: Box<Self>, length: u64) -> Result<()>;
}

/// A file that a store lists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StoredFile {
    /// What [`Store::delete`] takes; ends in `.open` for an unfinished file.
    pub file: String,
    /// Its repository, writer and number.
    pub name: Name,
    /// Whether it is unfinished: being written now, or left over by a writer that died.
    pub open: bool,
}

/// Finds the stored file of a segment.
#[async_trait]
pub trait Locate: Send + Sync + 'static {
    /// The record of a sealed segment; `None` when there is no such segment.
    async fn locate(&self, id: SegmentId) -> Result<Option<SegmentRecord>>;

    /// Forgets what it remembers of a segment, because the file it named is gone: the segment may
    /// have been packed into another one. The next [`Locate::locate`] asks afresh. Nothing to do
    /// for whoever always does.
    fn forget(&self, _id: SegmentId) {}
}
