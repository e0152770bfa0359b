//! Verifies a whole store: the catalog, every byte of every segment, every tree, every object's
//! hash.
//!
//! First each segment is read through and its damaged items are kept by address. Then the trees of
//! all commits are walked, newest commits first, so that damage is named with the newest commit
//! that shows it. A page is checked once, whatever number of commits share it, and so is a large
//! object; a packed file is read once, whatever number of segments lie in it. What a collection may
//! take is not missed: the trees of deleted repositories and of stale commits are not walked.
//! Memory: some 32 bytes for each different page and for each damaged item, some 200 for each
//! packed file. Last come what open sessions read and have staged, and the parts of uploads. Only
//! reads, so it may run beside a server: what that adds meanwhile is checked or
//! not seen, and what it moves is looked for where it went.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;

use model::{Commit, CommitId, Entry, Extent, Hash, ObjectPath, Piece, Repository};
use model::{RepositoryId, SegmentId, SegmentRecord, Session, SessionId, Upload, UploadId};
use tree::Finding;

use crate::commits::is_stale;
use crate::objects::read_chunks;
use crate::sessions::Staged;
use crate::{Engine, Error, Kind, Result, pieces};

/// Things found wrong that are named; the others are counted.
const NAMED_MAX: u64 = 1_000;
/// Rows fetched from the catalog at a time.
const BATCH: usize = 256;
/// Entries verified between two reports of progress.
const PROGRESS_ENTRIES: u64 = 1_000;

/// What to check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The catalog and every repository.
    All,
    /// The catalog and one repository.
    Repository(RepositoryId),
}

/// One thing found wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// What is wrong.
    pub what: String,
    /// `name (id)` of the repository it shows in; `None` for the catalog or bytes that no live
    /// commit names.
    pub repository: Option<String>,
    /// The newest commit that shows it.
    pub commit: Option<CommitId>,
    /// The session that has it staged, or is to have it.
    pub session: Option<SessionId>,
    /// The object; for a damaged page the range of paths it holds.
    pub path: Option<String>,
}

/// What a check saw.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckReport {
    /// Commits whose trees were walked.
    pub commits: u64,
    /// Different entries verified, staged ones included.
    pub entries: u64,
    /// Bytes of segment files read.
    pub bytes: u64,
    /// Segments verified.
    pub segments: u64,
    /// Stored files that no row knows; not damage.
    pub orphans: u64,
    /// Things found wrong, all of them counted ...
    pub damage_count: u64,
    /// ... and the first 1,000 named. Empty: the store is clean.
    pub damage: Vec<Damage>,
}

impl Engine {
    /// Verifies the store. `progress` sees the report as it grows. Writes nothing; works beside a
    /// running server. An error means that the check could not be done.
    pub async fn check(
        &self,
        scope: Scope,
        progress: &mut (dyn FnMut(&CheckReport) + Send),
    ) -> Result<CheckReport> {
        let mut check = Check {
            engine: self,
            progress,
            report: CheckReport::default(),
            labels: HashMap::new(),
            bad_items: HashSet::new(),
            bad_segments: HashSet::new(),
            packed: HashMap::new(),
            sound: HashSet::new(),
            large: HashSet::new(),
            named: HashSet::new(),
        };
        check.run(scope).await?;
        (check.progress)(&check.report);
        Ok(check.report)
    }
}

struct Check<'a> {
    engine: &'a Engine,
    progress: &'a mut (dyn FnMut(&CheckReport) + Send),
    report: CheckReport,
    /// What repositories are called.
    labels: HashMap<RepositoryId, String>,
    /// Items with damaged bytes.
    bad_items: HashSet<Extent>,
    /// Segments of which nothing can be read.
    bad_segments: HashSet<SegmentId>,
    /// Packed files that have been verified.
    packed: HashMap<String, Packed>,
    /// Pages that are sound with all that is below them.
    sound: HashSet<Extent>,
    /// Objects of several pieces that are sound, by [`content_key`].
    large: HashSet<Hash>,
    /// Damage that was reported with a newer commit.
    named: HashSet<Hash>,
}

/// What one row says of a packed file, and what became of it.
struct Packed {
    length: u64,
    directory: Hash,
    /// Nothing in it can be read.
    is_bad: bool,
}

impl Scope {
    fn covers(self, id: RepositoryId) -> bool {
        self == Self::All || self == Self::Repository(id)
    }
}

/// The tree being walked, or the session being read.
#[derive(Clone, Copy)]
struct Place {
    repository: RepositoryId,
    commit: Option<CommitId>,
    session: Option<SessionId>,
}

impl Place {
    fn commit(commit: &Commit) -> Self {
        Self { repository: commit.repository, commit: Some(commit.id), session: None }
    }

    fn session(session: &Session) -> Self {
        Self { repository: session.repository, commit: None, session: Some(session.id) }
    }
}

impl Check<'_> {
    async fn run(&mut self, scope: Scope) -> Result<()> {
        let catalog = self.engine.catalog();
        for what in self.or_damage(catalog.integrity().await, None)?.unwrap_or_default() {
            self.damage(format!("catalog: {what}"), None);
        }
        let repositories = self.or_damage(catalog.all_repositories().await, None)?;
        let mut repositories = repositories.unwrap_or_default();
        for Repository { id, name, .. } in &repositories {
            self.labels.insert(*id, format!("{name} ({id})"));
        }
        repositories.retain(|repository| scope.covers(repository.id));
        self.segments(scope).await?;
        for repository in &repositories {
            self.repository(repository).await?;
        }
        self.sessions(scope).await?;
        self.uploads(scope).await?;
        self.orphans(scope).await
    }

    async fn segments(&mut self, scope: Scope) -> Result<()> {
        let mut after = None;
        loop {
            let batch = self.engine.catalog().segments(after, BATCH).await;
            let Some(batch) = self.or_damage(batch, None)? else { return Ok(()) };
            let Some(last) = batch.last() else { return Ok(()) };
            after = Some(last.id);
            for record in batch.iter().filter(|record| scope.covers(record.repository)) {
                self.segment(record).await?;
            }
        }
    }

    async fn segment(&mut self, record: &SegmentRecord) -> Result<()> {
        self.report.segments += 1;
        if let Some(packed) = self.packed.get(&record.file)
            && (packed.length, packed.directory) == (record.length, record.directory)
        {
            if packed.is_bad {
                self.bad_segments.insert(record.id);
            }
            return Ok(());
        }
        let Some((record, verified)) = self.verified(record).await? else { return Ok(()) };
        let is_bad = verified.iter().any(|damage| damage.whole);
        if is_bad {
            self.bad_segments.insert(record.id);
        }
        for damage in verified {
            let what = format!("{}: {}", damage.file, damage.what);
            self.damage(what, Some(record.repository));
            self.bad_items.extend(damage.items.iter().map(|(extent, _)| *extent));
        }
        let (length, directory) = (record.length, record.directory);
        if record.file.parse::<blocks::Name>().is_ok_and(|name| name.id != record.id) {
            self.packed.insert(record.file, Packed { length, directory, is_bad });
        }
        self.report.bytes += length;
        (self.progress)(&self.report);
        Ok(())
    }

    /// The segment as it is now, with what is wrong with its file. Nothing if a collection has
    /// taken it meanwhile, or if the row cannot be used, which is then noted.
    async fn verified(
        &mut self,
        record: &SegmentRecord,
    ) -> Result<Option<(SegmentRecord, Vec<blocks::Damage>)>> {
        let blocks = self.engine.parts.blocks.clone();
        let mut record = record.clone();
        let mut verified = blocks.verify(&record).await;
        if verified.as_ref().is_ok_and(|damages| damages.iter().any(|damage| damage.whole)) {
            let row = self.engine.catalog().segment(record.id).await;
            match self.or_damage(row, Some(record.repository))? {
                Some(None) => return Ok(None),
                Some(Some(moved)) if moved.file != record.file => {
                    verified = blocks.verify(&moved).await;
                    record = moved;
                }
                _ => {}
            }
        }
        match verified {
            Err(error @ blocks::Error::Name { .. }) => {
                self.bad_segments.insert(record.id);
                self.damage(format!("catalog: {error}"), Some(record.repository));
                Ok(None)
            }
            other => Ok(Some((record, other?))),
        }
    }

    /// Files that no row knows: work in progress, or leftovers for the next start to remove.
    async fn orphans(&mut self, scope: Scope) -> Result<()> {
        for file in self.engine.parts.blocks.store().list().await? {
            if scope.covers(file.name.repository) {
                let named = self.engine.catalog().is_file_named(&file.file).await;
                match self.or_damage(named, None)? {
                    Some(true) => {}
                    Some(false) => self.report.orphans += 1,
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// The history of a repository, newest first; nothing of one that is deleted.
    async fn repository(&mut self, repository: &Repository) -> Result<()> {
        let live = self.engine.catalog().repository_by_id(repository.id).await;
        if self.or_damage(live, Some(repository.id))?.flatten().is_none() {
            return Ok(());
        }
        let now = self.engine.now();
        let mut next = repository.head;
        // Damaged rows can make a commit its own ancestor; that their ids are wrong is found too.
        let mut seen = HashSet::new();
        while let Some(from) = next.filter(|from| seen.insert(*from)) {
            let batch = self.engine.catalog().log(repository.id, from, BATCH).await;
            let Some(batch) = self.or_damage(batch, Some(repository.id))? else { return Ok(()) };
            if batch.is_empty() {
                let what = format!("the commit {from} is missing");
                self.damage(what, Some(repository.id));
                return Ok(());
            }
            for commit in batch.iter().filter(|commit| !is_stale(repository, commit, now)) {
                self.commit(commit).await?;
            }
            next = batch.last().and_then(|commit| commit.parent);
        }
        Ok(())
    }

    async fn commit(&mut self, commit: &Commit) -> Result<()> {
        let place = Place::commit(commit);
        if commit.content_id() != commit.id {
            self.damage_at("the commit's row does not match its id".to_owned(), place, None);
        }
        let sound = std::mem::take(&mut self.sound);
        let mut walk = self.engine.tree.verify(&commit.root, sound);
        while let Some(finding) = walk.next().await? {
            match finding {
                Finding::Entry(path, entry) => self.entry(place, &path, &entry).await?,
                Finding::Damage(damage) => self.page(place, damage),
            }
        }
        self.sound = walk.into_sound();
        self.report.commits += 1;
        (self.progress)(&self.report);
        Ok(())
    }

    fn page(&mut self, place: Place, damage: tree::Damage) {
        let mut key = blake3::Hasher::new();
        key.update(place.repository.0.as_bytes());
        put_extent(&mut key, damage.page);
        if self.named.insert(Hash(*key.finalize().as_bytes())) {
            let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
            let after =
                damage.after.map_or("the first".to_owned(), |key| format!("after {}", text(&key)));
            let last = damage.last.map_or("the last".to_owned(), |key| text(&key));
            let what = format!("a page of the tree: {}", damage.what);
            let range = format!("{after} to {last}");
            self.damage_at(what, place, Some(range));
        }
    }

    async fn entry(&mut self, place: Place, path: &ObjectPath, entry: &Entry) -> Result<()> {
        self.report.entries += 1;
        if self.report.entries.is_multiple_of(PROGRESS_ENTRIES) {
            (self.progress)(&self.report);
        }
        let Some(what) = self.content(entry).await? else { return Ok(()) };
        let mut key = blake3::Hasher::new();
        key.update(place.repository.0.as_bytes()).update(&entry.hash.0).update(path.as_bytes());
        if self.named.insert(Hash(*key.finalize().as_bytes())) {
            self.damage_at(what, place, Some(path.as_str().to_owned()));
        }
        Ok(())
    }

    /// What open sessions read, however old, and what they have staged.
    async fn sessions(&mut self, scope: Scope) -> Result<()> {
        let sessions = self.engine.catalog().open_sessions().await;
        for session in self.or_damage(sessions, None)?.unwrap_or_default() {
            let repository = self.engine.catalog().repository_by_id(session.repository).await;
            let repository = self.or_damage(repository, Some(session.repository))?.flatten();
            if let Some(repository) = repository.filter(|found| scope.covers(found.id)) {
                self.base(&repository, &session).await?;
                self.staged(&session).await?;
            }
        }
        Ok(())
    }

    /// The base of a session, where the history was not walked as far back.
    async fn base(&mut self, repository: &Repository, session: &Session) -> Result<()> {
        let Some(id) = session.base else { return Ok(()) };
        let commit = self.engine.catalog().commit(repository.id, id).await;
        match self.or_damage(commit, Some(repository.id))? {
            Some(Some(commit)) if is_stale(repository, &commit, self.engine.now()) => {
                self.commit(&commit).await
            }
            Some(None) => {
                let what = format!("the commit {id} is missing");
                self.damage_at(what, Place::session(session), None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn staged(&mut self, session: &Session) -> Result<()> {
        let mut staged = Staged::new(self.engine, session.id, Bound::Unbounded, None);
        loop {
            match staged.next().await {
                Ok(None) => return Ok(()),
                Ok(Some(edit)) => {
                    if let Some(entry) = edit.entry {
                        self.entry(Place::session(session), &edit.path, &entry).await?;
                    }
                }
                // It names the path, and the next change can be read nevertheless.
                Err(error) => self.damage_at(describe(error)?, Place::session(session), None),
            }
        }
    }

    /// The parts of uploads that have not ended.
    async fn uploads(&mut self, scope: Scope) -> Result<()> {
        let uploads = self.engine.catalog().open_uploads().await;
        for id in self.or_damage(uploads, None)?.unwrap_or_default() {
            let upload = self.engine.catalog().upload(id, self.engine.now()).await;
            let upload = self.or_damage(upload, None)?.flatten();
            if let Some(upload) = upload.filter(|found| scope.covers(found.repository)) {
                self.parts(id, &upload).await?;
            }
        }
        Ok(())
    }

    async fn parts(&mut self, id: UploadId, upload: &Upload) -> Result<()> {
        let Upload { repository, session, path, .. } = upload;
        let place = Place { repository: *repository, commit: None, session: Some(*session) };
        let parts = self.engine.catalog().parts(id).await;
        for part in self.or_damage(parts, Some(*repository))?.unwrap_or_default() {
            let found = match tree::extent_list::decode(&part.pieces) {
                _ if part.pieces.is_empty() => None,
                Ok(pieces) => self.pieces(&pieces).await?,
                Err(error) => Some(describe(error.into())?),
            };
            if let Some(what) = found {
                let what = format!("part {} of an upload: {what}", part.number);
                self.damage_at(what, place, Some(path.as_str().to_owned()));
            }
        }
        Ok(())
    }

    /// What is wrong with the bytes of an entry, if anything is. Each segment has been read and the
    /// items in it hashed, so that an item is sound if the directory holds it with the right hash
    /// and it is not among the damaged ones; the pieces of large objects, whose hashes depend on
    /// their place, are hashed here.
    async fn content(&mut self, entry: &Entry) -> Result<Option<String>> {
        let pieces = match self.engine.pieces(entry).await {
            Ok(pieces) => pieces,
            Err(error) => return describe(error).map(Some),
        };
        let values: Vec<Hash> = pieces.iter().map(|piece| piece.hash).collect();
        if pieces::merge(&values) != entry.hash {
            return Ok(Some("its pieces do not make its hash".to_owned()));
        }
        let found = self.pieces(&pieces).await?;
        if found.is_none() && pieces.len() > 1 && self.large.insert(content_key(entry, &pieces)) {
            return self.hash_pieces(entry, &pieces).await;
        }
        Ok(found)
    }

    /// What is wrong with where pieces lie, if anything is.
    async fn pieces(&self, pieces: &[Piece]) -> Result<Option<String>> {
        for piece in pieces {
            let is_bad = self.bad_items.contains(&piece.extent)
                || self.bad_segments.contains(&piece.extent.segment);
            if is_bad {
                return Ok(Some("its bytes are damaged".to_owned()));
            }
            let found = self.engine.parts.blocks.read_range(piece.extent, Some(piece.hash), 0..0);
            if let Err(error) = found.await {
                return describe(error.into()).map(Some);
            }
        }
        Ok(None)
    }

    async fn hash_pieces(&self, entry: &Entry, pieces: &[Piece]) -> Result<Option<String>> {
        for (number, piece) in pieces.iter().enumerate() {
            let mut hasher = pieces::Hasher::new(entry.size, number as u64);
            let range = pieces::range(entry.size, number as u64);
            let mut chunks = read_chunks(&self.engine.parts.blocks, *piece, range);
            while let Some(chunk) = futures_util::StreamExt::next(&mut chunks).await {
                match chunk {
                    Ok(bytes) => hasher.update(&bytes),
                    Err(error) => return describe(error.into()).map(Some),
                }
            }
            if hasher.finish() != piece.hash {
                return Ok(Some(format!("its piece {number} does not match its hash")));
            }
        }
        Ok(None)
    }

    /// The value, or nothing where the catalog is damaged, which is then noted; other errors end
    /// the check.
    fn or_damage<T>(
        &mut self,
        result: catalog::Result<T>,
        repository: Option<RepositoryId>,
    ) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ catalog::Error::Damaged { .. }) => {
                self.damage(error.to_string(), repository);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Damage that shows in a commit or a session.
    fn damage_at(&mut self, what: String, place: Place, path: Option<String>) {
        let Place { repository, commit, session } = place;
        let repository = self.label(repository);
        self.note(Damage { what, repository: Some(repository), commit, session, path });
    }

    /// Damage of the catalog, or of bytes whatever they belong to.
    fn damage(&mut self, what: String, repository: Option<RepositoryId>) {
        let repository = repository.map(|id| self.label(id));
        self.note(Damage { what, repository, commit: None, session: None, path: None });
    }

    fn label(&self, id: RepositoryId) -> String {
        self.labels.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn note(&mut self, damage: Damage) {
        self.report.damage_count += 1;
        if self.report.damage_count <= NAMED_MAX {
            self.report.damage.push(damage);
        }
    }
}

/// The words for damage; any other error as it is.
fn describe(error: Error) -> Result<String> {
    if error.kind != Kind::Damaged {
        return Err(error);
    }
    let cause = error.source.as_ref().map(|source| format!(": {source}"));
    Ok(error.message + &cause.unwrap_or_default())
}

/// Names the content of a large object.
fn content_key(entry: &Entry, pieces: &[Piece]) -> Hash {
    let mut key = blake3::Hasher::new();
    key.update(&entry.hash.0);
    for piece in pieces {
        put_extent(&mut key, piece.extent);
    }
    Hash(*key.finalize().as_bytes())
}

fn put_extent(key: &mut blake3::Hasher, extent: Extent) {
    let Extent { segment: SegmentId { writer, number }, offset, length } = extent;
    key.update(&writer.0.to_le_bytes());
    for field in [number, offset, length] {
        key.update(&field.to_le_bytes());
    }
}
