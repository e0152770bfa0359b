//! Transfer: what was planned becomes durable runs, with a bounded number of GETs in flight.
//!
//! One task holds all the state; flights are tasks that land with their results, in any order. The
//! cursor moves when an object is dispatched, and a checkpoint names the few dispatched ones that
//! are in no run yet: so a resumed job lists on from the cursor and reads just those again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use blocks::ItemKind;
use model::{Content, Entry, Hash, ObjectPath, PendingKey, Piece, Run, ShardState, limits};
use sources::{Listed, ObjectMeta};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::batch::{Batch, Checkpointer};
use super::end::End;
use super::fetch::{Failure, Whole};
use super::flight::{self, Held, Landing, Lane, LookedFor, Part, Unit};
use super::job::{Job, Target};
use super::pending::{Moving, Pending};
use super::plan::Planned;
use super::stop::Reason;
use super::unreadable::Unreadable;
use crate::pieces;

/// How often due batches and lanes are looked for.
const TICK: Duration = Duration::from_millis(100);
/// How long flights may go on landing once no new ones start.
const LANDING_MAX: Duration = Duration::from_secs(5);

type Planning = mpsc::Receiver<Result<Planned, End>>;

/// Fetches and carries everything planned; gives all runs of the job and the final state of its
/// shard.
pub(super) async fn all(
    job: &Arc<Job>,
    mut planned: Planning,
    runs: Vec<Run>,
    state: ShardState,
) -> Result<(Vec<Run>, ShardState), End> {
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
        _ => {
            transfer.land_in_time().await;
            transfer.close_batch().await;
        }
    }
    drop(transfer);
    let recorded = checkpointer.finish().await;
    outcome?;
    recorded
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
    batch: Batch,
    unreadable: Unreadable,
    planned_all: bool,
}

impl<'a> Transfer<'a> {
    fn new(job: &'a Arc<Job>, checkpointer: &'a Checkpointer, mut state: ShardState) -> Self {
        let left_pending = std::mem::take(&mut state.pending);
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
            if self.batch.is_due() && !self.close_batch().await {
                return Ok(()); // the checkpointer has failed and says why
            }
            if !self.unreadable.is_empty() {
                self.land_in_time().await;
                return Err(self.unreadable.end());
            }
            if self.planned_all && self.pending.is_empty() {
                return self.check_missing();
            }
            let room = self.queue.is_empty() && !self.planned_all;
            tokio::select! {
                biased;
                reason = stop.requested() => return Err(End::Stopped(reason)),
                Some(landing) = self.flights.join_next() => self.land(landing).await?,
                next = planned.recv(), if room => self.take_on(next)?,
                _ = tick.tick() => self.seal_due_lanes(),
            }
        }
    }

    /// Takes the next planned object on.
    fn take_on(&mut self, next: Option<Result<Planned, End>>) -> Result<(), End> {
        match next {
            Some(Ok(Planned::Fetch(target, stored))) => {
                self.passed(&target.listed.key);
                let moving = Moving::new(target, stored);
                self.queue.extend(moving.units());
                self.pending.add(moving);
            }
            Some(Ok(Planned::Carry(key, path, entry))) => {
                self.passed(&key);
                self.imported(path, entry);
            }
            Some(Ok(Planned::Marker(key))) => {
                self.passed(&key);
                self.state.markers += 1;
            }
            Some(Ok(Planned::End)) => {
                self.planned_all = true;
                self.state.listed_all = true;
                self.job.reach("import.listed");
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

    /// The cursor passes `key`: from now on a checkpoint accounts for it. Keys that an earlier
    /// claim left pending lie before the cursor.
    fn passed(&mut self, key: &[u8]) {
        self.left_pending.remove(key);
        if self.state.cursor.as_deref().is_none_or(|cursor| cursor < key) {
            self.state.cursor = Some(key.to_vec());
        }
    }

    /// Starts GETs while there is room.
    fn take_off(&mut self) {
        let transfers_max = self.job.engine.parts.imports.transfers_max;
        while self.gets_in_flight < transfers_max && self.stores_in_flight < transfers_max {
            let Some(unit) = self.queue.pop_front() else { return };
            let job = Arc::clone(self.job);
            self.gets_in_flight += 1;
            match unit.part {
                Part::Whole => self.flights.spawn(flight::whole(job, unit)),
                Part::Piece(number) => {
                    let lane = self.idle_lanes.pop();
                    self.flights.spawn(flight::piece(job, unit, number, lane))
                }
            };
        }
    }

    async fn land(&mut self, landing: Result<Landing, tokio::task::JoinError>) -> Result<(), End> {
        match landing.map_err(|error| End::Broken(crate::Error::internal(error)))? {
            Landing::Whole(unit, result) => {
                self.gets_in_flight -= 1;
                match result {
                    Ok(whole) => self.pack(&unit, whole).await?,
                    Err(failure) => self.failed(unit, failure)?,
                }
            }
            Landing::Piece(unit, lane, result) => {
                self.gets_in_flight -= 1;
                if let Some(lane) = lane {
                    self.park(lane);
                }
                if let Err(failure) = result {
                    self.failed(unit, failure)?;
                }
            }
            Landing::Looked(unit, why, result) => {
                self.gets_in_flight -= 1;
                self.looked(&unit, why, result);
            }
            Landing::Sealed(held, result) => {
                self.stores_in_flight -= 1;
                let record = result?;
                self.job.engine.parts.located.add(std::slice::from_ref(&record));
                self.batch.add_segment(record);
                for held in held {
                    self.durable(held).await?;
                }
            }
            Landing::Verified(target, version, result) => {
                self.stores_in_flight -= 1;
                self.verified(&target, version, result).await?;
            }
        }
        Ok(())
    }

    /// A small object was read: its bytes and its entry go into the batch.
    async fn pack(&mut self, unit: &Unit, whole: Whole) -> Result<(), End> {
        if self.pending.get(&unit.target, unit.version).is_none() {
            return Ok(());
        }
        let size = whole.bytes.len() as u64;
        let mut pieces = Vec::new();
        if size > 0 {
            let kind = ItemKind::Object;
            let extent = self.batch.append(self.job, kind, &whole.bytes, whole.hash).await?;
            pieces.push(Piece { extent, hash: whole.hash });
        }
        self.pending.remove(&unit.target);
        let content = Content::Pieces(pieces);
        let entry = self.entry(&unit.target.listed, whole.meta, whole.hash, content);
        self.imported(unit.target.path.clone(), entry);
        self.job.reach("import.object_read");
        Ok(())
    }

    /// A lane came back: the next piece may use it, unless it is time to make its pieces durable.
    fn park(&mut self, lane: Lane) {
        if lane.held.is_empty() || !(lane.is_due() || self.is_draining()) {
            self.idle_lanes.push(lane);
        } else {
            self.seal(lane);
        }
    }

    /// Nothing is left that could use an idle lane.
    fn is_draining(&self) -> bool {
        self.planned_all && self.queue.is_empty()
    }

    fn seal(&mut self, lane: Lane) {
        self.stores_in_flight += 1;
        self.flights.spawn(flight::seal(lane));
    }

    fn seal_due_lanes(&mut self) {
        let draining = self.is_draining();
        let lanes = std::mem::take(&mut self.idle_lanes);
        for lane in lanes {
            if !lane.held.is_empty() && (draining || lane.is_due()) {
                self.seal(lane);
            } else {
                self.idle_lanes.push(lane);
            }
        }
    }

    /// A piece is durable; with its last piece an object is complete.
    async fn durable(&mut self, held: Held) -> Result<(), End> {
        let Some(moving) = self.pending.get(&held.target, held.version) else { return Ok(()) };
        if !moving.agrees(&held.meta) {
            let unit =
                Unit { target: held.target, version: held.version, part: Part::Piece(held.number) };
            return self.failed(unit, Failure::Changed);
        }
        moving.meta.get_or_insert(held.meta);
        moving.pieces.insert(held.number, held.piece);
        self.job.reach("import.piece_durable");
        if !moving.is_complete() {
            return Ok(());
        }
        let Some(md5) = moving.whole_md5(self.job.engine.parts.imports.verify) else {
            return self.complete(&held.target).await;
        };
        let pieces = moving.pieces.values().copied().collect();
        let job = Arc::clone(self.job);
        self.stores_in_flight += 1;
        self.flights.spawn(flight::verify(job, held.target, held.version, pieces, md5));
        Ok(())
    }

    /// The bytes of a large object were read back and compared with its MD5.
    async fn verified(
        &mut self,
        target: &Target,
        version: u32,
        result: Result<bool, blocks::Error>,
    ) -> Result<(), End> {
        if self.pending.get(target, version).is_none() {
            return Ok(());
        }
        if result? {
            return self.complete(target).await;
        }
        let message = "the MD5 of its bytes is not the one its ETag promises";
        self.unreadable.add(&target.listed.key, message.to_owned());
        Ok(())
    }

    async fn complete(&mut self, target: &Target) -> Result<(), End> {
        let Some(moving) = self.pending.remove(target) else { return Ok(()) };
        let Some(meta) = moving.meta else { return Ok(()) };
        let pieces: Vec<Piece> = moving.pieces.into_values().collect();
        let values: Vec<Hash> = pieces.iter().map(|piece| piece.hash).collect();
        let content = if pieces.len() <= limits::PIECES_INLINE_MAX {
            Content::Pieces(pieces)
        } else {
            let list = tree::extent_list::encode(&pieces)?;
            let hash = Hash::of(&list);
            let kind = ItemKind::ExtentList;
            Content::List(self.batch.append(self.job, kind, &list, hash).await?)
        };
        let entry = self.entry(&target.listed, meta, pieces::merge(&values), content);
        self.imported(target.path.clone(), entry);
        Ok(())
    }

    fn entry(&self, listed: &Listed, meta: ObjectMeta, hash: Hash, content: Content) -> Entry {
        let etag = listed.etag.clone().or(meta.etag);
        Entry {
            size: listed.size,
            hash,
            content_type: meta.content_type,
            last_modified: listed.last_modified,
            metadata: meta.metadata,
            source: Some(self.job.provenance(&listed.key, etag)),
            content,
        }
    }

    fn imported(&mut self, path: ObjectPath, entry: Entry) {
        self.state.objects += 1;
        self.state.bytes += entry.size;
        self.batch.add(path, entry);
        self.job.progress.set(&self.state);
    }

    /// An object could not be read as listed.
    fn failed(&mut self, unit: Unit, failure: Failure) -> Result<(), End> {
        if self.pending.get(&unit.target, unit.version).is_none() {
            return Ok(()); // another piece of it found out first
        }
        let why = match failure {
            Failure::Ours(error) => return Err(End::Broken(error)),
            Failure::Unreadable(message) => {
                self.unreadable.add(&unit.target.listed.key, message);
                return Ok(());
            }
            Failure::Changed => LookedFor::Changed,
            Failure::Vanished => LookedFor::Vanished,
        };
        self.gets_in_flight += 1;
        self.flights.spawn(flight::look(Arc::clone(self.job), unit, why));
        Ok(())
    }

    /// A fresh look tells whether the object is gone, or what it is now.
    fn looked(
        &mut self,
        unit: &Unit,
        why: LookedFor,
        result: Result<Option<Listed>, sources::Error>,
    ) {
        let Some(moving) = self.pending.get(&unit.target, unit.version) else { return };
        let key = &unit.target.listed.key;
        match (result, why) {
            (Ok(None), _) => self.vanished(&unit.target),
            (Ok(Some(_)), LookedFor::Vanished) => {
                let message = "the source lists it and answers 404 to reading it";
                self.unreadable.add(key, message.to_owned());
            }
            (Ok(Some(listed)), LookedFor::Changed) => {
                moving.renew(listed);
                if moving.version > limits::CHANGED_ATTEMPTS_MAX {
                    let message = "it kept changing while it was read";
                    return self.unreadable.add(key, message.to_owned());
                }
                self.queue.extend(moving.units());
            }
            (Err(error), _) => self.unreadable.add(key, error.to_string()),
        }
    }

    fn vanished(&mut self, target: &Target) {
        self.pending.remove(target);
        self.state.missing += 1;
        if self.state.missing_names.len() < limits::MISSING_NAMED_MAX {
            self.state.missing_names.push(self.job.source.uri(&target.listed.key));
        }
        self.batch.touch();
    }

    fn check_missing(&self) -> Result<(), End> {
        let state = &self.state;
        let listed = state.objects + state.missing + state.markers;
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
                let Some(landing) = self.flights.join_next().await else { return };
                if self.land(landing).await.is_err() {
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
