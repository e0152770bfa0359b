//! Objects on their way: dispatched, and in no run yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Fragment, PendingKey, Piece, limits};
use sources::{Checksum, Listed, ObjectMeta, VerifyMode};

use super::flight::{Part, Unit};
use super::job::Target;
use super::promise::Promise;
use crate::pieces;

/// What an earlier claim stored of a large object.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) pieces: Vec<(u32, Piece)>,
    pub(super) fragments: Vec<Fragment>,
}

/// One object on its way.
pub(super) struct Moving {
    pub(super) target: Arc<Target>,
    /// Rises when the object is read anew because it changed: what lands with an older version is
    /// dropped.
    pub(super) version: u32,
    /// Pieces that are durable.
    pub(super) pieces: BTreeMap<u64, Piece>,
    /// What is durable of pieces that are not whole, by piece and offset.
    fragments: BTreeMap<(u32, u32), Fragment>,
    /// What they contribute to the object's checksum, if this claim read them.
    sums: BTreeMap<u64, u64>,
    /// What the first answer said of the object.
    pub(super) meta: Option<ObjectMeta>,
    /// Times that all its pieces together were not what the source had promised.
    pub(super) broken_promises: u32,
}

impl Moving {
    pub(super) fn new(target: Target, stored: Parts) -> Self {
        let Parts { pieces, fragments } = stored;
        let pieces = pieces.into_iter().map(|(number, piece)| (u64::from(number), piece)).collect();
        let place = |fragment: Fragment| ((fragment.piece, fragment.offset), fragment);
        Self {
            target: Arc::new(target),
            version: 0,
            pieces,
            fragments: fragments.into_iter().map(place).collect(),
            sums: BTreeMap::new(),
            meta: None,
            broken_promises: 0,
        }
    }

    /// The object changed: forget what was read of it.
    pub(super) fn renew(&mut self, listed: Listed) {
        let path = self.target.path.clone();
        self.target = Arc::new(Target { listed, path });
        self.version += 1;
        self.pieces.clear();
        self.fragments.clear();
        self.sums.clear();
        self.meta = None;
    }

    /// A piece is durable.
    pub(super) fn store(&mut self, number: u64, piece: Piece, sum: Option<u64>) {
        self.pieces.insert(number, piece);
        self.sums.extend(sum.map(|sum| (number, sum)));
        self.fragments.retain(|(piece, _), _| u64::from(*piece) != number);
    }

    /// A part of a piece is durable.
    pub(super) fn store_fragment(&mut self, fragment: Fragment) {
        if !self.pieces.contains_key(&u64::from(fragment.piece)) {
            self.fragments.insert((fragment.piece, fragment.offset), fragment);
        }
    }

    /// What is durable of the start of a piece, in order and without a gap.
    pub(super) fn fragments_of(&self, number: u64) -> Vec<Fragment> {
        let number = number as u32;
        let mut found = Vec::new();
        let mut end = 0;
        for fragment in self.fragments.range((number, 0)..=(number, u32::MAX)).map(|(_, one)| *one)
        {
            if fragment.offset != end {
                break;
            }
            end += fragment.extent.length;
            found.push(fragment);
        }
        found
    }

    /// The request it needs next: for all of it, or first for the head and then for one missing
    /// piece after the other. `None` if no piece is missing.
    pub(super) fn first_unit(&self) -> Option<Unit> {
        let size = self.target.listed.size;
        if size <= limits::PACKED_OBJECT_BYTES_MAX {
            return Some(self.unit(Part::Whole));
        }
        if pieces::count(size) > 1 && self.meta.is_none() {
            return Some(self.unit(Part::Head));
        }
        self.piece_from(0)
    }

    /// The first missing piece from `number` on. Pieces are asked for one by one, so that what is
    /// planned does not grow with a size that nothing but the source vouches for.
    pub(super) fn piece_from(&self, number: u64) -> Option<Unit> {
        let mut numbers = number..pieces::count(self.target.listed.size);
        let missing = numbers.find(|number| !self.pieces.contains_key(number))?;
        Some(self.unit(Part::Piece(missing, self.summed())))
    }

    fn unit(&self, part: Part) -> Unit {
        Unit { target: Arc::clone(&self.target), version: self.version, part }
    }

    /// The checksum of the whole object that can be summed up from its pieces.
    fn summed(&self) -> Option<Checksum> {
        let checksums = self.meta.as_ref().map(|meta| meta.checksums.as_slice());
        checksums.unwrap_or_default().iter().copied().find(Checksum::combinable)
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

    /// What the source promised of an object in several pieces. Of one piece it is verified as the
    /// bytes arrive.
    pub(super) fn promise(&self, mode: VerifyMode) -> Promise {
        let pieces: Vec<Piece> = self.pieces.values().copied().collect();
        if pieces.len() < 2 {
            return Promise { pieces, sum: None, md5: None };
        }
        let sum = self.summed().map(|whole| (whole, self.sums.clone()));
        let md5 = if mode == VerifyMode::Full { self.md5() } else { None };
        Promise { pieces, sum, md5 }
    }

    fn md5(&self) -> Option<[u8; 16]> {
        let meta = self.meta.as_ref()?;
        let apart = meta.checksums.iter().find_map(|checksum| match checksum {
            Checksum::Md5(md5) => Some(*md5),
            _ => None,
        });
        apart.or_else(|| sources::md5_of(meta.etag.as_deref().filter(|_| meta.etag_is_md5)?))
    }

    pub(super) fn record(&self) -> PendingKey {
        let listed = &self.target.listed;
        PendingKey {
            key: listed.key.clone(),
            size: listed.size,
            etag: listed.etag.clone(),
            last_modified: listed.last_modified,
            version_id: listed.version_id.clone(),
            pieces: self.pieces.iter().map(|(number, piece)| (*number as u32, *piece)).collect(),
            fragments: self.fragments.values().copied().collect(),
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
