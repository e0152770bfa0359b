//! The requests of one connection, and their honest answers.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};
use sample::listing::Query;
use sample::route::{self, Target};
use sample::xml::http_date;
use sample::{Error, range, signature, xml};
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::s3::reply::Reply;
use crate::s3::{
    Content, Etags, Fault, Op, Seen, Settings, Shared, Version, list_faults, versions,
};

/// The most bytes of a request head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A request as it came.
struct Request {
    method: String,
    target: String,
    headers: HeaderMap,
}

/// What is asked for: what the sample server knows, and versions.
enum Operation {
    Plain(route::Operation),
    ListVersions(versions::Query),
    /// GET or HEAD of a version by its id.
    Version(String),
}

/// Answers the requests of a connection until one side closes it.
pub(crate) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _open = shared.counter.connection_begins();
    let _best_effort = stream.set_nodelay(true);
    let mut unread = Vec::new();
    while let Ok(Some(request)) = read_request(&mut stream, &mut unread).await {
        if !matches!(answer(&shared, &mut stream, request).await, Ok(true)) {
            break;
        }
    }
}

/// The next request; `None` at the end of the connection, or if it is not HTTP.
async fn read_request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = unread.drain(..end + 4).collect();
            return Ok(parse_head(&head[..end]));
        }
        if unread.len() > MAX_HEAD_BYTES || stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}

fn parse_head(head: &[u8]) -> Option<Request> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?);
    }
    Some(Request { method, target, headers })
}

impl Request {
    fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What is asked, with the key (of a listing: its prefix) that rules look at.
    fn operation(&self) -> (Op, String, Result<(Target, Operation), Error>) {
        let (path, query) = self.path_and_query();
        let mut target = match Target::parse(path, query) {
            Ok(target) => target,
            Err(error) => return (Op::Other, String::new(), Err(error)),
        };
        match self.operation_of(&mut target) {
            Err(error) => (Op::Other, target.key, Err(error)),
            Ok(operation) => {
                use route::Operation::*;
                let (op, key) = match &operation {
                    Operation::Plain(ListObjects(query)) => (Op::List, query.prefix.clone()),
                    Operation::ListVersions(query) => (Op::Versions, query.prefix.clone()),
                    Operation::Plain(HeadObject) => (Op::Head, target.key.clone()),
                    Operation::Version(_) if self.method == "HEAD" => {
                        (Op::Head, target.key.clone())
                    }
                    Operation::Plain(GetObject) | Operation::Version(_) => {
                        (Op::Get, target.key.clone())
                    }
                    Operation::Plain(GetBucketLocation) => (Op::Location, String::new()),
                    Operation::Plain(HeadBucket) => (Op::HeadBucket, String::new()),
                };
                (op, key, Ok((target, operation)))
            }
        }
    }

    fn operation_of(&self, target: &mut Target) -> Result<Operation, Error> {
        if self.method == "GET" && target.key.is_empty() && target.parameter("versions").is_some() {
            return versions::Query::parse(target).map(Operation::ListVersions);
        }
        let version = target.parameter("versionId").map(str::to_owned);
        target.query.retain(|(name, _)| target.key.is_empty() || name != "versionId");
        let plain = target.operation(&self.method)?;
        Ok(version.map_or(Operation::Plain(plain), Operation::Version))
    }
}

/// Answers one request. Says whether the connection can take another.
async fn answer(shared: &Shared, stream: &mut TcpStream, request: Request) -> io::Result<bool> {
    let settings = shared.settings.lock().expect("a change of settings does not panic").clone();
    let (op, key, asked) = request.operation();
    let is_get = op == Op::Get;
    let seen = || Seen { op, target: request.target.clone(), headers: request.headers.clone() };
    shared.counter.request(op, settings.records.then(|| (key.as_str(), seen())));
    let _in_flight = is_get.then(|| shared.counter.get_begins());
    if is_get && !settings.latency.is_zero() {
        tokio::time::sleep(settings.latency).await;
    }
    if matches!(op, Op::List | Op::Versions) && !settings.list_latency.is_zero() {
        tokio::time::sleep(settings.list_latency).await;
    }
    let fault = shared.fault(op, &key);
    if let Some(fault) = &fault {
        prepare(fault, shared, &key).await;
    }
    let replaced = fault.as_ref().and_then(Fault::replacement);
    let mut reply = replaced.unwrap_or_else(|| {
        let honest = asked.and_then(|(target, operation)| {
            check(&request, &target, &settings)?;
            honest(shared, &settings, &request, &target, operation, fault.as_ref())
        });
        honest.unwrap_or_else(|error| refusal(&error, &request, &settings))
    });
    reply.bodyless = request.method == "HEAD";
    reply.set("Server", "hostile");
    reply.set("Date", http_date(settings.now().into()));
    reply.set("x-amz-request-id", "TESTKIT");
    if let Some(fault) = fault {
        fault.bend(&mut reply);
    }
    reply.send(stream, is_get.then_some(&shared.counter)).await
}

/// What a fault does before there is an answer.
async fn prepare(fault: &Fault, shared: &Shared, key: &str) {
    match fault {
        Fault::Hold(gate) => gate.passed().await,
        Fault::MutateObject(object) => shared.objects.put(key, object.clone()),
        Fault::DeleteObject => shared.objects.remove(key),
        Fault::ReplaceObject(object) => {
            shared.objects.forget(key);
            shared.objects.put(key, object.clone());
        }
        _ => {}
    }
}

impl Shared {
    /// The fault this request meets. Every rule counts it.
    fn fault(&self, op: Op, key: &str) -> Option<Fault> {
        let rules = self.rules.lock().expect("no thread panics while it holds the lock");
        let met: Vec<Fault> = rules.iter().filter_map(|rule| rule.meet(op, key)).collect();
        met.into_iter().next()
    }
}

impl Settings {
    fn now(&self) -> SystemTime {
        let now = OffsetDateTime::now_utc() + time::Duration::seconds(self.clock_ahead_s);
        now.into()
    }

    pub(crate) fn shown_etag(&self, etag: &str) -> String {
        match self.etags {
            Etags::Opaque if !etag.contains('-') => format!("{}-2\"", &etag[..etag.len() - 3]),
            Etags::Weak => format!("W/{etag}"),
            Etags::Unquoted => etag.trim_matches('"').to_owned(),
            Etags::Kms => etag.chars().rev().collect(),
            Etags::Absent => String::new(),
            Etags::Md5 | Etags::Opaque => etag.to_owned(),
        }
    }
}

/// Who asks, and whether for the right bucket.
fn check(request: &Request, target: &Target, settings: &Settings) -> Result<(), Error> {
    if settings.checks_signatures {
        let (path, query) = request.path_and_query();
        let (method, headers) = (request.method.as_str(), &request.headers);
        let signed = signature::Request { method, path, query, headers };
        signature::verify(signed, &settings.credentials, &settings.region, settings.now())?;
    }
    let token = settings.session_token.as_deref();
    if token.is_some() && token != request.header("x-amz-security-token") {
        return Err(Error::AccessDenied("the session token is missing or wrong"));
    }
    if target.bucket == settings.bucket { Ok(()) } else { Err(Error::NoSuchBucket) }
}

/// The answer of S3. The faults it minds are those that change how the request is understood.
fn honest(
    shared: &Shared,
    settings: &Settings,
    request: &Request,
    target: &Target,
    operation: Operation,
    fault: Option<&Fault>,
) -> Result<Reply, Error> {
    let read = |version: Option<Version>| {
        let version = version.ok_or(Error::NoSuchKey)?;
        read(settings, request, version, fault)
    };
    match operation {
        Operation::Plain(route::Operation::ListObjects(query)) => {
            list(shared, settings, query, fault)
        }
        Operation::ListVersions(query) => versions::list(shared, settings, query, fault),
        Operation::Plain(route::Operation::GetBucketLocation) => {
            Ok(Reply::xml(200, xml::location(&settings.region)))
        }
        Operation::Plain(route::Operation::HeadBucket) => {
            let mut reply = Reply::new(200, Content::Held(Default::default()));
            reply.set("x-amz-bucket-region", &settings.region);
            Ok(reply)
        }
        Operation::Plain(_) => {
            let latest = shared.objects.versions(&target.key).into_iter().next();
            read(latest.filter(|version| version.stored.is_some()))
        }
        Operation::Version(id) => {
            let versions = shared.objects.versions(&target.key);
            match versions.into_iter().find(|version| version.id() == id) {
                Some(version) => read(Some(version)),
                None => Ok(versions::no_such_version()),
            }
        }
    }
}

fn list(
    shared: &Shared,
    settings: &Settings,
    mut query: Query,
    fault: Option<&Fault>,
) -> Result<Reply, Error> {
    query.max_keys = query.max_keys.min(settings.page_keys);
    let token = query.continuation_token.as_deref().map(list_faults::honest_token);
    let honest = Query { continuation_token: token.map(str::to_owned), ..query.clone() };
    let mut page = match settings.shuffled {
        true => list_faults::shuffled_page(&honest, &*shared.objects)?,
        false => honest.page(|from| shared.objects.seek(from))?,
    };
    for entry in &mut page.entries {
        entry.etag = settings.shown_etag(&entry.etag);
    }
    if let Some(fault) = fault {
        list_faults::bend_page(fault, &query, &mut page);
    }
    let document = xml::listing(&settings.bucket, &query, &page);
    Ok(Reply::xml(
        200,
        match fault {
            Some(fault) => list_faults::bend_document(fault, &query, document),
            None => document.into_bytes(),
        },
    ))
}

fn read(
    settings: &Settings,
    request: &Request,
    version: Version,
    fault: Option<&Fault>,
) -> Result<Reply, Error> {
    let Version { id, stored } = version;
    let stored = stored.ok_or(Error::MethodNotAllowed)?;
    let etag = settings.shown_etag(&stored.entry.etag);
    if settings.honours_if_match {
        range::if_match(request.header("if-match"), &etag)?;
    }
    let len = stored.content.len();
    let ignores_range = matches!(fault, Some(Fault::FullToRange));
    let range = range::parse(request.header("range").filter(|_| !ignores_range), len)?;
    let mut reply = Reply::new(200, stored.content);
    if request.header("x-amz-checksum-mode") == Some("ENABLED") && range.is_none() {
        for checksum in &settings.checksums {
            reply.set(checksum.header(), checksum.of(&reply.content));
            reply.set("x-amz-checksum-type", "FULL_OBJECT");
        }
    }
    if let Some(range) = range {
        reply.status = 206;
        reply.set("Content-Range", format!("bytes {}-{}/{len}", range.start, range.end - 1));
        reply.range = range;
    }
    if let Some(id) = id {
        reply.set("x-amz-version-id", id);
    }
    reply.set("ETag", etag);
    if settings.etags == Etags::Kms {
        reply.set("x-amz-server-side-encryption", "aws:kms");
    }
    reply.set("Last-Modified", http_date(stored.entry.last_modified));
    reply.set("Content-Type", stored.content_type);
    reply.set("Accept-Ranges", "bytes");
    for (name, value) in stored.metadata {
        reply.set(&format!("x-amz-meta-{name}"), value);
    }
    Ok(reply)
}

fn refusal(error: &Error, request: &Request, settings: &Settings) -> Reply {
    let region = match error {
        Error::AuthorizationHeaderMalformed(_) => settings.region.as_str(),
        _ => "",
    };
    let (path, _) = request.path_and_query();
    let message = error.to_string();
    let document = xml::error_document(error.code(), &message, path, "TESTKIT", region);
    let mut reply = Reply::xml(error.status().as_u16(), document);
    if let Error::InvalidRange(len) = error {
        reply.set("Content-Range", format!("bytes */{len}"));
    }
    reply
}
