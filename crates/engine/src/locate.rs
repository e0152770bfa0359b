//! Finds segments in the catalog, through a cache. A record becomes wrong only when a collection
//! moves or takes the segment: that forgets it here, and so does a reader that finds the file gone.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::Catalog;
use model::{SegmentId, SegmentRecord};
use quick_cache::sync::Cache;

/// Records kept, at some 200 bytes each.
const RECORDS_MAX: usize = 65_536;

/// The catalog's `segments` table as the block store reads it.
pub struct Located {
    catalog: Arc<dyn Catalog>,
    records: Cache<SegmentId, SegmentRecord>,
}

impl Located {
    /// Over `catalog`, the cache empty.
    pub fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog, records: Cache::new(RECORDS_MAX) }
    }

    /// Makes segments known that no transaction has recorded yet: those of a commit that is being
    /// made.
    pub fn add(&self, records: &[SegmentRecord]) {
        for record in records {
            self.records.insert(record.id, record.clone());
        }
    }
}

#[async_trait]
impl blocks::Locate for Located {
    async fn locate(&self, id: SegmentId) -> blocks::Result<Option<SegmentRecord>> {
        if let Some(record) = self.records.get(&id) {
            return Ok(Some(record));
        }
        let found = self.catalog.segment(id).await.map_err(|error| failed(id, error))?;
        if let Some(record) = &found {
            if record.file.parse::<blocks::Name>().is_err() {
                let what = format!("the catalog has no valid name of its file: {:?}", record.file);
                return Err(failed(id, catalog::Error::Damaged { what }));
            }
            self.records.insert(id, record.clone());
        }
        Ok(found)
    }

    fn forget(&self, id: SegmentId) {
        self.records.remove(&id);
    }
}

fn failed(id: SegmentId, error: catalog::Error) -> blocks::Error {
    let file = format!("segment {:016x}-{:08x}", id.writer.0, id.number);
    match error {
        catalog::Error::Damaged { what } => blocks::Error::Damaged { file, what },
        error => blocks::Error::Io { file, source: io::Error::other(error) },
    }
}
