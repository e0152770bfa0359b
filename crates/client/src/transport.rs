//! HTTP as the command line speaks it: one pool, every wait and every body bounded, and repeating
//! what may be repeated.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use crate::error::{Error, Kind, Result};

/// Times a request is sent.
const ATTEMPTS_MAX: u32 = 5;
/// The first pause between two attempts; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// A server that wants to be left alone for longer is not waited for.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long the head of an answer may take. A commit or the end of a large upload takes its time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence in the middle of a body.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a JSON answer: a page of 1,000 entries with long paths and metadata.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A request body.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A request, in a form that can be sent again.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The connections of a command.
pub(crate) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    user_agent: HeaderValue,
}

impl Transport {
    pub(crate) fn new(version: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client =
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        let user_agent = HeaderValue::try_from(format!("tilde-cli/{version}"));
        Self { client, user_agent: user_agent.expect("a version is legal in a header") }
    }

    /// Sends `call`, again if that can help and do no harm; the answer, whatever its status.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response<Incoming>> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let answer = self.once(call.request()?).await;
            let wait = match &answer {
                Ok(answer) => call.may_repeat().then(|| asked_pause(answer, pause)).flatten(),
                Err(failure) => (failure.is_connect || call.may_repeat()).then_some(pause),
            };
            match wait.filter(|wait| attempt < ATTEMPTS_MAX && *wait <= PAUSE_MAX) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return answer.map_err(|failure| failure.error),
            }
            pause *= 2;
        }
        unreachable!("the last attempt returns")
    }

    /// Sends a body that can be read only once.
    pub(crate) async fn stream(&self, request: Request<Body>) -> Result<Response<Incoming>> {
        self.once(request).await.map_err(|failure| failure.error)
    }

    async fn once(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        let uri = request.uri();
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        match timeout(ANSWER_TIMEOUT, self.client.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let is_connect = error.is_connect();
                let what = if is_connect { "cannot reach" } else { "lost the connection to" };
                let message = format!("{what} {host}: {}", root_cause(&error));
                let error = Error::new(Kind::Unreachable, message);
                let next = "is it running, and is that the right address? `tilde doctor` looks";
                Err(Failure { is_connect, error: error.next(next) })
            }
            Err(_) => {
                let seconds = ANSWER_TIMEOUT.as_secs();
                let message = format!("{host} did not answer within {seconds} s");
                Err(Failure { is_connect: false, error: Error::new(Kind::Unreachable, message) })
            }
        }
    }
}

/// A request that had no answer.
struct Failure {
    /// Nothing was sent.
    is_connect: bool,
    error: Error,
}

impl Call {
    pub(crate) fn new(method: Method, url: String) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn request(&self) -> Result<Request<Body>, Failure> {
        let body = Full::new(self.body.clone()).map_err(|never| match never {}).boxed_unsync();
        let request = Request::builder().method(self.method.clone()).uri(&self.url).body(body);
        let mut request = request.map_err(|_| Failure {
            is_connect: false,
            error: Error::usage(format!("{} is not an address to ask", self.url)),
        })?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }

    /// Whether sending it twice is the same as once.
    fn may_repeat(&self) -> bool {
        self.method.is_idempotent()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// How long to wait before asking again, where the answer is that the server is busy.
fn asked_pause(answer: &Response<Incoming>, pause: Duration) -> Option<Duration> {
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    busy.contains(&answer.status()).then(|| {
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        seconds.and_then(|text| text.parse().ok()).map_or(pause, Duration::from_secs)
    })
}

/// The next bytes of a body; `None` at its end.
pub(crate) async fn next_bytes(body: &mut Incoming) -> Result<Option<Bytes>> {
    loop {
        match timeout(SILENCE_TIMEOUT, body.frame()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(Some(Err(error))) => {
                let message = format!("the answer broke off: {}", root_cause(&error));
                return Err(Error::new(Kind::Unreachable, message));
            }
            Err(_) => {
                let seconds = SILENCE_TIMEOUT.as_secs();
                let message = format!("the answer broke off: nothing came for {seconds} s");
                return Err(Error::new(Kind::Unreachable, message));
            }
        }
    }
}

/// A bounded body as a whole.
pub(crate) async fn collect(mut body: Incoming) -> Result<Bytes> {
    let mut all = BytesMut::new();
    while let Some(data) = next_bytes(&mut body).await? {
        if all.len() + data.len() > ANSWER_BYTES_MAX {
            return Err(Error::failed("the answer is larger than any of this API"));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// Verifies every certificate, against the system's authorities or, where there are none, bundled
/// ones.
fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    // A system file that cannot be read is no reason to fail: whatever is readable is trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions");
    config.with_root_certificates(roots).with_no_client_auth()
}

/// The innermost error, which says most; the outer ones only say that there is one.
fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
