//! Removes leftover files: segments that a writer which is gone left behind and no row names, not
//! even one in the trash. A writer that the catalog itself does not know is not known to be gone.

use crate::{Engine, Result};

impl Engine {
    /// Removes leftovers; returns how many files that were. For the start of a server, once leases
    /// are void, and for the end of a collection; files of live writers stay.
    pub async fn sweep(&self) -> Result<u64> {
        let store = self.parts.blocks.store();
        // The order matters: what a writer of a listed file has recorded, it has recorded before it
        // ceases to be live, and so before the rows are looked up.
        let files = store.list().await?;
        let live = self.catalog().live_writers().await?;
        let newest = self.catalog().newest_writer().await?;
        let mut removed = 0;
        for file in files {
            if Some(file.name.id.writer) > newest {
                // The catalog is older than the segments, as after a restore. With the right one
                // put back they may be all there is of somebody's data.
                tracing::warn!(file = file.file, "the catalog never made the writer of a segment");
            } else if !live.contains(&file.name.id.writer)
                && !self.catalog().is_file_named(&file.file).await?
            {
                store.delete(&file.file).await?;
                tracing::info!(file = %file.file, "leftover segment removed");
                removed += 1;
            }
        }
        Ok(removed)
    }
}
