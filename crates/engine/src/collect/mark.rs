//! The live set: every item of the candidates that a root refers to, by address.
//!
//! Each page, run and extent list is read once. One that cannot be read ends the collection: nobody
//! knows what it refers to.

use std::collections::{HashMap, HashSet};

use model::{Content, Extent, SegmentId, WriterId};
use tree::Walk;
use tree::run::RunReader;

use super::roots::Roots;
use super::stored::Stored;
use crate::{Engine, Result};

/// Items noted for a segment before they are sorted for the first time.
const UNSORTED_MIN: usize = 64;

/// Finds what is live.
pub(super) struct Mark {
    engine: Engine,
    walk: Walk,
    /// Runs and extent lists that have been read.
    read: HashSet<Extent>,
    live: Live,
}

impl Mark {
    pub(super) fn new(engine: &Engine, stored: &Stored) -> Self {
        let segments = stored.ids().map(|id| (id, Items::default())).collect();
        let live = Live { segments, writers: HashSet::new() };
        let (engine, walk) = (engine.clone(), engine.tree.walk());
        Self { engine, walk, read: HashSet::new(), live }
    }

    /// What has been marked so far.
    pub(super) fn live(&self) -> &Live {
        &self.live
    }

    /// Marks what these roots refer to; whether anything of the candidates is live only now.
    pub(super) async fn add(&mut self, roots: &Roots) -> Result<bool> {
        let before = self.live.size();
        self.live.writers.extend(&roots.writers);
        for root in &roots.trees {
            self.walk.add(root);
            self.walk_on().await?;
        }
        for run in &roots.runs {
            self.add_run(*run).await?;
        }
        for list in &roots.lists {
            self.add_content(&Content::List(*list)).await?;
        }
        for piece in &roots.pieces {
            self.live.add(*piece);
        }
        self.live.settle();
        Ok(self.live.size() != before)
    }

    async fn walk_on(&mut self) -> Result<()> {
        while let Some(visited) = self.walk.next().await? {
            self.live.add(visited.page);
            for content in &visited.contents {
                self.add_content(content).await?;
            }
        }
        Ok(())
    }

    async fn add_run(&mut self, run: Extent) -> Result<()> {
        self.live.add(run);
        if !self.read.insert(run) {
            return Ok(());
        }
        let bytes = self.engine.parts.blocks.read(run, None).await?;
        for pair in RunReader::new(bytes)? {
            let (_, entry) = pair?;
            self.add_content(&entry.content).await?;
        }
        Ok(())
    }

    async fn add_content(&mut self, content: &Content) -> Result<()> {
        match content {
            Content::Pieces(pieces) => {
                pieces.iter().for_each(|piece| self.live.add(piece.extent));
            }
            Content::List(list) => {
                self.live.add(*list);
                if self.read.insert(*list) {
                    let bytes = self.engine.parts.blocks.read(*list, None).await?;
                    for piece in tree::extent_list::decode(&bytes)? {
                        self.live.add(piece.extent);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is needed of each candidate.
pub(super) struct Live {
    /// All candidates; what lies in any other segment is of no interest.
    segments: HashMap<SegmentId, Items>,
    /// Writers whose segments are needed wholly.
    writers: HashSet<WriterId>,
}

/// Offset and length of the items of a segment that are needed.
#[derive(Default)]
struct Items {
    /// Sorted and each once up to `sorted`; in any order and perhaps again from there on.
    items: Vec<(u32, u32)>,
    sorted: usize,
}

impl Items {
    fn add(&mut self, extent: Extent) {
        self.items.push((extent.offset, extent.length));
        // Sorting whenever they have doubled costs little and bounds what is held twice.
        if self.items.len() >= 2 * self.sorted.max(UNSORTED_MIN) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.sorted < self.items.len() {
            self.items.sort_unstable();
            self.items.dedup();
            self.items.shrink_to_fit();
            self.sorted = self.items.len();
        }
    }

    fn bytes(&self) -> u64 {
        self.items.iter().map(|(_, length)| u64::from(*length)).sum()
    }
}

impl Live {
    fn add(&mut self, extent: Extent) {
        if let Some(items) = self.segments.get_mut(&extent.segment) {
            items.add(extent);
        }
    }

    fn settle(&mut self) {
        self.segments.values_mut().for_each(Items::settle);
    }

    /// Grows with everything that becomes live.
    fn size(&self) -> usize {
        self.segments
            .iter()
            .map(|(id, items)| items.items.len() + usize::from(self.is_whole(*id)))
            .sum()
    }

    /// Whether all of a segment counts as needed, because its writer goes on.
    pub(super) fn is_whole(&self, id: SegmentId) -> bool {
        self.writers.contains(&id.writer)
    }

    /// Whether nothing of a candidate is needed.
    pub(super) fn is_dead(&self, id: SegmentId) -> bool {
        let items = self.segments.get(&id);
        !self.is_whole(id) && items.is_some_and(|items| items.items.is_empty())
    }

    /// How many items of a candidate are needed, and their bytes.
    pub(super) fn needed(&self, id: SegmentId) -> (u64, u64) {
        self.segments.get(&id).map_or((0, 0), |items| (items.items.len() as u64, items.bytes()))
    }

    /// The items of a candidate that are needed, in order.
    pub(super) fn extents(&self, segment: SegmentId) -> Vec<Extent> {
        let items = self.segments.get(&segment).map(|items| &items.items[..]).unwrap_or_default();
        items.iter().map(|&(offset, length)| Extent { segment, offset, length }).collect()
    }

    /// Bytes that are needed of all candidates.
    pub(super) fn bytes(&self, stored: &Stored) -> u64 {
        let bytes = |id: SegmentId| match stored.get(id).filter(|_| self.is_whole(id)) {
            Some(record) => record.length,
            None => self.needed(id).1,
        };
        stored.ids().map(bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_item_is_held_once(offsets in prop::collection::vec(0_u32..300, 0..2_000)) {
            let segment = SegmentId { writer: WriterId(1), number: 0 };
            let other = SegmentId { number: 1, ..segment };
            let segments = HashMap::from([(segment, Items::default())]);
            let mut live = Live { segments, writers: HashSet::new() };
            for &offset in &offsets {
                live.add(Extent { segment, offset, length: 1 + offset });
                live.add(Extent { segment: other, offset, length: 1 });
            }
            live.settle();
            let mut expected = offsets.clone();
            expected.sort_unstable();
            expected.dedup();
            let found: Vec<u32> = live.extents(segment).iter().map(|item| item.offset).collect();
            assert_eq!(found, expected);
            let bytes = expected.iter().map(|offset| 1 + u64::from(*offset)).sum();
            assert_eq!(live.needed(segment), (expected.len() as u64, bytes));
            assert_eq!(live.is_dead(segment), offsets.is_empty());
            assert!(live.extents(other).is_empty() && !live.is_dead(other), "no candidate");
            live.writers.insert(segment.writer);
            assert!(!live.is_dead(segment) && live.is_whole(segment));
        }
    }
}
