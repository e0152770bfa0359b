//! Where new pages go: an open segment of the writer, and one that is being sealed meanwhile.

use blocks::{ItemKind, Segment, Writer};
use model::limits::PAGE_BYTES_MAX;
use model::{Extent, Hash, SegmentId, SegmentRecord};
use tokio::task::JoinHandle;

use crate::{Error, Result};

pub(crate) struct Output<'a> {
    writer: &'a Writer,
    open: Option<Segment>,
    sealing: Option<JoinHandle<blocks::Result<SegmentRecord>>>,
    sealed: Vec<SegmentRecord>,
    ids: Vec<SegmentId>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(writer: &'a Writer) -> Self {
        Self { writer, open: None, sealing: None, sealed: Vec::new(), ids: Vec::new() }
    }

    /// Appends a page.
    pub(crate) async fn append(&mut self, page: &[u8]) -> Result<Extent> {
        if page.len() > PAGE_BYTES_MAX as usize {
            return Err(Error::Misuse { what: "a page is too long" });
        }
        if self.open.as_ref().is_some_and(Segment::is_full) {
            self.close().await?;
        }
        if self.open.is_none() {
            let segment = self.writer.open().await?;
            self.ids.push(segment.id());
            self.open = Some(segment);
        }
        let segment = self.open.as_mut().expect("it was opened above");
        Ok(segment.append(ItemKind::Page, page, Hash::of(page)).await?)
    }

    /// Whether the page at `extent` was appended here.
    pub(crate) fn holds(&self, extent: Extent) -> bool {
        self.ids.contains(&extent.segment)
    }

    /// Has the open segment sealed in the background, once the one before it is.
    async fn close(&mut self) -> Result<()> {
        self.settle().await?;
        self.sealing = self.open.take().map(|segment| tokio::spawn(segment.seal()));
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        if let Some(sealing) = self.sealing.take() {
            let record = sealing.await.map_err(|_| Error::Interrupted)??;
            self.sealed.push(record);
        }
        Ok(())
    }

    /// All segments, durable.
    pub(crate) async fn finish(mut self) -> Result<Vec<SegmentRecord>> {
        self.close().await?;
        self.settle().await?;
        Ok(self.sealed)
    }
}
