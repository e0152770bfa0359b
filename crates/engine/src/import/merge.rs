//! Merges sorted runs into one sorted stream of entries.
//!
//! Runs follow the listing, so they hardly overlap: a run is opened when the merge reaches its
//! first path and dropped after its last, and memory is that of the few that are open.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use blocks::Blocks;
use futures_util::{Stream, stream};
use model::{Entry, ObjectPath, Run};
use tree::run::RunReader;

use crate::Error;

/// All entries of `runs` by path; of two at the same path the one of the later run.
pub(super) fn entries(
    blocks: &Blocks,
    runs: &[Run],
) -> impl Stream<Item = Result<(ObjectPath, Entry), Error>> + Send + use<> {
    let merge = Merge::new(blocks, runs);
    stream::try_unfold(merge, |mut merge| async move {
        Ok(merge.next().await?.map(|pair| (pair, merge)))
    })
}

/// The entries of several runs, one after the other.
pub(super) struct Merge {
    blocks: Blocks,
    /// Not opened yet, by first path.
    waiting: VecDeque<Run>,
    open: BinaryHeap<Reverse<Open>>,
}

/// An open run and its next entry; ordered by path, the later run first.
struct Open {
    path: ObjectPath,
    number: Reverse<u32>,
    entry: Entry,
    rest: RunReader,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.path, self.number).cmp(&(&other.path, other.number))
    }
}

impl Merge {
    /// Starts before the first path; nothing is read yet.
    pub(super) fn new(blocks: &Blocks, runs: &[Run]) -> Self {
        let mut waiting = runs.to_vec();
        waiting.sort_by(|left, right| left.first.cmp(&right.first));
        Self { blocks: blocks.clone(), waiting: waiting.into(), open: BinaryHeap::new() }
    }

    /// The next entry by path.
    pub(super) async fn next(&mut self) -> Result<Option<(ObjectPath, Entry)>, Error> {
        self.open_due().await?;
        let Some(Reverse(first)) = self.open.pop() else { return Ok(None) };
        let Open { path, number, entry, rest } = first;
        self.keep_open(rest, number)?;
        while self.open.peek().is_some_and(|Reverse(other)| other.path == path) {
            if let Some(Reverse(older)) = self.open.pop() {
                self.keep_open(older.rest, older.number)?;
            }
        }
        Ok(Some((path, entry)))
    }

    /// Opens every run that may hold the next path.
    async fn open_due(&mut self) -> Result<(), Error> {
        while let Some(run) = self.waiting.front() {
            let later = |Reverse(next): &Reverse<Open>| next.path.as_bytes() < &run.first[..];
            if self.open.peek().is_some_and(later) {
                break;
            }
            let bytes = self.blocks.read(run.extent, None).await?;
            let (reader, number) = (RunReader::new(bytes)?, Reverse(run.number));
            self.waiting.pop_front();
            self.keep_open(reader, number)?;
        }
        Ok(())
    }

    /// Keeps a run open at its next entry; after its last one it is dropped.
    fn keep_open(&mut self, mut rest: RunReader, number: Reverse<u32>) -> Result<(), Error> {
        if let Some((path, entry)) = rest.next().transpose()? {
            self.open.push(Reverse(Open { path, number, entry, rest }));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use blocks::{Locate, Memory};
    use futures_util::TryStreamExt;
    use model::{Content, Hash, RepositoryId, SegmentId, SegmentRecord, Timestamp, WriterId};

    use super::*;
    use crate::import::batch::write_run;

    #[derive(Default)]
    struct Table(Mutex<HashMap<SegmentId, SegmentRecord>>);

    #[async_trait]
    impl Locate for Table {
        async fn locate(&self, id: SegmentId) -> blocks::Result<Option<SegmentRecord>> {
            Ok(self.0.lock().expect("nobody panicked").get(&id).cloned())
        }
    }

    /// An entry whose size tells its run.
    fn entry(path: &str, run: u32) -> (ObjectPath, Entry) {
        let entry = Entry {
            size: run.into(),
            hash: Hash::of(b""),
            content_type: "text/plain".into(),
            last_modified: Timestamp::default(),
            metadata: BTreeMap::new(),
            source: None,
            content: Content::Pieces(Vec::new()),
        };
        (ObjectPath::new(path).expect("a path"), entry)
    }

    #[tokio::test]
    async fn paths_ascend_and_the_later_run_wins() {
        let table = Arc::new(Table::default());
        let blocks = Blocks::new(Arc::new(Memory::new()), table.clone());
        let writer = blocks.writer(RepositoryId(uuid::Uuid::nil()), WriterId(1));
        let contents: [&[&str]; 5] = [&["a", "c", "e"], &["b", "c"], &["c", "f"], &["x"], &["e"]];
        let mut runs = Vec::new();
        for (number, paths) in (0..).zip(contents) {
            let entries: Vec<_> = paths.iter().map(|path| entry(path, number)).collect();
            let mut segment = writer.open().await.expect("a segment");
            runs.push(write_run(&mut segment, &entries, number).await.expect("a run"));
            let record = segment.seal().await.expect("sealed");
            table.0.lock().expect("nobody panicked").insert(record.id, record);
        }
        let expected = [("a", 0), ("b", 1), ("c", 2), ("e", 4), ("f", 2), ("x", 3)];
        for _ in 0..runs.len() {
            runs.rotate_left(1);
            let pairs: Vec<(ObjectPath, Entry)> =
                super::entries(&blocks, &runs).try_collect().await.expect("read");
            let merged = pairs.iter().map(|(path, entry)| (path.as_str(), entry.size));
            assert_eq!(merged.collect::<Vec<_>>(), expected);
        }
    }
}
