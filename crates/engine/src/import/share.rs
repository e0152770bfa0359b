//! The entries of another repository, as this import's: their bytes are shared, none is read.

use std::ops::Bound;
use std::sync::Arc;

use futures_util::{Stream, stream};
use model::{Entry, ObjectPath, Root, successor};
use sources::Mapped;

use super::invalid::InvalidKeys;
use super::job::Job;
use crate::Error;

/// Every entry of the tree that the import takes, at the path it gets, in order.
pub(super) fn entries(
    job: &Arc<Job>,
    root: &Root,
) -> impl Stream<Item = Result<(ObjectPath, Entry), Error>> + Send + use<> {
    let prefix = job.mapping.effective_prefix().to_vec();
    let end = successor(&prefix);
    let scan = job.engine.tree.scan(root, Bound::Included(prefix), end);
    let shared = Shared { job: Arc::clone(job), scan };
    stream::try_unfold(shared, |mut shared| async move {
        Ok(shared.next().await?.map(|pair| (pair, shared)))
    })
}

struct Shared {
    job: Arc<Job>,
    scan: tree::Scan,
}

impl Shared {
    async fn next(&mut self) -> Result<Option<(ObjectPath, Entry)>, Error> {
        let mapping = &self.job.mapping;
        let mut invalid = InvalidKeys::default();
        while let Some((path, entry)) = self.scan.next().await? {
            let key = path.as_bytes();
            if !self.job.filter.takes(mapping.relative(key)) {
                continue;
            }
            match mapping.path_of(key) {
                Mapped::Invalid(reason) if !invalid.is_full() => {
                    invalid = invalid.with(key, reason);
                }
                Mapped::Invalid(_) => break,
                Mapped::Path(target) if invalid.is_empty() => {
                    return Ok(Some((target, self.job.shared(&path, entry))));
                }
                Mapped::Path(_) | Mapped::Marker => {}
            }
        }
        match invalid.message() {
            Some(message) => Err(Error::invalid(message)),
            None => Ok(None),
        }
    }
}
