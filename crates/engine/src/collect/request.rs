//! Asking for a collection, and how it went.

use model::{CollectOptions, Collection};

use crate::{Engine, Error, Result};

impl Engine {
    /// Asks the server's worker for a collection; gives its id.
    pub async fn request_collection(&self, options: &CollectOptions) -> Result<u64> {
        for (field, ms) in [("grace_ms", options.grace_ms), ("trash_ms", options.trash_ms)] {
            if ms.is_some_and(|ms| ms < 0) {
                return Err(Error::invalid(format!("{field}: must not be negative")));
            }
        }
        if options.undo && (options.dry_run || options.force) {
            return Err(Error::invalid("undo: cannot be combined with dry_run or force"));
        }
        Ok(self.catalog().request_collection(options, self.now()).await?)
    }

    /// A collection that was asked for, or done on schedule.
    pub async fn collection(&self, id: u64) -> Result<Option<Collection>> {
        Ok(self.catalog().collection(id).await?)
    }
}
