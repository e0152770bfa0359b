//! Packing: items of several segments move together into one new file, and keep their addresses.
//!
//! Everything is verified on its way, frame by frame and item by item, so that damage is found here
//! and never passed on under a new checksum. The old files are left as they are.

use model::limits::{FRAME_BYTES, SEGMENT_BYTES};
use model::{Extent, SegmentId, SegmentRecord};

use crate::format::{Address, Item, Version};
use crate::read::{check_hash, find, own_segment};
use crate::{Blocks, Error, Result, Segment, Writer};

/// Bytes of neighbouring items that are read at a time; a single item may be larger.
const READ_BYTES: u32 = 4 << 20;

impl Blocks {
    /// Copies the named items of segments of one repository into one new file of at most
    /// [`SEGMENT_BYTES`] and one item, which is durable when this returns. Gives the records of
    /// these segments as they then are: they name the new file, but what names them is up to the
    /// caller, and so are the old files. Each segment appears once; the order does not matter.
    ///
    /// # Errors
    /// Those of reading and of writing a segment; [`Error::Misuse`] for no item, an item twice or
    /// one of another segment, and for more than a file takes. After an error there is no file.
    pub async fn pack(
        &self,
        writer: &Writer,
        live: &[(SegmentRecord, Vec<Extent>)],
    ) -> Result<Vec<SegmentRecord>> {
        let mut live: Vec<(&SegmentRecord, Vec<Extent>)> =
            live.iter().map(|(record, extents)| (record, extents.clone())).collect();
        live.sort_unstable_by_key(|(record, _)| record.id);
        live.iter_mut().for_each(|(_, extents)| extents.sort_unstable());
        check_plan(writer, &live)?;
        let mut segment = writer.open_as(Version::Packed).await?;
        for (record, extents) in &live {
            self.copy(record, extents, &mut segment).await?;
        }
        let sealed = segment.seal().await?;
        let moved = |record: &SegmentRecord| SegmentRecord { id: record.id, ..sealed.clone() };
        Ok(live.into_iter().map(|(record, _)| moved(record)).collect())
    }

    async fn copy(
        &self,
        record: &SegmentRecord,
        extents: &[Extent],
        to: &mut Segment,
    ) -> Result<()> {
        let own = own_segment(record)?;
        let directory = self.directory(record).await?;
        let items = extents.iter().map(|extent| find(record, &directory, *extent, None));
        let items: Vec<Item> = items.collect::<Result<_>>()?;
        for group in items.chunk_by(neighbours()) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let within = first.offset..last.end();
            let bytes = self.read_frames(&record.file, &directory, within).await?;
            for item in group {
                let start = (item.offset - first.offset) as usize;
                let bytes = &bytes[start..start + item.length as usize];
                check_hash(&record.file, item, bytes)?;
                if to.is_full() {
                    return Err(Error::Misuse { what: "more items than a packed file takes" });
                }
                let moved = Some(Address::of(item.extent(own)));
                to.append_from(moved, item.kind, bytes, item.hash).await?;
            }
        }
        Ok(())
    }
}

/// Tells, item by item, whether the next one is read with those before it: while it begins in the
/// frame in which they end, so that nothing is read that no item needs, and while it is not too
/// much.
fn neighbours() -> impl FnMut(&Item, &Item) -> bool {
    let mut start = None;
    move |item, next| {
        let from = *start.get_or_insert(item.offset);
        let is_near = next.offset / FRAME_BYTES <= item.end() / FRAME_BYTES;
        let is_one = is_near && next.end() - from <= READ_BYTES;
        if !is_one {
            start = None;
        }
        is_one
    }
}

/// That the items, sorted, are different ones of their segments, of the writer's repository, and
/// not more than a file takes.
fn check_plan(writer: &Writer, live: &[(&SegmentRecord, Vec<Extent>)]) -> Result<()> {
    let misuse = |what| Err(Error::Misuse { what });
    let is_foreign = |id: SegmentId, extents: &[Extent]| extents.iter().any(|e| e.segment != id);
    if live.iter().any(|(record, extents)| is_foreign(record.id, extents)) {
        return misuse("an item of another segment is to be packed");
    }
    if live.iter().any(|(record, _)| record.repository != writer.repository()) {
        return misuse("a segment of another repository is to be packed");
    }
    let mut extents = live.iter().flat_map(|(_, extents)| extents);
    let Some(mut last) = extents.next() else {
        return misuse("nothing is to be packed");
    };
    let mut bytes = u64::from(last.length);
    for extent in extents {
        if (extent.segment, extent.offset) <= (last.segment, last.offset) {
            return misuse("an item is to be packed twice");
        }
        if bytes >= SEGMENT_BYTES {
            return misuse("more bytes than a packed file takes");
        }
        bytes += u64::from(extent.length);
        last = extent;
    }
    Ok(())
}
