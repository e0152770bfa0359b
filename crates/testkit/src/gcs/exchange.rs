//! The requests of one connection, and their answers.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use sample::range;
use sample::route::parse_query;
use sample::xml::http_date;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::gcs::state::Stored;
use crate::gcs::{BUCKET, Fault, Op, Seen, Settings, Shared, token};
use crate::s3::reply::{Framing, Reply};
use crate::s3::{self, Content};

/// The most bytes of a request.
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// What every foreign text says, so that a test can look for it where it must not be.
const FOREIGN: &str = "the script of the test says so";

/// A request as it came.
struct Request {
    method: String,
    target: String,
    headers: HeaderMap,
    body: String,
}

/// What is asked, with the key if there is one.
struct Asked {
    op: Op,
    key: String,
    query: Vec<(String, String)>,
}

/// Answers the requests of a connection until one side closes it.
pub(crate) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
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
    let head_end = loop {
        if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if unread.len() > MAX_REQUEST_BYTES || stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = unread.drain(..head_end).collect();
    let Some(mut request) = parse_head(&head[..head_end - 4]) else { return Ok(None) };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while unread.len() < length {
        if length > MAX_REQUEST_BYTES || stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    request.body = String::from_utf8_lossy(&unread.drain(..length).collect::<Vec<u8>>()).into();
    Ok(Some(request))
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
    Some(Request { method, target, headers, body: String::new() })
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn asked(&self) -> Asked {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let query = parse_query(query).unwrap_or_default();
        let objects = format!("/storage/v1/b/{BUCKET}/o");
        let key = path.strip_prefix(&format!("{objects}/"));
        // A key is one segment: a slash in it is a mistake of the client.
        let key = key.filter(|key| !key.contains('/')).and_then(decode);
        let is_media = query.iter().any(|(name, value)| name == "alt" && value == "media");
        let op = match (self.method.as_str(), &key) {
            ("POST", _) if path == "/token" => Op::Token,
            ("GET", None) if path == objects => Op::List,
            ("GET", Some(_)) if is_media => Op::Media,
            ("GET", Some(_)) => Op::Describe,
            _ => Op::Other,
        };
        Asked { op, key: key.unwrap_or_default(), query }
    }
}

/// Undoes percent-encoding; unlike in a query, a `+` is a `+`.
fn decode(segment: &str) -> Option<String> {
    let pairs = parse_query(&segment.replace('+', "%2B")).ok()?;
    pairs.into_iter().next().map(|(name, _)| name)
}

impl Asked {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Answers one request. Says whether the connection can take another.
async fn answer(shared: &Shared, stream: &mut TcpStream, request: Request) -> io::Result<bool> {
    let settings = shared.settings();
    let asked = request.asked();
    let (target, headers) = (request.target.clone(), request.headers.clone());
    shared.state().stats.seen.push(Seen { op: asked.op, target, headers });
    let fault = shared.fault(asked.op);
    prepare(fault.as_ref(), shared, &asked).await;
    let replaced = fault.as_ref().and_then(replacement);
    let mut reply = replaced.unwrap_or_else(|| {
        let honest = match check(shared, &settings, &request, &asked) {
            Err(refused) => Err(refused),
            Ok(()) => honest(shared, &settings, &request, &asked, fault.as_ref()),
        };
        honest.unwrap_or_else(|(status, reason)| refusal(asked.op, status, reason))
    });
    reply.set("Date", http_date(token::now(&settings)));
    match fault {
        Some(Fault::Wire(fault)) => fault.bend(&mut reply),
        Some(Fault::NoHeader(name)) => reply.unset(name),
        _ => {}
    }
    reply.send(stream, None).await
}

impl Shared {
    /// The fault this request meets. Every rule counts it.
    fn fault(&self, op: Op) -> Option<Fault> {
        let rules = self.rules.lock().expect("no thread panics while it holds the lock");
        let met: Vec<Fault> = rules.iter().filter_map(|rule| rule.meet(op)).collect();
        met.into_iter().next()
    }
}

/// What a fault does before there is an answer.
async fn prepare(fault: Option<&Fault>, shared: &Shared, asked: &Asked) {
    match fault {
        Some(Fault::Wire(s3::Fault::Hold(gate))) => gate.passed().await,
        Some(Fault::Put(object)) => shared.state().put(&asked.key, object.clone()),
        Some(Fault::Delete) => {
            shared.state().objects.remove(&asked.key);
        }
        _ => {}
    }
}

fn replacement(fault: &Fault) -> Option<Reply> {
    match fault {
        Fault::Wire(fault) => fault.replacement(),
        Fault::Status { code, reason } => Some(refusal(Op::List, *code, reason)),
        Fault::SignIn { code, error } => Some(refusal(Op::Token, *code, error)),
        Fault::Redirect(location) => {
            let mut reply = refusal(Op::List, 307, "redirect");
            reply.set("Location", location);
            Some(reply)
        }
        _ => None,
    }
}

/// Status and reason of a refusal.
type Refused = (u16, &'static str);

fn check(
    shared: &Shared,
    settings: &Settings,
    request: &Request,
    asked: &Asked,
) -> Result<(), Refused> {
    if asked.op == Op::Token {
        return token::check(&request.body, settings).map_err(|error| (400, error));
    }
    let token = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
    if settings.checks_tokens && !token.is_some_and(|token| shared.state().is_good(token)) {
        return Err((401, "authError"));
    }
    let names_project = asked.parameter("userProject").is_some();
    if settings.requester_pays && !names_project {
        return Err((400, "userProjectMissing"));
    }
    if names_project && !settings.may_bill {
        return Err((403, "forbidden"));
    }
    Ok(())
}

/// The answer of Google. The faults it minds are those that change what is told.
fn honest(
    shared: &Shared,
    settings: &Settings,
    request: &Request,
    asked: &Asked,
    fault: Option<&Fault>,
) -> Result<Reply, Refused> {
    let mut state = shared.state();
    match asked.op {
        Op::Other => Err((404, "notFound")),
        Op::Token => {
            let (token, life_s) = (state.issue(settings.token_life_s), settings.token_life_s);
            let answer =
                json!({ "access_token": token, "expires_in": life_s, "token_type": "Bearer" });
            Ok(document(200, &answer))
        }
        Op::List => {
            let keys = state.objects.iter();
            Ok(document(200, &list(keys, settings, asked, fault)))
        }
        Op::Describe | Op::Media => {
            let stored = state.objects.get(&asked.key).ok_or((404, "notFound"))?;
            let pinned = asked.parameter("ifGenerationMatch");
            let is_pinned = settings.honours_preconditions
                && pinned.is_some_and(|pinned| pinned != stored.generation.to_string());
            match asked.op {
                _ if is_pinned => Err((412, "conditionNotMet")),
                Op::Describe => Ok(document(200, &bent(stored.resource(&asked.key), fault))),
                _ => media(stored, request, fault),
            }
        }
    }
}

fn list<'a>(
    objects: impl Iterator<Item = (&'a String, &'a Stored)>,
    settings: &Settings,
    asked: &Asked,
    fault: Option<&Fault>,
) -> Value {
    let prefix = asked.parameter("prefix").unwrap_or_default();
    let start = asked.parameter("startOffset").unwrap_or_default();
    let told = asked.parameter("pageToken");
    let last = told.and_then(|token| STANDARD.decode(token.trim_start_matches('~')).ok());
    let size = asked.parameter("maxResults").and_then(|text| text.parse().ok());
    let size = size.unwrap_or(1_000).min(settings.page_keys);
    let mut rest = objects
        .filter(|(key, _)| key.starts_with(prefix) && key.as_str() >= start)
        .filter(|(key, _)| last.as_ref().is_none_or(|last| key.as_bytes() > last.as_slice()))
        .peekable();
    let mut page = Vec::new();
    let mut next = None;
    if matches!(fault, Some(Fault::ListEmptyPages)) {
        // Another spelling of the same place.
        next = Some(format!("~{}", told.unwrap_or_default()));
    } else {
        while page.len() < size {
            let Some((key, stored)) = rest.next() else { break };
            page.push(bent(stored.resource(key), fault));
            let more = page.len() == size && rest.peek().is_some();
            next = more.then(|| STANDARD.encode(key));
        }
    }
    match fault {
        Some(Fault::ListOutOfOrder) => page.reverse(),
        Some(Fault::ListDuplicates) => {
            page = page.into_iter().flat_map(|o| [o.clone(), o]).collect()
        }
        Some(Fault::ListTwins) => page = page.into_iter().flat_map(twins).collect(),
        Some(Fault::ListStartsOver) if next.is_none() => next = Some("~".to_owned()),
        Some(Fault::ListKeyOutsidePrefix) => page[0]["name"] = "!outside/of the prefix".into(),
        Some(Fault::ListRepeatsToken) if told.is_some() => next = told.map(str::to_owned),
        _ => {}
    }
    let mut answer = json!({ "kind": "storage#objects" });
    if !page.is_empty() {
        answer["items"] = page.into();
    }
    if let Some(next) = next {
        answer["nextPageToken"] = next.into();
    }
    answer
}

fn twins(resource: Value) -> [Value; 2] {
    let mut twin = resource.clone();
    twin["generation"] = "17".into();
    twin["etag"] = "twin".into();
    [resource, twin]
}

fn bent(mut resource: Value, fault: Option<&Fault>) -> Value {
    if let Some(Fault::Field(name, value)) = fault {
        resource[*name] = value.clone();
        resource.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    }
    resource
}

fn media(stored: &Stored, request: &Request, fault: Option<&Fault>) -> Result<Reply, Refused> {
    let takes_gzip = request.header("accept-encoding").is_some_and(|text| text.contains("gzip"));
    let object = &stored.object;
    let mut reply = match &object.unpacked {
        // Unpacked on the way, as Google does it: of unknown length, and ranges are ignored.
        Some(unpacked) if !takes_gzip => {
            let mut reply = Reply::new(200, Content::Held(unpacked.clone()));
            reply.framing = Framing::Chunked;
            reply
        }
        packed => {
            let mut reply = Reply::new(200, Content::Held(object.bytes.clone()));
            if packed.is_some() {
                reply.set("Content-Encoding", "gzip");
            }
            let asked =
                request.header("range").filter(|_| !matches!(fault, Some(Fault::FullToRange)));
            let len = object.bytes.len() as u64;
            let range = range::parse(asked, len);
            if let Some(range) = range.map_err(|_| (416, "requestedRangeNotSatisfiable"))? {
                let shown = format!("bytes {}-{}/{len}", range.start, range.end - 1);
                reply.status = 206;
                reply.set("Content-Range", shown);
                reply.range = range;
            }
            reply
        }
    };
    reply.set("Content-Type", &object.content_type);
    reply.set("x-goog-generation", stored.generation.to_string());
    reply.set("x-goog-hash", format!("crc32c={},md5={}", stored.crc32c(), stored.md5()));
    Ok(reply)
}

fn document(status: u16, value: &Value) -> Reply {
    let mut reply = Reply::new(status, Content::Held(Bytes::from(value.to_string())));
    reply.set("Content-Type", "application/json; charset=UTF-8");
    reply
}

/// A refusal, as each part of Google words it: that of an object's bytes is plain text.
fn refusal(op: Op, status: u16, reason: &str) -> Reply {
    match op {
        Op::Media => Reply::new(status, Content::Held(Bytes::from_static(FOREIGN.as_bytes()))),
        Op::Token => document(status, &json!({ "error": reason, "error_description": FOREIGN })),
        _ => {
            let error = json!({ "domain": "global", "reason": reason, "message": FOREIGN });
            let error = json!({ "code": status, "message": FOREIGN, "errors": [error] });
            document(status, &json!({ "error": error }))
        }
    }
}
