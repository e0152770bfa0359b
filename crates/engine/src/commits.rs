//! History: the log, a commit, the difference of two; and the one place that resolves a `ref`.

use std::ops::Bound;

use model::limits::COMMIT_PREFIX_MIN;
use model::{Commit, CommitId, Entry, Page, Repository, Root, SessionId, Timestamp, successor};
use tree::{Change, Tree};

use crate::access::{Place, Verb, headless};
use crate::names::check_amount;
use crate::{Engine, Error, Kind, Principal, Result};

/// Commits fetched at a time where the log is filtered.
const SCAN_BATCH: usize = 256;
/// Commits looked at for one page of a filtered log that has a row already.
const SCAN_PAGE: usize = 1_000;
/// Commits looked at for the first row of it; beyond, the request is refused and says how to go on.
const SCAN_MAX: usize = 20_000;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A commit as a reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitView {
    /// The commit.
    pub commit: Commit,
    /// Whether it stopped being head longer ago than the repository's retention: its objects cannot
    /// be read.
    pub is_stale: bool,
}

/// What of the history to list.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Commit to start from; the head if `None`.
    pub reference: Option<String>,
    /// Only commits that changed something whose path starts with this.
    pub prefix: Option<String>,
    /// Only commits that changed the object at this path.
    pub object: Option<String>,
    /// Exclusive cursor: the `next` of the page before.
    pub after: Option<String>,
    /// Rows wanted, from 1; more than 1,000 are 1,000.
    pub amount: usize,
}

/// What to compare.
#[derive(Clone, Debug, Default)]
pub struct DiffQuery {
    /// The older commit; the empty tree if `None`.
    pub left: Option<String>,
    /// The newer commit; required unless there is a session.
    pub right: Option<String>,
    /// Compare what this session has staged with what it began with; excludes the others.
    pub session: Option<SessionId>,
    /// Only paths that start with this.
    pub prefix: String,
    /// Paths with this text after the prefix are grouped up to and including it.
    pub delimiter: Option<String>,
    /// Exclusive cursor: the `next` of the page before.
    pub after: Option<String>,
    /// Rows wanted, from 1; more than 1,000 are 1,000.
    pub amount: usize,
}

/// How an object, or a group of them, differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// On the right only.
    Added,
    /// On both sides, and different.
    Modified,
    /// On the left only.
    Removed,
}

impl Status {
    /// Of a group that has entries on the left or the right, and something different among them.
    pub(crate) fn of_group(left: bool, right: bool) -> Self {
        match (left, right) {
            (false, _) => Self::Added,
            (_, false) => Self::Removed,
            _ => Self::Modified,
        }
    }
}

/// A row of a difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiffRow {
    /// Path of the object, or the common start of a group, its delimiter included.
    pub path: String,
    /// The object on the right, or on the left where it was removed; `None` for a group.
    pub entry: Option<Entry>,
    /// How it differs.
    pub status: Status,
}

impl Engine {
    /// The commit that `reference` means in this repository: an id, or an unambiguous start of one
    /// of 8 or more hex digits. Without one the head; `None` where there is none.
    pub(crate) async fn resolve(
        &self,
        repository: &Repository,
        reference: Option<&str>,
    ) -> Result<Option<Commit>> {
        let text = match reference.filter(|text| !text.is_empty()) {
            Some(text) => text.to_ascii_lowercase(),
            None => return self.head(repository).await,
        };
        let not_found = || Error::not_found("commit");
        if let Ok(id) = text.parse::<CommitId>() {
            let found = self.catalog().commit(repository.id, id).await?;
            return found.map(Some).ok_or_else(not_found);
        }
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(not_found());
        }
        if text.len() < COMMIT_PREFIX_MIN {
            let what = format!("commit {text} (an id needs {COMMIT_PREFIX_MIN} digits or more)");
            return Err(Error::not_found(&what));
        }
        let mut found = self.catalog().commits_by_prefix(repository.id, &text).await?;
        match found.len() {
            0 | 1 => found.pop().map(Some).ok_or_else(not_found),
            _ => Err(Error::invalid(format!("ref: {text} is the start of more than one commit"))),
        }
    }

    async fn head(&self, repository: &Repository) -> Result<Option<Commit>> {
        let Some(id) = repository.head else { return Ok(None) };
        let found = self.catalog().commit(repository.id, id).await?;
        found.map(Some).ok_or_else(headless)
    }

    /// The tree of the head, whose objects may be read.
    pub(crate) fn readable_head(&self, place: &Place) -> Result<Root> {
        match place.head()? {
            Some(commit) => self.readable(&place.repository, commit),
            None => Ok(Tree::empty()),
        }
    }

    /// The tree whose objects may be read under `reference`; `Gone` for a stale commit.
    pub(crate) async fn readable_root(
        &self,
        repository: &Repository,
        reference: Option<&str>,
    ) -> Result<Root> {
        match self.resolve(repository, reference).await? {
            Some(commit) => self.readable(repository, &commit),
            None => Ok(Tree::empty()),
        }
    }

    /// The tree of a commit, whose objects may be read; `Gone` for a stale commit.
    pub(crate) fn readable(&self, repository: &Repository, commit: &Commit) -> Result<Root> {
        if is_stale(repository, commit, self.now()) {
            let message = "the commit is past the repository's retention";
            return Err(Error::new(Kind::Gone, "COMMIT_STALE", message));
        }
        Ok(commit.root)
    }

    fn view(&self, repository: &Repository, commit: Commit) -> CommitView {
        CommitView { is_stale: is_stale(repository, &commit, self.now()), commit }
    }

    /// One commit, by its id or an unambiguous start of it.
    pub async fn commit(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        id: &str,
    ) -> Result<CommitView> {
        let verb = Verb::GetCommit;
        let (_, found) = self.repository_for(principal, organization, repository, verb).await?;
        let commit = self.resolve(&found, Some(id)).await?;
        commit.map(|commit| self.view(&found, commit)).ok_or_else(|| Error::not_found("commit"))
    }

    /// A page of the history, newest first. Of a filtered log a page may hold fewer rows than asked
    /// for although there are more: it ends after a thousand commits looked at.
    pub async fn log(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        query: LogQuery,
    ) -> Result<Page<CommitView>> {
        let verb = Verb::GetLog;
        let (_, found) = self.repository_for(principal, organization, repository, verb).await?;
        let amount = check_amount(query.amount)?;
        let from = match &query.after {
            Some(after) => self.parent_of_cursor(&found, after).await?,
            None => self.resolve(&found, query.reference.as_deref()).await?.map(|commit| commit.id),
        };
        let Some(from) = from else { return Ok(Page { rows: Vec::new(), next: None }) };
        let (commits, next) = match Filter::new(query.prefix, query.object)? {
            Some(filter) => self.filtered_log(&found, from, amount, &filter).await?,
            None => {
                let mut commits = self.catalog().log(found.id, from, amount + 1).await?;
                let next = cut(&mut commits, amount).map(|last| last.id.to_string());
                (commits, next)
            }
        };
        let rows = commits.into_iter().map(|commit| self.view(&found, commit)).collect();
        Ok(Page { rows, next })
    }

    async fn parent_of_cursor(
        &self,
        repository: &Repository,
        after: &str,
    ) -> Result<Option<CommitId>> {
        let invalid = || Error::invalid("after: not a cursor of this listing");
        let id = after.parse().map_err(|_| invalid())?;
        let commit = self.catalog().commit(repository.id, id).await?.ok_or_else(invalid)?;
        Ok(commit.parent)
    }

    async fn filtered_log(
        &self,
        repository: &Repository,
        mut from: CommitId,
        amount: usize,
        filter: &Filter,
    ) -> Result<(Vec<Commit>, Option<String>)> {
        let mut rows = Vec::new();
        let mut scanned = 0;
        loop {
            // One more than is looked at: the parent of the last.
            let batch = self.catalog().log(repository.id, from, SCAN_BATCH + 1).await?;
            for (index, commit) in batch.iter().take(SCAN_BATCH).enumerate() {
                let parent = batch.get(index + 1).map_or(Tree::empty(), |parent| parent.root);
                if self.touches(filter, &parent, &commit.root).await? {
                    rows.push(commit.clone());
                }
                if let Some(last) = cut(&mut rows, amount) {
                    let next = last.id.to_string();
                    return Ok((rows, Some(next)));
                }
            }
            scanned += SCAN_BATCH;
            match batch.get(SCAN_BATCH) {
                None => return Ok((rows, None)),
                Some(_) if !rows.is_empty() && scanned >= SCAN_PAGE => {
                    return Ok((rows, Some(batch[SCAN_BATCH - 1].id.to_string())));
                }
                Some(next) if scanned >= SCAN_MAX => {
                    let message = format!(
                        "none of the last {SCAN_MAX} commits changed this; go on with ref={}",
                        next.id
                    );
                    return Err(Error::new(Kind::Invalid, "FILTER_TOO_NARROW", message));
                }
                Some(next) => from = next.id,
            }
        }
    }

    async fn touches(&self, filter: &Filter, left: &Root, right: &Root) -> Result<bool> {
        let (start, end) = (Bound::Included(filter.start.clone()), filter.end.clone());
        Ok(self.tree.diff(left, right, start, end).next().await?.is_some())
    }

    /// A page of the difference of two commits, or of what a session changes, in byte order of the
    /// paths.
    pub async fn diff(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        query: DiffQuery,
    ) -> Result<Page<DiffRow>> {
        let verb = Verb::Diff;
        let (_, found) = self.repository_for(principal, organization, repository, verb).await?;
        let amount = check_amount(query.amount)?;
        let given = |side: &Option<String>| side.clone().filter(|side| !side.is_empty());
        let mut rows = match (query.session, given(&query.left), given(&query.right)) {
            (Some(session), None, None) => {
                let session = self.session_of(found.id, session).await?;
                self.session_diff_rows(&session, &query, amount + 1).await?
            }
            (None, left, Some(right)) => {
                let left = match left {
                    Some(left) => self.readable_root(&found, Some(&left)).await?,
                    None => Tree::empty(),
                };
                let right = self.readable_root(&found, Some(&right)).await?;
                self.diff_rows(&left, &right, &query, amount + 1).await?
            }
            (None, _, None) => return Err(Error::invalid("right: required")),
            (Some(_), ..) => {
                let message = "session_id: cannot be combined with left or right";
                return Err(Error::invalid(message));
            }
        };
        let next = cut(&mut rows, amount).map(|last| last.path.clone());
        Ok(Page { rows, next })
    }

    /// The first `limit` rows.
    async fn diff_rows(
        &self,
        left: &Root,
        right: &Root,
        query: &DiffQuery,
        limit: usize,
    ) -> Result<Vec<DiffRow>> {
        let end = successor(query.prefix.as_bytes());
        let mut rows = Vec::new();
        let mut diff = self.tree.diff(left, right, query.start(), end.clone());
        while rows.len() < limit {
            let Some(change) = diff.next().await? else { break };
            let Some(group) = query.group_of(change.path.as_str()) else {
                rows.extend(DiffRow::of(change));
                continue;
            };
            let after_group = successor(group.as_bytes());
            rows.push(self.group_row(left, right, group).await?);
            let Some(start) = after_group else { break };
            diff = self.tree.diff(left, right, Bound::Included(start), end.clone());
        }
        Ok(rows)
    }

    async fn group_row(&self, left: &Root, right: &Root, group: &str) -> Result<DiffRow> {
        let status = Status::of_group(self.has(left, group).await?, self.has(right, group).await?);
        Ok(DiffRow { path: group.to_owned(), entry: None, status })
    }

    /// Whether any path starts with `prefix`.
    pub(crate) async fn has(&self, root: &Root, prefix: &str) -> Result<bool> {
        let (start, end) = (prefix.as_bytes().to_vec(), successor(prefix.as_bytes()));
        Ok(self.tree.scan(root, Bound::Included(start), end).next().await?.is_some())
    }
}

/// Whether the commit stopped being head longer ago than the repository keeps, now or when its
/// bytes were collected.
pub(crate) fn is_stale(repository: &Repository, commit: &Commit, now: Timestamp) -> bool {
    let is_past = match (repository.retention_days, commit.superseded_at) {
        (Some(days), Some(superseded)) => now > superseded.plus_ms(i64::from(days) * DAY_MS),
        _ => false,
    };
    commit.expired || is_past
}

/// Cuts what exceeds `amount`; then there is more, and the last row that stays is the cursor.
pub(crate) fn cut<T>(rows: &mut Vec<T>, amount: usize) -> Option<&T> {
    if rows.len() <= amount {
        return None;
    }
    rows.truncate(amount);
    rows.last()
}

/// The paths a filtered log is about: `start` up to, not including, `end`.
struct Filter {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
}

impl Filter {
    /// `None` where nothing is filtered.
    fn new(prefix: Option<String>, object: Option<String>) -> Result<Option<Self>> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        match (given(prefix), given(object)) {
            (None, None) => Ok(None),
            (Some(prefix), None) => {
                let end = successor(prefix.as_bytes());
                Ok(Some(Self { start: prefix.into_bytes(), end }))
            }
            (None, Some(object)) => {
                let start = object.into_bytes();
                // The next byte string in order: nothing lies between.
                let end = [&start[..], &[0]].concat();
                Ok(Some(Self { start, end: Some(end) }))
            }
            _ => Err(Error::invalid("object: cannot be combined with prefix")),
        }
    }
}

impl DiffQuery {
    /// The group that `path` falls into, its delimiter included.
    pub(crate) fn group_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let rest = path.strip_prefix(self.prefix.as_str())?;
        let end = rest.find(delimiter)? + delimiter.len();
        Some(&path[..self.prefix.len() + end])
    }

    /// Where the page begins: behind the cursor, and behind all of the group that it falls into.
    pub(crate) fn start(&self) -> Bound<Vec<u8>> {
        let prefix = self.prefix.as_bytes();
        match self.after.as_deref().filter(|after| after.as_bytes() >= prefix) {
            None => Bound::Included(prefix.to_vec()),
            Some(after) => match self.group_of(after).and_then(|group| successor(group.as_bytes()))
            {
                Some(behind) => Bound::Included(behind),
                None => Bound::Excluded(after.as_bytes().to_vec()),
            },
        }
    }
}

impl DiffRow {
    pub(crate) fn of(change: Change) -> Option<Self> {
        let Change { path, left, right } = change;
        let status = match (&left, &right) {
            (None, _) => Status::Added,
            (_, None) => Status::Removed,
            _ => Status::Modified,
        };
        let entry = Some(right.or(left)?);
        Some(Self { path: path.as_str().to_owned(), entry, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(prefix: &str, delimiter: &str, after: Option<&str>) -> DiffQuery {
        DiffQuery {
            prefix: prefix.to_owned(),
            delimiter: Some(delimiter.to_owned()),
            after: after.map(str::to_owned),
            ..DiffQuery::default()
        }
    }

    #[test]
    fn groups_begin_after_the_prefix() {
        let by_slash = query("a/", "/", None);
        assert_eq!(by_slash.group_of("a/b/c"), Some("a/b/"));
        assert_eq!(by_slash.group_of("a//c"), Some("a//"));
        assert_eq!(by_slash.group_of("a/b"), None);
        assert_eq!(by_slash.group_of("b/c/d"), None);
        assert_eq!(query("a/", "", None).group_of("a/b/c"), None);
    }

    #[test]
    fn a_page_begins_behind_its_cursor() {
        let excluded = |text: &str| Bound::Excluded(text.as_bytes().to_vec());
        let included = |text: &str| Bound::Included(text.as_bytes().to_vec());
        assert_eq!(query("a/", "/", None).start(), included("a/"));
        assert_eq!(query("a/", "/", Some("Z")).start(), included("a/"));
        assert_eq!(query("a/", "/", Some("a/b")).start(), excluded("a/b"));
        assert_eq!(query("a/", "/", Some("a/b/")).start(), included("a/b0"));
        assert_eq!(query("a/", "/", Some("a/b/c")).start(), included("a/b0"));
    }

    #[test]
    fn a_filter_is_a_range_of_paths() {
        let filter = |prefix: &str, object: &str| {
            Filter::new(Some(prefix.to_owned()), Some(object.to_owned()))
                .map(|filter| filter.map(|filter| (filter.start, filter.end)))
        };
        assert_eq!(filter("", "").ok(), Some(None));
        let range = |start: &[u8], end: &[u8]| Some(Some((start.to_vec(), Some(end.to_vec()))));
        assert_eq!(filter("a/", "").ok(), range(b"a/", b"a0"));
        assert_eq!(filter("", "a/b").ok(), range(b"a/b", b"a/b\0"));
        assert!(filter("a", "a/b").is_err());
    }
}
