//! Transfer: what was planned becomes durable runs, with a bounded number of GETs in flight.
//!
//! One task holds all the state; flights are tasks that land with their results, in any order. The
//! cursor moves when an object is dispatched, and a checkpoint names the few dispatched ones that
//! are in no run yet: so a resumed job lists on from the cursor and reads just those again. What
//! the flights came back with is in [`landed`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::{PendingKey, Phase, Run, ShardState, limits};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::batch::{Batch, Checkpointer};
use super::end::End;
use super::flight::{self, Landing, Lane, Part, Unit};
use super::fragments::Cut;
use super::job::Job;
use super::pending::{Moving, Pending};
use super::plan::Planned;
use super::stop::Reason;
use super::unreadable::Unreadable;

mod landed;

/// How often due batches and lanes are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Parts of pieces that wait to be taken note of.
const CUTS_MAX: usize = 64;
/// How long flights may go on landing once no new ones start.
const LANDING_MAX: Duration = Duration::from_secs(5);

type Planning = mpsc::Receiver<Result<Planned, End>>;

/// Fetches and carries everything planned; gives all runs of the job and the final state of its
/// shard. After an error, gives the runs that are recorded by then.
pub(super) async fn all(
    job: &Arc<Job>,
    mut planned: Planning,
    runs: Vec<Run>,
    state: ShardState,
) -> Result<(Vec<Run>, ShardState), (End, Vec<Run>)> {
    let checkpointer = Checkpointer::start(job, runs, state.clone());
    let mut transfer = Transfer::new(job, &checkpointer, state);
    let outcome = transfer.carry_out(&mut planned).await;
    // An interrupted job keeps what it has: a retry, or the next claim, reads only the rest.
    match outcome {
        Err(End::Stopped(Reason::Fenced)) => {}
        // These are to end soon: what is in the air is not waited for.
        Err(End::Stopped(Reason::Canceled | Reason::Barred(_))) => {
            transfer.close_batch().await;
        }
        Err(End::Unordered) => {
            transfer.land_in_time().await;
            transfer.begin_anew().await;
        }
        _ => {
            transfer.land_in_time().await;
            transfer.close_batch().await;
        }
    }
    drop(transfer);
    match (outcome, checkpointer.finish().await) {
        (Ok(()), Ok(recorded)) => Ok(recorded),
        (Err(end), Ok((runs, _))) => Err((end, runs)),
        // A claim cannot begin anew on what it could not record.
        (Ok(()) | Err(End::Unordered), Err(end)) | (Err(end), Err(_)) => Err((end, Vec::new())),
    }
}

struct Transfer<'a> {
    job: &'a Arc<Job>,
    checkpointer: &'a Checkpointer,
    /// What a checkpoint would record now, but for the pending keys.
    state: ShardState,
    pending: Pending,
    /// What an earlier claim left pending and this one has not taken on yet, by key: the cursor is
    /// past it, so every checkpoint must go on naming it.
    left_pending: BTreeMap<Vec<u8>, PendingKey>,
    /// GETs to be made, in key order.
    queue: VecDeque<Unit>,
    flights: JoinSet<Landing>,
    gets_in_flight: usize,
    /// Lanes that are becoming durable, and objects that are read back.
    stores_in_flight: usize,
    idle_lanes: Vec<Lane>,
    /// Parts of pieces that became durable.
    cuts: mpsc::Receiver<Cut>,
    cut: mpsc::Sender<Cut>,
    batch: Batch,
    unreadable: Unreadable,
    planned_all: bool,
}

impl<'a> Transfer<'a> {
    fn new(job: &'a Arc<Job>, checkpointer: &'a Checkpointer, mut state: ShardState) -> Self {
        let left_pending = std::mem::take(&mut state.pending);
        job.progress.update(|counts| {
            counts.objects_listed = counts.objects_listed.max(state.listed);
            counts.bytes_listed = counts.bytes_listed.max(state.listed_bytes);
        });
        let (cut, cuts) = mpsc::channel(CUTS_MAX);
        Self {
            job,
            checkpointer,
            state,
            pending: Pending::default(),
            left_pending: left_pending.into_iter().map(|left| (left.key.clone(), left)).collect(),
            queue: VecDeque::new(),
            flights: JoinSet::new(),
            gets_in_flight: 0,
            stores_in_flight: 0,
            idle_lanes: Vec::new(),
            cuts,
            cut,
            batch: Batch::default(),
            unreadable: Unreadable::default(),
            planned_all: false,
        }
    }

    async fn carry_out(&mut self, planned: &mut Planning) -> Result<(), End> {
        let stop = self.job.stop.clone();
        let mut tick = tokio::time::interval(TICK);
        loop {
            self.take_off();
            if self.batch.is_due(self.job) && !self.close_batch().await {
                return Ok(()); // the checkpointer has failed and says why
            }
            if !self.unreadable.is_empty() {
                self.land_in_time().await;
                return Err(self.unreadable.end());
            }
            if self.planned_all && self.pending.is_empty() {
                return self.check_all();
            }
            let room = self.queue.is_empty() && !self.planned_all;
            tokio::select! {
                biased;
                reason = stop.requested() => return Err(End::Stopped(reason)),
                Some(landing) = self.flights.join_next() => self.land(landing).await?,
                Some(cut) = self.cuts.recv() => self.cut_off(cut).await?,
                next = planned.recv(), if room => self.take_on(next)?,
                _ = tick.tick() => self.seal_due_lanes(),
            }
        }
    }

    /// Takes the next planned object on.
    fn take_on(&mut self, next: Option<Result<Planned, End>>) -> Result<(), End> {
        match next {
            Some(Ok(Planned::Fetch(target, stored))) => {
                self.listed(&target.listed.key, target.listed.size);
                let moving = Moving::new(target, stored);
                self.queue.extend(moving.first_unit());
                self.pending.add(moving);
            }
            Some(Ok(Planned::Unchanged(key, path, entry))) => {
                self.listed(&key, entry.size);
                self.state.unchanged += 1;
                self.state.unchanged_bytes += entry.size;
                self.imported(path, entry);
            }
            Some(Ok(Planned::Copied(key, path, entry))) => {
                self.listed(&key, entry.size);
                self.imported(path, entry);
            }
            Some(Ok(Planned::Marker(key))) => {
                self.listed(&key, 0);
                self.state.markers += 1;
            }
            Some(Ok(Planned::Passed(key))) => self.passed(&key),
            Some(Ok(Planned::End)) => {
                self.planned_all = true;
                self.state.listed_all = true;
                self.job.progress.enter(Phase::Copying);
                self.job.reach("import.listed")?;
            }
            Some(Err(end)) => return Err(end),
            None => {
                return Err(End::failed(
                    "internal error: the listing stopped; see the server's log",
                ));
            }
        }
        Ok(())
    }

    /// From now on a checkpoint accounts for `key`. What an earlier claim left pending it counted.
    fn listed(&mut self, key: &[u8], size: u64) {
        if self.left_pending.remove(key).is_none() {
            self.state.listed += 1;
            self.state.listed_bytes = self.state.listed_bytes.saturating_add(size);
        }
        self.passed(key);
    }

    /// The cursor passes `key`. Keys that an earlier claim left pending lie before the cursor.
    fn passed(&mut self, key: &[u8]) {
        if self.state.cursor.as_deref().is_none_or(|cursor| cursor < key) {
            self.state.cursor = Some(key.to_vec());
        }
    }

    /// Starts GETs while there is room.
    fn take_off(&mut self) {
        let transfers_max = self.job.transfers_max;
        while self.gets_in_flight < transfers_max && self.stores_in_flight < transfers_max {
            let Some(unit) = self.queue.pop_front() else { return };
            let Some(moving) = self.pending.get(&unit.target, unit.version) else {
                continue; // it was found out meanwhile that this version cannot be read
            };
            let job = Arc::clone(self.job);
            self.gets_in_flight += 1;
            match unit.part {
                Part::Whole => self.flights.spawn(flight::whole(job, unit)),
                Part::Head => self.flights.spawn(flight::head(job, unit)),
                Part::Piece(number, promised) => {
                    if let Some(next) = moving.piece_from(number + 1) {
                        self.queue.push_front(next);
                    }
                    let stored = (moving.fragments_of(number), self.cut.clone());
                    let lane = self.idle_lanes.pop();
                    self.flights.spawn(flight::piece(job, unit, number, promised, lane, stored))
                }
            };
        }
    }

    /// Everything that was listed is somewhere, and not too much of it is missing.
    fn check_all(&self) -> Result<(), End> {
        let state = &self.state;
        let listed = state.listed;
        if accounted(state) != listed {
            let (job, found) = (self.job.key.job, accounted(state));
            tracing::error!(%job, listed, found, "the import lost sight of objects");
            return Err(End::failed(format!(
                "internal error: {listed} objects were listed and {found} are accounted for; \
                 nothing was committed, start the import again"
            )));
        }
        let many = state.missing > limits::MISSING_OBJECTS_MAX
            && state.missing * 100 > listed * limits::MISSING_PERCENT_MAX;
        if many {
            return Err(End::failed(format!(
                "{} of {listed} listed objects had vanished when they were to be read; \
                 import again when the source is at rest",
                state.missing
            )));
        }
        Ok(())
    }

    /// Hands the batch to the checkpointer; `false` if that has failed.
    async fn close_batch(&mut self) -> bool {
        // That everything was listed is worth a checkpoint of its own.
        if self.batch.is_empty() && !self.planned_all {
            return true;
        }
        let mut pending = self.pending.records();
        pending.extend(self.left_pending.values().cloned());
        pending.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        let state = ShardState { pending, ..self.state.clone() };
        self.checkpointer.hand_over(std::mem::take(&mut self.batch), state).await
    }

    /// Closes the batch with a checkpoint that lists everything once more, sorting first: keys
    /// before the cursor may not have been listed yet. What was copied stays in the runs.
    async fn begin_anew(&mut self) {
        self.state = ShardState { unordered: true, ..ShardState::default() };
        self.pending = Pending::default();
        self.left_pending.clear();
        self.batch.touch();
        self.close_batch().await;
    }

    /// Lets what is in the air land, for a while, so that its bytes need not be read again.
    async fn land_in_time(&mut self) {
        self.queue.clear();
        let landing = async {
            loop {
                for lane in std::mem::take(&mut self.idle_lanes) {
                    if !lane.held.is_empty() {
                        self.seal(lane);
                    }
                }
                let landed = tokio::select! {
                    biased;
                    Some(cut) = self.cuts.recv() => self.cut_off(cut).await,
                    landing = self.flights.join_next() => match landing {
                        Some(landing) => self.land(landing).await,
                        None => return,
                    },
                };
                if landed.is_err() {
                    return;
                }
                self.queue.clear();
            }
        };
        // What is late is dropped; it is listed as pending and read again.
        let _ = tokio::time::timeout(LANDING_MAX, landing).await;
        self.flights.abort_all();
    }
}

/// Objects whose fate is settled.
fn accounted(state: &ShardState) -> u64 {
    state.objects + state.missing + state.skipped + state.markers
}
