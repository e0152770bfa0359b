//! The operations of the trait: each takes what it needs along to a database thread.

mod accounts;
mod sessions;

use std::path::Path;

use async_trait::async_trait;
use model::{
    CollectOptions, CollectReport, Collection, Commit, CommitId, Connector, ConnectorId, Deed,
    Import, ImportProgress, JobId, JobPins, JobStatus, OrganizationId, Page, PageRequest,
    Repository, RepositoryId, SegmentId, SegmentRecord, Timestamp, UserId, WriterId,
};

use super::operation::Effect;
use super::{
    Sqlite, claims, collections, commits, connectors, holds, imports, pins, places, repositories,
    segments, snapshot, trash,
};
use crate::{
    Catalog, Checkpoint, Claim, ClaimKey, ConnectorChange, Finish, Finished, HoldId,
    NamedRepository, Place, Result, Standing, StoreInfo,
};

#[async_trait]
impl Catalog for Sqlite {
    async fn store_info(&self) -> Result<StoreInfo> {
        self.read(commits::store_info).await
    }

    async fn ping(&self) -> Result<()> {
        self.read(commits::ping).await
    }

    // Repositories.

    async fn create_repository(&self, repository: &Repository, deed: &Deed) -> Result<()> {
        let (repository, deed) = (repository.clone(), deed.clone());
        self.write(move |db| repositories::create(db, &repository, &deed)).await
    }

    async fn repository(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<Repository>> {
        let name = name.to_owned();
        self.read_here(move |db| repositories::repository(db, organization, &name)).await
    }

    async fn place(
        &self,
        organization: &str,
        viewer: UserId,
        repository: &str,
    ) -> Result<Option<Place>> {
        let (organization, repository) = (organization.to_owned(), repository.to_owned());
        self.read_here(move |db| places::place(db, &organization, viewer, &repository)).await
    }

    async fn repository_by_id(&self, id: RepositoryId) -> Result<Option<Repository>> {
        self.read_here(move |db| repositories::by_id(db, id)).await
    }

    async fn repositories(
        &self,
        organization: OrganizationId,
        page: &PageRequest,
    ) -> Result<Page<NamedRepository>> {
        let page = page.clone();
        self.read(move |db| repositories::of_organization(db, organization, &page)).await
    }

    async fn repositories_of(
        &self,
        user: UserId,
        page: &PageRequest,
    ) -> Result<Page<NamedRepository>> {
        let page = page.clone();
        self.read(move |db| repositories::of_user(db, user, &page)).await
    }

    async fn update_repository(&self, repository: &Repository, deed: &Deed) -> Result<bool> {
        let (repository, deed) = (repository.clone(), deed.clone());
        self.write(move |db| repositories::update(db, &repository, &deed)).await
    }

    async fn delete_repository(&self, id: RepositoryId, deed: &Deed) -> Result<bool> {
        let deed = deed.clone();
        self.write(move |db| repositories::delete(db, id, &deed)).await
    }

    // Connectors.

    async fn create_connector(
        &self,
        connector: &Connector,
        sealed: &str,
        deed: &Deed,
    ) -> Result<()> {
        let (connector, sealed, deed) = (connector.clone(), sealed.to_owned(), deed.clone());
        self.write(move |db| connectors::create(db, &connector, &sealed, &deed)).await
    }

    async fn connectors(&self, organization: OrganizationId) -> Result<Vec<Connector>> {
        self.read(move |db| connectors::of_organization(db, organization)).await
    }

    async fn connector(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
    ) -> Result<Option<Connector>> {
        self.read(move |db| connectors::connector(db, organization, id)).await
    }

    async fn sealed_config(&self, id: ConnectorId) -> Result<Option<String>> {
        self.read(move |db| connectors::sealed_config(db, id)).await
    }

    async fn update_connector(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
        change: &ConnectorChange,
        deed: &Deed,
    ) -> Result<Option<Connector>> {
        let (change, deed) = (change.clone(), deed.clone());
        let effect = if change.sealed.is_some() { Effect::Wipe } else { Effect::Rows };
        self.run(effect, move |db| connectors::update(db, organization, id, &change, &deed)).await
    }

    async fn delete_connector(
        &self,
        organization: OrganizationId,
        id: ConnectorId,
        deed: &Deed,
    ) -> Result<bool> {
        let deed = deed.clone();
        self.wipe(move |db| connectors::delete(db, organization, id, &deed)).await
    }

    async fn attach(
        &self,
        repository: RepositoryId,
        connector: ConnectorId,
        deed: &Deed,
    ) -> Result<()> {
        let deed = deed.clone();
        self.write(move |db| connectors::attach(db, repository, connector, &deed)).await
    }

    async fn attached(&self, repository: RepositoryId) -> Result<Vec<Connector>> {
        self.read(move |db| connectors::attached(db, repository)).await
    }

    async fn detach(
        &self,
        repository: RepositoryId,
        connector: ConnectorId,
        deed: &Deed,
    ) -> Result<bool> {
        let deed = deed.clone();
        self.write(move |db| connectors::detach(db, repository, connector, &deed)).await
    }

    // Commits and segments.

    async fn commit(&self, repository: RepositoryId, id: CommitId) -> Result<Option<Commit>> {
        self.read_here(move |db| commits::commit(db, repository, id)).await
    }

    async fn commits_by_prefix(
        &self,
        repository: RepositoryId,
        prefix: &str,
    ) -> Result<Vec<Commit>> {
        let prefix = prefix.to_owned();
        self.read(move |db| commits::by_prefix(db, repository, &prefix)).await
    }

    async fn log(
        &self,
        repository: RepositoryId,
        from: CommitId,
        limit: usize,
    ) -> Result<Vec<Commit>> {
        self.read(move |db| commits::log(db, repository, from, limit)).await
    }

    async fn segment(&self, id: SegmentId) -> Result<Option<SegmentRecord>> {
        self.read_here(move |db| segments::segment(db, id)).await
    }

    async fn segments(&self, after: Option<SegmentId>, limit: usize) -> Result<Vec<SegmentRecord>> {
        self.read(move |db| segments::segments(db, after, limit)).await
    }

    async fn all_repositories(&self) -> Result<Vec<Repository>> {
        self.read(repositories::everything).await
    }

    async fn integrity(&self) -> Result<Vec<String>> {
        self.read(commits::integrity).await
    }

    async fn live_writers(&self) -> Result<Vec<WriterId>> {
        self.read(segments::live_writers).await
    }

    async fn newest_writer(&self) -> Result<Option<WriterId>> {
        self.read(segments::newest_writer).await
    }

    // Imports.

    async fn create_import(
        &self,
        import: &Import,
        idempotency: Option<(&str, Timestamp)>,
        deed: &Deed,
    ) -> Result<JobId> {
        let (import, deed) = (import.clone(), deed.clone());
        let key = idempotency.map(|(key, since)| (key.to_owned(), since));
        self.write(move |db| {
            let key = key.as_ref().map(|(key, since)| (&**key, *since));
            imports::create(db, &import, key, &deed)
        })
        .await
    }

    async fn imports(&self, repository: RepositoryId, page: &PageRequest) -> Result<Page<Import>> {
        let page = page.clone();
        self.read(move |db| imports::of_repository(db, repository, &page)).await
    }

    async fn import(&self, repository: RepositoryId, id: JobId) -> Result<Option<Import>> {
        self.read(move |db| imports::import(db, repository, id)).await
    }

    async fn claim_import(
        &self,
        owner: &str,
        lease_ms: i64,
        attempts_max: u32,
        now: Timestamp,
    ) -> Result<Option<Claim>> {
        let owner = owner.to_owned();
        self.write(move |db| claims::claim(db, &owner, lease_ms, attempts_max, now)).await
    }

    async fn is_starving(&self) -> Result<bool> {
        self.read(claims::is_starving).await
    }

    async fn void_leases(&self) -> Result<()> {
        self.write(claims::void_leases).await
    }

    async fn heartbeat(
        &self,
        claim: ClaimKey,
        lease_ms: i64,
        progress: &ImportProgress,
        now: Timestamp,
    ) -> Result<Standing> {
        let progress = progress.clone();
        self.write(move |db| claims::heartbeat(db, claim, lease_ms, &progress, now)).await
    }

    async fn checkpoint(
        &self,
        claim: ClaimKey,
        checkpoint: &Checkpoint,
        now: Timestamp,
    ) -> Result<()> {
        let checkpoint = checkpoint.clone();
        self.write(move |db| claims::checkpoint(db, claim, &checkpoint, now)).await
    }

    async fn finish_import(
        &self,
        claim: ClaimKey,
        finish: &Finish,
        deed: &Deed,
    ) -> Result<Finished> {
        let (finish, deed) = (finish.clone(), deed.clone());
        self.write(move |db| claims::finish(db, claim, &finish, &deed)).await
    }

    async fn end_import(
        &self,
        claim: ClaimKey,
        status: JobStatus,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let error = error.map(str::to_owned);
        self.write(move |db| claims::end_claimed(db, claim, status, error.as_deref(), now)).await
    }

    async fn release_import(&self, claim: ClaimKey, now: Timestamp) -> Result<bool> {
        self.write(move |db| claims::release(db, claim, now)).await
    }

    async fn cancel_import(
        &self,
        repository: RepositoryId,
        id: JobId,
        deed: &Deed,
    ) -> Result<Option<Import>> {
        let deed = deed.clone();
        self.write(move |db| imports::cancel(db, repository, id, &deed)).await
    }

    async fn retry_import(
        &self,
        repository: RepositoryId,
        id: JobId,
        deed: &Deed,
    ) -> Result<Option<Import>> {
        let deed = deed.clone();
        self.write(move |db| imports::retry(db, repository, id, &deed)).await
    }

    async fn expire_checkpoints(&self, before: Timestamp) -> Result<u64> {
        self.write(move |db| imports::expire_checkpoints(db, before)).await
    }

    // Collection.

    async fn open_writer(&self, now: Timestamp) -> Result<WriterId> {
        self.write(move |db| segments::open_writer(db, now)).await
    }

    async fn close_writer(&self, id: WriterId) -> Result<()> {
        self.write(move |db| segments::close_writer(db, id)).await
    }

    async fn pinning_jobs(&self) -> Result<Vec<JobId>> {
        self.read(pins::pinning_jobs).await
    }

    async fn pins(&self, job: JobId) -> Result<JobPins> {
        self.read(move |db| pins::pins(db, job)).await
    }

    async fn expire_commits(&self, now: Timestamp) -> Result<u64> {
        self.write(move |db| commits::expire(db, now)).await
    }

    async fn condemn(&self, dead: &[SegmentId], now: Timestamp) -> Result<()> {
        let dead = dead.to_vec();
        self.write(move |db| trash::condemn(db, &dead, now)).await
    }

    async fn condemned(&self, before: Timestamp) -> Result<Vec<SegmentRecord>> {
        self.read(move |db| trash::condemned(db, before)).await
    }

    async fn trash_segments(&self, ids: &[SegmentId], now: Timestamp) -> Result<u64> {
        let ids = ids.to_vec();
        self.write(move |db| trash::drop_segments(db, &ids, now)).await
    }

    async fn switch_segments(&self, packed: &[SegmentRecord], now: Timestamp) -> Result<()> {
        let packed = packed.to_vec();
        self.write(move |db| trash::switch(db, &packed, now)).await
    }

    async fn restore_trash(&self) -> Result<u64> {
        self.write(trash::restore).await
    }

    async fn trashed(&self) -> Result<Vec<SegmentRecord>> {
        self.read(trash::trashed).await
    }

    async fn purge_trash(&self, before: Timestamp) -> Result<Vec<String>> {
        self.write(move |db| trash::purge(db, before)).await
    }

    async fn is_file_named(&self, file: &str) -> Result<bool> {
        let file = file.to_owned();
        self.read(move |db| trash::is_file_named(db, &file)).await
    }

    async fn hold(&self, what: &str, for_ms: i64) -> Result<HoldId> {
        let what = what.to_owned();
        self.write(move |db| holds::hold(db, &what, for_ms)).await
    }

    async fn extend_hold(&self, id: HoldId, for_ms: i64) -> Result<bool> {
        self.write(move |db| holds::extend(db, id, for_ms)).await
    }

    async fn release_hold(&self, id: HoldId) -> Result<()> {
        self.write(move |db| holds::release(db, id)).await
    }

    async fn request_collection(&self, options: &CollectOptions, now: Timestamp) -> Result<u64> {
        let options = options.clone();
        self.write(move |db| collections::request(db, &options, now)).await
    }

    async fn next_collection(&self) -> Result<Option<Collection>> {
        self.read(collections::next).await
    }

    async fn collection(&self, id: u64) -> Result<Option<Collection>> {
        self.read(move |db| collections::collection(db, id)).await
    }

    async fn last_collection(&self) -> Result<Option<Timestamp>> {
        self.read(collections::last).await
    }

    async fn end_collection(
        &self,
        id: u64,
        outcome: std::result::Result<CollectReport, String>,
        now: Timestamp,
    ) -> Result<()> {
        self.write(move |db| collections::end(db, id, &outcome, now)).await
    }

    // Backup.

    async fn snapshot(&self, path: &Path) -> Result<()> {
        snapshot::write(self.path.clone(), path.to_owned()).await
    }
}
