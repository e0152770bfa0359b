//! The listening server: accepts connections until it is stopped or dropped.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::respond::Store;
use crate::signature::Request;
use crate::{Bucket, Credentials};

/// Connections served at a time; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 256;
/// How long a connection may be idle or take to send its request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after a failed accept, so that running out of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running server. Dropping it closes the listener and every connection.
pub struct Server {
    addr: SocketAddr,
    accepting: JoinHandle<()>,
}

struct Shared {
    store: Store,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    requests: AtomicU64,
}

impl Server {
    /// Serves `buckets` on `listener` to whoever signs with `credentials`. Needs a Tokio runtime.
    pub fn start(
        listener: TcpListener,
        buckets: impl IntoIterator<Item = Bucket>,
        credentials: Credentials,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().expect("a bound listener has an address");
        let store = Store::new(buckets, credentials);
        let shared = Shared { store, clock: Box::new(clock), requests: AtomicU64::new(1) };
        Self { addr, accepting: tokio::spawn(accept(listener, Arc::new(shared))) }
    }

    /// The address clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listener and all connections, also those in the middle of an answer.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let _canceled = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Owns the listener and every connection: when this task ends, all are closed.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let permit = permits.clone().acquire_owned().await.expect("it is never closed");
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, shared.clone(), permit));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, _permit: OwnedSemaphorePermit) {
    let _best_effort = stream.set_nodelay(true);
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let (method, headers) = (request.method().as_str(), request.headers());
        let id = shared.requests.fetch_add(1, Ordering::Relaxed);
        let request = Request { method, path, query, headers };
        let answer = shared.store.respond(request, (shared.clock)(), id);
        async { Ok::<_, Infallible>(answer) }
    });
    // An error here is the client's: it hung up or did not speak HTTP.
    let _clients_fault = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_stopped_server_closes_its_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let credentials =
            Credentials { access_key_id: "id".into(), secret_access_key: "secret".into() };
        let server = Server::start(listener, [], credentials, || SystemTime::UNIX_EPOCH);
        let addr = server.addr();
        let mut client = TcpStream::connect(addr).await.expect("it listens");
        client.write_all(b"GET /b/k HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
        let mut answer = vec![0; 12];
        client.read_exact(&mut answer).await.expect("it answers");
        assert_eq!(answer, b"HTTP/1.1 403");
        server.stop().await;
        let mut rest = Vec::new();
        let _end_or_reset = client.read_to_end(&mut rest).await;
        assert!(TcpStream::connect(addr).await.is_err());
    }
}
