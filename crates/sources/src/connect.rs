//! The one place where a connection to a source is made.
//!
//! The name is resolved here, the addresses are checked here, and the connection goes to a checked
//! address: no second look-up can give another one. Proxies are not known here.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tower::Service;

use crate::endpoint::Host;
use crate::{Egress, Endpoint, Private, Refused};

/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 8;

/// Finds the addresses of a host name.
#[async_trait]
pub(crate) trait Resolve: Send + Sync {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// What the system's resolver says.
pub(crate) struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.take(ADDRESSES_MAX).collect())
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("{0}")]
    Refused(Refused),
    #[error("the name cannot be resolved")]
    Resolve,
    #[error("no connection")]
    Connect(io::ErrorKind),
    #[error("no connection in time")]
    Timeout(Duration),
}

/// Connects to allowed addresses only. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dialer(Arc<Rules>);

struct Rules {
    egress: Egress,
    trusted: Vec<Endpoint>,
    resolver: Arc<dyn Resolve>,
    timeout: Duration,
}

impl Dialer {
    /// `trusted` are endpoints that may be private whatever `egress` says.
    pub(crate) fn new(
        egress: Egress,
        trusted: Vec<Endpoint>,
        resolver: Arc<dyn Resolve>,
        timeout: Duration,
    ) -> Self {
        Self(Arc::new(Rules { egress, trusted, resolver, timeout }))
    }

    /// The addresses of `host` that may be connected to, at least one.
    pub(crate) async fn addresses(
        &self,
        host: &Host,
        port: u16,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let name = match host {
            Host::Ip(address) => {
                self.check(host, (*address, port).into()).map_err(DialError::Refused)?;
                return Ok(vec![(*address, port).into()]);
            }
            Host::Name(name) => name,
        };
        let look_up = self.0.resolver.resolve(name, port);
        let found = match tokio::time::timeout(self.0.timeout, look_up).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => return Err(DialError::Resolve),
        };
        let mut allowed = Vec::new();
        let mut refused = None;
        for address in found.into_iter().take(ADDRESSES_MAX) {
            match self.check(host, address) {
                Ok(()) => allowed.push(address),
                Err(error) => refused = Some(error.of_host(name)),
            }
        }
        match refused {
            Some(refused) if allowed.is_empty() => Err(DialError::Refused(refused)),
            None if allowed.is_empty() => Err(DialError::Resolve),
            _ => Ok(allowed),
        }
    }

    fn check(&self, host: &Host, address: SocketAddr) -> Result<(), Refused> {
        let Rules { egress, trusted, .. } = &*self.0;
        let is_trusted = trusted
            .iter()
            .any(|trusted| trusted.host() == host && trusted.port() == address.port());
        if is_trusted {
            let own = egress.own.clone();
            return Egress { private: Private::Allow, own }.check(address.ip(), address.port());
        }
        egress.check(address.ip(), address.port())
    }

    async fn dial(self, uri: Uri) -> Result<TokioIo<TcpStream>, DialError> {
        let default = if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        let host: Host = uri.host().unwrap_or_default().parse().map_err(|_| DialError::Resolve)?;
        let addresses = self.addresses(&host, port).await?;
        let deadline = Instant::now() + self.0.timeout;
        let mut last = DialError::Resolve;
        for (tried, address) in addresses.iter().enumerate() {
            // Each address gets an even share of the time that is left.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / (addresses.len() - tried) as u32;
            let connecting = TcpStream::connect(address);
            match timeout_at(Instant::now() + share, connecting).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(|error| DialError::Connect(error.kind()))?;
                    return Ok(TokioIo::new(stream));
                }
                Ok(Err(error)) => last = DialError::Connect(error.kind()),
                Err(_) => last = DialError::Timeout(self.0.timeout),
            }
        }
        Err(last)
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}
