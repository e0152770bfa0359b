//! An engine over a store in a temporary folder, with one repository, and entries put by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use blocks::{Blocks, ItemKind, Local, Writer};
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use catalog::{Catalog, Landed, Landing};
use engine::{
    At, CollectSettings, CommitSpec, Credential, Engine, ImportSettings, ListedEntry, Located,
    ObjectsQuery, OrganizationSpec, Parts, Principal, RepositoryChange, RepositorySpec, Result,
};
use futures_util::StreamExt;
use model::{
    Actor, Clock, CollectOptions, Commit, CommitId, Content, Deed, Entropy, Entry, Failpoints,
    Hash, NoFailpoints, ObjectPath, Piece, Repository, SegmentRecord, SessionId, StagedChange,
    Timestamp,
};
use sources::{Egress, Private, Sources, Timeouts};
use testkit::{ManualClock, SeededEntropy, SystemClock};
use tree::{Edit, Tree};

pub(crate) const ORG: &str = "acme";
pub(crate) const REPO: &str = "data";
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Paths and bytes.
pub(crate) type Objects = BTreeMap<String, Vec<u8>>;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) owner: Principal,
    blocks: Blocks,
    /// Writes what is put by hand; live for as long as the world.
    writer: Writer,
    pub(crate) dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::failing(Arc::new(NoFailpoints)).await
    }

    pub(crate) async fn failing(failpoints: Arc<dyn Failpoints>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::new(7));
        let catalog = Sqlite::open(&dir.path().join("tilde.db"), &*entropy).expect("a catalog");
        let catalog: Arc<dyn Catalog> = Arc::new(catalog);
        let located = Arc::new(Located::new(Arc::clone(&catalog)));
        let store = Arc::new(Local::open(dir.path()).expect("a block store"));
        let blocks = Blocks::new(store, located.clone());
        let keys = KeyRing::new(vec![("test".to_owned(), [7; 32])], entropy.clone());
        let engine = Engine::new(Parts {
            catalog: Arc::clone(&catalog),
            blocks: blocks.clone(),
            located,
            sources: Arc::new(sources(entropy.clone())),
            keys: Arc::new(keys.expect("keys")),
            clock: clock.clone(),
            entropy: entropy.clone(),
            failpoints,
            imports: ImportSettings::default(),
            page_cache_bytes: 8 << 20,
        });
        let key = engine.bootstrap(None, None).await.expect("bootstrap").expect("a first user");
        let owner = engine.authenticate(&Credential::Token(key.token), None).await;
        let owner = owner.expect("the first user");
        let spec = OrganizationSpec { name: ORG.to_owned(), display_name: "Acme".to_owned() };
        engine.create_organization(&owner, spec).await.expect("an organization");
        let spec = RepositorySpec { name: REPO.to_owned(), ..RepositorySpec::default() };
        let made = engine.create_repository(&owner, ORG, spec).await.expect("a repository");
        let writer = catalog.open_writer(clock.now()).await.expect("a writer");
        let writer = blocks.writer(made.repository.id, writer);
        Self { engine, catalog, clock, entropy, owner, blocks, writer, dir }
    }

    pub(crate) async fn repository(&self) -> Repository {
        let found = self.engine.repository(&self.owner, ORG, REPO).await;
        found.expect("the repository").repository
    }

    pub(crate) async fn retain(&self, days: Option<i64>) {
        let change = RepositoryChange {
            retention_days: Some(days),
            session_max_duration_days: days.map(|days| days - 1),
            ..RepositoryChange::default()
        };
        let changed = self.engine.update_repository(&self.owner, ORG, REPO, change).await;
        changed.expect("changed");
    }

    pub(crate) async fn begin(&self) -> SessionId {
        self.engine.create_session(&self.owner, ORG, REPO).await.expect("a session").id
    }

    /// Entries of these bytes, which are durable, and the segments they lie in.
    async fn entries<'a>(
        &self,
        objects: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> (Vec<(ObjectPath, Entry)>, Vec<SegmentRecord>) {
        let mut segment = self.writer.open().await.expect("an open segment");
        let mut entries = Vec::new();
        for (path, bytes) in objects {
            let hash = Hash::of(bytes);
            let mut pieces = Vec::new();
            if !bytes.is_empty() {
                let extent = segment.append(ItemKind::Object, bytes, hash).await;
                pieces.push(Piece { extent: extent.expect("appended"), hash });
            }
            let entry = Entry {
                size: bytes.len() as u64,
                hash,
                content_type: "text/plain".into(),
                last_modified: Timestamp::from_seconds(1_700_000_000),
                metadata: BTreeMap::new(),
                source: None,
                content: Content::Pieces(pieces),
            };
            entries.push((ObjectPath::new(path).expect("a path"), entry));
        }
        if segment.is_empty() {
            segment.discard().await;
            return (entries, Vec::new());
        }
        (entries, vec![segment.seal().await.expect("sealed")])
    }

    /// Stages an object.
    pub(crate) async fn put(&self, session: SessionId, path: &str, bytes: &[u8]) {
        self.put_all(session, [(path, bytes)]).await;
    }

    /// Stages objects, all in one segment.
    pub(crate) async fn put_all<'a>(
        &self,
        session: SessionId,
        objects: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        let (entries, segments) = self.entries(objects).await;
        let encoded = |(path, entry): (ObjectPath, Entry)| {
            let entry = tree::staged::encode(&path, &entry).expect("encoded");
            StagedChange { path, entry: Some(entry) }
        };
        let changes: Vec<_> = entries.into_iter().map(encoded).collect();
        let now = self.clock.now();
        let staged = self.catalog.stage(session, &changes, &segments, None, now).await;
        assert!(staged.expect("the catalog answers"), "the session is open");
    }

    pub(crate) async fn copy(&self, session: SessionId, from: &str, to: &str) -> Result<()> {
        self.engine.copy_object(&self.owner, ORG, REPO, session, from, to).await
    }

    pub(crate) async fn delete(&self, session: SessionId, paths: &[&str]) -> Result<u64> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        self.engine.delete_objects(&self.owner, ORG, REPO, session, paths).await
    }

    pub(crate) async fn commit(&self, session: SessionId) -> Result<CommitId> {
        self.clock.advance_ms(1);
        self.engine.commit_session(&self.owner, ORG, REPO, session, spec("a commit")).await
    }

    pub(crate) async fn rollback(&self, session: SessionId) -> Result<()> {
        self.engine.rollback_session(&self.owner, ORG, REPO, session).await
    }

    /// A session of these changes, committed at once.
    pub(crate) async fn committed(&self, changes: &[(&str, Option<&[u8]>)]) -> CommitId {
        let session = self.begin().await;
        let put = changes.iter().filter_map(|(path, bytes)| Some((*path, (*bytes)?)));
        self.put_all(session, put).await;
        let deleted: Vec<&str> =
            changes.iter().filter(|(_, bytes)| bytes.is_none()).map(|(path, _)| *path).collect();
        if !deleted.is_empty() {
            self.delete(session, &deleted).await.expect("deleted");
        }
        self.commit(session).await.expect("committed")
    }

    /// Moves the head past whoever holds the lock of the repository, as an import can.
    pub(crate) async fn land_beside(&self, path: &str, bytes: &[u8]) -> CommitId {
        let repository = self.repository().await;
        let base = match repository.head {
            Some(head) => self.find(head).await.root,
            None => Tree::empty(),
        };
        let (entries, mut segments) = self.entries([(path, bytes)]).await;
        let edits = entries.into_iter().map(|(path, entry)| Edit { path, entry: Some(entry) });
        let edits = futures_util::stream::iter(edits.map(Ok::<Edit, tree::Error>));
        let tree = Tree::new(self.blocks.clone(), 1 << 20);
        let applied = tree.apply(&base, edits, &self.writer).await.expect("a tree");
        segments.extend(applied.segments);
        let mut commit = Commit {
            id: CommitId([0; 32]),
            repository: repository.id,
            parent: repository.head,
            root: applied.root,
            message: "beside".to_owned(),
            committer: self.owner.user.id,
            committer_name: String::new(),
            created_at: self.clock.now(),
            metadata: BTreeMap::new(),
            superseded_at: None,
            expired: false,
        };
        commit.id = commit.content_id();
        let deed = Deed {
            at: self.clock.now(),
            organization: None,
            actor: Actor::Operator,
            request_id: String::new(),
            action: "Test",
            resource: String::new(),
            details: BTreeMap::new(),
        };
        let landing = Landing { expected_head: repository.head, commit, segments };
        let landed = self.catalog.land(&landing, &deed).await.expect("the catalog answers");
        assert_eq!(landed, Landed::Committed);
        landing.commit.id
    }

    pub(crate) async fn find(&self, id: CommitId) -> Commit {
        let repository = self.repository().await;
        let found = self.catalog.commit(repository.id, id).await.expect("the catalog answers");
        found.expect("a commit")
    }

    /// The bytes of an object.
    pub(crate) async fn read(&self, at: &At, path: &str) -> Result<Vec<u8>> {
        let opened = self.engine.open_object(&self.owner, ORG, REPO, path, at, None).await?;
        let mut body = opened.body;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
    }

    /// Everything, read byte for byte.
    pub(crate) async fn content(&self, at: &At) -> Objects {
        let mut objects = Objects::new();
        for name in self.names(at, "", None, 1_000).await {
            let bytes = self.read(at, &name).await.expect("an object");
            objects.insert(name, bytes);
        }
        objects
    }

    /// The names of a listing, fetched in pages of `amount`.
    pub(crate) async fn names(
        &self,
        at: &At,
        prefix: &str,
        delimiter: Option<&str>,
        amount: usize,
    ) -> Vec<String> {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let query = ObjectsQuery {
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(ToOwned::to_owned),
                after: after.clone(),
                amount,
                at: at.clone(),
            };
            let page = self.engine.list_objects(&self.owner, ORG, REPO, query).await;
            let page = page.expect("a page");
            assert!(page.rows.len() <= amount);
            assert!(page.next.is_none() || page.rows.len() == amount, "a full page");
            names.extend(page.rows.into_iter().map(|row| match row {
                ListedEntry::Object(path, _) => path.as_str().to_owned(),
                ListedEntry::Prefix(prefix) => prefix,
            }));
            match page.next {
                None => return names,
                next => after = next,
            }
        }
    }

    /// Takes whatever is not needed, at once.
    pub(crate) async fn collect(&self) {
        let options = CollectOptions { force: true, ..CollectOptions::default() };
        let zero = Duration::ZERO;
        let settings = CollectSettings { interval: zero, grace: zero, trash: zero };
        for _ in 0..2 {
            self.engine.collect(&options, &settings).await.expect("collected");
        }
    }

    pub(crate) async fn assert_clean(&self) {
        let report = self.engine.check(engine::Scope::All, &mut |_| {}).await.expect("a check");
        assert_eq!(report.damage, []);
    }
}

pub(crate) fn spec(message: &str) -> CommitSpec {
    CommitSpec { message: message.to_owned(), metadata: BTreeMap::new() }
}

fn sources(entropy: Arc<dyn Entropy>) -> Sources {
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    Sources::new(config, Arc::new(SystemClock), entropy).expect("sources")
}
