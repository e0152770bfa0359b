//! Checking a whole segment: every byte, every item, and what is lost with each damage.

use std::ops::Range;

use bytes::Bytes;
use model::limits::FRAME_BYTES;
use model::{Extent, Hash, SegmentId, SegmentRecord};

use crate::format::{Directory, HEADER_BYTES, Item, check_header, frame_count, frame_range};
use crate::read::{check_own, load_directory, own_segment};
use crate::{Blocks, Error, ItemKind, Result, Store};

/// Bytes read at a time: a whole number of frames.
const READ_BYTES: u32 = 4 << 20;
const _: () = assert!(READ_BYTES.is_multiple_of(FRAME_BYTES));

/// One thing that is wrong with a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// What is wrong, and where.
    pub what: String,
    /// Nothing in the segment can be read; `items` is then empty, because nothing says what they
    /// were.
    pub whole: bool,
    /// The items that cannot be read, whole or in part, by their addresses; in a packed file those
    /// of other segments too. None, if the damage lies outside of all.
    pub items: Vec<(Extent, ItemKind)>,
}

impl Blocks {
    /// Reads the whole file of a segment, past all caches, and checks every byte: header, trailer,
    /// directory, the checksum of every frame, the hash of every item but pieces. Empty when the
    /// segment is sound. A packed file needs to be checked with one of its segments only.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Version`], when it could not be checked.
    pub async fn verify(&self, record: &SegmentRecord) -> Result<Vec<Damage>> {
        let store = self.store().as_ref();
        let own = own_segment(record)?;
        let mut damages = Vec::new();
        let checked = check_ends(store, record, own, &mut damages).await;
        let directory = match checked.map_err(|error| describe(record, error)) {
            Ok(directory) => directory,
            Err(description) => {
                damages.push(Damage::new(record, description?, true, Vec::new()));
                return Ok(damages);
            }
        };
        let mut scan = Scan::new(record.clone(), own, directory, damages);
        let position = scan.directory.position();
        let mut at = 0;
        while at < position {
            let end = at.saturating_add(READ_BYTES).min(position);
            let start = at.max(HEADER_BYTES as u32);
            let bytes = store.read(&record.file, start.into()..end.into()).await?;
            // Hashing megabytes takes milliseconds: not on a thread that serves others.
            let checked = tokio::task::spawn_blocking(move || scan.check(at / FRAME_BYTES, bytes));
            scan = checked
                .await
                .map_err(|stopped| Error::io(&record.file, std::io::Error::other(stopped)))?;
            at = end;
        }
        Ok(scan.damages)
    }
}

/// Checks everything but the items: length, header, and the directory, which it returns.
async fn check_ends(
    store: &dyn Store,
    record: &SegmentRecord,
    own: SegmentId,
    damages: &mut Vec<Damage>,
) -> Result<Directory> {
    let length = store.length(&record.file).await?;
    if length != record.length {
        let what = format!("it has {length} bytes instead of {}", record.length);
        if length < record.length {
            return Err(Error::damaged(&record.file, what));
        }
        damages.push(Damage::new(record, what, false, Vec::new()));
    }
    let directory = load_directory(store, record).await?;
    check_own(record, own, &directory)?;
    let header = store.read(&record.file, 0..HEADER_BYTES as u64).await?;
    match check_header(&record.file, &header, directory.version()) {
        // Nothing reads the header to find an item.
        Err(Error::Damaged { what, .. }) => {
            damages.push(Damage::new(record, what, false, Vec::new()));
        }
        other => other?,
    }
    Ok(directory)
}

/// The words for an error that is damage; any other error as it is.
fn describe(record: &SegmentRecord, error: Error) -> Result<String> {
    match error {
        Error::Missing { file } if file == record.file => Ok("the file is missing".to_owned()),
        Error::Damaged { what, .. } => Ok(what),
        other => Err(other),
    }
}

impl Damage {
    fn new(
        record: &SegmentRecord,
        what: String,
        whole: bool,
        items: Vec<(Extent, ItemKind)>,
    ) -> Self {
        Self { file: record.file.clone(), what, whole, items }
    }
}

/// The walk over frames and items, in the order of the file.
struct Scan {
    record: SegmentRecord,
    /// The segment that the file is named after.
    own: SegmentId,
    directory: Directory,
    damages: Vec<Damage>,
    /// The item that is being hashed.
    item: usize,
    hasher: blake3::Hasher,
    /// Where the last damaged frame ends, 0 before there is one.
    damaged_end: u32,
}

impl Scan {
    fn new(
        record: SegmentRecord,
        own: SegmentId,
        directory: Directory,
        damages: Vec<Damage>,
    ) -> Self {
        let hasher = blake3::Hasher::new();
        Self { record, own, directory, damages, item: 0, hasher, damaged_end: 0 }
    }

    /// Checks `bytes`, which begin with frame `first`.
    fn check(mut self, first: u32, mut bytes: Bytes) -> Self {
        for index in first..frame_count(self.directory.position()) as u32 {
            let range = frame_range(index, self.directory.position());
            if bytes.is_empty() || bytes.len() < range.len() {
                break;
            }
            let frame = bytes.split_to(range.len());
            self.check_frame(index, range.clone(), &frame);
            self.hash_items(range, &frame);
        }
        self
    }

    fn check_frame(&mut self, index: u32, range: Range<u32>, frame: &[u8]) {
        if self.directory.frame_matches(index, frame) {
            return;
        }
        self.damaged_end = range.end;
        let what = format!("bytes {} to {} do not match their checksum", range.start, range.end);
        let items = self.directory.items_within(range).map(|item| self.name(&item)).collect();
        self.damages.push(Damage::new(&self.record, what, false, items));
    }

    fn name(&self, item: &Item) -> (Extent, ItemKind) {
        (item.extent(self.own), item.kind)
    }

    fn hash_items(&mut self, range: Range<u32>, frame: &[u8]) {
        while self.item < self.directory.len() {
            let item = self.directory.item(self.item);
            let from = item.offset.max(range.start);
            let to = item.end().min(range.end);
            if from >= to {
                return;
            }
            if item.kind.hashes_itself() {
                let cut = (from - range.start) as usize..(to - range.start) as usize;
                self.hasher.update(&frame[cut]);
            }
            if to < item.end() {
                return;
            }
            self.end_item(&item);
        }
    }

    fn end_item(&mut self, item: &Item) {
        let hash = Hash(*self.hasher.finalize().as_bytes());
        self.hasher.reset();
        self.item += 1;
        // Where a frame is damaged, the item has been named with it.
        let intact = self.damaged_end <= item.offset;
        if intact && item.kind.hashes_itself() && hash != item.hash {
            let what = format!("the item at {} does not match its hash", item.offset);
            let items = vec![self.name(item)];
            self.damages.push(Damage::new(&self.record, what, false, items));
        }
    }
}
