//! A claimed job and what it works with.

use std::sync::Arc;
use std::time::Duration;

use blocks::Writer;
use catalog::{Claim, ClaimKey};
use model::{
    Commit, CommitId, ConnectorId, Entry, Import, ImportSource, ImportSpec, ObjectPath,
    RepositoryId, Root, SourceMetadata, SourceRepository, limits,
};
use sources::{Listed, Mapping, Reading, Source, SourceConfig, SourceUri, UriError};
use tokio::time::Instant;
use tree::Tree;

use super::end::End;
use super::filter::Filter;
use super::progress::Progress;
use super::stop::Stop;
use crate::Engine;

/// What the provenance of an entry calls a repository it came from.
const REPOSITORY: &str = "repository";

/// Everything one claim of an import works with. Shared by its tasks.
pub(super) struct Job {
    pub(super) engine: Engine,
    pub(super) key: ClaimKey,
    pub(super) import: Import,
    pub(super) reads: Reads,
    pub(super) mapping: Mapping,
    pub(super) filter: Filter,
    /// What the import compares with: the head when the job was created.
    pub(super) base: Root,
    /// GET requests in flight.
    pub(super) transfers_max: usize,
    /// Names the segments of this claim.
    pub(super) writer: Writer,
    pub(super) progress: Progress,
    pub(super) stop: Stop,
    since: Instant,
}

/// Where the objects come from.
pub(super) enum Reads {
    /// A foreign store.
    Store(Arc<dyn Source>),
    /// A commit of another repository: its entries are taken over, bytes and all.
    Tree(Root),
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
        let spec = &import.spec;
        let server = &engine.parts.imports;
        let concurrency = spec.options.concurrency.map(usize::from);
        let transfers_max = concurrency.unwrap_or(server.transfers_max).max(1);
        let (reads, mapping) = match &spec.source {
            ImportSource::Connector(id) => engine.open_store(spec, *id, transfers_max).await?,
            ImportSource::Repository(source) => {
                let root = match import.source_commit {
                    None => Tree::empty(),
                    Some(id) => engine.root_of(source.repository, id).await?,
                };
                let mapping = Mapping::of_paths(&spec.source_prefix, &spec.destination_path);
                (Reads::Tree(root), mapping)
            }
        };
        let base = match import.base {
            None => Tree::empty(),
            Some(id) => engine.root_of(spec.repository, id).await?,
        };
        let filter = Filter::new(&spec.options).map_err(End::Failed)?;
        let writer = engine.parts.blocks.writer(spec.repository, claim.writer);
        let key = ClaimKey { job: import.id, epoch: claim.epoch };
        let engine = engine.clone();
        progress.set(&claim.shard);
        if let Reads::Store(source) = &reads {
            progress.watch(source);
        }
        Ok(Arc::new(Self {
            engine,
            key,
            import,
            reads,
            mapping,
            filter,
            base,
            transfers_max,
            writer,
            progress,
            stop,
            since: Instant::now(),
        }))
    }

    /// The foreign store. Only what copies objects asks for it, and a tree is not copied.
    pub(super) fn source(&self) -> &Arc<dyn Source> {
        match &self.reads {
            Reads::Store(source) => source,
            Reads::Tree(_) => unreachable!("entries of a tree are taken over, not read"),
        }
    }

    /// The provenance of an object of a foreign store, read with this ETag and version.
    pub(super) fn provenance(
        &self,
        key: &[u8],
        etag: Option<Arc<str>>,
        version_id: Option<Arc<str>>,
    ) -> Arc<SourceMetadata> {
        Arc::new(SourceMetadata {
            connector_id: self.import.spec.connector(),
            connector_type: self.source().kind().into(),
            source_path: self.source().uri(key).into(),
            version_id,
            source_etag: etag,
            import_time: self.import.created_at,
            import_job_id: self.import.id,
            origin: None,
        })
    }

    /// Whether `entry` is what an import of `listed` would give, as far as the listing tells.
    pub(super) fn unchanged(&self, listed: &Listed, entry: &Entry) -> bool {
        entry.source.as_deref().is_some_and(|source| {
            source.connector_id.is_some()
                && source.connector_id == self.import.spec.connector()
                && entry.size == listed.size
                && listed.etag.is_some()
                && source.source_etag == listed.etag
                && (listed.version_id.is_none() || source.version_id == listed.version_id)
                && *source.source_path == *self.source().uri(&listed.key)
        })
    }

    /// The entry of an object that was copied by an earlier job, as this one's.
    pub(super) fn taken_over(&self, mut entry: Entry) -> Entry {
        entry.source = entry.source.map(|source| {
            let mut source = Arc::unwrap_or_clone(source);
            source.import_time = self.import.created_at;
            source.import_job_id = self.import.id;
            Arc::new(source)
        });
        entry
    }

    /// The entry of another repository's object, as this import's. Its bytes are shared.
    pub(super) fn shared(&self, path: &ObjectPath, entry: Entry) -> Entry {
        let ImportSource::Repository(SourceRepository { organization_name, name, .. }) =
            &self.import.spec.source
        else {
            return entry;
        };
        let source = SourceMetadata {
            connector_id: None,
            connector_type: REPOSITORY.into(),
            source_path: format!("tilde://{organization_name}/{name}/{path}").into(),
            version_id: self.import.source_commit.map(|id| id.to_string().into()),
            source_etag: Some(format!("\"{}\"", entry.hash).into()),
            import_time: self.import.created_at,
            import_job_id: self.import.id,
            origin: entry.source.as_ref().map(bounded),
        };
        Entry { source: Some(Arc::new(source)), ..entry }
    }

    /// Nothing that was read waits longer before it begins to become durable.
    pub(super) fn batch_age(&self) -> Duration {
        let (least, most) = (limits::RUN_AGE_MIN_MS, limits::RUN_AGE_MAX_MS);
        let share = self.since.elapsed() * limits::RUN_AGE_PERCENT / 100;
        share.clamp(Duration::from_millis(least), Duration::from_millis(most))
    }

    /// Tells the tests where the work is; they may have it fail there.
    pub(super) fn reach(&self, site: &'static str) -> Result<(), End> {
        let reached = self.engine.parts.failpoints.reach(site);
        reached.map_err(|injected| End::Broken(crate::Error::internal(injected)))
    }
}

/// A provenance that can be another's origin: of more origins than an entry can hold, the first
/// ones and the very last, the true source, stay.
fn bounded(source: &Arc<SourceMetadata>) -> Arc<SourceMetadata> {
    let mut chain = vec![source];
    while let Some(origin) = &chain[chain.len() - 1].origin {
        chain.push(origin);
    }
    if chain.len() <= tree::ORIGINS_MAX {
        return Arc::clone(source);
    }
    let last = Arc::clone(chain[chain.len() - 1]);
    let kept = &chain[..tree::ORIGINS_MAX - 1];
    kept.iter().rev().fold(last, |origin, source| {
        Arc::new(SourceMetadata { origin: Some(origin), ..SourceMetadata::clone(source) })
    })
}

impl Engine {
    /// Opens the connector's config for as long as the source lives.
    async fn open_store(
        &self,
        spec: &ImportSpec,
        connector: ConnectorId,
        transfers_max: usize,
    ) -> Result<(Reads, Mapping), End> {
        let (uri, config) = self.opened_connector(spec.repository, connector).await?;
        let mapping = Mapping::new(&uri, &spec.source_prefix, &spec.destination_path);
        let reading = Reading {
            prefix: mapping.effective_prefix(),
            concurrency: transfers_max,
            versions: spec.options.use_versioning,
        };
        let source = self.parts.sources.open(&uri, config, reading)?;
        Ok((Reads::Store(source), mapping))
    }

    async fn opened_connector(
        &self,
        repository: RepositoryId,
        id: ConnectorId,
    ) -> Result<(SourceUri, SourceConfig), End> {
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
        commit.map(|commit| commit.root).ok_or_else(|| End::failed("a commit it needs is gone"))
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

impl Job {
    /// Does `work`, unless it is asked to stop before that ends.
    pub(super) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, End>>,
    ) -> Result<T, End> {
        tokio::select! {
            biased;
            reason = self.stop.requested() => Err(End::Stopped(reason)),
            done = work => done,
        }
    }
}
