//! A repository of the world: what a user would do in it, and look at.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{ImportRequest, ListedEntry, LogQuery, ObjectsQuery, PlannedChange};
use futures_util::StreamExt;
use model::{Commit, Entry, Import, JobId, PageRequest};

use crate::world::World;

/// One repository, by its names.
pub(crate) struct Repo<'w> {
    pub(crate) world: &'w World,
    pub(crate) organization: String,
    pub(crate) name: String,
}

impl Repo<'_> {
    pub(crate) async fn start(&self, request: ImportRequest) -> JobId {
        let World { engine, principal, .. } = self.world;
        let (organization, name) = (&self.organization, &self.name);
        let started = engine.start_import(principal, organization, name, request, None).await;
        started.expect("an import starts")
    }

    pub(crate) async fn job(&self, id: JobId) -> Import {
        let World { engine, principal, .. } = self.world;
        engine.import(principal, &self.organization, &self.name, id).await.expect("the job")
    }

    /// Waits for the end of the job.
    pub(crate) async fn ended(&self, id: JobId) -> Import {
        for _ in 0..10_000 {
            let job = self.job(id).await;
            if job.status.is_terminal() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(6)).await;
        }
        panic!("the job does not end: {:?}", self.job(id).await);
    }

    /// Imports and waits for the end.
    pub(crate) async fn import(&self, request: ImportRequest) -> Import {
        self.ended(self.start(request).await).await
    }

    /// A request to import all of this repository into another.
    pub(crate) fn as_source(&self) -> ImportRequest {
        ImportRequest {
            source_organization: Some(self.organization.clone()),
            source_repository: Some(self.name.clone()),
            ..ImportRequest::default()
        }
    }

    /// All bytes of an object.
    pub(crate) async fn read(&self, path: &str) -> Vec<u8> {
        let World { engine, principal, .. } = self.world;
        let (organization, name) = (&self.organization, &self.name);
        let opened =
            engine.open_object(principal, organization, name, path, &engine::At::Head, None).await;
        let mut body = opened.expect("an object").body;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.expect("whole bytes"));
        }
        bytes
    }

    /// What the head says about the object at this path.
    pub(crate) async fn entry(&self, path: &str) -> Entry {
        let World { engine, principal, .. } = self.world;
        let (organization, name) = (&self.organization, &self.name);
        engine
            .head_object(principal, organization, name, path, &engine::At::Head)
            .await
            .expect("an object")
    }

    /// All entries of the head.
    pub(crate) async fn entries(&self) -> BTreeMap<String, Entry> {
        let World { engine, principal, .. } = self.world;
        let mut entries = BTreeMap::new();
        let mut query = ObjectsQuery { amount: 1_000, ..ObjectsQuery::default() };
        loop {
            let (organization, name) = (&self.organization, &self.name);
            let page = engine.list_objects(principal, organization, name, query.clone()).await;
            let page = page.expect("a listing");
            for row in page.rows {
                let ListedEntry::Object(path, entry) = row else { panic!("nothing is grouped") };
                entries.insert(path.as_str().to_owned(), entry);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return entries,
            }
        }
    }

    /// All paths of the head.
    pub(crate) async fn paths(&self) -> Vec<String> {
        self.entries().await.into_keys().collect()
    }

    /// Commits, newest first.
    pub(crate) async fn commits(&self) -> Vec<Commit> {
        let World { engine, principal, .. } = self.world;
        let query = LogQuery { amount: 100, ..LogQuery::default() };
        let page = engine.log(principal, &self.organization, &self.name, query).await;
        page.expect("a log").rows.into_iter().map(|view| view.commit).collect()
    }

    /// What the head holds, but for when and by which job it came.
    pub(crate) async fn digest(&self) -> String {
        let head = self.commits().await.into_iter().next().expect("a commit");
        let digest = engine::commit_digest(&self.world.engine, head.repository, head.id).await;
        digest.expect("a digest")
    }

    /// All changes that a dry run found, read in pages of `amount`.
    pub(crate) async fn changes(&self, id: JobId, amount: usize) -> Vec<PlannedChange> {
        let World { engine, principal, .. } = self.world;
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = PageRequest { after, amount };
            let (organization, name) = (&self.organization, &self.name);
            let page = engine.import_changes(principal, organization, name, id, &page).await;
            let page = page.expect("a page of changes");
            assert!(page.rows.len() <= amount && (page.next.is_none() || !page.rows.is_empty()));
            rows.extend(page.rows);
            match page.next {
                Some(next) => after = Some(next),
                None => return rows,
            }
        }
    }
}
