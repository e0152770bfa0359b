//! Objects on their way: dispatched, and in no run yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{PendingKey, Piece, limits};
use sources::{Listed, ObjectMeta, VerifyMode};

use super::flight::{Part, Unit};
use super::job::Target;
use crate::pieces;

/// One object on its way.
pub(super) struct Moving {
    pub(super) target: Arc<Target>,
    /// Rises when the object is read anew because it changed: what lands with an older version is
    /// dropped.
    pub(super) version: u32,
    /// Pieces that are durable.
    pub(super) pieces: BTreeMap<u64, Piece>,
    /// What the first answer said of the object.
    pub(super) meta: Option<ObjectMeta>,
}

impl Moving {
    pub(super) fn new(target: Target, stored: Vec<(u32, Piece)>) -> Self {
        let pieces = stored.into_iter().map(|(number, piece)| (u64::from(number), piece)).collect();
        Self { target: Arc::new(target), version: 0, pieces, meta: None }
    }

    /// The object changed: forget what was read of it.
    pub(super) fn renew(&mut self, listed: Listed) {
        let path = self.target.path.clone();
        self.target = Arc::new(Target { listed, path });
        self.version += 1;
        self.pieces.clear();
        self.meta = None;
    }

    /// The GETs it still needs.
    pub(super) fn units(&self) -> Vec<Unit> {
        let unit = |part| Unit { target: Arc::clone(&self.target), version: self.version, part };
        if self.target.listed.size <= limits::PACKED_OBJECT_BYTES_MAX {
            return vec![unit(Part::Whole)];
        }
        self.missing().into_iter().map(|number| unit(Part::Piece(number))).collect()
    }

    /// Numbers of the pieces that are not durable yet. Of an object whose headers are not known (a
    /// resumed one that has all its pieces), the last piece is read again for them.
    fn missing(&self) -> Vec<u64> {
        let count = pieces::count(self.target.listed.size);
        let mut missing: Vec<u64> =
            (0..count).filter(|number| !self.pieces.contains_key(number)).collect();
        if missing.is_empty() && self.meta.is_none() {
            missing.extend(count.checked_sub(1));
        }
        missing
    }

    /// Whether every piece is durable and the headers are known.
    pub(super) fn is_complete(&self) -> bool {
        self.meta.is_some() && self.pieces.len() as u64 == pieces::count(self.target.listed.size)
    }

    /// Whether an answer is about the same bytes as the first one.
    pub(super) fn agrees(&self, meta: &ObjectMeta) -> bool {
        self.meta.as_ref().is_none_or(|first| {
            first.etag == meta.etag && first.last_modified == meta.last_modified
        })
    }

    /// The MD5 that the bytes of an object in several pieces must have, where that is to be
    /// verified. Of one piece it is verified as the bytes arrive.
    pub(super) fn whole_md5(&self, mode: VerifyMode) -> Option<[u8; 16]> {
        let is_promised = self.meta.as_ref().is_some_and(|meta| meta.etag_is_md5);
        if mode != VerifyMode::Full || !is_promised || self.pieces.len() < 2 {
            return None;
        }
        let hex = self.target.listed.etag.as_deref()?.trim_matches('"');
        let digit =
            |at: usize| hex.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let mut md5 = [0; 16];
        for (at, byte) in md5.iter_mut().enumerate() {
            *byte = digit(2 * at)?;
        }
        Some(md5)
    }

    pub(super) fn record(&self) -> PendingKey {
        let listed = &self.target.listed;
        PendingKey {
            key: listed.key.clone(),
            size: listed.size,
            etag: listed.etag.clone(),
            last_modified: listed.last_modified,
            pieces: self.pieces.iter().map(|(number, piece)| (*number as u32, *piece)).collect(),
        }
    }
}

/// All objects on their way, by source key.
#[derive(Default)]
pub(super) struct Pending(BTreeMap<Vec<u8>, Moving>);

impl Pending {
    pub(super) fn add(&mut self, moving: Moving) {
        self.0.insert(moving.target.listed.key.clone(), moving);
    }

    /// The object `target` names, if it is still being read in this version.
    pub(super) fn get(&mut self, target: &Target, version: u32) -> Option<&mut Moving> {
        self.0.get_mut(&target.listed.key).filter(|moving| moving.version == version)
    }

    /// Takes the object out: it is in a batch now, or left out.
    pub(super) fn remove(&mut self, target: &Target) -> Option<Moving> {
        self.0.remove(&target.listed.key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For a checkpoint.
    pub(super) fn records(&self) -> Vec<PendingKey> {
        self.0.values().map(Moving::record).collect()
    }
}
