//! Every bound in the system, named, with its unit last.

/// Bytes of an object path.
pub const PATH_BYTES_MAX: usize = 2_048;
/// Bytes of a piece of a large object. A power of two of at least 1 KiB, as BLAKE3 subtrees demand.
pub const PIECE_BYTES: u64 = 16 << 20;
/// Objects up to this size are gathered whole and packed beside others.
pub const PACKED_OBJECT_BYTES_MAX: u64 = 1 << 20;
/// Pieces that an entry names itself; more go into an extent list.
pub const PIECES_INLINE_MAX: usize = 4;
/// Pieces of one object: 64 TiB, more than any source holds in one object.
pub const PIECES_MAX: u64 = 1 << 22;
/// Bytes of one object. A listing that names more lies.
pub const OBJECT_BYTES_MAX: u64 = PIECES_MAX * PIECE_BYTES;
/// A segment is closed when it has this many bytes of data.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes of a segment that one checksum covers.
pub const FRAME_BYTES: u32 = 32 << 10;
/// Entries of a tree page: fewest (the last page of a level may have less).
pub const PAGE_ENTRIES_MIN: usize = 32;
/// Entries of a tree page: most.
pub const PAGE_ENTRIES_MAX: usize = 512;
/// Height of a tree: 32^10 entries at the least fan-out are more than any repository holds.
pub const TREE_LEVELS_MAX: u8 = 12;
/// Encoded bytes of a tree page that a reader accepts.
pub const PAGE_BYTES_MAX: u32 = 16 << 20;
/// User metadata of one entry: pairs.
pub const METADATA_PAIRS_MAX: usize = 256;
/// User metadata of one entry: bytes of all keys and values.
pub const METADATA_BYTES_MAX: usize = 16 << 10;
/// Rows of a page of any listing over the API.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Rows of a page when the caller does not say.
pub const PAGE_ROWS_DEFAULT: usize = 100;
/// GET requests in flight for one import, unless configured.
pub const TRANSFERS_DEFAULT: usize = 10;
/// GET requests in flight for one import: most that can be configured.
pub const TRANSFERS_MAX: usize = 256;
/// Imports of one organization that have not ended.
pub const OPEN_IMPORTS_MAX: u64 = 1_000;
/// Imports that run side by side on one node, unless configured.
pub const JOBS_DEFAULT: usize = 4;
/// Times one GET is tried.
pub const TRANSFER_ATTEMPTS_MAX: u32 = 6;
/// Times an object that changes while it is read is read again.
pub const CHANGED_ATTEMPTS_MAX: u32 = 3;
/// Claims of a job that end without a new checkpoint before it fails.
pub const CLAIM_ATTEMPTS_MAX: u32 = 10;
/// How long a worker owns a job without a heartbeat.
pub const LEASE_MS: i64 = 30_000;
/// How often a worker tells how far it is.
pub const HEARTBEAT_MS: u64 = 1_000;
/// Entries of one run.
pub const RUN_ENTRIES_MAX: usize = 8_192;
/// A run is closed when the texts of its entries (paths, metadata, provenance) have so many bytes.
pub const RUN_TEXT_BYTES: usize = 8 << 20;
/// A run is closed this long after its first entry, full or not.
pub const RUN_AGE_MIN_MS: u64 = 500;
/// ... or, once an import runs longer, after this percentage of the time it has run, ...
pub const RUN_AGE_PERCENT: u32 = 2;
/// ... up to this: what a crash costs stays a small part of what was done, and an import of days
/// does not consist of half seconds.
pub const RUN_AGE_MAX_MS: u64 = 5_000;
/// Objects left out by `on_error: skip` that a job names.
pub const SKIPPED_NAMED_MAX: usize = 100;
/// Deletions that a mirror may make unless it is told otherwise: percentage of the entries in its
/// reach.
pub const MIRROR_DELETE_PERCENT_DEFAULT: u8 = 25;
/// Globs of one import, `include` and `exclude` each.
pub const GLOBS_MAX: usize = 100;
/// Bytes of a glob.
pub const GLOB_BYTES_MAX: usize = 1_024;
/// How long an import may keep its place on a node while another organization has none.
pub const TURN_MS: u64 = 60_000;
/// Listing pages that are fetched ahead of what reads them, over all streams.
pub const LISTING_AHEAD_PAGES: usize = 256;
/// Objects of a listing that has to be sorted before it is used. One that repeats itself under ever
/// new tokens would have no end.
pub const SORTED_OBJECTS_MAX: u64 = 100_000_000;
/// Streams that list ranges of keys side by side.
pub const LISTING_STREAMS_MAX: usize = 16;
/// Vanished objects that a job names.
pub const MISSING_NAMED_MAX: usize = 100;
/// Vanished objects a job tolerates whatever the size of its listing ...
pub const MISSING_OBJECTS_MAX: u64 = 10;
/// ... and above that the percentage of its listing.
pub const MISSING_PERCENT_MAX: u64 = 1;
/// Source keys that an error names.
pub const KEYS_NAMED_MAX: usize = 20;
/// Source keys that cannot be paths which an error names.
pub const INVALID_KEYS_NAMED_MAX: usize = 100;
/// Bytes of a JSON body over the API.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of a commit message.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Bytes of a name or description given by a user.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a description.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// Days a failed or canceled job keeps its checkpoint.
pub const CHECKPOINT_DAYS: i64 = 7;
/// Percentage of all stored bytes above which a collection is refused unless it is forced.
pub const COLLECT_PERCENT_MAX: u64 = 20;
/// A segment is sparse, and worth compacting, when less than this percentage of it is needed.
pub const SPARSE_PERCENT: u64 = 60;
/// A segment with fewer bytes than this is tiny, and worth packing together with others.
pub const TINY_SEGMENT_BYTES: u64 = 4 << 20;
/// Hours a segment stays condemned before it goes to the trash, unless configured.
pub const COLLECT_GRACE_HOURS_DEFAULT: i64 = 24;
/// Days the trash is kept, unless configured.
pub const TRASH_DAYS_DEFAULT: i64 = 7;
/// Hours between two collections, unless configured.
pub const COLLECT_INTERVAL_HOURS_DEFAULT: u64 = 24;
/// How long a hold on collections lasts without being extended.
pub const HOLD_MS: i64 = 60_000;
/// Hours for which an `Idempotency-Key` returns the first job.
pub const IDEMPOTENCY_HOURS: i64 = 24;
/// Fewest hex digits of an abbreviated commit id.
pub const COMMIT_PREFIX_MIN: usize = 8;
/// Sessions of one repository that are open.
pub const OPEN_SESSIONS_MAX: u64 = 10_000;
/// Days a session may be open: most that a repository can allow.
pub const SESSION_DAYS_MAX: u32 = 365;
/// Changes that one session may stage, each path counted as often as it is staged.
pub const STAGED_CHANGES_MAX: u64 = 20_000_000;
/// Staged changes read at a time.
pub const STAGED_ROWS: usize = 1_000;
/// Paths deleted by one request.
pub const DELETE_PATHS_MAX: usize = 1_000;
/// Paths that a refused commit names.
pub const CONFLICTS_NAMED_MAX: usize = 20;
/// Parts of a multipart upload.
pub const PARTS_MAX: u32 = 10_000;
/// Multipart uploads of one session that are not complete.
pub const OPEN_UPLOADS_MAX: u64 = 10_000;
/// Uploads that have begun and are not finalized, on one node. Some 400 bytes each.
pub const UPLOADS_WAITING_MAX: usize = 100_000;
/// Milliseconds an upload has from its first request to its last; after that its links are dead.
pub const UPLOAD_MS: i64 = 24 * 60 * 60 * 1_000;
/// ... and a single upload from the arrival of its bytes to its finalize: as long as those wait,
/// nothing that its writer wrote is collected.
pub const SINGLE_UPLOAD_MS: i64 = 60 * 60 * 1_000;
/// Bytes of small bodies that are held in memory at a time while they arrive, on one node.
pub const UPLOAD_MEMORY_BYTES: usize = 128 << 20;
/// Larger bodies that arrive at a time, on one node. Each has two write buffers of 1 MiB, and as
/// much once more while a segment is being sealed: 512 MiB if all do so at once.
pub const UPLOAD_LANES_MAX: usize = 128;
/// How long a body waits for such memory, or for such a lane, before its client is told to try
/// again.
pub const UPLOAD_WAIT_MS: u64 = 10_000;
/// A body is given up unless the next so many bytes of it, or all that are left, arrive ...
pub const UPLOAD_PACE_BYTES: u64 = 256 << 10;
/// ... in this time: memory is held for 5 minutes at most, a lane in proportion to what it brings.
/// Slow enough for ten uploads side by side over a line of 512 kbit/s.
pub const UPLOAD_PACE_MS: u64 = 60_000;
/// Bytes of the JSON that completes a multipart upload: [`PARTS_MAX`] parts with their ETags.
pub const COMPLETE_BYTES_MAX: usize = 4 << 20;
/// Bytes of a body that are read and thrown away after an early answer, so that the client reads
/// that before the connection closes ...
pub const LINGER_BYTES_MAX: u64 = 1 << 20;
/// ... and how long the connection stays open for it.
pub const LINGER_MS: u64 = 1_000;
/// Milliseconds for which a presigned download link works.
pub const PRESIGNED_MS: i64 = 15 * 60 * 1_000;
/// Days a browser stays signed in.
pub const LOGIN_DAYS: i64 = 7;
/// Logins of one user; the oldest make room.
pub const LOGINS_MAX: usize = 100;
/// Failed logins from one address within a minute before it has to wait.
pub const ADDRESS_FAILURES_MAX: u32 = 10;
/// Milliseconds a device has to be let in.
pub const DEVICE_MS: i64 = 15 * 60 * 1_000;
/// Seconds between two questions of a device.
pub const DEVICE_INTERVAL_S: u32 = 5;
/// Devices that wait to be let in, on the whole server.
pub const DEVICES_MAX: u64 = 10_000;

const _: () = assert!(PIECE_BYTES.is_power_of_two() && PIECE_BYTES >= 1024);
const _: () = assert!(PACKED_OBJECT_BYTES_MAX <= PIECE_BYTES && PIECE_BYTES <= SEGMENT_BYTES);
const _: () = assert!(PAGE_ENTRIES_MIN >= 2 && PAGE_ENTRIES_MIN < PAGE_ENTRIES_MAX);
const _: () = assert!(LEASE_MS as u64 >= 10 * HEARTBEAT_MS);
const _: () = assert!(TRANSFERS_DEFAULT <= TRANSFERS_MAX);
const _: () = assert!(UPLOAD_MEMORY_BYTES as u64 >= PACKED_OBJECT_BYTES_MAX);
