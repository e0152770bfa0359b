//! What ends by itself: sessions, uploads, logins and codes whose time is over.

use crate::{Engine, Result};

/// Rows that go in one transaction, so that nobody waits long for it.
const PURGED_ROWS: u64 = 1_000;
/// Transactions of one call; the next one goes on.
const PURGES_MAX: u32 = 1_000;

impl Engine {
    /// Removes what has ended by now, in memory and in the catalog. To be called once a minute;
    /// returns how many rows went.
    pub async fn keep_house(&self) -> Result<u64> {
        let now = self.now();
        self.uploads.keep(now).await?;
        self.commit_locks.keep();
        let mut rows = 0;
        for _ in 0..PURGES_MAX {
            let purged = self.catalog().purge_ended(now, PURGED_ROWS).await?;
            rows += purged;
            if purged < PURGED_ROWS {
                break;
            }
        }
        Ok(rows)
    }
}
