//! Entries, their provenance, and the rows of listings and diffs.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{DiffRow, ListedEntry};
use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A row of a listing or a diff: an object, or with a delimiter a group of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListingEntry {
    path: String,
    /// `object` or `prefix`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<Entry>,
    /// In diffs: `added`, `modified` or `removed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// What a commit says about an object.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entry {
    #[schema(value_type = String, format = DateTime)]
    last_modified: Timestamp,
    /// Bytes.
    size: u64,
    /// The ETag without its quotes: the BLAKE3 of the object, 64 hex digits.
    e_tag: String,
    metadata: BTreeMap<String, String>,
    #[schema(value_type = String)]
    content_type: Arc<str>,
    /// Only of imported objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_metadata: Option<SourceMetadata>,
}

/// Where an imported object came from.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    connector_id: Option<Uuid>,
    #[schema(value_type = String)]
    connector_type: Arc<str>,
    /// The full URI of the object, e.g. `s3://bucket/key`.
    #[schema(value_type = String)]
    source_path: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    version_id: Option<Arc<str>>,
    /// The source's ETag, its quotes included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    source_etag: Option<Arc<str>>,
    #[schema(value_type = String, format = DateTime)]
    import_time: Timestamp,
    import_job_id: Uuid,
    /// Of an import from another repository: where its object came from in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, extensions(("x-tilde-extension" = json!(true))))]
    origin: Option<Box<SourceMetadata>>,
}

impl From<model::Entry> for Entry {
    fn from(entry: model::Entry) -> Self {
        Self {
            last_modified: entry.last_modified,
            size: entry.size,
            e_tag: entry.hash.to_string(),
            metadata: entry.metadata,
            content_type: entry.content_type,
            source_metadata: entry.source.as_deref().map(SourceMetadata::from),
        }
    }
}

impl From<&model::SourceMetadata> for SourceMetadata {
    fn from(source: &model::SourceMetadata) -> Self {
        Self {
            connector_id: source.connector_id.map(|id| id.0),
            connector_type: source.connector_type.clone(),
            source_path: source.source_path.clone(),
            version_id: source.version_id.clone(),
            source_etag: source.source_etag.clone(),
            import_time: source.import_time,
            import_job_id: source.import_job_id.0,
            origin: source.origin.as_deref().map(|origin| Box::new(Self::from(origin))),
        }
    }
}

impl ListingEntry {
    fn new(path: String, entry: Option<model::Entry>, status: Option<&'static str>) -> Self {
        let kind = if entry.is_some() { "object" } else { "prefix" };
        Self { path, kind, entry: entry.map(Entry::from), status }
    }
}

impl From<ListedEntry> for ListingEntry {
    fn from(listed: ListedEntry) -> Self {
        match listed {
            ListedEntry::Object(path, entry) => {
                Self::new(path.as_str().to_owned(), Some(entry), None)
            }
            ListedEntry::Prefix(prefix) => Self::new(prefix, None, None),
        }
    }
}

impl From<DiffRow> for ListingEntry {
    fn from(row: DiffRow) -> Self {
        let status = match row.status {
            engine::Status::Added => "added",
            engine::Status::Modified => "modified",
            engine::Status::Removed => "removed",
        };
        Self::new(row.path, row.entry, Some(status))
    }
}
