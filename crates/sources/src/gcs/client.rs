//! The requests: addressed, authorized, sent, retried, and their refusals explained.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HOST, HeaderMap, HeaderValue, RANGE, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use model::Clock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::error::Refusal;
use super::list::{self, Query, RawPage};
use super::object::Resource;
use super::token::Tokens;
use super::{GcsConfig, TokenEndpoint};
use crate::retry::Retry;
use crate::transport::Transport;
use crate::{Endpoint, Error, Listed, Operation, Result};

/// Where Google answers.
const STORAGE_HOST: &str = "storage.googleapis.com";
const TOKEN_HOST: &str = "oauth2.googleapis.com";
/// Bytes of a listing page, of one object's description, and of an error body.
const PAGE_BYTES_MAX: usize = 16 << 20;
const RESOURCE_BYTES_MAX: usize = 1 << 20;
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Everything but the unreserved characters of RFC 3986: a key is one segment of a path.
const ALL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("tilde/", env!("CARGO_PKG_VERSION")));

/// Where a bucket and its tokens are on the network.
pub(crate) struct Site {
    pub(crate) storage: Endpoint,
    /// `None` where requests carry no token.
    pub(crate) tokens: Option<Endpoint>,
}

impl Site {
    /// Google's, unless the operator says otherwise. A connector has no say in it.
    pub(crate) fn new(storage: Option<&Endpoint>, tokens: &TokenEndpoint) -> Self {
        let google = |host| Endpoint::https(host).expect("the name of a host");
        let storage = storage.cloned().unwrap_or_else(|| google(STORAGE_HOST));
        let tokens = match tokens {
            TokenEndpoint::Google => Some(google(TOKEN_HOST)),
            TokenEndpoint::At(endpoint) => Some(endpoint.clone()),
            TokenEndpoint::None => None,
        };
        Self { storage, tokens }
    }
}

/// A client of one bucket.
pub(crate) struct Client {
    pub(super) transport: Arc<Transport>,
    storage: Endpoint,
    bucket: String,
    /// What the paths of a listing are, and those of objects start with.
    root: String,
    tokens: Option<Tokens>,
    project: Option<String>,
    /// Whether requests name the project to be billed. To name it takes a right that a reader of a
    /// bucket that pays for itself need not have: who lacks it reads without.
    names_project: AtomicBool,
    retry: Retry,
    /// Host and, unless it is the default, port.
    pub(super) host: String,
    host_header: HeaderValue,
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    path: &'a str,
    query: &'a str,
    range: Option<&'a str>,
    encoding: &'static str,
    operation: Operation,
}

impl Client {
    pub(crate) fn new(
        transport: Arc<Transport>,
        site: Site,
        bucket: &str,
        config: GcsConfig,
        retry: Retry,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let host = site.storage.authority();
        let host_header = HeaderValue::from_str(&host).expect("a checked host is ASCII");
        let account = config.account;
        let tokens =
            site.tokens.map(|endpoint| Tokens::new(transport.clone(), clock, account, &endpoint));
        Self {
            transport,
            storage: site.storage,
            bucket: bucket.to_owned(),
            root: format!("/storage/v1/b/{bucket}/o"),
            tokens,
            names_project: AtomicBool::new(config.project.is_some()),
            project: config.project,
            retry,
            host,
            host_header,
        }
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Whether the server is one that needs no token: an emulator, which may say less than Google.
    pub(super) fn is_emulator(&self) -> bool {
        self.tokens.is_none()
    }

    pub(super) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// One page of a listing, read whole.
    pub(super) async fn list(&self, query: &Query<'_>) -> Result<RawPage> {
        let query = query.encode();
        let asked = Asked {
            path: &self.root,
            query: &query,
            range: None,
            encoding: "identity",
            operation: Operation::List,
        };
        self.retry
            .run(&self.host, || async {
                let body = self.send(asked).await?.into_body();
                let body = self.transport.collect(&self.host, body, PAGE_BYTES_MAX).await?;
                let body =
                    body.ok_or_else(|| Error::protocol("a page of its listing is too long"))?;
                let page = list::parse(&body);
                page.map_err(|what| Error::NotListing { host: self.host.clone(), what })
            })
            .await
    }

    /// The description of the object, which must be of the listed generation.
    pub(super) async fn describe(&self, object: &Listed) -> Result<Listed> {
        let path = self.path(&object.key);
        let query = pin(object);
        let asked = Asked {
            path: &path,
            query: &query,
            range: None,
            encoding: "identity",
            operation: Operation::Read,
        };
        self.retry
            .run(&self.host, || async {
                let body = self.send(asked).await?.into_body();
                let body = self.transport.collect(&self.host, body, RESOURCE_BYTES_MAX).await?;
                let body =
                    body.ok_or_else(|| Error::protocol("it describes an object at length"))?;
                let resource: Option<Resource> = serde_json::from_slice(&body).ok();
                let fresh = resource.and_then(|resource| resource.listed().ok());
                let fresh = fresh.filter(|fresh| fresh.key == object.key);
                fresh.ok_or_else(|| {
                    Error::protocol("it does not describe the object it was asked for")
                })
            })
            .await
    }

    /// One GET of the object's bytes, up to the head of its answer: 200 or 206.
    pub(super) async fn get(
        &self,
        object: &Listed,
        range: Option<&str>,
    ) -> Result<Response<Incoming>> {
        let query = match pin(object).as_str() {
            "" => "alt=media".to_owned(),
            pin => format!("alt=media&{pin}"),
        };
        let path = self.path(&object.key);
        // Bytes are taken as they are stored: who does not take gzip gets them unpacked.
        let encoding = "gzip";
        let operation = Operation::Read;
        self.send(Asked { path: &path, query: &query, range, encoding, operation }).await
    }

    fn path(&self, key: &[u8]) -> String {
        format!("{}/{}", self.root, encode(key))
    }

    /// A request, once more with a new token or without the project if that is what is wrong.
    async fn send(&self, asked: Asked<'_>) -> Result<Response<Incoming>> {
        let mut token = match &self.tokens {
            None => None,
            Some(tokens) => Some(tokens.get(None).await?),
        };
        let (mut is_renewed, mut is_named) = (false, self.names_project.load(Ordering::Relaxed));
        let was_named = is_named;
        loop {
            let project = self.project.as_deref().filter(|_| is_named);
            let mut request = self.request(asked, project)?;
            if let Some(token) = &token {
                request.headers_mut().insert(AUTHORIZATION, token.header.clone());
            }
            let response = self.transport.send(&self.host, request).await?;
            if matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
                if was_named != is_named {
                    self.names_project.store(is_named, Ordering::Relaxed);
                }
                return Ok(response);
            }
            let status = response.status();
            let refusal = self.refusal(response).await;
            match (&self.tokens, &token) {
                (Some(tokens), Some(rejected))
                    if status == StatusCode::UNAUTHORIZED && !is_renewed =>
                {
                    token = Some(tokens.get(Some(rejected)).await?);
                    is_renewed = true;
                }
                _ if status == StatusCode::FORBIDDEN && is_named => is_named = false,
                _ => return Err(refusal.explain(asked.operation, &self.bucket)),
            }
            self.retry.repeated();
        }
    }

    fn request(&self, asked: Asked<'_>, project: Option<&str>) -> Result<Request<Empty<Bytes>>> {
        let mut target = match asked.query {
            "" => asked.path.to_owned(),
            query => format!("{}?{query}", asked.path),
        };
        if let Some(project) = project {
            let join = if asked.query.is_empty() { '?' } else { '&' };
            target += &format!("{join}userProject={}", encode(project.as_bytes()));
        }
        let target = PathAndQuery::try_from(target)
            .map_err(|_| Error::protocol("it lists a key that is too long for a request"))?;
        let uri = Uri::builder()
            .scheme(self.storage.scheme())
            .authority(self.host.as_str())
            .path_and_query(target)
            .build()
            .expect("scheme, authority and path are there and checked");
        let mut headers = HeaderMap::new();
        headers.insert(HOST, self.host_header.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(asked.encoding));
        headers.insert(USER_AGENT, AGENT);
        if let Some(range) = asked.range {
            headers.insert(RANGE, HeaderValue::from_str(range).expect("a range is ASCII"));
        }
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Reads what a refused request was told, so that its connection can be used again.
    async fn refusal(&self, response: Response<Incoming>) -> Refusal {
        let (head, body) = response.into_parts();
        let body = self.transport.collect(&self.host, body, ERROR_BYTES_MAX).await;
        let body = body.ok().flatten().unwrap_or_default();
        Refusal::new(head.status, &head.headers, &body)
    }
}

/// The precondition that the object is the listed one.
fn pin(object: &Listed) -> String {
    match &object.version_id {
        None => String::new(),
        Some(generation) => format!("ifGenerationMatch={}", encode(generation.as_bytes())),
    }
}

/// For a segment of a path, or a value of a query.
pub(super) fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, ALL).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_operator_replaces_google() {
        let site = Site::new(None, &TokenEndpoint::Google);
        assert_eq!(site.storage.to_string(), "https://storage.googleapis.com");
        let tokens = site.tokens.map(|endpoint| endpoint.to_string());
        assert_eq!(tokens.as_deref(), Some("https://oauth2.googleapis.com"));
        let other: Endpoint = "http://127.0.0.1:9023".parse().expect("an endpoint");
        let site = Site::new(Some(&other), &TokenEndpoint::At(other.clone()));
        assert_eq!((&site.storage, site.tokens.as_ref()), (&other, Some(&other)));
        assert_eq!(Site::new(Some(&other), &TokenEndpoint::None).tokens, None);
    }

    #[test]
    fn a_key_is_one_segment() {
        assert_eq!(encode(b"a//b/../c~-_."), "a%2F%2Fb%2F..%2Fc~-_.");
        assert_eq!(encode("/%20+ ?#é\n".as_bytes()), "%2F%2520%2B%20%3F%23%C3%A9%0A");
    }
}
