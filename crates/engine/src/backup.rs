//! A backup: a copy of the catalog, and of every segment file that this copy names.
//!
//! The order is the whole promise. While a hold keeps collections from taking anything away, the
//! catalog is copied, then the files that this copy names are added to those of the former backup,
//! each verified and durable before the next step, and only then the copy takes the place of the
//! former one, at once. What the former catalog names is removed last, and only what the new one
//! does not name. So wherever a backup is cut off, the target holds a whole one: the former before
//! that moment, the new one after it.
//!
//! Segment files never change, so a file that is there already is not copied again. That it is the
//! same file is seen by its length and by its directory, whose hash the catalog knows; its bytes
//! are not read again, which is what a check of the backup is for.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use blocks::{Blocks, Store};
use catalog::{Catalog, HoldId};
use model::SegmentRecord;
use model::limits::HOLD_MS;

use crate::{Engine, Error, Kind, Located, Result};

/// Rows fetched from a catalog at a time.
const BATCH: usize = 1_024;
/// Bytes copied at a time.
const COPY_BYTES: u64 = 4 << 20;
/// How often the hold is extended.
const EXTEND: Duration = Duration::from_millis(HOLD_MS as u64 / 4);

/// Where a backup goes. One backup at a time works with it.
pub trait BackupTarget: Send + Sync {
    /// Its segment files.
    fn store(&self) -> Arc<dyn Store>;
    /// Where the catalog is copied to. Nothing is there.
    fn copy_path(&self) -> &Path;
    /// Opens that copy, for reading.
    fn open_copy(&self) -> catalog::Result<Arc<dyn Catalog>>;
    /// Opens the catalog of the former backup, for reading; `None` if there is none.
    fn open_former(&self) -> catalog::Result<Option<Arc<dyn Catalog>>>;
    /// Puts the copy in the place of the former catalog, at once and durably.
    fn publish(&self) -> io::Result<()>;
}

/// What a backup did. Bytes are those of segment files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BackupReport {
    /// Files that the backup consists of, once it is done.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, files that were copied.
    pub files_copied: u64,
    /// Their bytes.
    pub bytes_copied: u64,
    /// Of these, files that the target had already.
    pub files_kept: u64,
    /// Their bytes.
    pub bytes_kept: u64,
    /// Files of former backups that were removed.
    pub files_removed: u64,
    /// Their bytes.
    pub bytes_removed: u64,
}

impl Engine {
    /// Brings the backup in `target` up to date, beside whatever else goes on. `progress` sees the
    /// report as it grows.
    ///
    /// # Errors
    /// `Damaged` naming the file when a segment that has to be copied is; `Conflict` when the
    /// target holds a backup that this store has not come from, or the backup stood still for so
    /// long that its hold has ended. The former backup is whole after each.
    pub async fn backup(
        &self,
        target: &dyn BackupTarget,
        progress: &mut (dyn FnMut(&BackupReport) + Send),
    ) -> Result<BackupReport> {
        let catalog = self.catalog();
        let hold = catalog.hold("a backup", HOLD_MS).await?;
        let outcome = tokio::select! {
            outcome = Backup::run(self, target, progress) => outcome,
            lapsed = keep(catalog, hold) => Err(lapsed),
        };
        if let Err(error) = catalog.release_hold(hold).await {
            // It ends by itself, within a minute.
            tracing::warn!(%error, "the hold of a backup could not be released");
        }
        outcome
    }
}

/// Extends the hold for as long as that is possible; returns when it was not.
async fn keep(catalog: &dyn Catalog, hold: HoldId) -> Error {
    loop {
        tokio::time::sleep(EXTEND).await;
        match catalog.extend_hold(hold, HOLD_MS).await {
            Ok(true) => {}
            Ok(false) => {
                return Error::conflict(
                    "the backup stood still for so long that files may have been removed under \
                     it, so it was given up and the former one stays: start it again",
                );
            }
            // There is time to try again before it ends.
            Err(error) => tracing::warn!(%error, "the hold of a backup could not be extended"),
        }
    }
}

/// One backup under way.
struct Backup<'a> {
    engine: &'a Engine,
    target: &'a dyn BackupTarget,
    progress: &'a mut (dyn FnMut(&BackupReport) + Send),
    store: Arc<dyn Store>,
    /// The target's files, as the copied catalog has them.
    blocks: Blocks,
    /// The files that the former backup consists of, once somebody needed to know.
    former: Option<BTreeMap<String, SegmentRecord>>,
    report: BackupReport,
}

impl<'a> Backup<'a> {
    async fn run(
        engine: &'a Engine,
        target: &'a dyn BackupTarget,
        progress: &'a mut (dyn FnMut(&BackupReport) + Send),
    ) -> Result<BackupReport> {
        let store = target.store();
        remove_unfinished(&*store).await?;
        engine.catalog().snapshot(target.copy_path()).await.map_err(|error| {
            let message = "the catalog could not be copied to the backup, and the former backup \
                           stays: see that there is space and a right to write";
            Error::new(Kind::Unavailable, "BACKUP_FAILED", message).caused_by(error)
        })?;
        let copy = target.open_copy()?;
        let named = files(&*copy).await?;
        let blocks = Blocks::new(store.clone(), Arc::new(Located::new(copy)));
        let (former, report) = (None, BackupReport::default());
        let mut backup = Self { engine, target, progress, store, blocks, former, report };
        backup.report.files = named.len() as u64;
        backup.report.bytes = named.values().map(|record| record.length).sum();
        backup.reach("backup.catalog_copied")?;
        for record in named.values() {
            backup.bring(record).await?;
        }
        target.publish().map_err(|error| {
            let message = "the new catalog could not take the place of the former one, so the \
                           former backup stays";
            Error::new(Kind::Unavailable, "BACKUP_FAILED", message).caused_by(error)
        })?;
        backup.reach("backup.published")?;
        backup.remove_unnamed(&named).await?;
        Ok(backup.report)
    }

    /// Sees to it that the target has the file.
    async fn bring(&mut self, record: &SegmentRecord) -> Result<()> {
        match self.store.length(&record.file).await {
            Err(blocks::Error::Missing { .. }) => self.copy(record).await?,
            Err(error) => return Err(on_target(error)),
            Ok(length) if length == record.length && self.is_same(record).await? => {
                self.report.files_kept += 1;
                self.report.bytes_kept += length;
            }
            Ok(_) => {
                self.refuse_other_past(record).await?;
                self.store.delete(&record.file).await.map_err(on_target)?;
                self.copy(record).await?;
            }
        }
        (self.progress)(&self.report);
        Ok(())
    }

    /// Whether the target's file ends in the directory that the catalog knows.
    async fn is_same(&self, record: &SegmentRecord) -> Result<bool> {
        match self.blocks.items(record).await {
            Ok(_) => Ok(true),
            Err(blocks::Error::Damaged { .. }) => Ok(false),
            Err(error) => Err(on_target(error)),
        }
    }

    /// After a restore of an older backup the store gives names anew that its former future has
    /// given, too. A backup of that future is not to be broken for this one.
    async fn refuse_other_past(&mut self, record: &SegmentRecord) -> Result<()> {
        let former = match self.former.take() {
            Some(former) => former,
            None => match self.target.open_former()? {
                Some(catalog) => files(&*catalog).await?,
                None => BTreeMap::new(),
            },
        };
        let other = former
            .get(&record.file)
            .filter(|other| (other.length, other.directory) != (record.length, record.directory));
        if let Some(other) = other
            && self.blocks.verify(other).await.map_err(on_target)?.is_empty()
        {
            return Err(Error::conflict(format!(
                "the backup comes from another past of this store (it has another {}), as after \
                 an older one was restored; it was left as it is: back up into an empty folder",
                record.file
            )));
        }
        self.former = Some(former);
        Ok(())
    }

    async fn copy(&mut self, record: &SegmentRecord) -> Result<()> {
        let (file, length) = (&record.file, record.length);
        let source = self.engine.parts.blocks.store();
        let mut sink = self.store.create(file).await.map_err(on_target)?;
        let mut at = 0;
        while at < length {
            let end = length.min(at + COPY_BYTES);
            let bytes = source.read(file, at..end).await;
            let bytes = bytes.map_err(|error| on_source(file, error))?;
            sink.write_at(at, bytes).await.map_err(on_target)?;
            at = end;
        }
        sink.finish(length).await.map_err(on_target)?;
        let damage = self.blocks.verify(record).await.map_err(on_target)?;
        if let Some(damage) = damage.first() {
            self.store.delete(file).await.map_err(on_target)?;
            return Err(damaged(file, &damage.what));
        }
        self.report.files_copied += 1;
        self.report.bytes_copied += length;
        self.reach("backup.file_copied")
    }

    async fn remove_unnamed(&mut self, named: &BTreeMap<String, SegmentRecord>) -> Result<()> {
        for stored in self.store.list().await.map_err(on_target)? {
            if !named.contains_key(&stored.file) {
                let length = self.store.length(&stored.file).await.map_err(on_target)?;
                self.store.delete(&stored.file).await.map_err(on_target)?;
                self.report.files_removed += 1;
                self.report.bytes_removed += length;
            }
        }
        Ok(())
    }

    fn reach(&self, site: &'static str) -> Result<()> {
        self.engine.parts.failpoints.reach(site).map_err(Error::internal)
    }
}

/// What a backup that was cut off was writing.
async fn remove_unfinished(store: &dyn Store) -> Result<()> {
    for stored in store.list().await.map_err(on_target)? {
        if stored.open {
            store.delete(&stored.file).await.map_err(on_target)?;
        }
    }
    Ok(())
}

/// Every file that a catalog names, with the record of one of the segments in it.
async fn files(catalog: &dyn Catalog) -> Result<BTreeMap<String, SegmentRecord>> {
    let mut files = BTreeMap::new();
    for record in catalog.trashed().await? {
        files.insert(record.file.clone(), record);
    }
    let mut after = None;
    loop {
        let batch = catalog.segments(after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(files) };
        after = Some(last.id);
        for record in batch {
            files.insert(record.file.clone(), record);
        }
    }
}

fn damaged(file: &str, what: &str) -> Error {
    Error::new(
        Kind::Damaged,
        "DATA_DAMAGED",
        format!(
            "{file} is damaged ({what}), so no backup was made and the former one stays: run \
             `tilde check`, and put a sound copy of the file in its place if there is one"
        ),
    )
}

/// What reading the store that is backed up fails with.
fn on_source(file: &str, error: blocks::Error) -> Error {
    match &error {
        blocks::Error::Missing { .. } => damaged(file, "it is missing").caused_by(error),
        blocks::Error::Damaged { what, .. } => damaged(file, what).caused_by(error),
        _ => Error::new(
            Kind::Unavailable,
            "BACKUP_FAILED",
            format!("{file} cannot be read, so no backup was made and the former one stays"),
        )
        .caused_by(error),
    }
}

/// What reading and writing the backup fails with.
fn on_target(error: blocks::Error) -> Error {
    let message = match &error {
        blocks::Error::Full { .. } => {
            "there is no space left for the backup; the former one stays: make space, then start \
             it again"
        }
        _ => "the folder of the backup cannot be read or written; the former backup stays",
    };
    Error::new(Kind::Unavailable, "BACKUP_FAILED", message).caused_by(error)
}
