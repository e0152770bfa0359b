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

use model::{Clock, Entropy};

pub use body::Body;
pub use egress::{Cidr, CidrError, Egress, Private, Refused};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Code, Error, Operation, Result, Wait};
pub use probe::{ProbeError, Step};
pub use s3::{ConfigError, S3Config};
pub use source::{Checksum, ListPage, Listed, ObjectMeta, Opened, PageToken, Source};
pub use tls::CaFileError;
pub use uri::{Mapped, Mapping, Scheme, SourceUri, UriError};
pub use verify::{Mismatch, Verifier, VerifyMode};

use connect::{Dialer, Resolve, SystemResolver};
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
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// How long to wait for a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For a TCP connection, over all addresses of a host.
    pub connect: Duration,
    /// For the head of an answer, connecting included.
    pub first_byte: Duration,
    /// For more of a body.
    pub idle: Duration,
    /// For one listing page or the head of one object, all retries included. A source that never
    /// answers costs a job this much.
    pub retry: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            retry: Duration::from_secs(90),
        }
    }
}

/// Opens sources. They share one connection pool, one TLS configuration and one set of rules.
pub struct Sources {
    transport: Arc<Transport>,
    dialer: Dialer,
    s3_endpoint: Option<Endpoint>,
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
        let Config { egress, ca_files, s3_endpoint, timeouts } = config;
        let tls = tls::client_config(&ca_files)?;
        let dialer = Dialer::new(egress, s3_endpoint.clone(), resolver, timeouts.connect);
        let transport = Arc::new(Transport::new(dialer.clone(), tls, timeouts));
        Ok(Self { transport, dialer, s3_endpoint, timeouts, clock, entropy })
    }

    /// A source of the keys under `effective_prefix` (see [`Mapping::effective_prefix`]), with at
    /// most `concurrency` objects open at a time. Nothing is sent yet.
    pub fn open_s3(
        &self,
        uri: &SourceUri,
        config: S3Config,
        effective_prefix: &[u8],
        concurrency: usize,
    ) -> Result<Arc<dyn Source>> {
        let retry = Retry::within(self.timeouts.retry, self.entropy.clone());
        let client = self.s3_client(uri, config, retry)?;
        Ok(Arc::new(s3::S3Source::new(client, effective_prefix, concurrency)))
    }

    /// What can be checked without speaking to the source: that the endpoint's addresses, as far
    /// as they are known now, may be reached. They are checked again whenever one is connected to.
    pub async fn validate_s3(&self, uri: &SourceUri, config: &S3Config) -> Result<()> {
        let site = s3::Site::new(uri.bucket(), config, self.s3_endpoint.as_ref())?;
        match self.dialer.addresses(site.endpoint.host(), site.endpoint.port()).await {
            Err(connect::DialError::Refused(refused)) => Err(Error::Refused(refused)),
            _ => Ok(()),
        }
    }

    /// The connector test: reaches the source, authenticates, lists and reads one object under
    /// the connector's prefix, within 15 seconds. An empty source passes.
    pub async fn probe_s3(
        &self,
        uri: &SourceUri,
        config: S3Config,
    ) -> std::result::Result<(), ProbeError> {
        let client = self.s3_client(uri, config, Retry::never(self.entropy.clone()));
        let client = client.map_err(ProbeError::of_list)?;
        let source = s3::S3Source::new(client, uri.prefix(), 1);
        probe::run(&source, PROBE_TIMEOUT).await
    }

    fn s3_client(&self, uri: &SourceUri, config: S3Config, retry: Retry) -> Result<s3::Client> {
        let site = s3::Site::new(uri.bucket(), &config, self.s3_endpoint.as_ref())?;
        let signer = s3::Signer::new(config);
        let transport = self.transport.clone();
        Ok(s3::Client::new(transport, site, signer, retry, self.clock.clone()))
    }
}

#[cfg(test)]
mod tests;
