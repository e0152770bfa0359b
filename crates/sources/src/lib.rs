//! Foreign stores: listing them and reading their objects, and nothing else.
//!
//! A [`Source`] promises that keys are bytes that nothing normalizes, that a listing is strictly
//! ascending and stays under its prefix, that an object is the one that was listed and as long as
//! it was listed, and that every failure says what happened and what to do. Connections go only
//! where [`Egress`] allows, follow no redirect and use no credentials but the connector's own.

mod body;
mod connect;
mod egress;
mod endpoint;
mod error;
mod gcs;
mod length;
mod listing;
mod pace;
mod probe;
mod retry;
mod s3;
mod source;
mod tls;
mod transport;
mod uri;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, ConnectorKind, Entropy};
use serde_json::Value;

pub use body::Body;
pub use egress::{Egress, Private, Refused};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Code, Error, Operation, Result, Wait};
pub use gcs::{GcsConfig, TokenEndpoint};
pub use listing::Listing;
pub use probe::{ProbeError, Step};
pub use s3::{ConfigError, S3Config};
pub use source::{Checksum, Details, ListPage, Listed, ObjectMeta, Opened, PageToken, Source};
pub use tls::CaFileError;
pub use uri::{Mapped, Mapping, Scheme, SourceUri, UriError};
pub use verify::{Mismatch, PieceDigest, Verifier, VerifyMode, md5_of};

use connect::{Dialer, Resolve, SystemResolver};
use pace::Pace;
use retry::Retry;
use transport::Transport;

/// How long a connector test may take in all.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);

/// What the operator of the server decides about foreign stores.
pub struct Config {
    /// Which addresses may be reached.
    pub egress: Egress,
    /// PEM files with authorities to trust besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// What replaces AWS where a connector names no endpoint. It is the operator's word, so it
    /// may be a private address whatever `egress` says.
    pub s3_endpoint: Option<Endpoint>,
    /// What replaces Google Cloud Storage, with the same trust.
    pub gcs_endpoint: Option<Endpoint>,
    /// Where access tokens for Google Cloud Storage come from; trusted if it is not Google.
    pub gcs_token_endpoint: TokenEndpoint,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl Config {
    /// The operator's own endpoints.
    fn trusted_endpoints(&self) -> Vec<Endpoint> {
        let tokens = match &self.gcs_token_endpoint {
            TokenEndpoint::At(endpoint) => Some(endpoint),
            TokenEndpoint::Google | TokenEndpoint::None => None,
        };
        let storage = [self.s3_endpoint.as_ref(), self.gcs_endpoint.as_ref()];
        storage.into_iter().chain([tokens]).flatten().cloned().collect()
    }
}

/// What it takes to reach a source; what is in it depends on the kind.
#[derive(Clone)]
pub enum SourceConfig {
    /// S3 and what speaks its protocol.
    S3(S3Config),
    /// Google Cloud Storage.
    Gcs(GcsConfig),
}

impl SourceConfig {
    /// Reads a config strictly; an error names the field.
    pub fn parse(kind: ConnectorKind, config: &Value) -> std::result::Result<Self, ConfigError> {
        match kind {
            ConnectorKind::S3 => S3Config::parse(config).map(Self::S3),
            ConnectorKind::Gcs => GcsConfig::parse(config).map(Self::Gcs),
        }
    }
}

/// How a source is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The keys under it (see [`Mapping::effective_prefix`]).
    pub prefix: &'a [u8],
    /// Objects open at a time, at most.
    pub concurrency: usize,
    /// Read the latest version of each key by its id; only S3 knows the difference.
    pub versions: bool,
}

/// How long to wait for a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For a TCP connection, over all addresses of a host.
    pub connect: Duration,
    /// For the head of an answer, connecting included.
    pub first_byte: Duration,
    /// For more of a body; for the whole of a listing page, this and `first_byte`.
    pub idle: Duration,
    /// For one listing page or the head of one object, all retries included. A source that never
    /// answers costs a job this much.
    pub retry: Duration,
    /// For a source that asks for patience and does nothing else, whatever the request.
    pub storm: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            retry: Duration::from_secs(90),
            storm: Duration::from_secs(900),
        }
    }
}

/// Opens sources. They share one connection pool, one TLS configuration and one set of rules.
pub struct Sources {
    transport: Arc<Transport>,
    dialer: Dialer,
    s3_endpoint: Option<Endpoint>,
    gcs_endpoint: Option<Endpoint>,
    gcs_token_endpoint: TokenEndpoint,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Sources {
    /// Reads the trusted authorities; fails if a file of `ca_files` cannot be read or holds none.
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> std::result::Result<Self, CaFileError> {
        Self::with_resolver(config, clock, entropy, Arc::new(SystemResolver))
    }

    fn with_resolver(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        resolver: Arc<dyn Resolve>,
    ) -> std::result::Result<Self, CaFileError> {
        let trusted = config.trusted_endpoints();
        let Config { egress, s3_endpoint, gcs_endpoint, gcs_token_endpoint, timeouts, .. } = config;
        let tls = tls::client_config(&config.ca_files)?;
        let dialer = Dialer::new(egress, trusted, resolver, timeouts.connect);
        let transport = Arc::new(Transport::new(dialer.clone(), tls, timeouts));
        Ok(Self {
            transport,
            dialer,
            s3_endpoint,
            gcs_endpoint,
            gcs_token_endpoint,
            timeouts,
            clock,
            entropy,
        })
    }

    /// A source of the keys under a prefix. Nothing is sent yet.
    pub fn open(
        &self,
        uri: &SourceUri,
        config: SourceConfig,
        reading: Reading<'_>,
    ) -> Result<Arc<dyn Source>> {
        let pace = Pace::up_to(reading.concurrency);
        let retry = Retry::within(&self.timeouts, pace, self.entropy.clone());
        match config {
            SourceConfig::S3(config) => {
                let client = self.s3_client(uri, config, retry)?;
                Ok(Arc::new(s3::S3Source::new(client, reading)))
            }
            SourceConfig::Gcs(config) => {
                let client = self.gcs_client(uri, config, retry);
                Ok(Arc::new(gcs::GcsSource::new(client, reading)))
            }
        }
    }

    /// What can be checked without speaking to the source: that the endpoint's addresses, as far
    /// as they are known now, may be reached. They are checked again whenever one is connected to.
    pub async fn validate(&self, uri: &SourceUri, config: &SourceConfig) -> Result<()> {
        let endpoints = match config {
            SourceConfig::S3(config) => {
                vec![s3::Site::new(uri.bucket(), config, self.s3_endpoint.as_ref())?.endpoint]
            }
            SourceConfig::Gcs(_) => {
                let site = self.gcs_site();
                Some(site.storage).into_iter().chain(site.tokens).collect()
            }
        };
        for endpoint in endpoints {
            let found = self.dialer.addresses(endpoint.host(), endpoint.port()).await;
            if let Err(connect::DialError::Refused(refused)) = found {
                return Err(Error::Refused(refused));
            }
        }
        Ok(())
    }

    /// The connector test: reaches the source, authenticates, lists and reads one object under
    /// the connector's prefix, within 15 seconds. An empty source passes.
    pub async fn probe(
        &self,
        uri: &SourceUri,
        config: SourceConfig,
    ) -> std::result::Result<(), ProbeError> {
        let reading = Reading { prefix: uri.prefix(), concurrency: 1, versions: false };
        let retry = Retry::never(self.entropy.clone());
        match config {
            SourceConfig::S3(config) => {
                let client = self.s3_client(uri, config, retry);
                let client = client.map_err(ProbeError::of_list)?;
                probe::run(&s3::S3Source::new(client, reading), PROBE_TIMEOUT).await
            }
            SourceConfig::Gcs(config) => {
                let client = self.gcs_client(uri, config, retry);
                probe::run(&gcs::GcsSource::new(client, reading), PROBE_TIMEOUT).await
            }
        }
    }

    fn s3_client(&self, uri: &SourceUri, config: S3Config, retry: Retry) -> Result<s3::Client> {
        let site = s3::Site::new(uri.bucket(), &config, self.s3_endpoint.as_ref())?;
        let signer = s3::Signer::new(config);
        let transport = self.transport.clone();
        Ok(s3::Client::new(transport, site, signer, retry, self.clock.clone()))
    }

    fn gcs_client(&self, uri: &SourceUri, config: GcsConfig, retry: Retry) -> gcs::Client {
        let (transport, clock) = (self.transport.clone(), self.clock.clone());
        gcs::Client::new(transport, self.gcs_site(), uri.bucket(), config, retry, clock)
    }

    fn gcs_site(&self) -> gcs::Site {
        gcs::Site::new(self.gcs_endpoint.as_ref(), &self.gcs_token_endpoint)
    }
}

#[cfg(test)]
mod tests;
