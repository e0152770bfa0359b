//! Checkpoints: how far the listing of a job is, and the runs recorded so far.
//!
//! The state of a shard is one JSON text. Keys are arbitrary bytes and stand in it in base64, as do
//! the pieces of a pending key: 56 bytes each (number, 4 bytes big-endian; extent as in its
//! columns; hash). Fields that a program before version 2 of the schema did not write are reckoned
//! from the others, or have their default.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use model::{Fragment, Hash, JobId, PendingKey, Piece, Run, ShardState, Skipped, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::columns::{EXTENT_BYTES, count, extent, of_count, of_extent, of_json};
use super::documents::StoredSkipped;
use super::query::{all, change, exists, one};
use crate::{Error, Result};

/// A job has one shard, of all keys.
const SHARD: u32 = 0;
const HASH_BYTES: usize = 32;
const PIECE_BYTES: usize = 4 + EXTENT_BYTES + HASH_BYTES;
const FRAGMENT_BYTES: usize = 4 + PIECE_BYTES;

#[derive(Serialize, Deserialize)]
struct StoredState {
    cursor: Option<String>,
    listed_all: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unordered: bool,
    listed: Option<u64>,
    listed_bytes: Option<u64>,
    pending: Vec<StoredKey>,
    objects: u64,
    bytes: u64,
    #[serde(default)]
    unchanged: u64,
    #[serde(default)]
    unchanged_bytes: u64,
    #[serde(default)]
    skipped: u64,
    #[serde(default)]
    skipped_named: Vec<StoredSkipped>,
    missing: u64,
    missing_names: Vec<String>,
    markers: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    key: String,
    size: u64,
    etag: Option<Arc<str>>,
    last_modified_us: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version_id: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pieces: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    fragments: String,
}

/// What the last checkpoint recorded; the default if there is none.
pub(super) fn state(db: &Connection, job: JobId) -> Result<ShardState> {
    let sql = "SELECT state FROM shards WHERE job = ?1 AND number = ?2";
    let text: Option<String> = one(db, sql, params![job.0.as_bytes(), SHARD], |row| row.get(0))?;
    text.map_or(Ok(ShardState::default()), |text| {
        decode(&text).ok_or_else(|| Error::Damaged { what: format!("the shard of job {job}") })
    })
}

/// Records the state of the shard.
pub(super) fn store(db: &Connection, job: JobId, state: &ShardState) -> Result<()> {
    change(
        db,
        "INSERT INTO shards (job, number, state) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET state = excluded.state",
        params![job.0.as_bytes(), SHARD, encode(state)],
    )?;
    Ok(())
}

/// The runs recorded so far, by number.
pub(super) fn runs(db: &Connection, job: JobId) -> Result<Vec<Run>> {
    all(
        db,
        "SELECT * FROM runs WHERE job = ?1 AND shard = ?2 ORDER BY number",
        params![job.0.as_bytes(), SHARD],
        decode_run,
    )
}

/// The runs of the job that `job` has as its prior, by number.
pub(super) fn prior_runs(db: &Connection, job: JobId) -> Result<Vec<Run>> {
    all(
        db,
        "SELECT runs.* FROM jobs JOIN runs ON runs.job = jobs.prior
         WHERE jobs.id = ?1 AND shard = ?2 ORDER BY runs.number",
        params![job.0.as_bytes(), SHARD],
        decode_run,
    )
}

fn decode_run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        number: row.get("number")?,
        extent: extent(row.get("extent")?),
        entries: count(row, "entries")?,
        first: row.get("first_path")?,
        last: row.get("last_path")?,
    })
}

/// Whether a run was recorded.
pub(super) fn has_run(db: &Connection, job: JobId) -> Result<bool> {
    exists(db, "SELECT 1 FROM runs WHERE job = ?1", [job.0.as_bytes()])
}

/// Records the next run; `Conflict` if its number is not the next. The shard must be stored.
pub(super) fn append(db: &Connection, job: JobId, run: &Run) -> Result<()> {
    let changed = change(
        db,
        "INSERT INTO runs (job, shard, number, extent, entries, first_path, last_path)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
         WHERE ?3 = (SELECT ifnull(max(number) + 1, 0) FROM runs WHERE job = ?1 AND shard = ?2)",
        params![
            job.0.as_bytes(),
            SHARD,
            run.number,
            of_extent(run.extent),
            of_count(run.entries),
            run.first,
            run.last
        ],
    )?;
    if changed == 0 { Err(Error::Conflict { what: "another number of runs" }) } else { Ok(()) }
}

/// Deletes what a completed job no longer needs.
pub(super) fn forget(db: &Connection, job: JobId) -> Result<()> {
    change(db, "DELETE FROM runs WHERE job = ?1", [job.0.as_bytes()])?;
    change(db, "DELETE FROM shards WHERE job = ?1", [job.0.as_bytes()])?;
    Ok(())
}

fn encode(state: &ShardState) -> String {
    let key = |pending: &PendingKey| StoredKey {
        key: BASE64.encode(&pending.key),
        size: pending.size,
        etag: pending.etag.clone(),
        last_modified_us: pending.last_modified.0,
        version_id: pending.version_id.clone(),
        pieces: encode_pieces(&pending.pieces),
        fragments: encode_fragments(&pending.fragments),
    };
    of_json(&StoredState {
        cursor: state.cursor.as_ref().map(|cursor| BASE64.encode(cursor)),
        listed_all: state.listed_all,
        unordered: state.unordered,
        listed: Some(state.listed),
        listed_bytes: Some(state.listed_bytes),
        pending: state.pending.iter().map(key).collect(),
        objects: state.objects,
        bytes: state.bytes,
        unchanged: state.unchanged,
        unchanged_bytes: state.unchanged_bytes,
        skipped: state.skipped,
        skipped_named: state.skipped_named.iter().map(StoredSkipped::from).collect(),
        missing: state.missing,
        missing_names: state.missing_names.clone(),
        markers: state.markers,
    })
}

fn decode(text: &str) -> Option<ShardState> {
    let stored: StoredState = serde_json::from_str(text).ok()?;
    let key = |stored: StoredKey| {
        Some(PendingKey {
            key: BASE64.decode(stored.key).ok()?,
            size: stored.size,
            etag: stored.etag,
            last_modified: Timestamp(stored.last_modified_us),
            version_id: stored.version_id,
            pieces: decode_pieces(&stored.pieces)?,
            fragments: decode_fragments(&stored.fragments)?,
        })
    };
    let pending: Vec<PendingKey> = stored.pending.into_iter().map(key).collect::<Option<_>>()?;
    // What was listed is in a run, pending, gone, or the marker that is left out.
    let reckoned = (pending.len() as u64)
        .saturating_add(stored.objects)
        .saturating_add(stored.missing)
        .saturating_add(stored.markers);
    let pending_bytes = pending.iter().fold(0, |sum: u64, key| sum.saturating_add(key.size));
    Some(ShardState {
        cursor: stored.cursor.map(|cursor| BASE64.decode(cursor)).transpose().ok()?,
        listed_all: stored.listed_all,
        unordered: stored.unordered,
        listed: stored.listed.unwrap_or(reckoned),
        listed_bytes: stored.listed_bytes.unwrap_or(stored.bytes.saturating_add(pending_bytes)),
        pending,
        objects: stored.objects,
        bytes: stored.bytes,
        unchanged: stored.unchanged,
        unchanged_bytes: stored.unchanged_bytes,
        skipped: stored.skipped,
        skipped_named: stored.skipped_named.into_iter().map(Skipped::from).collect(),
        missing: stored.missing,
        missing_names: stored.missing_names,
        markers: stored.markers,
    })
}

fn encode_pieces(pieces: &[(u32, Piece)]) -> String {
    let mut bytes = Vec::with_capacity(pieces.len() * PIECE_BYTES);
    for (number, piece) in pieces {
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&of_extent(piece.extent));
        bytes.extend_from_slice(&piece.hash.0);
    }
    BASE64.encode(bytes)
}

fn encode_fragments(fragments: &[Fragment]) -> String {
    let mut bytes = Vec::with_capacity(fragments.len() * FRAGMENT_BYTES);
    for Fragment { piece, offset, extent, hash } in fragments {
        bytes.extend_from_slice(&piece.to_be_bytes());
        bytes.extend_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(&of_extent(*extent));
        bytes.extend_from_slice(&hash.0);
    }
    BASE64.encode(bytes)
}

fn decode_fragments(text: &str) -> Option<Vec<Fragment>> {
    let bytes = BASE64.decode(text).ok()?;
    let (fragments, []) = bytes.as_chunks::<FRAGMENT_BYTES>() else { return None };
    fragments
        .iter()
        .map(|fragment| {
            let (piece, rest) = fragment.split_first_chunk()?;
            let (offset, rest) = rest.split_first_chunk()?;
            let (place, hash) = rest.split_first_chunk()?;
            Some(Fragment {
                piece: u32::from_be_bytes(*piece),
                offset: u32::from_be_bytes(*offset),
                extent: extent(*place),
                hash: Hash(hash.try_into().ok()?),
            })
        })
        .collect()
}

fn decode_pieces(text: &str) -> Option<Vec<(u32, Piece)>> {
    let bytes = BASE64.decode(text).ok()?;
    let (pieces, []) = bytes.as_chunks::<PIECE_BYTES>() else { return None };
    pieces
        .iter()
        .map(|piece| {
            let (number, rest) = piece.split_first_chunk()?;
            let (place, hash) = rest.split_first_chunk()?;
            let hash = Hash(hash.try_into().ok()?);
            Some((u32::from_be_bytes(*number), Piece { extent: extent(*place), hash }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn pieces() -> impl Strategy<Value = Vec<(u32, Piece)>> {
        let piece = (any::<u32>(), any::<[u8; EXTENT_BYTES]>(), any::<[u8; HASH_BYTES]>());
        vec(
            piece.prop_map(|(n, at, hash)| (n, Piece { extent: extent(at), hash: Hash(hash) })),
            0..4,
        )
    }

    fn fragments() -> impl Strategy<Value = Vec<Fragment>> {
        let place = (any::<[u8; EXTENT_BYTES]>(), any::<[u8; HASH_BYTES]>());
        let fragment = (any::<u32>(), any::<u32>(), place);
        let made = |(piece, offset, (at, hash))| Fragment {
            piece,
            offset,
            extent: extent(at),
            hash: Hash(hash),
        };
        vec(fragment.prop_map(made), 0..3)
    }

    fn pending() -> impl Strategy<Value = PendingKey> {
        let text = || proptest::option::of(".*".prop_map(Arc::from));
        let stored = (pieces(), fragments());
        (vec(any::<u8>(), 0..40), any::<u64>(), text(), any::<i64>(), text(), stored).prop_map(
            |(key, size, etag, at, version_id, (pieces, fragments))| PendingKey {
                key,
                size,
                etag,
                last_modified: Timestamp(at),
                version_id,
                pieces,
                fragments,
            },
        )
    }

    proptest! {
        #[test]
        fn any_state_round_trips(
            cursor in proptest::option::of(vec(any::<u8>(), 0..40)),
            pending in vec(pending(), 0..4),
            missing_names in vec(".*", 0..3),
            skipped_named in vec((".*", ".*"), 0..3),
            listed_all: bool,
            unordered: bool,
            counts: [u64; 9],
        ) {
            let [listed, listed_bytes, objects, bytes, ..] = counts;
            let [.., unchanged, unchanged_bytes, skipped, missing, markers] = counts;
            let named = |(key, reason)| Skipped { key, reason };
            let skipped_named = skipped_named.into_iter().map(named).collect();
            let state = ShardState {
                cursor, listed_all, unordered, listed, listed_bytes, pending, objects, bytes,
                unchanged, unchanged_bytes, skipped, skipped_named, missing, missing_names, markers,
            };
            prop_assert_eq!(decode(&encode(&state)), Some(state));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(pieces in ".*", text in ".*") {
            let _ = decode_pieces(&pieces);
            prop_assert_eq!(decode(&text), None);
        }
    }

    #[test]
    fn what_an_old_checkpoint_listed_is_reckoned() {
        let old = r#"{"cursor": "aw", "listed_all": false, "pending": [{"key": "aw", "size": 7,
            "etag": null, "last_modified_us": 0}], "objects": 3, "bytes": 30, "missing": 2,
            "missing_names": ["s3://bucket/gone"], "markers": 1}"#;
        let state = decode(old).expect("a state");
        assert_eq!((state.listed, state.listed_bytes), (1 + 3 + 2 + 1, 37));
        assert_eq!((state.unchanged, state.skipped), (0, 0));
        assert_eq!(state.pending[0].version_id, None);
    }
}
