//! The listener: accepts connections, plain or TLS, up to a cap, and ends them in order.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::connection::Guarded;
use crate::framing::HEAD_BYTES_MAX;

/// The pause after a failed accept, so that running out of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address at the other end of the connection, in the extensions of every request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the system's queue.
    pub connections_max: usize,
    /// Time for a TLS handshake, and for the head of a request.
    pub head_ms: u64,
    /// Time in which a connection must move at least one byte.
    pub idle_ms: u64,
    /// Time that requests in flight get when the server stops.
    pub shutdown_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections_max: 4_096, head_ms: 10_000, idle_ms: 75_000, shutdown_ms: 10_000 }
    }
}

/// Serves `router` on `listener` until `shutdown`; then accepts no more, lets requests in flight
/// end within the deadline, and cuts off the rest. Returns when no connection is left.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let tls = tls.map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let permit = permits.clone().acquire_owned().await.expect("it is never closed");
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, tls, shutdown) = (router.clone(), tls.clone(), shutdown.clone());
                connections.spawn(async move {
                    connection(stream, Peer(peer.ip()), router, tls, limits, shutdown).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_millis(limits.shutdown_ms), ended).await.is_err() {
        tracing::warn!(left = connections.len(), "requests in flight were cut off");
    }
    connections.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let _best_effort = stream.set_nodelay(true);
    let Some(tls) = tls else { return exchange(stream, peer, router, limits, shutdown).await };
    let handshake = tls.accept(stream);
    match tokio::time::timeout(Duration::from_millis(limits.head_ms), handshake).await {
        Ok(Ok(stream)) => exchange(stream, peer, router, limits, shutdown).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// The requests of one connection.
async fn exchange<T>(
    stream: T,
    peer: Peer,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (head, idle) =
        (Duration::from_millis(limits.head_ms), Duration::from_millis(limits.idle_ms));
    let io = TokioIo::new(Guarded::new(stream, head, idle));
    let service = service_fn(move |request| answer(router.clone(), peer, request));
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(io, service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Mostly the client's doing: it hung up, was too slow or did not speak HTTP.
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(
    mut router: Router,
    peer: Peer,
    mut request: http::Request<Incoming>,
) -> Result<Response, Infallible> {
    let chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let head = request.method() == Method::HEAD;
    request.extensions_mut().insert(peer);
    let mut response = router.call(request).await?;
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED
        || head && (status.is_client_error() || status.is_server_error())
    {
        // The router says 0, but it would be the length of what is not sent.
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    if chunked {
        // The framing watch does not follow chunks, so nothing may come after them.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
