//! List and compare: what the source holds, and what has to be done about each object.
//!
//! Runs in a task of its own, ahead of the transfers by a bounded number of objects. It emits in
//! key order, which is path order too, so that the base and what an earlier job copied are read in
//! step with the listing and nothing is kept.

use std::ops::Bound;
use std::sync::Arc;

use model::{Entry, ObjectPath, PendingKey, Run, ShardState};
use sources::{Listed, Mapped};
use tokio::sync::mpsc;

use super::end::End;
use super::invalid::InvalidKeys;
use super::job::{Job, Target};
use super::lister::Lister;
use super::merge::Merge;
use super::pending::Parts;
use super::survey::{self, Survey};

/// Objects planned ahead of the transfers: two pages of a listing.
const PLANNED_AHEAD_MAX: usize = 2_000;

/// What to do about one listed object.
pub(super) enum Planned {
    /// It is new or changed: read it. Parts of it may be stored already.
    Fetch(Target, Parts),
    /// It is in the base as it is in the source: its entry is carried over.
    Unchanged(Vec<u8>, ObjectPath, Entry),
    /// An earlier job has copied it: its entry is taken over.
    Copied(Vec<u8>, ObjectPath, Entry),
    /// It is the marker of the destination and has no path: left out and counted.
    Marker(Vec<u8>),
    /// Up to this key nothing more is to be done.
    Passed(Vec<u8>),
    /// The listing has reached its end.
    End,
}

/// Starts planning from where the checkpoint left off. `prior` are runs of an earlier job.
pub(super) fn start(
    job: &Arc<Job>,
    state: &ShardState,
    prior: &[Run],
) -> mpsc::Receiver<Result<Planned, End>> {
    let (sender, receiver) = mpsc::channel(PLANNED_AHEAD_MAX);
    let (job, state) = (Arc::clone(job), state.clone());
    let known = Known::new(&job, prior);
    tokio::spawn(async move {
        let plan = Plan { job, known, invalid: InvalidKeys::default(), sender: sender.clone() };
        match plan.run(state).await {
            Ok(()) | Err(Halt::Unwanted) => {}
            Err(Halt::End(end)) => {
                // A receiver that is gone has ended for a reason of its own.
                let _ = sender.send(Err(end)).await;
            }
        }
    });
    receiver
}

/// Why planning stops early.
enum Halt {
    /// Nobody waits for what is planned any more.
    Unwanted,
    End(End),
}

impl<E: Into<End>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::End(error.into())
    }
}

struct Plan {
    job: Arc<Job>,
    known: Known,
    invalid: InvalidKeys,
    sender: mpsc::Sender<Result<Planned, End>>,
}

impl Plan {
    async fn run(mut self, state: ShardState) -> Result<(), Halt> {
        for pending in state.pending {
            let planned = again(&self.job, pending)?;
            self.emit(planned).await?;
        }
        if !state.listed_all {
            match state.unordered {
                false => self.list(state.cursor).await?,
                true => self.sort(state.cursor).await?,
            }
        }
        let invalid = std::mem::take(&mut self.invalid);
        invalid.end()?;
        self.job.progress.update(|counts| counts.listed_all = true);
        self.emit(Planned::End).await
    }

    async fn emit(&self, planned: Planned) -> Result<(), Halt> {
        self.sender.send(Ok(planned)).await.map_err(|_| Halt::Unwanted)
    }

    /// Works through the listing as it comes.
    async fn list(&mut self, cursor: Option<Vec<u8>>) -> Result<(), Halt> {
        let mut lister = Lister::ordered(self.job.source(), cursor);
        while let Some(page) = lister.next().await? {
            let last = page.last().map(|listed| listed.key.clone());
            for listed in page {
                self.consider(listed).await?;
            }
            self.job.reach("import.page_listed")?;
            if let Some(last) = last.filter(|_| self.invalid.is_empty()) {
                self.emit(Planned::Passed(last)).await?;
            }
            if self.invalid.is_full() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Lists everything first, then works through it in order.
    async fn sort(&mut self, cursor: Option<Vec<u8>>) -> Result<(), Halt> {
        let survey = Survey::take(&self.job, Lister::as_is(self.job.source())).await?;
        let is_passed = |key: &[u8]| cursor.as_deref().is_some_and(|cursor| key <= cursor);
        if let Some(marker) = survey.marker.clone().filter(|marker| !is_passed(marker)) {
            self.emit(Planned::Marker(marker)).await?;
        }
        // What the survey counted is counted again as it is planned.
        self.job.progress.update(|counts| {
            (counts.objects_listed, counts.bytes_listed) = (0, 0);
        });
        let mut entries = Merge::new(&self.job.engine.parts.blocks, &survey.runs);
        while let Some((path, entry)) = entries.next().await? {
            let listed = survey::listed(&self.job, &path, &entry);
            if !is_passed(&listed.key) {
                self.consider(listed).await?;
            }
        }
        Ok(survey.discard(&self.job).await?)
    }

    /// Decides about one listed object.
    async fn consider(&mut self, listed: Listed) -> Result<(), Halt> {
        if !self.job.filter.takes(self.job.mapping.relative(&listed.key)) {
            return Ok(());
        }
        let planned = match self.job.mapping.path_of(&listed.key) {
            Mapped::Invalid(reason) => {
                self.invalid = std::mem::take(&mut self.invalid).with(&listed.key, reason);
                return Ok(());
            }
            // The job will fail: the rest is listed only to name what has to be renamed.
            _ if !self.invalid.is_empty() => return Ok(()),
            Mapped::Marker => Planned::Marker(listed.key),
            Mapped::Path(path) => {
                self.job.progress.update(|counts| {
                    counts.objects_listed += 1;
                    counts.bytes_listed = counts.bytes_listed.saturating_add(listed.size);
                });
                self.known.compare(&self.job, listed, path).await?
            }
        };
        self.emit(planned).await
    }
}

/// An object that an earlier claim had listed and not finished.
fn again(job: &Job, pending: PendingKey) -> Result<Planned, End> {
    let PendingKey { key, size, etag, last_modified, version_id, pieces, fragments } = pending;
    let listed = Listed { key, size, etag, last_modified, version_id, details: None };
    match job.mapping.path_of(&listed.key) {
        Mapped::Path(path) => {
            Ok(Planned::Fetch(Target { listed, path }, Parts { pieces, fragments }))
        }
        Mapped::Marker => Ok(Planned::Marker(listed.key)),
        Mapped::Invalid(reason) => {
            InvalidKeys::default().with(&listed.key, reason).end()?;
            Ok(Planned::Passed(listed.key))
        }
    }
}

/// What need not be read: the base and what an earlier job copied, in step with the listing.
struct Known {
    /// `None` once nothing is left of it.
    base: Option<tree::Scan>,
    /// The entry of the base it is at.
    in_base: Option<(ObjectPath, Entry)>,
    prior: Option<Merge>,
    in_prior: Option<(ObjectPath, Entry)>,
}

impl Known {
    fn new(job: &Job, prior: &[Run]) -> Self {
        let scan = || job.engine.tree.scan(&job.base, Bound::Unbounded, None);
        let merge = || Merge::new(&job.engine.parts.blocks, prior);
        Self {
            base: (job.base.entries > 0).then(scan),
            in_base: None,
            prior: (!prior.is_empty()).then(merge),
            in_prior: None,
        }
    }

    async fn compare(
        &mut self,
        job: &Job,
        listed: Listed,
        path: ObjectPath,
    ) -> Result<Planned, End> {
        self.seek_base(&path).await?;
        self.seek_prior(job, &path).await;
        let is_known = |at: &mut (ObjectPath, Entry)| at.0 == path && job.unchanged(&listed, &at.1);
        if let Some((path, entry)) = self.in_base.take_if(is_known) {
            return Ok(Planned::Unchanged(listed.key, path, entry));
        }
        if let Some((path, entry)) = self.in_prior.take_if(is_known) {
            return Ok(Planned::Copied(listed.key, path, job.taken_over(entry)));
        }
        Ok(Planned::Fetch(Target { listed, path }, Parts::default()))
    }

    /// Moves to the first entry of the base that is not before `path`, unless it is there already.
    async fn seek_base(&mut self, path: &ObjectPath) -> Result<(), End> {
        if self.in_base.as_ref().is_some_and(|(at, _)| at >= path) {
            return Ok(());
        }
        let Some(scan) = &mut self.base else { return Ok(()) };
        scan.seek(Bound::Included(path.as_bytes().to_vec()));
        self.in_base = scan.next().await?;
        if self.in_base.is_none() {
            self.base = None;
        }
        Ok(())
    }

    /// The same for what an earlier job copied. If that cannot be read any more, it is read from
    /// the source instead.
    async fn seek_prior(&mut self, job: &Job, path: &ObjectPath) {
        while let Some(prior) = &mut self.prior {
            if self.in_prior.as_ref().is_some_and(|(at, _)| at >= path) {
                return;
            }
            self.in_prior = prior.next().await.unwrap_or_else(|error| {
                let (job, error) = (job.key.job, &error as &dyn std::error::Error);
                tracing::warn!(%job, error, "what an earlier import copied cannot be read");
                None
            });
            if self.in_prior.is_none() {
                self.prior = None;
            }
        }
    }
}
