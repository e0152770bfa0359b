//! HTTP to a source: one pool, one attempt, every wait bounded, every failure named.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{CertificateError, InvalidMessage};
use tokio::time::timeout;

use crate::connect::{DialError, Dialer};
use crate::{Error, Result, Timeouts, Wait};

/// Idle connections kept per host, and for how long: S3 closes them after some 20 s itself.
const IDLE_CONNECTIONS_MAX: usize = 64;
const IDLE_CONNECTION_AGE: Duration = Duration::from_secs(15);
/// The read buffer of a connection grows up to this. It bounds the head of an answer too.
const READ_BUFFER_BYTES_MAX: usize = 512 << 10;
/// Header fields of an answer: an object's metadata and what comes with it.
const HEADERS_MAX: usize = model::limits::METADATA_PAIRS_MAX + 64;

/// The client that all sources share.
pub(crate) struct Transport {
    client: legacy::Client<HttpsConnector<Dialer>, Full<Bytes>>,
    timeouts: Timeouts,
}

impl Transport {
    pub(crate) fn new(dialer: Dialer, tls: rustls::ClientConfig, timeouts: Timeouts) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(dialer);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION_AGE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http1_max_buf_size(READ_BUFFER_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .build(connector);
        Self { client, timeouts }
    }

    /// How long to wait for more of a body.
    pub(crate) fn idle_timeout(&self) -> Duration {
        self.timeouts.idle
    }

    /// One request without a body, up to the head of its answer, whatever its status.
    pub(crate) async fn send(
        &self,
        host: &str,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>> {
        self.post(host, request.map(|_| Full::default())).await
    }

    /// The same with a body.
    pub(crate) async fn post(
        &self,
        host: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>> {
        match timeout(self.timeouts.first_byte, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(explain(host, error)),
            Err(_) => {
                let seconds = self.timeouts.first_byte.as_secs();
                Err(Error::Timeout { host: host.to_owned(), wait: Wait::Answer, seconds })
            }
        }
    }

    /// A small body as a whole; `None` if it has more than `bytes_max` bytes. One that drips is
    /// not waited for longer than one that stalls at its end.
    pub(crate) async fn collect(
        &self,
        host: &str,
        body: Incoming,
        bytes_max: usize,
    ) -> Result<Option<Bytes>> {
        let patience = self.timeouts.first_byte + self.timeouts.idle;
        match timeout(patience, self.collect_slowly(host, body, bytes_max)).await {
            Ok(result) => result,
            Err(_) => Err(too_slow(host, patience)),
        }
    }

    async fn collect_slowly(
        &self,
        host: &str,
        mut body: Incoming,
        bytes_max: usize,
    ) -> Result<Option<Bytes>> {
        let mut all = BytesMut::new();
        loop {
            let chunk = match timeout(self.timeouts.idle, body.frame()).await {
                Ok(None) => return Ok(Some(all.freeze())),
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(Some(Err(source))) => {
                    let host = host.to_owned();
                    return Err(Error::Broken { host, source: Box::new(source) });
                }
                Err(_) => return Err(too_slow(host, self.timeouts.idle)),
            };
            if all.len() + chunk.len() > bytes_max {
                return Ok(None);
            }
            all.extend_from_slice(&chunk);
        }
    }
}

fn too_slow(host: &str, after: Duration) -> Error {
    Error::Timeout { host: host.to_owned(), wait: Wait::Body, seconds: after.as_secs() }
}

/// Finds out what a failed request means for its user.
fn explain(host: &str, error: legacy::Error) -> Error {
    let host = host.to_owned();
    if let Some(error) = find::<DialError>(&error) {
        return match error.clone() {
            DialError::Refused(refused) => Error::Refused(refused),
            DialError::Resolve => Error::Resolve { host },
            DialError::Connect(kind) => Error::Connect { host, kind },
            DialError::Timeout(after) => {
                Error::Timeout { host, wait: Wait::Connect, seconds: after.as_secs() }
            }
        };
    }
    if let Some(tls) = find::<rustls::Error>(&error) {
        return match tls {
            rustls::Error::InvalidCertificate(invalid) => {
                Error::Certificate { host, why: advice(invalid), source: Box::new(error) }
            }
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                Error::NotTls { host }
            }
            _ => Error::Handshake { host, source: Box::new(error) },
        };
    }
    if error.is_connect() {
        let kind = find::<io::Error>(&error).map_or(io::ErrorKind::Other, io::Error::kind);
        return Error::Connect { host, kind };
    }
    match find::<hyper::Error>(&error) {
        // A TLS alert, the answer of a TLS port to plain HTTP, is one of the things this can be.
        Some(inner) if inner.is_parse() => Error::NotHttp { host, source: Box::new(error) },
        _ => Error::Broken { host, source: Box::new(error) },
    }
}

fn advice(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "has expired or is not valid yet: renew it, or set this server's clock"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is made out to another name: use that name in the connector's endpoint"
        }
        CertificateError::Revoked => "is revoked: the source needs a new one",
        _ => {
            "is not signed by an authority that this server trusts: add the authority's \
             certificate (PEM) to sources.ca_files"
        }
    }
}

/// The first error of type `E` in the chain of sources; `io::Error` hides what it wraps from it.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
