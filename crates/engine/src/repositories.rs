//! Repositories.

use model::{Organization, Page, PageRequest, Repository, RepositoryId};

use crate::access::Verb;
use crate::names::{check_description, check_page, check_repository_name};
use crate::{Engine, Error, Principal, Result};

/// Longest retention and session, in days.
const DAYS_MAX: i64 = 36_500;
/// How long sessions last unless the repository says otherwise, in days.
const SESSION_DAYS_DEFAULT: u32 = 7;
/// Who may see a repository; stored and returned, grants nothing.
const VISIBILITIES: [&str; 2] = ["private", "public"];

/// A repository with the names of its organization: `{repository, organization_name,
/// organization_display_name}`.
pub type RepositoryView = catalog::NamedRepository;

/// A repository to be made.
#[derive(Clone, Debug, Default)]
pub struct RepositorySpec {
    /// `^[a-z0-9][a-z0-9._-]{1,62}$`.
    pub name: String,
    /// Free text, may be empty.
    pub description: String,
    /// `private` (default) or `public`.
    pub visibility: Option<String>,
    /// 1 to 36,500; `None` keeps everything.
    pub retention_days: Option<i64>,
    /// Default 7, or less where the retention is shorter; must be below `retention_days` if that is
    /// set.
    pub session_max_duration_days: Option<i64>,
}

/// What to change of a repository; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct RepositoryChange {
    /// New description.
    pub description: Option<String>,
    /// `private` or `public`.
    pub visibility: Option<String>,
    /// 1 to 36,500; `Some(None)` keeps everything.
    pub retention_days: Option<Option<i64>>,
    /// Must be below the retention, if there is one.
    pub session_max_duration_days: Option<i64>,
}

impl Engine {
    /// Makes a repository, empty. `Conflict` if the name is taken in the organization.
    pub async fn create_repository(
        &self,
        principal: &Principal,
        organization: &str,
        spec: RepositorySpec,
    ) -> Result<RepositoryView> {
        let verb = Verb::CreateRepository;
        let organization = self.organization_for(principal, organization, verb).await?;
        check_repository_name(&spec.name)?;
        let repository = Repository {
            id: RepositoryId(self.entropy().uuid()),
            organization: organization.id,
            name: spec.name,
            description: String::new(),
            visibility: VISIBILITIES[0].to_owned(),
            retention_days: None,
            session_max_duration_days: SESSION_DAYS_DEFAULT,
            created_by: principal.user.id,
            created_at: self.now(),
            head: None,
        };
        let shortened =
            spec.retention_days.map(|days| days.saturating_sub(1).min(SESSION_DAYS_DEFAULT.into()));
        let repository = RepositoryChange {
            description: Some(spec.description),
            visibility: spec.visibility,
            retention_days: Some(spec.retention_days),
            session_max_duration_days: spec.session_max_duration_days.or(shortened),
        }
        .apply(repository)?;
        let resource = format!("repositories/{}", repository.name);
        let deed = self.deed(principal, Some(organization.id), "CreateRepository", resource);
        self.catalog().create_repository(&repository, &deed).await?;
        Ok(view(&organization, repository))
    }

    /// A page of the organization's repositories by name; the cursor is the last name.
    pub async fn repositories(
        &self,
        principal: &Principal,
        organization: &str,
        page: PageRequest,
    ) -> Result<Page<RepositoryView>> {
        let verb = Verb::ListRepositories;
        let organization = self.organization_for(principal, organization, verb).await?;
        Ok(self.catalog().repositories(organization.id, &check_page(page)?).await?)
    }

    /// A page of the repositories of all the principal's organizations, by organization and name.
    pub async fn all_repositories(
        &self,
        principal: &Principal,
        page: PageRequest,
    ) -> Result<Page<RepositoryView>> {
        Ok(self.catalog().repositories_of(principal.user.id, &check_page(page)?).await?)
    }

    /// One repository.
    pub async fn repository(
        &self,
        principal: &Principal,
        organization: &str,
        name: &str,
    ) -> Result<RepositoryView> {
        let verb = Verb::GetRepository;
        let (organization, found) =
            self.repository_for(principal, organization, name, verb).await?;
        Ok(view(&organization, found))
    }

    /// Changes what `change` names.
    pub async fn update_repository(
        &self,
        principal: &Principal,
        organization: &str,
        name: &str,
        change: RepositoryChange,
    ) -> Result<RepositoryView> {
        let verb = Verb::UpdateRepository;
        let (organization, found) =
            self.repository_for(principal, organization, name, verb).await?;
        let changed = change.apply(found)?;
        let resource = format!("repositories/{name}");
        let deed = self.deed(principal, Some(organization.id), "UpdateRepository", resource);
        match self.catalog().update_repository(&changed, &deed).await? {
            true => Ok(view(&organization, changed)),
            false => Err(Error::not_found("repository")),
        }
    }

    /// Deletes a repository; running imports into it end.
    pub async fn delete_repository(
        &self,
        principal: &Principal,
        organization: &str,
        name: &str,
    ) -> Result<()> {
        let verb = Verb::DeleteRepository;
        let (organization, found) =
            self.repository_for(principal, organization, name, verb).await?;
        let resource = format!("repositories/{name}");
        let deed = self.deed(principal, Some(organization.id), "DeleteRepository", resource);
        match self.catalog().delete_repository(found.id, &deed).await? {
            true => Ok(()),
            false => Err(Error::not_found("repository")),
        }
    }
}

fn view(organization: &Organization, repository: Repository) -> RepositoryView {
    RepositoryView {
        repository,
        organization_name: organization.name.clone(),
        organization_display_name: organization.display_name.clone(),
    }
}

impl RepositoryChange {
    /// `repository` with these changes, all of them checked.
    fn apply(self, mut repository: Repository) -> Result<Repository> {
        if let Some(description) = self.description {
            check_description(&description)?;
            repository.description = description;
        }
        if let Some(visibility) = self.visibility {
            if !VISIBILITIES.contains(&visibility.as_str()) {
                return Err(Error::invalid("visibility: must be private or public"));
            }
            repository.visibility = visibility;
        }
        if let Some(retention) = self.retention_days {
            let days = retention.map(|days| check_days("retention_days", days, 1));
            repository.retention_days = days.transpose()?;
        }
        if let Some(days) = self.session_max_duration_days {
            // 0 is what a retention of one day leaves.
            repository.session_max_duration_days = check_days(SESSION_FIELD, days, 0)?;
        }
        let session_days = repository.session_max_duration_days;
        match repository.retention_days {
            Some(days) if session_days >= days => Err(Error::invalid(format!(
                "{SESSION_FIELD}: {session_days} must be less than retention_days, {days}"
            ))),
            _ => Ok(repository),
        }
    }
}

const SESSION_FIELD: &str = "session_max_duration_days";

fn check_days(field: &str, days: i64, least: i64) -> Result<u32> {
    match u32::try_from(days) {
        Ok(checked) if (least..=DAYS_MAX).contains(&days) => Ok(checked),
        _ => Err(Error::invalid(format!("{field}: must be {least} to {DAYS_MAX}"))),
    }
}
