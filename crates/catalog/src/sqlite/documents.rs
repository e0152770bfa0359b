//! The JSON documents in columns of jobs: options, progress and preview.
//!
//! A field that is absent, as in a row that an older program wrote, has its default; one that is
//! not known is passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use model::{
    Count, Hash, IdError, ImportMode, ImportOptions, ImportProgress, OnError, Phase, Preview, Root,
    Skipped,
};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

use super::columns::{extent, json, of_extent, of_json, undecodable};

/// The hash of the empty tree, as `tree` computes it. It is part of the format: no version may
/// change it.
const EMPTY_TREE: Hash = Hash([
    0xaf, 0xec, 0xeb, 0x11, 0x34, 0x28, 0x50, 0x99, 0x5e, 0x4f, 0x2c, 0xd6, 0x98, 0x3d, 0x6c, 0x2f,
    0x11, 0x07, 0xb3, 0x20, 0xe5, 0xf9, 0x3a, 0xd0, 0xe5, 0x94, 0x01, 0xda, 0x71, 0x69, 0x94, 0x5b,
]);

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct StoredOptions {
    use_versioning: bool,
    /// Of a mirror; null for an overlay.
    mirror_delete_percent_max: Option<u8>,
    include: Vec<String>,
    exclude: Vec<String>,
    dry_run: bool,
    skip_unreadable: bool,
    concurrency: Option<u16>,
}

/// The options in `column`.
pub(super) fn options(row: &Row<'_>, column: &str) -> rusqlite::Result<ImportOptions> {
    let stored: StoredOptions = json(row, column)?;
    let mirror = |max_delete_percent| ImportMode::Mirror { max_delete_percent };
    Ok(ImportOptions {
        use_versioning: stored.use_versioning,
        mode: stored.mirror_delete_percent_max.map_or(ImportMode::Overlay, mirror),
        include: stored.include,
        exclude: stored.exclude,
        dry_run: stored.dry_run,
        on_error: if stored.skip_unreadable { OnError::Skip } else { OnError::Fail },
        concurrency: stored.concurrency,
    })
}

/// The other way round.
pub(super) fn of_options(options: &ImportOptions) -> String {
    of_json(&StoredOptions {
        use_versioning: options.use_versioning,
        mirror_delete_percent_max: match options.mode {
            ImportMode::Overlay => None,
            ImportMode::Mirror { max_delete_percent } => Some(max_delete_percent),
        },
        include: options.include.clone(),
        exclude: options.exclude.clone(),
        dry_run: options.dry_run,
        skip_unreadable: options.on_error == OnError::Skip,
        concurrency: options.concurrency,
    })
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct StoredProgress {
    phase: Option<String>,
    objects_listed: u64,
    bytes_listed: u64,
    listed_all: bool,
    objects_imported: u64,
    bytes_imported: u64,
    objects_unchanged: u64,
    bytes_unchanged: u64,
    objects_missing: u64,
    objects_skipped: u64,
    objects_deleted: u64,
    retries: u64,
    bytes_per_second: u64,
    skipped: Vec<StoredSkipped>,
}

/// An object that could not be read and was left out.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSkipped {
    key: String,
    reason: String,
}

impl From<StoredSkipped> for Skipped {
    fn from(StoredSkipped { key, reason }: StoredSkipped) -> Self {
        Self { key, reason }
    }
}

impl From<&Skipped> for StoredSkipped {
    fn from(Skipped { key, reason }: &Skipped) -> Self {
        Self { key: key.clone(), reason: reason.clone() }
    }
}

/// The progress in `column`.
pub(super) fn progress(row: &Row<'_>, column: &str) -> rusqlite::Result<ImportProgress> {
    let stored: StoredProgress = json(row, column)?;
    let phase = stored.phase.map_or(Ok(Phase::default()), |name| name.parse());
    Ok(ImportProgress {
        phase: phase.map_err(|error: IdError| undecodable(row, column, error))?,
        objects_listed: stored.objects_listed,
        bytes_listed: stored.bytes_listed,
        listed_all: stored.listed_all,
        objects_imported: stored.objects_imported,
        bytes_imported: stored.bytes_imported,
        objects_unchanged: stored.objects_unchanged,
        bytes_unchanged: stored.bytes_unchanged,
        objects_missing: stored.objects_missing,
        objects_skipped: stored.objects_skipped,
        objects_deleted: stored.objects_deleted,
        retries: stored.retries,
        bytes_per_second: stored.bytes_per_second,
        skipped: stored.skipped.into_iter().map(Skipped::from).collect(),
    })
}

/// The other way round.
pub(super) fn of_progress(progress: &ImportProgress) -> String {
    of_json(&StoredProgress {
        phase: Some(progress.phase.as_str().to_owned()),
        objects_listed: progress.objects_listed,
        bytes_listed: progress.bytes_listed,
        listed_all: progress.listed_all,
        objects_imported: progress.objects_imported,
        bytes_imported: progress.bytes_imported,
        objects_unchanged: progress.objects_unchanged,
        bytes_unchanged: progress.bytes_unchanged,
        objects_missing: progress.objects_missing,
        objects_skipped: progress.objects_skipped,
        objects_deleted: progress.objects_deleted,
        retries: progress.retries,
        bytes_per_second: progress.bytes_per_second,
        skipped: progress.skipped.iter().map(StoredSkipped::from).collect(),
    })
}

#[derive(Serialize, Deserialize)]
struct StoredPreview {
    /// Null once it has expired.
    changes: Option<StoredRoot>,
    added: StoredCount,
    modified: StoredCount,
    removed: StoredCount,
    unchanged: StoredCount,
    refusal: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredRoot {
    page: Option<String>,
    level: u8,
    hash: String,
    entries: u64,
    bytes: u64,
}

impl StoredRoot {
    fn decode(self) -> Option<Root> {
        let page = |text| Some(extent(BASE64.decode(text).ok()?.try_into().ok()?));
        Some(Root {
            page: match self.page {
                Some(text) => Some(page(text)?),
                None => None,
            },
            level: self.level,
            hash: self.hash.parse().ok()?,
            entries: self.entries,
            bytes: self.bytes,
        })
    }

    fn encode(root: &Root) -> Self {
        Self {
            page: root.page.map(|page| BASE64.encode(of_extent(page))),
            level: root.level,
            hash: root.hash.to_string(),
            entries: root.entries,
            bytes: root.bytes,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredCount {
    objects: u64,
    bytes: u64,
}

impl From<StoredCount> for Count {
    fn from(StoredCount { objects, bytes }: StoredCount) -> Self {
        Self { objects, bytes }
    }
}

impl From<Count> for StoredCount {
    fn from(Count { objects, bytes }: Count) -> Self {
        Self { objects, bytes }
    }
}

/// The preview in `column`, if there is one. Of one that has expired only the counts are left: its
/// tree is the empty one.
pub(super) fn preview(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Preview>> {
    if row.get_ref(column)? == ValueRef::Null {
        return Ok(None);
    }
    let stored: StoredPreview = json(row, column)?;
    let empty = Root { page: None, level: 0, hash: EMPTY_TREE, entries: 0, bytes: 0 };
    let changes = stored.changes.map_or(Some(empty), StoredRoot::decode);
    Ok(Some(Preview {
        changes: changes
            .ok_or_else(|| undecodable(row, column, IdError { what: "root of a tree" }))?,
        added: stored.added.into(),
        modified: stored.modified.into(),
        removed: stored.removed.into(),
        unchanged: stored.unchanged.into(),
        refusal: stored.refusal,
    }))
}

/// The other way round.
pub(super) fn of_preview(preview: &Preview) -> String {
    of_json(&StoredPreview {
        changes: Some(StoredRoot::encode(&preview.changes)),
        added: preview.added.into(),
        modified: preview.modified.into(),
        removed: preview.removed.into(),
        unchanged: preview.unchanged.into(),
        refusal: preview.refusal.clone(),
    })
}
