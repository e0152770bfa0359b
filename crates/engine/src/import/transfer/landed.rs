//! Landing: what the flights came back with, and what becomes of each object.
//!
//! Part of [`Transfer`]: everything here changes its state, and nothing waits for the source.

use std::sync::Arc;

use blocks::ItemKind;
use model::{Content, Entry, Hash, ImportMode, ObjectPath, OnError, Piece, Skipped, limits};
use sources::{Listed, ObjectMeta};

use super::Transfer;
use crate::import::end::End;
use crate::import::fetch::{Failure, Stored, Whole};
use crate::import::flight::{self, Held, Landing, Lane, LookedFor, Part, Unit};
use crate::import::fragments::Cut;
use crate::import::job::Target;
use crate::import::reconcile;
use crate::pieces;

impl Transfer<'_> {
    pub(super) async fn land(
        &mut self,
        landing: Result<Landing, tokio::task::JoinError>,
    ) -> Result<(), End> {
        match landing.map_err(|error| End::Broken(crate::Error::internal(error)))? {
            Landing::Whole(unit, result) => {
                self.gets_in_flight -= 1;
                match result {
                    Ok(whole) => self.pack(&unit, whole).await?,
                    Err(failure) => self.failed(unit, failure).await?,
                }
            }
            Landing::Head(unit, result) => {
                self.gets_in_flight -= 1;
                match result {
                    Ok(meta) => self.known(&unit, meta).await?,
                    Err(failure) => self.failed(unit, failure).await?,
                }
            }
            Landing::Piece(unit, lane, result) => {
                self.gets_in_flight -= 1;
                if let Some(lane) = lane {
                    self.park(lane);
                }
                if let Err(failure) = result {
                    self.failed(unit, failure).await?;
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
        self.job.reach("import.object_read")
    }

    /// What the source says of a large object has come: now its pieces can be read.
    async fn known(&mut self, unit: &Unit, meta: ObjectMeta) -> Result<(), End> {
        let Some(moving) = self.pending.get(&unit.target, unit.version) else { return Ok(()) };
        moving.meta = Some(meta);
        match moving.first_unit() {
            Some(piece) => self.queue.push_back(piece),
            None => return self.all_stored(&unit.target, unit.version).await,
        }
        Ok(())
    }

    /// A lane came back: the next piece may use it, unless it is time to make its pieces durable.
    fn park(&mut self, lane: Lane) {
        if lane.held.is_empty() || !(lane.is_due(self.job) || self.is_draining()) {
            self.idle_lanes.push(lane);
        } else {
            self.seal(lane);
        }
    }

    /// Nothing is left that could use an idle lane.
    fn is_draining(&self) -> bool {
        self.planned_all && self.queue.is_empty()
    }

    pub(super) fn seal(&mut self, lane: Lane) {
        self.stores_in_flight += 1;
        self.flights.spawn(flight::seal(lane));
    }

    pub(super) fn seal_due_lanes(&mut self) {
        let draining = self.is_draining();
        let lanes = std::mem::take(&mut self.idle_lanes);
        for lane in lanes {
            if !lane.held.is_empty() && (draining || lane.is_due(self.job)) {
                self.seal(lane);
            } else {
                self.idle_lanes.push(lane);
            }
        }
    }

    /// A piece is durable; with its last piece an object is complete.
    async fn durable(&mut self, held: Held) -> Result<(), End> {
        let Some(moving) = self.pending.get(&held.target, held.version) else { return Ok(()) };
        let Stored { piece, meta, sum } = held.stored;
        if !meta.as_ref().is_none_or(|meta| moving.agrees(meta)) {
            let part = Part::Piece(held.number, None);
            let unit = Unit { target: held.target, version: held.version, part };
            return self.failed(unit, Failure::Changed).await;
        }
        if let Some(meta) = meta {
            moving.meta.get_or_insert(meta);
        }
        moving.store(held.number, piece, sum);
        let is_complete = moving.is_complete();
        self.job.reach("import.piece_durable")?;
        match is_complete {
            true => self.all_stored(&held.target, held.version).await,
            false => Ok(()),
        }
    }

    /// The start of a piece that takes long is durable, or more of it.
    pub(super) async fn cut_off(&mut self, cut: Cut) -> Result<(), End> {
        let Cut { target, version, fragment, meta, held, record } = cut;
        self.job.engine.parts.located.add(std::slice::from_ref(&record));
        self.batch.add_segment(record);
        for held in held {
            self.durable(held).await?;
        }
        let Some(moving) = self.pending.get(&target, version) else { return Ok(()) };
        if !moving.agrees(&meta) {
            let part = Part::Piece(fragment.piece.into(), None);
            return self.failed(Unit { target, version, part }, Failure::Changed).await;
        }
        moving.store_fragment(fragment);
        self.job.reach("import.fragment_durable")
    }

    /// All pieces of an object are durable: what the source promised of them is checked.
    async fn all_stored(&mut self, target: &Arc<Target>, version: u32) -> Result<(), End> {
        let Some(moving) = self.pending.get(target, version) else { return Ok(()) };
        let promise = moving.promise(self.job.engine.parts.imports.verify);
        if promise.is_empty() {
            return self.complete(target).await;
        }
        let (job, target) = (Arc::clone(self.job), Arc::clone(target));
        self.stores_in_flight += 1;
        self.flights.spawn(flight::verify(job, target, version, promise));
        Ok(())
    }

    /// The bytes of a large object were compared with what the source promised.
    async fn verified(
        &mut self,
        target: &Target,
        version: u32,
        result: Result<bool, blocks::Error>,
    ) -> Result<(), End> {
        let Some(moving) = self.pending.get(target, version) else { return Ok(()) };
        if result? {
            return self.complete(target).await;
        }
        moving.broken_promises += 1;
        if moving.broken_promises >= limits::CHANGED_ATTEMPTS_MAX {
            let message = "its bytes do not have the checksum that the source gives for them";
            self.give_up(target, message.to_owned(), true);
            return Ok(());
        }
        moving.renew(target.listed.clone());
        self.queue.extend(moving.first_unit());
        Ok(())
    }

    async fn complete(&mut self, target: &Target) -> Result<(), End> {
        let Some(moving) = self.pending.remove(target) else { return Ok(()) };
        let Some(meta) = moving.meta else { return Ok(()) };
        let pieces: Vec<Piece> = moving.pieces.into_values().collect();
        let values: Vec<Hash> = pieces.iter().map(|piece| piece.hash).collect();
        let content = match pieces::extent_list(&pieces)? {
            None => Content::Pieces(pieces),
            Some(list) => {
                let (kind, hash) = (ItemKind::ExtentList, Hash::of(&list));
                Content::List(self.batch.append(self.job, kind, &list, hash).await?)
            }
        };
        let entry = self.entry(&target.listed, meta, pieces::merge(&values), content);
        self.imported(target.path.clone(), entry);
        Ok(())
    }

    fn entry(&self, listed: &Listed, meta: ObjectMeta, hash: Hash, content: Content) -> Entry {
        let etag = listed.etag.clone().or(meta.etag);
        let provenance = self.job.provenance(&listed.key, etag, listed.version_id.clone());
        Entry {
            size: listed.size,
            hash,
            content_type: meta.content_type,
            last_modified: listed.last_modified,
            metadata: meta.metadata,
            source: Some(provenance),
            content,
        }
    }

    pub(super) fn imported(&mut self, path: ObjectPath, entry: Entry) {
        self.state.objects += 1;
        self.state.bytes += entry.size;
        self.batch.add(path, entry);
        self.job.progress.set(&self.state);
    }

    /// An object could not be read as listed.
    async fn failed(&mut self, unit: Unit, failure: Failure) -> Result<(), End> {
        if self.pending.get(&unit.target, unit.version).is_none() {
            return Ok(()); // another piece of it found out first
        }
        let why = match failure {
            Failure::Ours(error) => return Err(End::Broken(error)),
            Failure::Unreadable { reason, of_object } => {
                self.give_up(&unit.target, reason, of_object);
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
        let target = &unit.target;
        let Some(moving) = self.pending.get(target, unit.version) else { return };
        match result {
            Ok(None) => self.vanished(target),
            // Another version than the one that is gone.
            Ok(Some(listed))
                if why == LookedFor::Changed || listed.version_id != target.listed.version_id =>
            {
                moving.renew(listed);
                if moving.version > limits::CHANGED_ATTEMPTS_MAX {
                    let message = "it kept changing while it was read";
                    return self.give_up(target, message.to_owned(), true);
                }
                self.queue.extend(moving.first_unit());
            }
            Ok(Some(_)) => {
                let message = "the source lists it and answers 404 to reading it";
                self.give_up(target, message.to_owned(), true);
            }
            Err(error) => self.give_up(target, error.to_string(), false),
        }
    }

    /// An object cannot be read: it is left out if that is wanted and the object is what is wrong,
    /// else the job fails. What the destination holds at its path stays.
    fn give_up(&mut self, target: &Target, reason: String, of_object: bool) {
        let key = &target.listed.key;
        let options = &self.job.import.spec.options;
        if options.on_error == OnError::Fail || !of_object {
            return self.unreadable.add(key, reason);
        }
        self.pending.remove(target);
        self.state.skipped += 1;
        if self.state.skipped_named.len() < limits::SKIPPED_NAMED_MAX {
            let key = String::from_utf8_lossy(key).into_owned();
            self.state.skipped_named.push(Skipped { key, reason });
        }
        match options.mode {
            // It deletes what no run names.
            ImportMode::Mirror { .. } => self.batch.add(target.path.clone(), reconcile::kept()),
            ImportMode::Overlay => self.batch.touch(),
        }
        self.job.progress.set(&self.state);
    }

    fn vanished(&mut self, target: &Target) {
        self.pending.remove(target);
        self.state.missing += 1;
        if self.state.missing_names.len() < limits::MISSING_NAMED_MAX {
            self.state.missing_names.push(self.job.source().uri(&target.listed.key));
        }
        self.batch.touch();
        self.job.progress.set(&self.state);
    }
}
