//! How values lie in columns, beyond what the database's own types do.

use std::str::FromStr;

use model::{CommitId, Extent, Hash, IdError, SegmentId, Timestamp, WriterId};
use rusqlite::types::Type;
use rusqlite::{Row, RowIndex};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

type Result<T> = rusqlite::Result<T>;

/// Bytes of an extent in a column.
pub(super) const EXTENT_BYTES: usize = 20;

/// So many columns from `first` on: for rows that are decoded with every request, where looking
/// columns up by their names would be a good part of the cost.
pub(super) fn from<const N: usize>(first: usize) -> [usize; N] {
    std::array::from_fn(|number| first + number)
}

/// A column that does not hold what it must.
pub(super) fn undecodable(
    row: &Row<'_>,
    column: impl RowIndex,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    let index = column.idx(row.as_ref()).unwrap_or(usize::MAX);
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

/// An id.
pub(super) fn uuid(row: &Row<'_>, column: impl RowIndex) -> Result<Uuid> {
    Ok(Uuid::from_bytes(row.get(column)?))
}

/// An id that may be missing.
pub(super) fn uuid_if_any(row: &Row<'_>, column: impl RowIndex) -> Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

/// A time.
pub(super) fn time(row: &Row<'_>, column: impl RowIndex) -> Result<Timestamp> {
    Ok(Timestamp(row.get(column)?))
}

/// A time that may be missing.
pub(super) fn time_if_any(row: &Row<'_>, column: impl RowIndex) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// A hash.
pub(super) fn hash(row: &Row<'_>, column: impl RowIndex) -> Result<Hash> {
    Ok(Hash(row.get(column)?))
}

/// A commit's id that may be missing.
pub(super) fn commit_if_any(row: &Row<'_>, column: impl RowIndex) -> Result<Option<CommitId>> {
    Ok(row.get::<_, Option<[u8; 32]>>(column)?.map(CommitId))
}

/// A count.
pub(super) fn count(row: &Row<'_>, column: impl RowIndex) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|error| undecodable(row, column, error))
}

/// A count for a column. Columns end at 2^63 - 1, which nothing that is counted reaches.
pub(super) fn of_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// One of a set of names.
pub(super) fn name<T: FromStr<Err = IdError>>(row: &Row<'_>, column: impl RowIndex) -> Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|error| undecodable(row, column, error))?;
    text.parse().map_err(|error| undecodable(row, column, error))
}

/// A JSON text.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: impl RowIndex) -> Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|error| undecodable(row, column, error))?;
    serde_json::from_str(text).map_err(|error| undecodable(row, column, error))
}

/// A JSON text for a column, of a value that always has one.
pub(super) fn of_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and lists of them can always be JSON")
}

/// An extent: writer (8 bytes), number, offset and length (4 each), big-endian.
pub(super) fn extent(bytes: [u8; EXTENT_BYTES]) -> Extent {
    let part =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let writer = WriterId(u64::from(part(0)) << 32 | u64::from(part(4)));
    Extent { segment: SegmentId { writer, number: part(8) }, offset: part(12), length: part(16) }
}

/// The other way round.
pub(super) fn of_extent(extent: Extent) -> [u8; EXTENT_BYTES] {
    let mut bytes = [0; EXTENT_BYTES];
    bytes[..8].copy_from_slice(&extent.segment.writer.0.to_be_bytes());
    bytes[8..12].copy_from_slice(&extent.segment.number.to_be_bytes());
    bytes[12..16].copy_from_slice(&extent.offset.to_be_bytes());
    bytes[16..].copy_from_slice(&extent.length.to_be_bytes());
    bytes
}
