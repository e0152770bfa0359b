//! Import jobs: what was asked, how far it is, what became of it.

use model::{ImportMode, ImportSource, OnError, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::wire::USER;

/// An import job.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportJob)]
pub(crate) struct Import {
    id: Uuid,
    repository_id: Uuid,
    /// Null for an import from another repository.
    connector_id: Option<Uuid>,
    /// Of an import from another repository, else null.
    source_repository_id: Option<Uuid>,
    /// Its organization's name when the job was created.
    source_organization: Option<String>,
    /// Its name when the job was created.
    source_repository: Option<String>,
    /// The commit that is imported from it; null if it had none.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    source_commit_id: Option<String>,
    source_prefix: String,
    destination_path: String,
    commit_message: String,
    /// Whether the latest version of each key is imported by its version id.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    use_versioning: bool,
    /// `overlay` or `mirror`.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    mode: &'static str,
    /// The percentage of the destination's objects that a mirror may delete; null otherwise.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    max_delete_percent: Option<u8>,
    /// Globs of what is imported; empty for everything.
    include: Vec<String>,
    /// Globs of what is not imported.
    exclude: Vec<String>,
    /// Whether it only finds out what would change.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    dry_run: bool,
    /// `fail` or `skip`: what an object that cannot be read does to the import.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    on_error: &'static str,
    /// Objects read side by side; null for the server's own setting.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    concurrency: Option<u16>,
    /// `pending`, `running`, `completed`, `failed` or `canceled`.
    status: &'static str,
    /// What it is doing: `waiting` for a worker, `listing` the source (and copying what is listed
    /// already), `copying` the rest, `committing`, or `ended`.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    phase: &'static str,
    /// Objects listed so far; of the whole source once `listed_all`.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    objects_total: u64,
    /// Their bytes.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    bytes_total: u64,
    /// Whether everything is listed, so that the two totals are final.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    listed_all: bool,
    /// Objects that are in place so far, unchanged ones included.
    objects_imported: u64,
    /// Bytes of the objects that are in place so far.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    bytes_imported: u64,
    /// Of the objects in place, those that the repository had already, so that they were not read.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    objects_unchanged: u64,
    /// Objects that were listed and had vanished when they were to be read.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    objects_missing: u64,
    /// Objects that could not be read and were left out (`on_error: skip`).
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    objects_skipped: u64,
    /// The first 100 of them.
    skipped: Vec<Skipped>,
    /// Objects of the destination that a mirror deleted.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    objects_deleted: u64,
    /// Requests to the source that had to be repeated.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    retries: u64,
    /// Bytes per second of late; 0 while nothing is read.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    bytes_per_second: u64,
    /// Seconds until everything is copied at that speed; null while that cannot be told.
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    eta_seconds: Option<u64>,
    /// Of a completed dry run: what the import would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Preview>,
    /// The commit, once completed; left out where nothing matched, and of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_id: Option<String>,
    /// Once failed: what happened and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    created_by_type: &'static str,
    created_by: Uuid,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// An object that could not be read and was left out.
#[derive(Serialize, ToSchema)]
#[schema(as = SkippedObject)]
pub(crate) struct Skipped {
    /// Its key in the source.
    key: String,
    reason: String,
}

/// What a dry run found: what the import would do to the latest commit.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportPreview)]
pub(crate) struct Preview {
    /// Objects that would be new.
    added: Count,
    /// Objects that would be replaced; bytes of the new ones.
    modified: Count,
    /// Objects that a mirror would delete.
    removed: Count,
    /// Objects that are in place as they are in the source.
    unchanged: Count,
    /// Why the import itself would fail, such as too many deletions; null if it would not.
    refusal: Option<String>,
}

/// Objects and their bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = ObjectCount)]
pub(crate) struct Count {
    objects: u64,
    bytes: u64,
}

/// A change that an import would make.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlannedChange {
    path: String,
    /// `added`, `modified` or `removed`.
    status: &'static str,
    /// Bytes of the object that would be there, or that would be removed.
    size: u64,
}

impl From<model::Import> for Import {
    fn from(import: model::Import) -> Self {
        let eta_seconds = eta_seconds(&import);
        let connector_id = import.spec.connector().map(|id| id.0);
        let (spec, progress) = (import.spec, import.progress);
        let options = spec.options;
        let source = match spec.source {
            ImportSource::Connector(_) => None,
            ImportSource::Repository(source) => Some(source),
        };
        let (mode, max_delete_percent) = mode(options.mode);
        Self {
            id: import.id.0,
            repository_id: spec.repository.0,
            connector_id,
            source_repository_id: source.as_ref().map(|source| source.repository.0),
            source_organization: source.as_ref().map(|source| source.organization_name.clone()),
            source_repository: source.map(|source| source.name),
            source_commit_id: import.source_commit.map(|id| id.to_string()),
            source_prefix: spec.source_prefix,
            destination_path: spec.destination_path,
            commit_message: spec.commit_message,
            use_versioning: options.use_versioning,
            mode,
            max_delete_percent,
            include: options.include,
            exclude: options.exclude,
            dry_run: options.dry_run,
            on_error: match options.on_error {
                OnError::Fail => "fail",
                OnError::Skip => "skip",
            },
            concurrency: options.concurrency,
            status: import.status.as_str(),
            phase: progress.phase.as_str(),
            objects_total: progress.objects_listed,
            bytes_total: progress.bytes_listed,
            listed_all: progress.listed_all,
            objects_imported: progress.objects_imported,
            bytes_imported: progress.bytes_imported,
            objects_unchanged: progress.objects_unchanged,
            objects_missing: progress.objects_missing,
            objects_skipped: progress.objects_skipped,
            skipped: progress.skipped.into_iter().map(Skipped::from).collect(),
            objects_deleted: progress.objects_deleted,
            retries: progress.retries,
            bytes_per_second: progress.bytes_per_second,
            eta_seconds,
            preview: import.preview.map(Preview::from),
            commit_id: import.commit.map(|id| id.to_string()),
            error: import.error,
            created_by_type: USER,
            created_by: spec.created_by.0,
            created_at: import.created_at,
            updated_at: import.updated_at,
        }
    }
}

fn mode(mode: ImportMode) -> (&'static str, Option<u8>) {
    match mode {
        ImportMode::Overlay => ("overlay", None),
        ImportMode::Mirror { max_delete_percent } => ("mirror", Some(max_delete_percent)),
    }
}

/// What is left divided by the speed, rounded up: only of a job that goes on, once its total is
/// known and something is moving. Bytes of objects that were left out count as left, as nobody
/// knows which they were.
fn eta_seconds(import: &model::Import) -> Option<u64> {
    let progress = &import.progress;
    let known = progress.listed_all && progress.bytes_per_second > 0;
    let left = progress.bytes_listed.saturating_sub(progress.bytes_imported);
    (known && !import.status.is_terminal()).then(|| left.div_ceil(progress.bytes_per_second))
}

impl From<model::Skipped> for Skipped {
    fn from(skipped: model::Skipped) -> Self {
        Self { key: skipped.key, reason: skipped.reason }
    }
}

impl From<model::Preview> for Preview {
    fn from(preview: model::Preview) -> Self {
        Self {
            added: preview.added.into(),
            modified: preview.modified.into(),
            removed: preview.removed.into(),
            unchanged: preview.unchanged.into(),
            refusal: preview.refusal,
        }
    }
}

impl From<model::Count> for Count {
    fn from(count: model::Count) -> Self {
        Self { objects: count.objects, bytes: count.bytes }
    }
}

impl From<engine::PlannedChange> for PlannedChange {
    fn from(change: engine::PlannedChange) -> Self {
        Self { path: change.path, status: change.status.as_str(), size: change.size }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        ConnectorId, Hash, ImportOptions, ImportSpec, JobId, JobStatus, RepositoryId, Root,
        SourceRepository, UserId,
    };

    use super::*;

    fn running() -> model::Import {
        let spec = ImportSpec {
            repository: RepositoryId(Uuid::from_u128(1)),
            source: ImportSource::Connector(ConnectorId(Uuid::from_u128(2))),
            source_prefix: String::new(),
            destination_path: String::new(),
            commit_message: String::new(),
            created_by: UserId(Uuid::from_u128(3)),
            options: ImportOptions::default(),
        };
        let mut import = model::Import::new(JobId(Uuid::from_u128(4)), spec, Timestamp(0));
        import.status = JobStatus::Running;
        import.progress.listed_all = true;
        import.progress.bytes_listed = 1_001;
        import.progress.bytes_imported = 1;
        import.progress.bytes_per_second = 300;
        import
    }

    #[test]
    fn the_time_left_is_told_only_where_it_is_known() {
        assert_eq!(eta_seconds(&running()), Some(4));
        let told = |change: fn(&mut model::Import)| {
            let mut import = running();
            change(&mut import);
            eta_seconds(&import)
        };
        assert_eq!(told(|import| import.progress.listed_all = false), None);
        assert_eq!(told(|import| import.progress.bytes_per_second = 0), None);
        assert_eq!(told(|import| import.status = JobStatus::Failed), None);
        // A source can give more than it listed.
        assert_eq!(told(|import| import.progress.bytes_imported = 2_000), Some(0));
    }

    #[test]
    fn a_job_names_the_repository_it_reads_from() {
        let mut import = running();
        import.spec.source = ImportSource::Repository(SourceRepository {
            repository: RepositoryId(Uuid::from_u128(5)),
            organization_name: "acme".to_owned(),
            name: "data".to_owned(),
        });
        import.source_commit = Some(model::CommitId([7; 32]));
        let job = serde_json::to_value(Import::from(import)).expect("JSON");
        assert_eq!(job["connector_id"], serde_json::Value::Null);
        assert_eq!(job["source_repository_id"], Uuid::from_u128(5).to_string());
        assert_eq!(
            (&job["source_organization"], &job["source_repository"]),
            (&"acme".into(), &"data".into(),)
        );
        assert_eq!(job["source_commit_id"], "07".repeat(32));
    }

    #[test]
    fn a_preview_and_what_was_skipped_are_told_in_full() {
        let mut import = running();
        let count = |objects| model::Count { objects, bytes: 10 * objects };
        import.preview = Some(model::Preview {
            changes: Root { page: None, level: 0, hash: Hash([0; 32]), entries: 0, bytes: 0 },
            added: count(1),
            modified: count(2),
            removed: count(3),
            unchanged: count(4),
            refusal: Some("too many".to_owned()),
        });
        import.progress.skipped =
            vec![model::Skipped { key: "a".to_owned(), reason: "denied".to_owned() }];
        let job = serde_json::to_value(Import::from(import)).expect("JSON");
        let preview = serde_json::json!({
            "added": {"objects": 1, "bytes": 10}, "modified": {"objects": 2, "bytes": 20},
            "removed": {"objects": 3, "bytes": 30}, "unchanged": {"objects": 4, "bytes": 40},
            "refusal": "too many",
        });
        assert_eq!(job["preview"], preview);
        assert_eq!(job["skipped"], serde_json::json!([{"key": "a", "reason": "denied"}]));
    }
}
