//! Connectors: credentials and a place in a foreign store, and which repositories may use them.
//!
//! A config is checked when it arrives, sealed before it is stored, and opened only while a source
//! is in use, or for a moment at the start to see whether its key is configured.

use std::collections::{BTreeMap, BTreeSet};

use catalog::ConnectorChange;
use catalog::seal::{self, SealContext};
use model::{Connector, ConnectorId, ConnectorKind, Deed, Organization, Secret};
use serde_json::Value;
use sources::{ProbeError, Scheme, SourceConfig, SourceUri};

use crate::access::Verb;
use crate::names::check_name;
use crate::{Engine, Error, Kind, Principal, Result};

/// Kinds that exist elsewhere, refused by name so that nobody looks for a typing error.
const KINDS_TO_COME: [&str; 2] = ["git", "google_drive"];

/// Tests of connectors side by side: each holds a connection to wherever its caller says.
pub(crate) const PROBES_MAX: usize = 16;
/// Seconds after which one that was turned away may be tried again.
const PROBE_RETRY_S: u32 = 5;

/// A connector to be made. Its config holds credentials, so it has no `Debug`.
pub struct ConnectorSpec {
    /// 1 to 255 bytes, unique among the organization's connectors.
    pub name: String,
    /// `s3` or `gcs`.
    pub kind: String,
    /// `s3://bucket/prefix/` or `gs://bucket/prefix/`.
    pub source_uri: String,
    /// Credentials and options; what is in it depends on the kind.
    pub config: Value,
}

/// What of a connector is to change; what is `None` stays. Its config holds credentials, so it has
/// no `Debug`.
#[derive(Default)]
pub struct ConnectorUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A whole new config: nothing of the old one is kept.
    pub config: Option<Value>,
    /// Whether it may not be used.
    pub disabled: Option<bool>,
}

impl Engine {
    /// Renames, disables or enables a connector, or replaces its config, whose credentials are
    /// checked for form only. Imports that run go on with the old config until their next claim;
    /// those through a connector that is disabled end. Kind and place stay: entries name them.
    pub async fn update_connector(
        &self,
        principal: &Principal,
        organization: &str,
        id: ConnectorId,
        update: ConnectorUpdate,
    ) -> Result<Connector> {
        let verb = Verb::UpdateConnector;
        let organization = self.organization_for(principal, organization, verb).await?;
        let connector = self.live_connector(&organization, id).await?;
        let ConnectorUpdate { name, config, disabled } = update;
        if name.is_none() && config.is_none() && disabled.is_none() {
            return Err(Error::invalid("give at least one of name, config and disabled"));
        }
        if let Some(name) = &name {
            check_name("name", name)?;
        }
        let sealed = match config {
            None => None,
            Some(config) => Some(self.check_and_seal(&connector, &config).await?),
        };
        let change = ConnectorChange { name, disabled, sealed };
        let deed = self.deed_on(principal, "UpdateConnector", &connector);
        let deed = described(deed, &change);
        let changed = self.catalog().update_connector(organization.id, id, &change, &deed).await?;
        changed.ok_or_else(|| Error::not_found("connector"))
    }

    fn deed_on(&self, principal: &Principal, action: &'static str, connector: &Connector) -> Deed {
        let resource = format!("connectors/{}", connector.id);
        self.deed(principal, Some(connector.organization), action, resource)
            .with("name", &connector.name)
    }

    async fn check_and_seal(&self, connector: &Connector, config: &Value) -> Result<String> {
        let kind = connector.kind.as_str();
        let checked = Checked::new(kind, &connector.source_uri, config)?;
        let allowed = self.parts.sources.validate(&checked.uri, &checked.config).await;
        allowed.map_err(|error| Error::invalid(format!("config.endpoint: {error}")))?;
        let config = Secret::new(config.to_string());
        Ok(self.parts.keys.seal(seal_context(connector), &config))
    }

    /// Stores a connector. `Invalid` names the bad field or config key, `Conflict` if the name is
    /// taken.
    pub async fn create_connector(
        &self,
        principal: &Principal,
        organization: &str,
        spec: ConnectorSpec,
    ) -> Result<Connector> {
        let verb = Verb::CreateConnector;
        let organization = self.organization_for(principal, organization, verb).await?;
        let ConnectorSpec { name, kind, source_uri, config } = spec;
        check_name("name", &name)?;
        let checked = Checked::new(&kind, &source_uri, &config)?;
        let connector = Connector {
            id: ConnectorId(self.entropy().uuid()),
            organization: organization.id,
            name,
            kind: checked.kind,
            source_uri,
            disabled: false,
            created_by: principal.user.id,
            created_at: self.now(),
            deleted_at: None,
        };
        let sealed = self.check_and_seal(&connector, &config).await?;
        let deed = self.deed_on(principal, "CreateConnector", &connector);
        let deed = deed.with("source_uri", &connector.source_uri);
        self.catalog().create_connector(&connector, &sealed, &deed).await?;
        Ok(connector)
    }

    /// The organization's connectors, by name.
    pub async fn connectors(
        &self,
        principal: &Principal,
        organization: &str,
    ) -> Result<Vec<Connector>> {
        let verb = Verb::ListConnectors;
        let organization = self.organization_for(principal, organization, verb).await?;
        Ok(self.catalog().connectors(organization.id).await?)
    }

    /// One connector; a deleted one is not found.
    pub async fn connector(
        &self,
        principal: &Principal,
        organization: &str,
        id: ConnectorId,
    ) -> Result<Connector> {
        let verb = Verb::GetConnector;
        let organization = self.organization_for(principal, organization, verb).await?;
        self.live_connector(&organization, id).await
    }

    async fn live_connector(
        &self,
        organization: &Organization,
        id: ConnectorId,
    ) -> Result<Connector> {
        let found = self.catalog().connector(organization.id, id).await?;
        found
            .filter(|connector| connector.deleted_at.is_none())
            .ok_or_else(|| Error::not_found("connector"))
    }

    /// Deletes a connector and wipes its config; what was imported through it stays readable.
    pub async fn delete_connector(
        &self,
        principal: &Principal,
        organization: &str,
        id: ConnectorId,
    ) -> Result<()> {
        let verb = Verb::DeleteConnector;
        let organization = self.organization_for(principal, organization, verb).await?;
        let connector = self.live_connector(&organization, id).await?;
        let deed = self.deed_on(principal, "DeleteConnector", &connector);
        match self.catalog().delete_connector(organization.id, id, &deed).await? {
            true => Ok(()),
            false => Err(Error::not_found("connector")),
        }
    }

    /// Reaches, authenticates, lists and reads one object with a config that is not stored. Kind
    /// `Source` (`SOURCE_TEST_FAILED`) names the step that failed and what to change; `Throttled`
    /// while too many tests run.
    pub async fn test_connector_config(
        &self,
        principal: &Principal,
        organization: &str,
        kind: &str,
        source_uri: &str,
        config: &Value,
    ) -> Result<()> {
        let verb = Verb::TestConnectorConfig;
        self.organization_for(principal, organization, verb).await?;
        let checked = Checked::new(kind, source_uri, config)?;
        self.probe(&checked.uri, checked.config).await
    }

    /// As [`Engine::test_connector_config`], for a stored connector; `Disabled` for a disabled one.
    pub async fn test_connector(
        &self,
        principal: &Principal,
        organization: &str,
        id: ConnectorId,
    ) -> Result<()> {
        let verb = Verb::TestConnector;
        let organization = self.organization_for(principal, organization, verb).await?;
        let connector = self.live_connector(&organization, id).await?;
        if connector.disabled {
            return Err(Error::new(
                Kind::Disabled,
                "CONNECTOR_DISABLED",
                "the connector is disabled; have an owner enable it, or use another one",
            ));
        }
        let uri = parse_uri(connector.kind, &connector.source_uri)?;
        self.probe(&uri, self.open_config(&connector).await?).await
    }

    async fn probe(&self, uri: &SourceUri, config: SourceConfig) -> Result<()> {
        let _place = self.probes.try_acquire().map_err(|_| {
            let kind = Kind::Throttled { retry_s: PROBE_RETRY_S };
            Error::new(kind, "RATE_LIMITED", "too many connectors are being tested; try again soon")
        })?;
        let failed = |error: ProbeError| {
            Error::new(Kind::Source, "SOURCE_TEST_FAILED", error.to_string()).caused_by(error)
        };
        self.parts.sources.probe(uri, config).await.map_err(failed)
    }

    /// The config of a stored connector, opened. The caller keeps it only while the source is in
    /// use.
    pub(crate) async fn open_config(&self, connector: &Connector) -> Result<SourceConfig> {
        let sealed = self.catalog().sealed_config(connector.id).await?;
        let sealed = sealed.ok_or_else(|| Error::not_found("connector"))?;
        let opened = self.parts.keys.open(seal_context(connector), &sealed).map_err(unopened)?;
        let damaged = || unopened(seal::Error::Damaged);
        let config = serde_json::from_str(opened.expose()).map_err(|_| damaged())?;
        SourceConfig::parse(connector.kind, &config).map_err(|error| damaged().caused_by(error))
    }

    /// The ids of keys that sealed live connectors and are not configured, each with the number of
    /// those connectors. Looks only where there are repositories that could import.
    pub async fn missing_keys(&self) -> Result<BTreeMap<String, usize>> {
        let mut missing = BTreeMap::new();
        let repositories = self.catalog().all_repositories().await?;
        let organizations: BTreeSet<_> = repositories.iter().map(|one| one.organization).collect();
        for organization in organizations {
            for connector in self.catalog().connectors(organization).await? {
                let sealed = self.catalog().sealed_config(connector.id).await?.unwrap_or_default();
                let opened = self.parts.keys.open(seal_context(&connector), &sealed);
                if let Err(seal::Error::UnknownKey { id }) = opened {
                    *missing.entry(id).or_insert(0) += 1;
                }
            }
        }
        Ok(missing)
    }

    /// Lets a repository import through a connector of its organization. `Conflict` if it may
    /// already.
    pub async fn attach(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        id: ConnectorId,
    ) -> Result<()> {
        let verb = Verb::AttachConnector;
        let (organization, repository) =
            self.repository_for(principal, organization, repository, verb).await?;
        let connector = self.live_connector(&organization, id).await?;
        let resource = format!("repositories/{}/connectors/{id}", repository.name);
        let deed = self.deed(principal, Some(organization.id), "AttachConnector", resource);
        let deed = deed.with("connector", &connector.name);
        match self.catalog().attach(repository.id, connector.id, &deed).await {
            Err(catalog::Error::Conflict { .. }) => {
                Err(Error::conflict("the connector is attached to this repository already"))
            }
            other => Ok(other?),
        }
    }

    /// The connectors attached to a repository, by name.
    pub async fn attached(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
    ) -> Result<Vec<Connector>> {
        let verb = Verb::ListAttachedConnectors;
        let (_, found) = self.repository_for(principal, organization, repository, verb).await?;
        Ok(self.catalog().attached(found.id).await?)
    }

    /// Ends an attachment; nothing happens if there is none.
    pub async fn detach(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        id: ConnectorId,
    ) -> Result<()> {
        let verb = Verb::DetachConnector;
        let (organization, found) =
            self.repository_for(principal, organization, repository, verb).await?;
        let resource = format!("repositories/{repository}/connectors/{id}");
        let deed = self.deed(principal, Some(organization.id), "DetachConnector", resource);
        self.catalog().detach(found.id, id, &deed).await?;
        Ok(())
    }
}

/// The deed with what is to change. A config is secret, so only that there is a new one.
fn described(deed: Deed, change: &ConnectorChange) -> Deed {
    let ConnectorChange { name, disabled, sealed } = change;
    let deed = name.iter().fold(deed, |deed, name| deed.with("new_name", name));
    let deed = disabled.iter().fold(deed, |deed, disabled| deed.with("disabled", disabled));
    sealed.iter().fold(deed, |deed, _| deed.with("config", "replaced"))
}

/// What a caller says of a connector, understood.
struct Checked {
    kind: ConnectorKind,
    uri: SourceUri,
    config: SourceConfig,
}

impl Checked {
    fn new(kind: &str, source_uri: &str, config: &Value) -> Result<Self> {
        if KINDS_TO_COME.contains(&kind) {
            let message = format!("type: this version has no {kind} connectors, only s3 and gcs");
            return Err(Error::invalid(message));
        }
        let kind = kind.parse().map_err(|_| Error::invalid("type: must be s3 or gcs"))?;
        let uri = parse_uri(kind, source_uri)?;
        let config = SourceConfig::parse(kind, config);
        Ok(Self { kind, uri, config: config.map_err(|error| Error::invalid(error.to_string()))? })
    }
}

fn parse_uri(kind: ConnectorKind, text: &str) -> Result<SourceUri> {
    let uri: SourceUri =
        text.parse().map_err(|error: sources::UriError| Error::invalid(error.to_string()))?;
    match (kind, uri.scheme()) {
        (ConnectorKind::S3, Scheme::S3) | (ConnectorKind::Gcs, Scheme::Gs) => Ok(uri),
        (ConnectorKind::S3, _) => {
            Err(Error::invalid("source_uri: must start with s3:// for an s3 connector"))
        }
        (ConnectorKind::Gcs, _) => {
            Err(Error::invalid("source_uri: must start with gs:// for a gcs connector"))
        }
    }
}

fn seal_context(connector: &Connector) -> SealContext {
    let Connector { organization, id, kind, .. } = *connector;
    SealContext { organization, connector: id, kind }
}

fn unopened(error: seal::Error) -> Error {
    match &error {
        seal::Error::UnknownKey { id } => {
            let message = format!(
                "the key {id} that sealed this connector is not configured: add it to \
                 auth.encryption.keys"
            );
            Error::new(Kind::Unavailable, "ENCRYPTION_KEY_MISSING", message)
        }
        _ => {
            let message = "the connector's sealed config is damaged; create the connector anew";
            Error::new(Kind::Damaged, "CONNECTOR_DAMAGED", message)
        }
    }
    .caused_by(error)
}
