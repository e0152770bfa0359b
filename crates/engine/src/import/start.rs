//! Starting an import: access, validation, one row. Also its status, cancel and retry.

use model::{
    Connector, ConnectorId, Deed, Import, ImportMode, ImportOptions, ImportSource, ImportSpec,
    JobId, Organization, Page, PageRequest, Repository, SourceRepository, limits,
};
use sources::{Mapping, SourceUri};

use super::filter::Filter;
use crate::access::Verb;
use crate::names::check_page;
use crate::{Engine, Error, Kind, Principal, Result};

/// What a caller asks for; exactly one source.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// Import through this connector.
    pub connector_id: Option<ConnectorId>,
    /// Import from a repository of this organization.
    pub source_organization: Option<String>,
    /// Import from this repository.
    pub source_repository: Option<String>,
    /// Below the connector's directory, or absolute in the bucket if it starts with that.
    pub source_prefix: Option<String>,
    /// Where the objects go; empty for the root.
    pub destination_path: String,
    /// Message of the commit.
    pub commit_message: Option<String>,
    /// How.
    pub options: ImportOptions,
}

impl Engine {
    /// Starts an import and returns at once; the job can be read when this returns.
    ///
    /// With an idempotency key that the same user gave for this repository within the last 24
    /// hours, the first job comes back and nothing is started.
    pub async fn start_import(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        request: ImportRequest,
        idempotency_key: Option<&str>,
    ) -> Result<JobId> {
        let (organization, repository) =
            self.repository_for(principal, organization, repository, Verb::StartImport).await?;
        let (source, place) =
            self.source_to_import(principal, &organization, &repository, &request).await?;
        let spec = specification(principal, &repository, (source, &place), request)?;
        let now = self.now();
        let import = Import::new(JobId(self.entropy().uuid()), spec, now);
        let since = now.plus_ms(-limits::IDEMPOTENCY_HOURS * 3_600_000);
        let key = idempotency_key.map(|key| (key, since));
        let bytes_max = limits::NAME_BYTES_MAX;
        if key.is_some_and(|(key, _)| key.is_empty() || key.len() > bytes_max) {
            let message = format!("Idempotency-Key: must have 1 to {bytes_max} bytes");
            return Err(Error::invalid(message));
        }
        let deed =
            self.deed_on_job(principal, "StartImport", &organization, &repository.name, import.id);
        let deed = deed.with("source", place).with("destination", &import.spec.destination_path);
        let job = self.catalog().create_import(&import, key, &deed).await?;
        if job != import.id {
            self.same_request(&import, job).await?;
        }
        self.work.notify_one();
        Ok(job)
    }

    /// The state of an import.
    pub async fn import(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        job: JobId,
    ) -> Result<Import> {
        let (_, repository) =
            self.repository_for(principal, organization, repository, Verb::GetImport).await?;
        let import = self.catalog().import(repository.id, job).await?;
        import.ok_or_else(|| Error::not_found("import job"))
    }

    /// Imports into a repository, newest first.
    pub async fn imports(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        page: &PageRequest,
    ) -> Result<Page<Import>> {
        let (_, repository) =
            self.repository_for(principal, organization, repository, Verb::ListImports).await?;
        let page = check_page(page.clone())?;
        Ok(self.catalog().imports(repository.id, &page).await?)
    }

    /// Cancels an import; one that has ended stays as it is.
    pub async fn cancel_import(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        job: JobId,
    ) -> Result<Import> {
        let (organization, found) =
            self.repository_for(principal, organization, repository, Verb::CancelImport).await?;
        let deed = self.deed_on_job(principal, "CancelImport", &organization, repository, job);
        let import = self.catalog().cancel_import(found.id, job, &deed).await?;
        import.ok_or_else(|| Error::not_found("import job"))
    }

    /// Runs a failed or canceled import again; only what is missing is fetched.
    pub async fn retry_import(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        job: JobId,
    ) -> Result<JobId> {
        let (organization, found) =
            self.repository_for(principal, organization, repository, Verb::RetryImport).await?;
        let deed = self.deed_on_job(principal, "RetryImport", &organization, repository, job);
        let retried = self.catalog().retry_import(found.id, job, &deed).await;
        let import = retried.map_err(|error| match error {
            catalog::Error::Conflict { .. } => {
                Error::conflict("only a failed or canceled import can be retried")
            }
            error => error.into(),
        })?;
        let import = import.ok_or_else(|| Error::not_found("import job"))?;
        self.work.notify_one();
        Ok(import.id)
    }

    fn deed_on_job(
        &self,
        principal: &Principal,
        action: &'static str,
        organization: &Organization,
        repository: &str,
        job: JobId,
    ) -> Deed {
        let resource = format!("repositories/{repository}/import/{job}");
        self.deed(principal, Some(organization.id), action, resource)
    }

    /// An idempotency key stands for one request.
    async fn same_request(&self, asked: &Import, first: JobId) -> Result<()> {
        let first = self.catalog().import(asked.spec.repository, first).await?;
        match first.is_some_and(|first| first.spec == asked.spec) {
            true => Ok(()),
            false => Err(Error::conflict("this Idempotency-Key was used for another import")),
        }
    }

    /// The source, if it is one that may be imported from, and what its place is called.
    async fn source_to_import(
        &self,
        principal: &Principal,
        organization: &Organization,
        repository: &Repository,
        request: &ImportRequest,
    ) -> Result<(ImportSource, String)> {
        let prefix = request.source_prefix.as_deref().unwrap_or_default();
        match one_source(request)? {
            Asked::Connector(id) => {
                let connector = self.connector_to_import(organization, repository, id).await?;
                let uri: SourceUri = connector.source_uri.parse().map_err(Error::internal)?;
                let mapping = Mapping::new(&uri, prefix, "");
                let prefix = String::from_utf8_lossy(mapping.effective_prefix()).into_owned();
                let scheme = uri.scheme().as_str();
                let place = format!("{scheme}://{}/{prefix}", uri.bucket());
                Ok((ImportSource::Connector(connector.id), place))
            }
            Asked::Repository(organization, name) => {
                let source = self.repository_to_import(principal, organization, name).await?;
                let place = format!("tilde://{organization}/{name}/{prefix}");
                Ok((ImportSource::Repository(source), place))
            }
        }
    }

    async fn connector_to_import(
        &self,
        organization: &Organization,
        repository: &Repository,
        id: ConnectorId,
    ) -> Result<Connector> {
        let found = self.catalog().connector(organization.id, id).await?;
        let connector = found.ok_or_else(|| Error::not_found("connector"))?;
        if connector.deleted_at.is_some() {
            let message = "the connector was deleted; create and attach another one";
            return Err(Error::new(Kind::Gone, "CONNECTOR_DELETED", message));
        }
        if connector.disabled {
            let message = "the connector is disabled; have an owner enable it, or use another one";
            return Err(Error::new(Kind::Disabled, "CONNECTOR_DISABLED", message));
        }
        let attached = self.catalog().attached(repository.id).await?;
        if !attached.iter().any(|attached| attached.id == id) {
            return Err(Error::invalid(
                "connector_id: the connector is not attached to this repository; attach it first",
            ));
        }
        Ok(connector)
    }

    async fn repository_to_import(
        &self,
        principal: &Principal,
        organization: &str,
        name: &str,
    ) -> Result<SourceRepository> {
        let found = self.repository_for(principal, organization, name, Verb::ImportFrom).await;
        let (organization, repository) = found.map_err(|error| match error.kind {
            Kind::NotFound => Error::not_found("source_repository (or a right to read it)"),
            _ => error,
        })?;
        Ok(SourceRepository {
            repository: repository.id,
            organization_name: organization.name,
            name: repository.name,
        })
    }
}

/// The one source of a request.
enum Asked<'a> {
    Connector(ConnectorId),
    Repository(&'a str, &'a str),
}

fn one_source(request: &ImportRequest) -> Result<Asked<'_>> {
    let repository = (request.source_organization.as_deref(), request.source_repository.as_deref());
    match (request.connector_id, repository) {
        (Some(id), (None, None)) => Ok(Asked::Connector(id)),
        (None, (Some(organization), Some(name))) => Ok(Asked::Repository(organization, name)),
        (None, (None, None)) => Err(Error::invalid(
            "connector_id: give either connector_id or source_organization and source_repository",
        )),
        (None, (Some(_), None)) => {
            Err(Error::invalid("source_repository: required with source_organization"))
        }
        (None, (None, Some(_))) => {
            Err(Error::invalid("source_organization: required with source_repository"))
        }
        (Some(_), _) => Err(Error::invalid(
            "connector_id: give either it or source_organization and source_repository, not both",
        )),
    }
}

fn specification(
    principal: &Principal,
    repository: &Repository,
    (source, place): (ImportSource, &str),
    request: ImportRequest,
) -> Result<ImportSpec> {
    let source_prefix = request.source_prefix.unwrap_or_default();
    check_texts(&source_prefix, &request.destination_path)?;
    check_options(&request.options)?;
    let message = request.commit_message.filter(|message| !message.is_empty());
    let commit_message = message.unwrap_or_else(|| format!("Import from {place}"));
    let bytes_max = limits::MESSAGE_BYTES_MAX;
    if commit_message.len() > bytes_max {
        return Err(Error::invalid(format!("commit_message: has at most {bytes_max} bytes")));
    }
    Ok(ImportSpec {
        repository: repository.id,
        source,
        source_prefix,
        destination_path: request.destination_path,
        commit_message,
        created_by: principal.user.id,
        options: request.options,
    })
}

fn check_options(options: &ImportOptions) -> Result<()> {
    Filter::new(options).map_err(Error::invalid)?;
    if let ImportMode::Mirror { max_delete_percent } = options.mode
        && max_delete_percent > 100
    {
        return Err(Error::invalid("max_delete_percent: must be from 0 to 100"));
    }
    let most = limits::TRANSFERS_MAX;
    if options.concurrency.is_some_and(|wanted| !(1..=most).contains(&usize::from(wanted))) {
        return Err(Error::invalid(format!("concurrency: must be from 1 to {most}")));
    }
    Ok(())
}

/// What no path or key can hold is refused before there is a job.
fn check_texts(source_prefix: &str, destination_path: &str) -> Result<()> {
    for (field, text) in [("source_prefix", source_prefix), ("destination_path", destination_path)]
    {
        if text.len() > limits::PATH_BYTES_MAX {
            let bytes_max = limits::PATH_BYTES_MAX;
            return Err(Error::invalid(format!("{field}: has at most {bytes_max} bytes")));
        }
        if text.contains('\0') {
            return Err(Error::invalid(format!("{field}: must not contain a NUL character")));
        }
    }
    Ok(())
}
