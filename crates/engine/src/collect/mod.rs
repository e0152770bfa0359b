//! The life of a collection: bytes that nothing needs any more are found and removed.
//!
//! [`roots`] says what is needed, [`mark`] what that refers to, [`stored`] what there is. What is
//! left over is condemned; what has been condemned for the time of grace goes to the trash, and
//! what has been in the trash long enough is unlinked. [`compact`] moves what is needed of sparse
//! and tiny segments together. [`worker`] does all this on schedule and on request. A collection
//! that is cut off anywhere has taken nothing that is needed; the next one goes on.
//!
//! # Why nothing is lost that an import or a session needs
//!
//! Collections stop nobody, so roots appear while a collection is under way. Bytes come to
//! be needed in two ways only: a segment is recorded, or something new refers to bytes that
//! something already referred to. Nobody invents an address.
//!
//! - *The candidates are read first.* A segment that is recorded later is out of reach of this
//!   collection, whatever refers to it. So is, wholly, each segment of a writer that is live when
//!   the roots are read: what such a writer has recorded may be named by its next checkpoint only.
//! - *Then the pins of jobs are read, and the heads and commits after everything else.* A job that
//!   ends in between has been read with its pins, and its commit is read with the head. A job that
//!   begins in between pins nothing that is not read with the heads: its base is a head (the
//!   commits that were head when the collection began are not stale by its clock), the commit of a
//!   repository that it imports from is one too, and the prior whose runs it takes over was pinned
//!   before.
//! - *Uploads are read before sessions, and sessions before commits.* What moves on while the roots
//!   are read moves in this direction: an upload ends in the transaction that stages its object, a
//!   session ends in the one that stores its commit. So it is seen where it was or where it went.
//!   What is staged for the first time lies in segments that are no candidates, in those of a
//!   writer that was live when the writers were read (it is closed only once all that lies in them
//!   is staged or given up), or in the parts of an upload. The base of a session that begins in
//!   between is a head by then, or was one since the collection began, and is read with the
//!   commits.
//! - *Nothing is carried while where it is and where it goes are read.* A copy within a session and
//!   a revert write addresses anew that may cease to be needed where they were found: the copied
//!   entry can be replaced, the commit that held it can become stale. They hold `Engine::carrying`
//!   from looking until it is written; a collection waits for them and keeps others waiting while
//!   it reads the session, or the history. Each such address was marked then, or came later.
//! - *Repositories that are deleted while the collection runs count as live*, or a job could carry
//!   their entries elsewhere after its pins should have been read and before they are gone.
//! - From then on whatever a job writes refers to what it pins (entries carried over from its base,
//!   from another repository or from a prior; the pieces and runs of its own checkpoints, after a
//!   retry too), to the head it merges into, or to segments of its own. The first two are marked,
//!   or refer to what is; the last are no candidates. So what is not marked stays unneeded, however
//!   long the rest takes.
//!
//! The roots are nevertheless read once more right before anything is taken, and what they add is
//! spared: should the argument have a hole, it has to be hit within milliseconds.
//!
//! # Memory
//!
//! Some 8 bytes for each item that is needed (16 while it is found), 40 for each page and run, 200
//! for each segment, 100 for each commit that is kept, 24 for each piece that is staged.

mod compact;
mod mark;
mod request;
mod roots;
mod stored;
mod worker;

use std::collections::HashSet;
use std::time::Duration;

use blocks::Locate as _;
use model::limits::COLLECT_PERCENT_MAX;
use model::{CollectOptions, CollectReport, RepositoryId, SegmentId, Timestamp};

use self::compact::Groups;
use self::mark::Mark;
use self::roots::Roots;
use self::stored::Stored;
use crate::{Engine, Error, Result};

pub use worker::CollectWorker;

/// Times the roots are read again because something new was needed.
const RECHECKS_MAX: u32 = 8;

/// How collections run on this server, unless one is asked for in another way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CollectSettings {
    /// From the end of one that succeeded to the next; zero for none but those asked for.
    pub interval: Duration,
    /// How long a segment stays condemned before it goes to the trash.
    pub grace: Duration,
    /// How long the trash is kept.
    pub trash: Duration,
}

impl Engine {
    /// Collects, or undoes what collections have put into the trash. One at a time; anything else
    /// may go on beside it.
    ///
    /// # Errors
    /// `Conflict` when too much would go, while something holds collections, or when files are
    /// missing as if another disk were mounted; `Damaged` when a page cannot be read: then nobody
    /// knows what it needs. Nothing is lost by any.
    pub async fn collect(
        &self,
        options: &CollectOptions,
        settings: &CollectSettings,
    ) -> Result<CollectReport> {
        let _one = self.collecting.lock().await;
        if options.undo {
            let restored = self.catalog().restore_trash().await?;
            return Ok(CollectReport { restored, ..CollectReport::default() });
        }
        let times = Times::new(self.now(), options, settings)?;
        let mut collection = Collection::begin(self, times).await?;
        collection.mark().await?;
        if options.dry_run {
            return collection.foretell().await;
        }
        collection.condemn().await?;
        if !options.force {
            collection.refuse_too_much()?;
        }
        collection.recheck().await?;
        collection.expire().await?;
        collection.take().await?;
        collection.compact().await?;
        collection.unlink().await?;
        Ok(collection.report)
    }

    pub(crate) fn reach(&self, site: &'static str) -> Result<()> {
        self.parts.failpoints.reach(site).map_err(Error::internal)
    }
}

/// The moments that decide what goes.
#[derive(Clone, Copy)]
struct Times {
    now: Timestamp,
    /// What was condemned at or before this goes to the trash.
    condemned_before: Timestamp,
    /// What went to the trash at or before this is unlinked.
    trashed_before: Timestamp,
}

impl Times {
    fn new(now: Timestamp, options: &CollectOptions, settings: &CollectSettings) -> Result<Self> {
        let before = |field: &str, asked: Option<i64>, setting: Duration| {
            let ms = asked.unwrap_or(i64::try_from(setting.as_millis()).unwrap_or(i64::MAX));
            // A time before the clock began is as good as any.
            let before = ms.checked_mul(1_000).and_then(|us| now.0.checked_sub(us));
            match ms < 0 {
                true => Err(Error::invalid(format!("{field}: must not be negative"))),
                false => Ok(Timestamp(before.unwrap_or(i64::MIN))),
            }
        };
        Ok(Self {
            now,
            condemned_before: before("grace_ms", options.grace_ms, settings.grace)?,
            trashed_before: before("trash_ms", options.trash_ms, settings.trash)?,
        })
    }
}

/// One collection under way.
struct Collection<'a> {
    engine: &'a Engine,
    times: Times,
    /// Repositories that were deleted when it began.
    deleted: HashSet<RepositoryId>,
    /// The candidates: what was recorded when it began.
    stored: Stored,
    mark: Mark,
    /// Dead segments whose time of grace is over.
    due: HashSet<SegmentId>,
    report: CollectReport,
}

impl<'a> Collection<'a> {
    async fn begin(engine: &'a Engine, times: Times) -> Result<Self> {
        let deleted = roots::deleted(engine).await?;
        let stored = Stored::read(engine).await?;
        stored.check_files(engine).await?;
        let mark = Mark::new(engine, &stored);
        let (due, report) = (HashSet::new(), CollectReport::default());
        Ok(Self { engine, times, deleted, stored, mark, due, report })
    }

    async fn mark(&mut self) -> Result<()> {
        self.add_roots().await?;
        self.report.segments = self.stored.len() as u64;
        self.report.bytes = self.stored.bytes();
        self.engine.reach("collect.marked")
    }

    /// Marks what is needed now beside what was needed before; whether that is more.
    async fn add_roots(&mut self) -> Result<bool> {
        let roots = Roots::read(self.engine, self.times.now, &self.deleted).await?;
        let more = self.mark.add(&roots).await?;
        self.report.live_bytes = self.mark.live().bytes(&self.stored);
        Ok(more)
    }

    fn dead(&self) -> Vec<SegmentId> {
        self.stored.ids().filter(|id| self.mark.live().is_dead(*id)).collect()
    }

    async fn condemn(&mut self) -> Result<()> {
        let dead = self.dead();
        let catalog = self.engine.catalog();
        catalog.condemn(&dead, self.times.now).await?;
        let condemned = catalog.condemned(self.times.condemned_before).await?;
        let dead: HashSet<SegmentId> = dead.into_iter().collect();
        self.due = condemned.into_iter().map(|record| record.id).collect();
        self.due.retain(|id| dead.contains(id));
        self.report.condemned = (dead.len() - self.due.len()) as u64;
        self.engine.reach("collect.condemned")
    }

    /// What it would do, without doing any of it.
    async fn foretell(mut self) -> Result<CollectReport> {
        let dead = self.dead();
        let condemned = self.engine.catalog().condemned(self.times.condemned_before).await?;
        let condemned: HashSet<_> = condemned.into_iter().map(|record| record.id).collect();
        let at_once = self.times.condemned_before >= self.times.now;
        self.due = dead.iter().copied().filter(|id| at_once || condemned.contains(id)).collect();
        self.report.condemned = (dead.len() - self.due.len()) as u64;
        self.report.trashed = self.due.len() as u64;
        self.report.trashed_bytes = self.stored.freed_bytes(&self.due);
        let groups = Groups::plan(&self.stored, self.mark.live());
        self.report.compacted = groups.segments();
        self.report.compacted_bytes = groups.bytes();
        self.report.packed_bytes = groups.packed_bytes();
        Ok(self.report)
    }

    /// Before anything is taken: a mistake, ours or somebody's, shows as a great deal to go.
    fn refuse_too_much(&self) -> Result<()> {
        let dropped = Groups::plan(&self.stored, self.mark.live()).dropped_bytes();
        let going = self.stored.freed_bytes(&self.due).saturating_add(dropped);
        let all = self.report.bytes;
        if u128::from(going) * 100 <= u128::from(all) * u128::from(COLLECT_PERCENT_MAX) {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "{going} of {all} stored bytes would go, more than {COLLECT_PERCENT_MAX} %, so nothing \
             was taken away: if that much was deleted or has expired, collect again with force"
        )))
    }

    /// What has come to be needed since the roots were read is spared.
    async fn recheck(&mut self) -> Result<()> {
        for _ in 0..RECHECKS_MAX {
            if !self.add_roots().await? {
                let live = self.mark.live();
                self.due.retain(|id| live.is_dead(*id));
                return Ok(());
            }
        }
        Err(Error::conflict(
            "what is needed kept changing while the collection looked, so nothing was taken away: \
             collect again when less is going on",
        ))
    }

    /// From here on what only stale commits need may go, whatever becomes of the retention: they
    /// are stale for good. One whose retention was made longer just before is a root once more.
    async fn expire(&mut self) -> Result<()> {
        self.engine.catalog().expire_commits(self.times.now).await?;
        self.recheck().await
    }

    async fn take(&mut self) -> Result<()> {
        let mut ids: Vec<SegmentId> = self.due.iter().copied().collect();
        ids.sort_unstable();
        if !ids.is_empty() {
            let catalog = self.engine.catalog();
            self.report.trashed = catalog.trash_segments(&ids, self.times.now).await?;
            self.report.trashed_bytes = self.stored.freed_bytes(&self.due);
            ids.iter().for_each(|id| self.engine.parts.located.forget(*id));
        }
        self.engine.reach("collect.trashed")
    }

    async fn compact(&mut self) -> Result<()> {
        let groups = Groups::plan(&self.stored, self.mark.live());
        compact::all(self.engine, groups, self.mark.live(), self.times.now, &mut self.report).await
    }

    /// The files whose time is over, and those that nobody has ever named.
    async fn unlink(&mut self) -> Result<()> {
        let catalog = self.engine.catalog();
        let files = catalog.purge_trash(self.times.trashed_before).await?;
        self.engine.reach("collect.purged")?;
        for file in files {
            if !catalog.is_file_named(&file).await? {
                self.engine.parts.blocks.store().delete(&file).await?;
                self.report.unlinked += 1;
                self.engine.reach("collect.unlinked")?;
            }
        }
        self.report.unlinked += self.engine.sweep().await?;
        Ok(())
    }
}
