//! The life of a session: changes are staged in it and become a commit together, or nothing.
//!
//! A session reads the tree that was head when it began, with its own changes on top, whatever
//! others commit and however old that commit becomes. [`staging`] brings changes in, [`staged`]
//! reads them, [`overlay`] shows what a session sees, [`differences`] what it changes; how it
//! becomes a commit is in [`crate::landing`].

mod differences;
mod overlay;
mod staged;
mod staging;

use model::limits::{OPEN_SESSIONS_MAX, SESSION_DAYS_MAX};
use model::{
    CommitId, Entry, ObjectPath, Organization, Page, Repository, RepositoryId, Root, Session,
    SessionId, successor,
};
use tree::{Edit, ListQuery, Tree};

use crate::access::Verb;
use crate::commits::{DAY_MS, cut};
use crate::landing::{Request, Source};
use crate::names::check_amount;
use crate::{CommitSpec, Engine, Error, Kind, Principal, Result};

pub(crate) use staged::Staged;

/// Which staged changes to list.
#[derive(Clone, Debug, Default)]
pub struct ChangesQuery {
    /// Only paths that start with this.
    pub prefix: String,
    /// Exclusive cursor: the `next` of the page before.
    pub after: Option<String>,
    /// Rows wanted, from 1; more than 1,000 are 1,000.
    pub amount: usize,
}

/// A staged change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StagedRow {
    /// Where.
    pub path: ObjectPath,
    /// The entry; `None` deletes.
    pub entry: Option<Entry>,
}

impl Engine {
    /// Begins a session on the present head. It ends by itself after as many days as the repository
    /// allows, at least one. `Conflict` if too many are open.
    pub async fn create_session(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
    ) -> Result<Session> {
        let verb = Verb::CreateSession;
        let (organization, found) =
            self.repository_for(principal, organization, repository, verb).await?;
        let (id, now) = (SessionId(self.entropy().uuid()), self.now());
        let days = found.session_max_duration_days.clamp(1, SESSION_DAYS_MAX);
        let session = Session {
            id,
            repository: found.id,
            base: found.head,
            created_by: principal.user.id,
            created_at: now,
            expires_at: now.plus_ms(i64::from(days) * DAY_MS),
            revision: 0,
        };
        let resource = resource(&found, id);
        let deed = self.deed(principal, Some(organization.id), "CreateSession", resource);
        match self.catalog().create_session(&session, &deed).await {
            Err(catalog::Error::TooMany { .. }) => Err(Error::conflict(format!(
                "the repository has {OPEN_SESSIONS_MAX} open sessions: end some of them first"
            ))),
            Err(catalog::Error::NotFound { .. }) => Err(Error::not_found("repository")),
            created => Ok(created?),
        }
    }

    /// Makes a commit of what the session has staged, on the present head; the session ends. Kinds:
    /// `Invalid` (`NO_CHANGES`) if it would change nothing, `Conflict` naming paths that others
    /// have changed since it began; then it stays open.
    pub async fn commit_session(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        spec: CommitSpec,
    ) -> Result<CommitId> {
        let verb = Verb::CommitSession;
        let (organization, found, session) =
            self.open_session(principal, organization, repository, session, verb).await?;
        let spec = spec.checked()?;
        let resource = resource(&found, session.id);
        let deed = self.deed(principal, Some(organization.id), "CommitSession", resource);
        let (repository, source) = (found.id, Source::Session(session.id));
        self.land(Request { principal, repository, source, spec, deed }).await
    }

    /// Ends a session without a commit.
    pub async fn rollback_session(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
    ) -> Result<()> {
        let verb = Verb::RollbackSession;
        let (organization, found, session) =
            self.open_session(principal, organization, repository, session, verb).await?;
        let resource = resource(&found, session.id);
        let deed = self.deed(principal, Some(organization.id), "RollbackSession", resource);
        match self.catalog().end_session(session.id, &deed).await? {
            true => Ok(()),
            false => Err(not_found()),
        }
    }

    /// A page of what a session has staged, in byte order of the paths.
    pub async fn session_changes(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        query: ChangesQuery,
    ) -> Result<Page<StagedRow>> {
        let verb = Verb::ListChanges;
        let (_, _, session) =
            self.open_session(principal, organization, repository, session, verb).await?;
        let amount = check_amount(query.amount)?;
        let ChangesQuery { prefix, after, .. } = query;
        let query = ListQuery { prefix, after, ..ListQuery::default() };
        let end = successor(query.prefix.as_bytes());
        let mut staged = Staged::new(self, session.id, query.start(), end);
        let mut rows = Vec::new();
        while rows.len() <= amount
            && let Some(Edit { path, entry }) = staged.next().await?
        {
            rows.push(StagedRow { path, entry });
        }
        let next = cut(&mut rows, amount).map(|last| last.path.as_str().to_owned());
        Ok(Page { rows, next })
    }

    /// The open session `session` of a repository, if the principal may do `verb` there. Whoever
    /// may, may do it in everybody's sessions. `NotFound` if it has ended.
    pub(crate) async fn open_session(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        verb: Verb,
    ) -> Result<(Organization, Repository, Session)> {
        let (organization, repository) =
            self.repository_for(principal, organization, repository, verb).await?;
        let session = self.session_of(repository.id, session).await?;
        Ok((organization, repository, session))
    }

    /// The open session of this id; `NotFound` if it has ended.
    pub(crate) async fn session_of(
        &self,
        repository: RepositoryId,
        session: SessionId,
    ) -> Result<Session> {
        let found = self.catalog().session(repository, session, self.now()).await?;
        found.ok_or_else(not_found)
    }

    /// The tree that a session began with. It may be read however old it is: an open session is a
    /// root of collections.
    pub(crate) async fn session_base(&self, session: &Session) -> Result<Root> {
        let Some(id) = session.base else { return Ok(Tree::empty()) };
        let commit = self.catalog().commit(session.repository, id).await?;
        commit.map(|commit| commit.root).ok_or_else(|| {
            Error::new(
                Kind::Damaged,
                "DATA_DAMAGED",
                "the commit the session began with is missing",
            )
        })
    }
}

/// A session that is not there, or not any more.
pub(crate) fn not_found() -> Error {
    Error::not_found("session")
}

/// The session in the audit log.
fn resource(repository: &Repository, id: SessionId) -> String {
    format!("repositories/{}/sessions/{id}", repository.name)
}
