//! Access tokens: one at a time, asked for with a signed assertion, kept until shortly before its
//! end.
//!
//! The address is the operator's or Google's, never one that a key names.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use model::{Clock, Timestamp};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::config::Account;
use super::error::SignInRefusal;
use crate::transport::Transport;
use crate::{Endpoint, Error, Result};

/// What a token is for, and for whom the assertion is made out, wherever it is sent.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// How long an assertion is good for: the most that Google takes.
const ASSERTION_AGE_S: i64 = 3600;
/// A token is not used in the last part of its life, so that it does not end on the way.
const MARGIN: Duration = Duration::from_secs(60);
/// The longest a token is kept, whatever it says.
const TOKEN_AGE_MAX: Duration = Duration::from_secs(3600);
/// Bytes of an answer, a token among them.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A token, as it is sent.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    fresh_until: Instant,
}

/// Gets and keeps the tokens of one source.
pub(super) struct Tokens {
    transport: Arc<Transport>,
    clock: Arc<dyn Clock>,
    account: Arc<Account>,
    uri: Uri,
    host: String,
    host_header: HeaderValue,
    /// Locked while a token is asked for: whoever needs one too waits for that one.
    kept: Mutex<Option<Arc<Token>>>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new(
        transport: Arc<Transport>,
        clock: Arc<dyn Clock>,
        account: Arc<Account>,
        endpoint: &Endpoint,
    ) -> Self {
        let host = endpoint.authority();
        let host_header = HeaderValue::from_str(&host).expect("a checked host is ASCII");
        let uri = Uri::builder()
            .scheme(endpoint.scheme())
            .authority(host.as_str())
            .path_and_query("/token")
            .build()
            .expect("scheme, authority and path are there and checked");
        Self { transport, clock, account, uri, host, host_header, kept: Mutex::new(None) }
    }

    /// A token that is not `rejected`.
    pub(super) async fn get(&self, rejected: Option<&Arc<Token>>) -> Result<Arc<Token>> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = &*kept {
            let is_rejected = rejected.is_some_and(|rejected| Arc::ptr_eq(rejected, token));
            if !is_rejected && Instant::now() < token.fresh_until {
                return Ok(token.clone());
            }
        }
        let token = Arc::new(self.ask().await?);
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn ask(&self) -> Result<Token> {
        let now = self.clock.now();
        // Every character of an assertion is one that a form takes as it is.
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}",
            assertion(&self.account, now)
        );
        let mut request = Request::post(self.uri.clone()).body(Full::new(Bytes::from(body)));
        let headers = request.as_mut().map(Request::headers_mut).expect("a checked uri");
        self.describe(headers);
        let asked = Instant::now();
        let response = self.transport.post(&self.host, request.expect("it is one")).await?;
        let (head, body) = response.into_parts();
        let body = self.transport.collect(&self.host, body, ANSWER_BYTES_MAX).await?;
        let body = body.unwrap_or_default();
        if head.status != StatusCode::OK {
            return Err(SignInRefusal::new(head.status, &head.headers, &body).explain(now));
        }
        read(&body, asked)
    }

    fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(HOST, self.host_header.clone());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, super::client::AGENT);
    }
}

fn read(body: &[u8], asked: Instant) -> Result<Token> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let header = answer.as_ref().and_then(|answer| {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", answer.access_token)).ok()?;
        header.set_sensitive(true);
        Some((header, answer.expires_in))
    });
    let (header, expires_in) =
        header.ok_or_else(|| Error::protocol("its token endpoint does not answer with a token"))?;
    let age = Duration::from_secs(expires_in).min(TOKEN_AGE_MAX).saturating_sub(MARGIN);
    Ok(Token { header, fresh_until: asked + age })
}

/// A JSON web token that says who we are, signed by the account's key (RFC 7523).
fn assertion(account: &Account, now: Timestamp) -> String {
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(key_id) = &account.key_id {
        header["kid"] = key_id.as_str().into();
    }
    let claims = json!({
        "iss": account.email,
        "scope": SCOPE,
        "aud": AUDIENCE,
        "iat": now.seconds(),
        "exp": now.seconds().saturating_add(ASSERTION_AGE_S),
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = account.signer().sign(signed.as_bytes());
    let signature = signature.expect("an RSA key that was accepted signs anything");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
