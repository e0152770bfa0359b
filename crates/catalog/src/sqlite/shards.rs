//! Checkpoints: how far the listing of a job is, and the runs recorded so far.
//!
//! The state of a shard is one JSON text. Keys are arbitrary bytes and stand in it in base64, as do
//! the pieces of a pending key: 56 bytes each (number, 4 bytes big-endian; extent as in its
//! columns; hash).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use model::{Hash, JobId, PendingKey, Piece, Run, ShardState, Timestamp};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::columns::{EXTENT_BYTES, count, extent, of_count, of_extent};
use super::query::{all, change, exists, one};
use crate::{Error, Result};

/// A job has one shard, of all keys.
const SHARD: u32 = 0;
const HASH_BYTES: usize = 32;
const PIECE_BYTES: usize = 4 + EXTENT_BYTES + HASH_BYTES;

#[derive(Serialize, Deserialize)]
struct StoredState {
    cursor: Option<String>,
    listed_all: bool,
    pending: Vec<StoredKey>,
    objects: u64,
    bytes: u64,
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
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pieces: String,
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
        |row| {
            Ok(Run {
                number: row.get("number")?,
                extent: extent(row.get("extent")?),
                entries: count(row, "entries")?,
                first: row.get("first_path")?,
                last: row.get("last_path")?,
            })
        },
    )
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
        pieces: encode_pieces(&pending.pieces),
    };
    let stored = StoredState {
        cursor: state.cursor.as_ref().map(|cursor| BASE64.encode(cursor)),
        listed_all: state.listed_all,
        pending: state.pending.iter().map(key).collect(),
        objects: state.objects,
        bytes: state.bytes,
        missing: state.missing,
        missing_names: state.missing_names.clone(),
        markers: state.markers,
    };
    serde_json::to_string(&stored).expect("texts and numbers can always be JSON")
}

fn decode(text: &str) -> Option<ShardState> {
    let stored: StoredState = serde_json::from_str(text).ok()?;
    let key = |stored: StoredKey| {
        Some(PendingKey {
            key: BASE64.decode(stored.key).ok()?,
            size: stored.size,
            etag: stored.etag,
            last_modified: Timestamp(stored.last_modified_us),
            pieces: decode_pieces(&stored.pieces)?,
        })
    };
    Some(ShardState {
        cursor: stored.cursor.map(|cursor| BASE64.decode(cursor)).transpose().ok()?,
        listed_all: stored.listed_all,
        pending: stored.pending.into_iter().map(key).collect::<Option<_>>()?,
        objects: stored.objects,
        bytes: stored.bytes,
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

    fn pending() -> impl Strategy<Value = PendingKey> {
        let etag = proptest::option::of(".*".prop_map(Arc::from));
        (vec(any::<u8>(), 0..40), any::<u64>(), etag, any::<i64>(), pieces()).prop_map(
            |(key, size, etag, at, pieces)| PendingKey {
                key,
                size,
                etag,
                last_modified: Timestamp(at),
                pieces,
            },
        )
    }

    proptest! {
        #[test]
        fn any_state_round_trips(
            cursor in proptest::option::of(vec(any::<u8>(), 0..40)),
            pending in vec(pending(), 0..4),
            missing_names in vec(".*", 0..3),
            listed_all: bool,
            counts: [u64; 4],
        ) {
            let [objects, bytes, missing, markers] = counts;
            let state = ShardState {
                cursor, listed_all, pending, objects, bytes, missing, missing_names, markers,
            };
            prop_assert_eq!(decode(&encode(&state)), Some(state));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(pieces in ".*", text in ".*") {
            let _ = decode_pieces(&pieces);
            prop_assert_eq!(decode(&text), None);
        }
    }
}
