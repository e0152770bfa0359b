//! A claimed job and what it works with.

use std::sync::Arc;

use blocks::Writer;
use catalog::{Claim, ClaimKey};
use model::{
    Commit, CommitId, ConnectorId, Import, ObjectPath, RepositoryId, Root, SourceMetadata,
};
use sources::{Listed, Mapping, S3Config, Source, SourceUri, UriError};
use tree::Tree;

use super::end::End;
use super::progress::Progress;
use super::stop::Stop;
use crate::Engine;

/// Everything one claim of an import works with. Shared by its tasks.
pub(super) struct Job {
    pub(super) engine: Engine,
    pub(super) key: ClaimKey,
    pub(super) import: Import,
    pub(super) source: Arc<dyn Source>,
    pub(super) mapping: Mapping,
    /// What the import compares with: the head when the job was created.
    pub(super) base: Root,
    /// Names the segments of this claim.
    pub(super) writer: Writer,
    pub(super) progress: Progress,
    pub(super) stop: Stop,
}

impl Job {
    /// Opens the source and the base of a claimed import.
    pub(super) async fn open(
        engine: &Engine,
        claim: &Claim,
        progress: Progress,
        stop: Stop,
    ) -> Result<Arc<Self>, End> {
        let import = claim.import.clone();
        let (source, mapping) = engine.open_source(&import).await?;
        let base = match import.base {
            None => Tree::empty(),
            Some(id) => engine.root_of(import.spec.repository, id).await?,
        };
        let writer = engine.parts.blocks.writer(import.spec.repository, claim.writer);
        let key = ClaimKey { job: import.id, epoch: claim.epoch };
        let engine = engine.clone();
        progress.set(&claim.shard);
        Ok(Arc::new(Self { engine, key, import, source, mapping, base, writer, progress, stop }))
    }

    /// The provenance of an object of this import, read with this ETag.
    pub(super) fn provenance(&self, key: &[u8], etag: Option<Arc<str>>) -> Arc<SourceMetadata> {
        Arc::new(SourceMetadata {
            connector_id: Some(self.import.spec.connector),
            connector_type: self.source.kind().into(),
            source_path: self.source.uri(key).into(),
            version_id: None,
            source_etag: etag,
            import_time: self.import.created_at,
            import_job_id: self.import.id,
            origin: None,
        })
    }

    /// Whether `entry` is what an import of `listed` would give, as far as the listing tells.
    pub(super) fn unchanged(&self, listed: &Listed, entry: &model::Entry) -> bool {
        entry.source.as_deref().is_some_and(|source| {
            source.connector_id == Some(self.import.spec.connector)
                && entry.size == listed.size
                && listed.etag.is_some()
                && source.source_etag == listed.etag
                && source.version_id.is_none()
                && *source.source_path == *self.source.uri(&listed.key)
        })
    }

    /// Tells the tests where the work is.
    pub(super) fn reach(&self, site: &'static str) {
        self.engine.parts.failpoints.reach(site);
    }
}

impl Engine {
    /// Opens the connector's config for as long as the source lives.
    async fn open_source(&self, import: &Import) -> Result<(Arc<dyn Source>, Mapping), End> {
        let spec = &import.spec;
        let (uri, config) = self.opened_connector(spec.repository, spec.connector).await?;
        let mapping = Mapping::new(&uri, &spec.source_prefix, &spec.destination_path);
        let transfers_max = self.parts.imports.transfers_max;
        let sources = &self.parts.sources;
        let source = sources.open_s3(&uri, config, mapping.effective_prefix(), transfers_max)?;
        Ok((source, mapping))
    }

    async fn opened_connector(
        &self,
        repository: RepositoryId,
        id: ConnectorId,
    ) -> Result<(SourceUri, S3Config), End> {
        let attached = self.catalog().attached(repository).await?;
        let connector = attached.into_iter().find(|connector| connector.id == id);
        let Some(connector) = connector else {
            return Err(End::failed("the connector is not attached to the repository any more"));
        };
        let config = self.open_config(&connector).await?;
        let uri: SourceUri = connector
            .source_uri
            .parse()
            .map_err(|error: UriError| End::failed(error.to_string()))?;
        Ok((uri, config))
    }

    /// The content of a commit of this repository.
    async fn root_of(&self, repository: RepositoryId, id: CommitId) -> Result<Root, End> {
        let commit = self.catalog().commit(repository, id).await?;
        commit.map(|commit| commit.root).ok_or_else(|| End::failed("the base commit is gone"))
    }

    /// The present head of a repository; `None` while it has no commit.
    pub(super) async fn head_of(&self, repository: RepositoryId) -> Result<Option<Commit>, End> {
        let found = self.catalog().repository_by_id(repository).await?;
        let repository = found.ok_or_else(|| End::failed("the repository was deleted"))?;
        match repository.head {
            None => Ok(None),
            Some(id) => Ok(self.catalog().commit(repository.id, id).await?),
        }
    }
}

/// A listed object and the path it gets.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) listed: Listed,
    pub(super) path: ObjectPath,
}
