//! The content of commits: an ordered map from path to entry, in immutable pages.
//!
//! The map is a prolly tree: pages end where the hash of a key says so, hence the same entries make
//! the same tree, with the same root hash, whatever edits led to them, and two trees share the
//! pages in which they agree. [`Tree::apply`] makes a new tree of an old one and a sorted stream of
//! edits; it and everything that reads need memory for a few pages per level, however many entries
//! there are. A page that is damaged is an error, never a wrong answer. The bytes are described in
//! docs/formats.md, "Pages, runs, extent lists".
#![forbid(unsafe_code)]

mod apply;
mod builder;
#[cfg(test)]
mod codec_tests;
mod cursor;
mod diff;
mod entry;
mod error;
pub mod extent_list;
mod hashing;
mod keys;
mod leaf;
mod list;
mod node;
mod output;
mod page;
pub mod run;
mod scan;
pub mod staged;
mod verify;
mod walk;
mod wire;

use std::sync::Arc;

use blocks::Blocks;
use model::{Entry, Extent, Root};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

pub use apply::{Applied, Edit};
pub use diff::{Change, Diff};
pub use error::{Error, Result};
pub use hashing::{ENTRY_BYTES_MAX, ORIGINS_MAX, same};
pub use list::{ListQuery, Listed};
pub use scan::Scan;
pub use verify::{Damage, Finding, Verify};
pub use walk::{Visited, Walk};

use page::{Page, Reference};

/// What a page takes, about: how many the cache prepares for.
const PAGE_BYTES_TYPICAL: u64 = 16 << 10;

/// Reads and writes trees. Cheap to clone; clones share the cache.
#[derive(Clone)]
pub struct Tree {
    blocks: Blocks,
    cache: Arc<Cache<Extent, Arc<Page>, PageWeight>>,
}

#[derive(Clone)]
struct PageWeight;

impl Weighter<Extent, Arc<Page>> for PageWeight {
    fn weight(&self, _: &Extent, page: &Arc<Page>) -> u64 {
        (page.weight() + size_of::<Page>() + size_of::<Extent>()) as u64
    }
}

impl Tree {
    /// A tree over `blocks` that keeps up to `cache_bytes` of decoded pages in memory.
    pub fn new(blocks: Blocks, cache_bytes: u64) -> Self {
        let pages = (cache_bytes / PAGE_BYTES_TYPICAL) as usize;
        let cache = Cache::with_weighter(pages, cache_bytes, PageWeight);
        Self { blocks, cache: Arc::new(cache) }
    }

    /// The root of the tree without entries.
    pub const fn empty() -> Root {
        Root { page: None, level: 0, hash: hashing::EMPTY, entries: 0, bytes: 0 }
    }

    /// The entry at `path`, if there is one.
    pub async fn get(&self, root: &Root, path: &[u8]) -> Result<Option<Entry>> {
        let Some(mut at) = reference(root) else { return Ok(None) };
        loop {
            let page = self.page(&at).await?;
            let found = page.keys().search(path);
            match (&*page, found) {
                (Page::Leaf(leaf), Ok(index)) => {
                    return leaf.entry(index).map(Some).map_err(|corrupt| at.damaged(corrupt));
                }
                (Page::Leaf(_), Err(_)) => return Ok(None),
                (Page::Node(node), Ok(index) | Err(index)) => {
                    if index == node.keys().len() {
                        return Ok(None);
                    }
                    at = Reference::child(node, &node.child(index));
                }
            }
        }
    }

    /// The page that is meant, decoded, from the cache or from the blocks.
    async fn page(&self, at: &Reference) -> Result<Arc<Page>> {
        let load = async { self.load(at).await.map(Arc::new) };
        let page = self.cache.get_or_insert_async(&at.page, load).await?;
        at.check(&page)?;
        Ok(page)
    }

    async fn load(&self, at: &Reference) -> Result<Page> {
        let bytes = self.blocks.read(at.page, None).await?;
        Page::decode(bytes).map_err(|corrupt| at.damaged(corrupt))
    }
}

/// What a root says of its page; `None` for the empty tree.
fn reference(root: &Root) -> Option<Reference> {
    let Root { page, level, hash, entries, bytes: _ } = *root;
    page.map(|page| Reference { page, level, hash, entries })
}
