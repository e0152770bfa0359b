//! Imports as they are asked for. The answer is in [`super::jobs`].

use engine::ImportRequest;
use model::limits::{MIRROR_DELETE_PERCENT_DEFAULT, TRANSFERS_MAX};
use model::{ImportMode, ImportOptions, OnError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::extract::id_field;

/// An import to be started. Exactly one source: `connector_id`, or `source_organization` with
/// `source_repository`.
#[derive(Deserialize, ToSchema)]
pub(crate) struct StartImport {
    /// A connector that is attached to the repository.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    connector_id: Option<String>,
    /// Import from a repository of this organization, which the caller must be a member of. Nothing
    /// is copied: both repositories share the bytes.
    #[serde(default)]
    source_organization: Option<String>,
    /// Import from this repository, as its latest commit is now.
    #[serde(default)]
    source_repository: Option<String>,
    /// Which part of the source. Of a connector: absolute if it starts with the connector's own
    /// prefix, else below it. Of a repository: a prefix of its paths.
    #[serde(default)]
    source_prefix: Option<String>,
    /// Where the objects go; empty for the root of the repository.
    destination_path: String,
    /// Message of the commit; names the source unless given.
    #[serde(default)]
    commit_message: Option<String>,
    /// Import the latest version of each key and record its version id (S3 only).
    #[serde(default)]
    use_versioning: Option<bool>,
    /// What becomes of objects at the destination that the source does not have: `overlay` (the
    /// default) keeps them, `mirror` deletes them.
    #[serde(default)]
    #[schema(pattern = "^(overlay|mirror)$", extensions(("x-tilde-extension" = json!(true))))]
    mode: Option<String>,
    /// With `mode: mirror`: the import fails if it would delete more than this percentage of the
    /// objects at the destination. Default 25.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100, extensions(("x-tilde-extension" = json!(true))))]
    max_delete_percent: Option<i64>,
    /// Globs over the path below the destination; only objects that one matches are imported.
    /// None: all.
    #[serde(default)]
    #[schema(max_items = 100)]
    include: Option<Vec<String>>,
    /// Globs; objects that one matches are not imported, also when `include` matches them.
    #[serde(default)]
    #[schema(max_items = 100)]
    exclude: Option<Vec<String>>,
    /// Only find out what would change: no object is read and no commit is made. The completed
    /// job has a `preview`, its `changes` name the paths.
    #[serde(default)]
    #[schema(extensions(("x-tilde-extension" = json!(true))))]
    dry_run: Option<bool>,
    /// What to do about an object that cannot be read: `fail` (the default) ends the import,
    /// `skip` leaves the object out and names it in the job.
    #[serde(default)]
    #[schema(pattern = "^(fail|skip)$", extensions(("x-tilde-extension" = json!(true))))]
    on_error: Option<String>,
    /// Objects that are read from the source side by side; the server's own setting unless given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 256, extensions(("x-tilde-extension" = json!(true))))]
    concurrency: Option<i64>,
}

/// An import that was started.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportStarted {
    pub(crate) job_id: Uuid,
}

impl StartImport {
    /// The engine's request; 400 for what has the wrong shape. What it means the engine checks.
    pub(crate) fn request(self) -> Result<ImportRequest> {
        let id = self.connector_id.as_deref().map(|id| id_field("connector_id", id)).transpose()?;
        let mode = self.mode()?;
        let on_error = self.on_error()?;
        let concurrency = self
            .concurrency
            .map(|wanted| within("concurrency", wanted, 1, TRANSFERS_MAX as u16))
            .transpose()?;
        Ok(ImportRequest {
            connector_id: id,
            source_organization: self.source_organization,
            source_repository: self.source_repository,
            source_prefix: self.source_prefix,
            destination_path: self.destination_path,
            commit_message: self.commit_message,
            options: ImportOptions {
                use_versioning: self.use_versioning.unwrap_or_default(),
                mode,
                include: self.include.unwrap_or_default(),
                exclude: self.exclude.unwrap_or_default(),
                dry_run: self.dry_run.unwrap_or_default(),
                on_error,
                concurrency,
            },
        })
    }

    fn mode(&self) -> Result<ImportMode> {
        let percent = self.max_delete_percent;
        let percent = percent.map(|percent| within("max_delete_percent", percent, 0, 100));
        let percent = percent.transpose()?;
        match (self.mode.as_deref(), percent) {
            (Some("mirror"), percent) => Ok(ImportMode::Mirror {
                max_delete_percent: percent.unwrap_or(MIRROR_DELETE_PERCENT_DEFAULT),
            }),
            (None | Some("overlay"), None) => Ok(ImportMode::Overlay),
            (None | Some("overlay"), Some(_)) => {
                Err(Error::invalid("max_delete_percent: only with mode mirror; leave it out"))
            }
            (Some(_), _) => Err(Error::invalid("mode: must be overlay or mirror")),
        }
    }

    fn on_error(&self) -> Result<OnError> {
        match self.on_error.as_deref() {
            None | Some("fail") => Ok(OnError::Fail),
            Some("skip") => Ok(OnError::Skip),
            Some(_) => Err(Error::invalid("on_error: must be fail or skip")),
        }
    }
}

/// The number, if it is in the range.
fn within<T>(field: &str, number: i64, min: T, max: T) -> Result<T>
where
    T: TryFrom<i64> + PartialOrd + std::fmt::Display,
{
    let fitting = T::try_from(number).ok().filter(|number| (&min..=&max).contains(&number));
    fitting.ok_or_else(|| Error::invalid(format!("{field}: must be {min} to {max}")))
}
