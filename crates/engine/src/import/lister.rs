//! The pages of a source, in the order that is wanted.

use std::sync::Arc;

use model::limits::OBJECT_BYTES_MAX;
use sources::{Listed, Listing, PageToken, Source};

use super::end::End;

/// Reads a listing page by page.
pub(super) enum Lister {
    /// Ascending by key.
    Ordered(Listing),
    /// As the source gives it, and whether that has ended.
    AsIs(Arc<dyn Source>, Option<PageToken>, bool),
}

impl Lister {
    /// All keys after `after`, ascending; [`End::Unordered`] if the source does not list so.
    pub(super) fn ordered(source: &Arc<dyn Source>, after: Option<Vec<u8>>) -> Self {
        Self::Ordered(Listing::start(Arc::clone(source), after))
    }

    /// All keys, in any order.
    pub(super) fn as_is(source: &Arc<dyn Source>) -> Self {
        Self::AsIs(Arc::clone(source), None, false)
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Listed>>, End> {
        let page = self.page().await?;
        page.iter().flatten().try_for_each(check_size)?;
        Ok(page)
    }

    async fn page(&mut self) -> Result<Option<Vec<Listed>>, End> {
        match self {
            Self::Ordered(listing) => Ok(listing.next().await?),
            Self::AsIs(_, _, true) => Ok(None),
            Self::AsIs(source, token, ended) => {
                let page = source.list_unordered(token.as_ref()).await?;
                *ended = page.next.is_none();
                *token = page.next;
                Ok(Some(page.objects))
            }
        }
    }
}

/// Sizes are summed up and cut into pieces before a byte has come, so no listing may make them up.
pub(super) fn check_size(listed: &Listed) -> Result<(), sources::Error> {
    if listed.size <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    let (key, size) = (String::from_utf8_lossy(&listed.key), listed.size);
    Err(sources::Error::Protocol(format!(
        "it lists {key:?} with {size} bytes, more than an object can have ({OBJECT_BYTES_MAX})"
    )))
}
