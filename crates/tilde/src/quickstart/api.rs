//! A plain client of the public API: the quickstart does nothing that a user could not do with
//! `curl`.

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Bytes of a JSON answer: a page of 1,000 entries with long paths.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// What stays as it is in a query value, so that a path can be read.
const IN_QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// One server, as one user sees it.
pub(super) struct Api {
    base: String,
    authorization: HeaderValue,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An object read back.
pub(super) struct Read {
    /// BLAKE3 of its bytes, in hex.
    pub(super) hash: String,
    /// How many there were.
    pub(super) bytes: u64,
}

impl Api {
    /// The server at `url`, for the holder of `token`.
    pub(super) fn new(url: &str, token: &Secret) -> Result<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .context("the API key is damaged")?;
        authorization.set_sensitive(true);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { base: format!("{url}/api/v1"), authorization, client })
    }

    /// What is at `path`, which must be there.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        let (status, answer) = self.call(Method::GET, path, None).await?;
        expect(status, answer)
    }

    /// What is at `path`, if something is.
    pub(super) async fn find(&self, path: &str) -> Result<Option<Value>> {
        match self.call(Method::GET, path, None).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, answer) => expect(status, answer).map(Some),
        }
    }

    /// Whether the key is known.
    pub(super) async fn is_known(&self) -> Result<bool> {
        let (status, _) = self.call(Method::GET, "/auth/me", None).await?;
        Ok(status.is_success())
    }

    /// Sends `body`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.call(Method::POST, path, Some(body)).await?;
        expect(status, answer)
    }

    /// Deletes what is at `path`.
    pub(super) async fn delete(&self, path: &str) -> Result<()> {
        let (status, answer) = self.call(Method::DELETE, path, None).await?;
        expect(status, answer).map(drop)
    }

    /// Reads an object of `repository` to its end.
    pub(super) async fn read(&self, repository: &str, path: &str) -> Result<Read> {
        let path = format!("{repository}/object?path={}", encoded(path));
        let answer = self.send(Method::GET, &path, None).await?;
        if !answer.status().is_success() {
            let (status, answer) = decode(answer).await?;
            return expect(status, answer).and_then(|_| bail!("an object was expected"));
        }
        let (mut body, mut hasher) = (answer.into_body(), blake3::Hasher::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.context("the object broke off")?.into_data() {
                hasher.update(&data);
            }
        }
        Ok(Read { hash: hasher.finalize().to_hex().to_string(), bytes: hasher.count() })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        decode(self.send(method, path, body).await?).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, &self.authorization);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::from(body)).context("cannot make a request")?;
        self.client.request(request).await.context("the server does not answer")
    }
}

/// A value for a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

/// The text at `field`; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

async fn decode(answer: Response<Incoming>) -> Result<(StatusCode, Value)> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow!("the server's answer broke off: {error}"))?;
    let value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    Ok((status, value))
}

fn expect(status: StatusCode, answer: Value) -> Result<Value> {
    if status.is_success() {
        return Ok(answer);
    }
    match text(&answer, "message") {
        "" => bail!("the server answered {status}"),
        message => bail!("{message}"),
    }
}
