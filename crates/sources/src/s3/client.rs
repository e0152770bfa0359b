//! The requests: addressed, signed, sent, retried, and their refusals explained.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, RANGE, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use model::Clock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::error::{Asked, Refusal, Told, bucket_region};
use super::list::{self, Answer, Query, RawPage};
use super::{S3Config, Signer};
use crate::retry::Retry;
use crate::transport::Transport;
use crate::{Code, Endpoint, Error, Operation, Result};

/// Bytes of a listing page.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// Bytes of an error body.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Everything but the unreserved characters of RFC 3986: what version 4 signatures ask for.
const ALL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same, for paths.
const PATH: &AsciiSet = &ALL.remove(b'/');

const X_AMZ_CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("tilde/", env!("CARGO_PKG_VERSION")));

/// Where a bucket is on the network.
pub(crate) struct Site {
    pub(crate) endpoint: Endpoint,
    bucket: String,
    /// The path of the bucket, and what the paths of its objects start with.
    bucket_path: String,
    object_root: String,
}

impl Site {
    /// With an endpoint, the connector's or else the operator's, path style; on AWS the bucket is
    /// part of the host name, unless its name is not made for that.
    pub(crate) fn new(
        bucket: &str,
        config: &S3Config,
        operator: Option<&Endpoint>,
    ) -> Result<Self> {
        if let Some(endpoint) = config.endpoint.as_ref().or(operator) {
            return Ok(Self::path_style(bucket, endpoint.clone()));
        }
        let region = &config.region;
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let service = format!("s3.{region}.{domain}");
        let one_label = bucket.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let host = if one_label { format!("{bucket}.{service}") } else { service };
        let endpoint = Endpoint::https(&host).map_err(|_| Error::Resolve { host })?;
        if !one_label {
            return Ok(Self::path_style(bucket, endpoint));
        }
        let bucket = bucket.to_owned();
        Ok(Self { endpoint, bucket, bucket_path: "/".into(), object_root: "/".into() })
    }

    fn path_style(bucket: &str, endpoint: Endpoint) -> Self {
        let bucket_path = format!("/{bucket}");
        let object_root = format!("/{bucket}/");
        Self { endpoint, bucket: bucket.to_owned(), bucket_path, object_root }
    }
}

/// A client of one bucket.
pub(crate) struct Client {
    pub(super) transport: Arc<Transport>,
    site: Site,
    signer: Signer,
    retry: Retry,
    clock: Arc<dyn Clock>,
    /// Host and, unless it is the default, port.
    pub(super) host: String,
    host_header: HeaderValue,
}

/// What makes one request for an object differ from another.
pub(super) struct ObjectRequest<'a> {
    pub(super) method: Method,
    pub(super) key: &'a [u8],
    pub(super) version_id: Option<&'a str>,
    pub(super) if_match: Option<&'a str>,
    pub(super) range: Option<String>,
}

impl Client {
    pub(crate) fn new(
        transport: Arc<Transport>,
        site: Site,
        signer: Signer,
        retry: Retry,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let host = site.endpoint.authority();
        let host_header = HeaderValue::from_str(&host).expect("a checked host is ASCII");
        Self { transport, site, signer, retry, clock, host, host_header }
    }

    pub(super) fn bucket(&self) -> &str {
        &self.site.bucket
    }

    pub(super) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// One page of a listing, read whole.
    pub(super) async fn list(&self, asked: &Query<'_>) -> Result<RawPage> {
        let query = asked.encode();
        match self.retry.run(&self.host, || self.list_once(&query, asked.versions)).await {
            Err(Error::Region { configured, told: None }) => {
                let told = self.find_region().await.filter(|told| *told != configured);
                Err(Error::Region { configured, told })
            }
            result => result,
        }
    }

    async fn list_once(&self, query: &str, versions: bool) -> Result<RawPage> {
        let path = &self.site.bucket_path;
        let request = self.request(Method::GET, path, query, HeaderMap::new())?;
        let response = self.transport.send(&self.host, request).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response, Operation::List).await);
        }
        let (head, body) = response.into_parts();
        let body = self.transport.collect(&self.host, body, PAGE_BYTES_MAX).await?;
        let body = body.ok_or_else(|| Error::protocol("a page of its listing is too long"))?;
        match list::parse(&body, versions) {
            Ok(Answer::Page(page)) => Ok(page),
            Ok(Answer::Refused(told)) => {
                let refusal = Refusal::new(head.status, &head.headers, told, self.clock.now());
                Err(refusal.explain(&self.asked(Operation::List)))
            }
            Err(what) => Err(Error::NotListing { host: self.host.clone(), what }),
        }
    }

    /// What HeadBucket says about the bucket's region, even if it refuses otherwise.
    async fn find_region(&self) -> Option<String> {
        let path = &self.site.bucket_path;
        let request = self.request(Method::HEAD, path, "", HeaderMap::new()).ok()?;
        let response = self.transport.send(&self.host, request).await.ok()?;
        bucket_region(response.headers())
    }

    /// GET or HEAD of an object, up to the head of its answer: 200 or 206, the rest is an error.
    pub(super) async fn object(&self, asked: &ObjectRequest<'_>) -> Result<Response<Incoming>> {
        let mut headers = HeaderMap::new();
        headers.insert(X_AMZ_CHECKSUM_MODE, HeaderValue::from_static("ENABLED"));
        if let Some(etag) = asked.if_match {
            let value = HeaderValue::from_bytes(etag.as_bytes());
            let value = value.map_err(|_| Error::protocol("it lists an object with a bad ETag"))?;
            headers.insert(IF_MATCH, value);
        }
        if let Some(range) = &asked.range {
            let value = HeaderValue::from_str(range).expect("a range is ASCII");
            headers.insert(RANGE, value);
        }
        let path = format!("{}{}", self.site.object_root, percent_encode(asked.key, PATH));
        let query = asked
            .version_id
            .map_or_else(String::new, |id| format!("versionId={}", encode_all(id.as_bytes())));
        let request = self.request(asked.method.clone(), &path, &query, headers)?;
        let response = self.transport.send(&self.host, request).await?;
        match response.status() {
            // Nothing but the status can tell why.
            StatusCode::FORBIDDEN if asked.method == Method::HEAD => {
                let code = Code::new("Forbidden").expect("these are letters");
                Err(Error::Denied { code, operation: Operation::Read })
            }
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            _ => Err(self.refusal(response, Operation::Read).await),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &str,
        mut headers: HeaderMap,
    ) -> Result<Request<Empty<Bytes>>> {
        let target = match query {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        };
        let target = PathAndQuery::try_from(target)
            .map_err(|_| Error::protocol("it lists a key that is too long for a request"))?;
        let uri = Uri::builder()
            .scheme(self.site.endpoint.scheme())
            .authority(self.host.as_str())
            .path_and_query(target)
            .build()
            .expect("scheme, authority and path are there and checked");
        let mut request = Request::new(Empty::new());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        headers.insert(HOST, self.host_header.clone());
        *request.headers_mut() = headers;
        self.signer.sign(&mut request, self.clock.now())?;
        // What something on the way may change is not signed.
        let headers = request.headers_mut();
        // Bytes are taken as they are stored.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, AGENT);
        Ok(request)
    }

    /// Reads what a refused request was told, so that its connection can be used again.
    async fn refusal(&self, response: Response<Incoming>, operation: Operation) -> Error {
        let (head, body) = response.into_parts();
        let body = self.transport.collect(&self.host, body, ERROR_BYTES_MAX).await;
        let body = body.ok().flatten().unwrap_or_default();
        let mut refusal =
            Refusal::new(head.status, &head.headers, Told::read(&body), self.clock.now());
        // What web servers answer on a TLS port is plain text or HTML with this word in it.
        refusal.expects_tls = !self.site.endpoint.is_https()
            && head.status == StatusCode::BAD_REQUEST
            && !refusal.told.has_code()
            && body.windows(5).any(|word| word == b"HTTPS");
        refusal.explain(&self.asked(operation))
    }

    fn asked(&self, operation: Operation) -> Asked<'_> {
        Asked {
            operation,
            bucket: &self.site.bucket,
            region: self.signer.region(),
            host: &self.host,
            now: self.clock.now(),
        }
    }
}

/// For the values of a query.
pub(super) fn encode_all(bytes: &[u8]) -> String {
    percent_encode(bytes, ALL).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn site(bucket: &str, region: &str, operator: Option<&str>) -> (String, String, String) {
        let config = json!({ "access_key_id": "a", "secret_access_key": "b", "region": region });
        let config = S3Config::parse(&config).expect("a config");
        let operator: Option<Endpoint> = operator.map(|text| text.parse().expect("an endpoint"));
        let site = Site::new(bucket, &config, operator.as_ref()).expect("a site");
        (site.endpoint.to_string(), site.bucket_path, site.object_root)
    }

    #[test]
    fn a_bucket_is_addressed_by_host_on_aws_and_by_path_elsewhere() {
        let own = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        let east = own("https://my-bucket.s3.us-east-1.amazonaws.com", "/", "/");
        assert_eq!(site("my-bucket", "us-east-1", None), east);
        let china = own("https://my-bucket.s3.cn-north-1.amazonaws.com.cn", "/", "/");
        assert_eq!(site("my-bucket", "cn-north-1", None), china);
        let dots = own("https://s3.eu-west-1.amazonaws.com", "/my.bucket", "/my.bucket/");
        assert_eq!(site("my.bucket", "eu-west-1", None), dots);
        let old = own("https://s3.us-east-1.amazonaws.com", "/My_Bucket", "/My_Bucket/");
        assert_eq!(site("My_Bucket", "us-east-1", None), old);
        let operator = own("http://127.0.0.1:9000", "/my-bucket", "/my-bucket/");
        assert_eq!(site("my-bucket", "eu-west-1", Some("http://127.0.0.1:9000")), operator);
    }

    #[test]
    fn bytes_are_encoded_one_by_one() {
        let path = |key: &[u8]| percent_encode(key, PATH).to_string();
        assert_eq!(path(b"a//../b/./c~-_."), "a//../b/./c~-_.");
        assert_eq!(path(b"/%20+ ?#&=*'"), "/%2520%2B%20%3F%23%26%3D%2A%27");
        assert_eq!(path("é\u{1f600}".as_bytes()), "%C3%A9%F0%9F%98%80");
        assert_eq!(path(b"\xff\x00\n"), "%FF%00%0A");
        assert_eq!(encode_all(b"a/b"), "a%2Fb");
    }
}
