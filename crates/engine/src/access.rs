//! Who may do what: one table of verbs, and the only way from a name to a record.
//!
//! Whoever is not a member of an organization gets the same "not found" as for one that is not
//! there, so that nothing can be learned by asking; a member who lacks the right is told so.

use model::{Commit, Organization, Repository, Role, User};

use crate::{Engine, Error, Kind, Result};

/// Who asks: an authenticated user.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The user.
    pub user: User,
    /// The request they ask by, for the audit log; empty outside of one.
    pub request_id: String,
}

impl Principal {
    /// The user, asking outside of any request.
    pub fn new(user: User) -> Self {
        Self { user, request_id: String::new() }
    }
}

/// A repository that the principal may do something in, as it was at one moment.
pub(crate) struct Place {
    pub(crate) organization: Organization,
    pub(crate) repository: Repository,
    head: Option<Commit>,
}

impl Place {
    /// The head of the repository; `None` before its first commit.
    pub(crate) fn head(&self) -> Result<Option<&Commit>> {
        match (&self.head, self.repository.head) {
            (None, Some(_)) => Err(headless()),
            (head, _) => Ok(head.as_ref()),
        }
    }
}

/// The repository names a head that is not there.
pub(crate) fn headless() -> Error {
    Error::new(Kind::Damaged, "DATA_DAMAGED", "the head of the repository is missing")
}

/// What can be done in an organization.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    GetOrganization,
    DeleteOrganization,
    ListMembers,
    ChangeMembers,
    ListConnectors,
    GetConnector,
    CreateConnector,
    DeleteConnector,
    UpdateConnector,
    TestConnectorConfig,
    TestConnector,
    ListRepositories,
    GetRepository,
    CreateRepository,
    UpdateRepository,
    DeleteRepository,
    AttachConnector,
    ListAttachedConnectors,
    DetachConnector,
    StartImport,
    ImportFrom,
    GetImport,
    ListImports,
    GetImportChanges,
    CancelImport,
    RetryImport,
    GetObject,
    ListObjects,
    GetLog,
    GetCommit,
    Diff,
    CreateSession,
    CommitSession,
    RollbackSession,
    ListChanges,
    PutObject,
    CopyObject,
    DeleteObject,
    RevertCommit,
    ListAudit,
}

impl Verb {
    /// The least role that may do this.
    const fn least_role(self) -> Role {
        match self {
            Self::DeleteOrganization
            | Self::ChangeMembers
            | Self::CreateConnector
            | Self::DeleteConnector
            | Self::UpdateConnector
            | Self::TestConnectorConfig
            | Self::DeleteRepository
            | Self::ListAudit => Role::Owner,
            Self::GetOrganization
            | Self::ListMembers
            | Self::ListConnectors
            | Self::GetConnector
            | Self::TestConnector
            | Self::ListRepositories
            | Self::GetRepository
            | Self::CreateRepository
            | Self::UpdateRepository
            | Self::AttachConnector
            | Self::ListAttachedConnectors
            | Self::DetachConnector
            | Self::StartImport
            | Self::ImportFrom
            | Self::GetImport
            | Self::ListImports
            | Self::GetImportChanges
            | Self::CancelImport
            | Self::RetryImport
            | Self::GetObject
            | Self::ListObjects
            | Self::GetLog
            | Self::GetCommit
            | Self::Diff
            | Self::CreateSession
            | Self::CommitSession
            | Self::RollbackSession
            | Self::ListChanges
            | Self::PutObject
            | Self::CopyObject
            | Self::DeleteObject
            | Self::RevertCommit => Role::Member,
        }
    }

    /// `Forbidden` unless `role` may do this.
    fn check(self, role: Role) -> Result<()> {
        if role < self.least_role() {
            let message = "only an owner of the organization may do this";
            return Err(Error::new(Kind::Forbidden, "FORBIDDEN", message));
        }
        Ok(())
    }
}

impl Engine {
    /// The organization `name`, if the principal may do `verb` in it.
    pub(crate) async fn organization_for(
        &self,
        principal: &Principal,
        name: &str,
        verb: Verb,
    ) -> Result<Organization> {
        let found = self.catalog().organization(name, principal.user.id).await?;
        let (organization, role) = found.ok_or_else(|| Error::not_found("organization"))?;
        verb.check(role)?;
        Ok(organization)
    }

    /// The repository `name` of `organization` with what belongs to it, if the principal may do
    /// `verb` in it.
    pub(crate) async fn place_for(
        &self,
        principal: &Principal,
        organization: &str,
        name: &str,
        verb: Verb,
    ) -> Result<Place> {
        let found = self.catalog().place(organization, principal.user.id, name).await?;
        let found = found.ok_or_else(|| Error::not_found("organization"))?;
        verb.check(found.role)?;
        let catalog::Place { organization, repository, head, .. } = found;
        let repository = repository.ok_or_else(|| Error::not_found("repository"))?;
        Ok(Place { organization, repository, head })
    }

    /// The repository `name` of `organization` with its organization, if the principal may do
    /// `verb` in it.
    pub(crate) async fn repository_for(
        &self,
        principal: &Principal,
        organization: &str,
        name: &str,
        verb: Verb,
    ) -> Result<(Organization, Repository)> {
        let place = self.place_for(principal, organization, name, verb).await?;
        Ok((place.organization, place.repository))
    }
}
