//! The hostile server seen by a raw client: honest where it should be, wrong as told.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};
use sample::signature::{Request, sign};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::ODD_KEYS;

/// A server this quiet for so long has no more to say.
const QUIET: Duration = Duration::from_millis(120);

/// What came back, and how it ended.
#[derive(Debug)]
struct Answer {
    head: String,
    body: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Quiet,
    Closed,
    Reset,
}

impl Answer {
    fn status(&self) -> u16 {
        let code = self.head.split(' ').nth(1).and_then(|code| code.parse().ok());
        code.unwrap_or_else(|| panic!("no status in {:?}", self.head))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    fn tag(&self, name: &str) -> Option<&str> {
        let (_, behind) = self.text().split_once(&format!("<{name}>"))?;
        behind.split_once('<').map(|(value, _)| value)
    }

    fn keys(&self) -> Vec<&str> {
        let parts = self.text().split("<Key>").skip(1);
        parts.filter_map(|part| part.split('<').next()).collect()
    }
}

fn signed_request(method: &str, target: &str, more: &[(&str, &str)]) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = OffsetDateTime::from(SystemTime::now()).format(format).expect("a plain date");
    let base = [("host", "h"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-date", &date)];
    let mut headers = HeaderMap::new();
    for (name, value) in base.iter().chain(more) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a legal name");
        headers.insert(name, HeaderValue::from_str(value).expect("a legal value"));
    }
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let (names, scope) = (names.join(";"), format!("{}/us-east-1/s3/aws4_request", &date[..8]));
    let credentials = Settings::default().credentials;
    let request = Request { method, path, query, headers: &headers };
    let signature = sign(request, &credentials, &scope, &names).expect("it can be signed");
    let mut text = format!(
        "{method} {target} HTTP/1.1\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
    );
    for (name, value) in &headers {
        text += &format!("{name}: {}\r\n", value.to_str().expect("it is ASCII"));
    }
    text + "\r\n"
}

async fn exchange(stream: &mut TcpStream, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut bytes = Vec::new();
    let end = loop {
        match tokio::time::timeout(QUIET, stream.read_buf(&mut bytes)).await {
            Err(_) => break End::Quiet,
            Ok(Ok(0)) => break End::Closed,
            Ok(Ok(_)) => {}
            Ok(Err(_)) => break End::Reset,
        }
    };
    let split = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let body = split.map_or(Vec::new(), |at| bytes[at + 4..].to_vec());
    let head = String::from_utf8_lossy(&bytes[..split.unwrap_or(bytes.len())]).into_owned();
    Answer { head, body, end }
}

async fn ask(server: &HostileS3, method: &str, target: &str, more: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(server.addr()).await.expect("it listens");
    exchange(&mut stream, &signed_request(method, target, more)).await
}

fn path(key: &str) -> String {
    format!("/{BUCKET}/{}", sample::xml::url_encode(key).replace('+', "%20"))
}

async fn get(server: &HostileS3, key: &str) -> Answer {
    ask(server, "GET", &path(key), &[]).await
}

async fn list(server: &HostileS3, query: &str) -> Answer {
    ask(server, "GET", &format!("/{BUCKET}?list-type=2{query}"), &[]).await
}

/// The answer to `GET /source-bucket/k`, an object `0123456789`, under one fault.
async fn under(fault: Fault) -> Answer {
    let server = HostileS3::start(Objects::from([("k", "0123456789")])).await;
    server.rule(Rule::on(Op::Get, fault));
    get(&server, "k").await
}

/// The first page of a listing of `a`, `b` and `c` under one fault.
async fn listed_under(fault: Fault, query: &str) -> Answer {
    let server = HostileS3::start(Objects::from([("a", "1"), ("b", "2"), ("c", "3")])).await;
    server.rule(Rule::on(Op::List, fault));
    list(&server, query).await
}

#[tokio::test]
async fn odd_keys_are_listed_and_read_byte_for_byte() {
    let server =
        HostileS3::start(ODD_KEYS.iter().map(|key| (key, *key)).collect::<Objects>()).await;
    server.set(|settings| settings.page_keys = 17);
    let mut stream = TcpStream::connect(server.addr()).await.expect("it listens");
    let mut listed = Vec::new();
    let mut query = "&encoding-type=url".to_owned();
    loop {
        let target = format!("/{BUCKET}?list-type=2{query}");
        let page = exchange(&mut stream, &signed_request("GET", &target, &[])).await;
        listed.extend(page.keys().into_iter().map(str::to_owned));
        match page.tag("NextContinuationToken") {
            Some(token) => query = format!("&encoding-type=url&continuation-token={token}"),
            None => break,
        }
    }
    let mut keys = ODD_KEYS.to_vec();
    keys.sort_unstable();
    let shown: Vec<String> = keys.iter().map(|key| sample::xml::url_encode(key)).collect();
    assert_eq!(listed, shown);
    let server = Arc::new(server);
    let mut gets = JoinSet::new();
    for key in ODD_KEYS {
        let server = server.clone();
        gets.spawn(async move { (key, get(&server, key).await) });
    }
    for (key, answer) in gets.join_all().await {
        assert_eq!((answer.status(), answer.text()), (200, *key));
        assert!(server.stats().targets(Op::Get).contains(&path(key).as_str()), "{key:?}");
    }
    assert_eq!(server.stats().gets.len(), ODD_KEYS.len());
}

#[tokio::test]
async fn settings_change_what_is_honest() {
    let server = HostileS3::start(Objects::from([("k", "0123456789")])).await;
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    let plain = ask(&server, "HEAD", &path("k"), &asked).await;
    assert_eq!((plain.header("content-length"), plain.body.len()), (Some("10"), 0));
    assert_eq!(plain.header("etag"), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
    assert_eq!(plain.header("x-amz-checksum-crc32"), None);
    server.set(|settings| {
        settings.etags = Etags::Opaque;
        settings.checksums =
            vec![Checksum::Crc32, Checksum::Crc32c, Checksum::Crc64Nvme, Checksum::Sha256];
    });
    let opaque = ask(&server, "GET", &path("k"), &asked).await;
    let etag = "\"781e5e245d69b566979b86e28d23f2-2\"";
    assert_eq!(opaque.header("etag"), Some(etag));
    assert_eq!(opaque.header("x-amz-checksum-crc32"), Some("poTHxg=="));
    assert!(opaque.header("x-amz-checksum-sha256").is_some());
    let listed = list(&server, "").await;
    assert_eq!(listed.tag("ETag"), Some(etag.replace('"', "&quot;").as_str()));
    let wrong = [("if-match", "\"other\"")];
    assert_eq!(ask(&server, "GET", &path("k"), &wrong).await.status(), 412);
    server.set(|settings| settings.honours_if_match = false);
    assert_eq!(ask(&server, "GET", &path("k"), &wrong).await.status(), 200);
    let range = ask(&server, "GET", &path("k"), &[("range", "bytes=2-4")]).await;
    assert_eq!((range.status(), range.text()), (206, "234"));
    assert_eq!(range.header("content-range"), Some("bytes 2-4/10"));
}

#[tokio::test]
async fn who_may_not_ask_is_told_why() {
    let server = HostileS3::start(Objects::from([("k", "v")])).await;
    let other = ask(&server, "GET", "/other-bucket/k", &[]).await;
    assert_eq!((other.status(), other.tag("Code")), (404, Some("NoSuchBucket")));
    server.set(|settings| settings.region = "eu-west-1".into());
    let region = get(&server, "k").await;
    assert_eq!((region.status(), region.tag("Region")), (400, Some("eu-west-1")));
    server.set(|settings| {
        settings.region = "us-east-1".into();
        settings.clock_ahead_s = 1000;
    });
    assert_eq!(get(&server, "k").await.tag("Code"), Some("RequestTimeTooSkewed"));
    server.set(|settings| {
        settings.clock_ahead_s = 0;
        settings.session_token = Some("token".into());
    });
    assert_eq!(get(&server, "k").await.tag("Code"), Some("AccessDenied"));
    let token = [("x-amz-security-token", "token")];
    assert_eq!(ask(&server, "GET", &path("k"), &token).await.status(), 200);
    server.set(|settings| settings.credentials.secret_access_key = "changed".into());
    assert_eq!(get(&server, "k").await.tag("Code"), Some("SignatureDoesNotMatch"));
}

#[tokio::test]
async fn bodies_end_too_early_or_never() {
    for (fault, body, end) in [
        (Fault::ResetAfter(4), "0123", End::Reset),
        (Fault::CloseAfter(4), "0123", End::Closed),
        (Fault::CloseAfter(0), "", End::Closed),
        (Fault::StallAfter(4), "0123", End::Quiet),
    ] {
        let answer = under(fault).await;
        assert_eq!((answer.text(), answer.end), (body, end));
        assert_eq!(answer.head.lines().filter(|line| *line == "Content-Length: 10").count(), 1);
    }
    for (fault, end) in
        [(Fault::ResetBeforeHeaders, End::Reset), (Fault::StallBeforeHeaders, End::Quiet)]
    {
        let answer = under(fault).await;
        assert_eq!((answer.head.as_str(), answer.end), ("", end));
    }
    let every = Duration::from_millis(30);
    let begun = tokio::time::Instant::now();
    let drip = under(Fault::SlowDrip { bytes: 3, every }).await;
    assert_eq!(drip.text(), "0123456789");
    assert!(begun.elapsed() >= 4 * every);
}

#[tokio::test]
async fn lengths_lie() {
    let more = under(Fault::ContentLengthOff(5)).await;
    assert_eq!((more.header("content-length"), more.text()), (Some("15"), "0123456789"));
    assert_eq!(more.end, End::Closed);
    let fewer = under(Fault::ContentLengthOff(-5)).await;
    assert_eq!((fewer.header("content-length"), fewer.text()), (Some("5"), "0123456789"));
    let lines = vec!["3".to_owned(), "-1".to_owned()];
    let several = under(Fault::ContentLengthLines(lines)).await;
    assert!(several.head.contains("Content-Length: 3\r\nContent-Length: -1"), "{several:?}");
    let chunked = under(Fault::Chunked).await;
    assert_eq!(chunked.header("content-length"), None);
    assert_eq!(chunked.text(), "a\r\n0123456789\r\n0\r\n\r\n");
    let closed = under(Fault::NoLength).await;
    assert_eq!((closed.header("content-length"), closed.text()), (None, "0123456789"));
    assert_eq!(closed.end, End::Closed);
    assert_eq!(under(Fault::ExtraBytes(2)).await.text(), "0123456789!!");
    assert_eq!(under(Fault::Raw(b"SSH-2.0".to_vec())).await.head, "SSH-2.0");
}

#[tokio::test]
async fn heads_and_bytes_lie() {
    assert_eq!(under(Fault::FlippedByte(3)).await.text(), "0122456789");
    assert_eq!(under(Fault::NoEtag).await.header("etag"), None);
    let weak = "W/\"x\"".to_owned();
    assert_eq!(under(Fault::WrongEtag(weak)).await.header("etag"), Some("W/\"x\""));
    let half = under(Fault::PartialToFull).await;
    assert_eq!((half.status(), half.text()), (206, "01234"));
    assert_eq!(half.header("content-range"), Some("bytes 0-4/10"));
    let sum = under(Fault::WrongChecksum(Checksum::Crc32c)).await;
    assert!(sum.header("x-amz-checksum-crc32c").is_some());
    let header = under(Fault::Header("Content-Encoding", "gzip".into())).await;
    assert_eq!(header.header("content-encoding"), Some("gzip"));

    let server = HostileS3::start(Objects::from([("k", "0123456789")])).await;
    let range = [("range", "bytes=2-4")];
    server.rule(Rule::on(Op::Get, Fault::FullToRange).nth(0));
    server.rule(Rule::on(Op::Get, Fault::WrongContentRange).nth(1));
    let full = ask(&server, "GET", &path("k"), &range).await;
    assert_eq!((full.status(), full.text()), (200, "0123456789"));
    let moved = ask(&server, "GET", &path("k"), &range).await;
    assert_eq!((moved.header("content-range"), moved.text()), (Some("bytes 3-5/10"), "234"));
}

#[tokio::test]
async fn refusals_follow_the_script() {
    let headers = vec![("Retry-After", "1".to_owned())];
    let slow = under(Fault::Status { code: 503, s3_code: "SlowDown", headers }).await;
    assert_eq!((slow.status(), slow.tag("Code")), (503, Some("SlowDown")));
    assert_eq!(slow.header("retry-after"), Some("1"));
    let ok = under(Fault::OkWithError("InternalError")).await;
    assert_eq!((ok.status(), ok.tag("Code")), (200, Some("InternalError")));
    assert_eq!(under(Fault::Body(b"<html>".to_vec())).await.text(), "<html>");
    assert_eq!(under(Fault::RequestTimeTooSkewed).await.status(), 403);
    let (location, region) = ("http://169.254.169.254/".to_owned(), "eu-west-1".to_owned());
    let away = under(Fault::Redirect { code: 307, location, region }).await;
    assert_eq!((away.status(), away.header("location")), (307, Some("http://169.254.169.254/")));
    assert_eq!(away.header("x-amz-bucket-region"), Some("eu-west-1"));
}

#[tokio::test]
async fn objects_change_under_the_reader() {
    let server = HostileS3::start(Objects::from([("k", "old"), ("gone", "x")])).await;
    server.rule(Rule::on(Op::Get, Fault::MutateObject(Object::new("new"))).key("k").nth(1));
    server.rule(Rule::on(Op::Get, Fault::DeleteObject).key("gone"));
    assert_eq!(get(&server, "k").await.text(), "old");
    assert_eq!(get(&server, "k").await.text(), "new");
    assert_eq!(get(&server, "gone").await.status(), 404);
    assert_eq!(list(&server, "").await.keys(), ["k"]);
    server.put("l", Object::new("more"));
    server.remove("k");
    assert_eq!(list(&server, "").await.keys(), ["l"]);
    server.clear_rules();
    assert_eq!(get(&server, "l").await.text(), "more");
}

#[tokio::test]
async fn tokens_lie() {
    let without = listed_under(Fault::ListTruncatedWithoutToken, "").await;
    assert_eq!(without.tag("IsTruncated"), Some("true"));
    assert_eq!(without.tag("NextContinuationToken"), None);

    let server = HostileS3::start(Objects::from([("a", "1"), ("b", "2"), ("c", "3")])).await;
    server.set(|settings| settings.page_keys = 1);
    server.rule(Rule::on(Op::List, Fault::ListRepeatsToken).hits(0..3));
    server.rule(Rule::on(Op::List, Fault::ListEmptyPages).hits(3..6));
    let mut query = String::new();
    let mut tokens = Vec::new();
    for keys in [&["a"][..], &["b"], &["b"], &[], &[], &[], &["b"], &["c"]] {
        let page = list(&server, &query).await;
        assert_eq!(page.keys(), keys);
        tokens.extend(page.tag("NextContinuationToken").map(str::to_owned));
        let token = tokens.last().expect("the first page had one");
        query = format!("&continuation-token={token}");
    }
    assert_eq!((&tokens[0], &tokens[0]), (&tokens[1], &tokens[2]));
    assert!(tokens[3] != tokens[2] && tokens[4] != tokens[3] && tokens[5] != tokens[4]);
}

#[tokio::test]
async fn pages_lie() {
    assert_eq!(listed_under(Fault::ListOutOfOrder, "").await.keys(), ["c", "b", "a"]);
    let twice = listed_under(Fault::ListDuplicates, "").await;
    assert_eq!(twice.keys(), ["a", "a", "b", "b", "c", "c"]);
    let outside = listed_under(Fault::ListKeyOutsidePrefix, "&prefix=b").await;
    assert_eq!(outside.keys(), ["!outside/of the prefix"]);
    assert_eq!(listed_under(Fault::ListSizeOff(7), "").await.tag("Size"), Some("8"));
    assert_eq!(listed_under(Fault::ListNoEtags, "").await.tag("ETag"), None);
    let garbage = listed_under(Fault::ListGarbageXml, "").await;
    assert!(garbage.text().ends_with("</"), "{garbage:?}");
    assert!(listed_under(Fault::ListHugePage, "").await.body.len() > 16 << 20);
    let bomb = listed_under(Fault::ListEntityBomb, "").await;
    assert!(bomb.text().contains("<!ENTITY e10"), "{bomb:?}");
    let raw = listed_under(Fault::ListInvalidUtf8Key, "").await;
    assert!(std::str::from_utf8(&raw.body).is_err());
    let encoded = listed_under(Fault::ListInvalidUtf8Key, "&encoding-type=url").await;
    assert_eq!(encoded.keys(), ["%FF%FEa", "b", "c"]);
}

#[tokio::test]
async fn requests_are_counted_and_can_be_held() {
    let server = HostileS3::start(Objects::from([("a", "12345"), ("b", "678")])).await;
    let gate = Gate::new();
    server.rule(Rule::on(Op::Get, Fault::Hold(gate.clone())));
    let release = async {
        server.until(|stats| stats.concurrent_gets == 3).await;
        gate.open();
    };
    let long = Duration::from_secs(5);
    let held = async { tokio::join!(get(&server, "a"), get(&server, "a"), get(&server, "b")) };
    let both = tokio::time::timeout(long, async { tokio::join!(held, release) }).await;
    let ((first, second, third), ()) = both.expect("the gate was opened");
    assert_eq!([first.text(), second.text(), third.text()].concat(), "1234512345678");
    let stats = server.stats();
    assert_eq!((stats.count(Op::Get), stats.count(Op::List)), (3, 0));
    assert_eq!((stats.gets["a"], stats.gets["b"]), (2, 1));
    assert_eq!((stats.body_bytes, stats.max_concurrent_gets), (13, 3));
    assert_eq!(stats.connections, 3);
    server.until(|stats| stats.open_connections == 0 && stats.concurrent_gets == 0).await;
    let addr = server.addr();
    server.stop().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_million_objects_are_listed_from_nowhere() {
    let set = Generated { prefix: "gen/".into(), ..Generated::new(1_000_000, 10) };
    let settings = Settings { records: false, ..Settings::default() };
    let server = HostileS3::start_with(set.clone(), settings).await;
    let after = set.key(999_499);
    let page = list(&server, &format!("&prefix=gen%2F&start-after={after}")).await;
    assert_eq!((page.keys().len(), page.tag("IsTruncated")), (500, Some("false")));
    let folders = list(&server, "&prefix=gen%2F&delimiter=%2F&max-keys=3").await;
    assert_eq!(folders.tag("KeyCount"), Some("3"));
    assert!(folders.text().contains("<Prefix>gen/00002/</Prefix>"), "{folders:?}");
    let one = get(&server, &set.key(123_456)).await;
    assert_eq!(one.body, set.content(123_456).bytes());
    assert_eq!(one.header("etag").map(|etag| etag.len()), Some(20));
    assert!(server.stats().seen.is_empty());
}

#[tokio::test]
async fn versions_are_listed_and_read() {
    let objects = Objects::from([("a", "old"), ("b", "only")]).versioned();
    let server = HostileS3::start(objects).await;
    server.put("a", Object::new("new"));
    server.remove("b");
    server.put("c", Object::new("first"));
    server.remove("c");
    server.put("c", Object::new("again"));
    assert_eq!(list(&server, "").await.keys(), ["a", "c"]);
    let (mut query, mut ids) = (String::new(), Vec::new());
    server.set(|settings| settings.page_keys = 2);
    loop {
        let page = ask(&server, "GET", &format!("/{BUCKET}?versions={query}"), &[]).await;
        let versions = page.text().split("<VersionId>").skip(1);
        let id = |text: &str| text.split_once('<').map(|(id, _)| id.to_owned());
        ids.extend(page.keys().into_iter().map(str::to_owned).zip(versions.filter_map(id)));
        let Some(key) = page.tag("NextKeyMarker") else { break };
        let version = page.tag("NextVersionIdMarker").expect("both markers");
        query = format!("&key-marker={key}&version-id-marker={version}");
    }
    let keys: Vec<&str> = ids.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a", "a", "b", "b", "c", "c", "c"]);
    assert_eq!((ids[1].1.as_str(), ids[3].1.as_str()), ("null", "null"));
    let read = async |at: usize| {
        let (key, id) = &ids[at];
        ask(&server, "GET", &format!("{}?versionId={id}", path(key)), &[]).await
    };
    for (at, text) in [(0, "new"), (1, "old"), (3, "only"), (4, "again"), (6, "first")] {
        assert_eq!(read(at).await.text(), text);
    }
    assert_eq!(read(0).await.header("x-amz-version-id"), Some(ids[0].1.as_str()));
    assert_eq!(read(2).await.status(), 405);
    assert_eq!(get(&server, "b").await.status(), 404);
    let gone = ask(&server, "GET", &format!("{}?versionId=v1", path("a")), &[]).await;
    assert_eq!((gone.status(), gone.tag("Code")), (404, Some("NoSuchVersion")));
    let after = ask(&server, "GET", &format!("/{BUCKET}?versions=&key-marker=a"), &[]).await;
    assert_eq!(after.keys(), ["b", "b"]);
}

#[tokio::test]
async fn a_shuffled_listing_has_every_key_once() {
    let keys: Vec<String> = (0..50).map(|at| format!("p/{at:02}")).collect();
    let objects = Objects::from_iter(keys.iter().map(|key| (key, "x")));
    let settings = Settings { page_keys: 7, shuffled: true, ..Settings::default() };
    let server = HostileS3::start_with(objects, settings).await;
    let (mut query, mut found) = (String::new(), Vec::new());
    loop {
        let page = list(&server, &query).await;
        found.extend(page.keys().into_iter().map(str::to_owned));
        let Some(token) = page.tag("NextContinuationToken") else { break };
        query = format!("&continuation-token={token}");
    }
    assert!(!found.is_sorted());
    found.sort();
    assert_eq!(found, keys);
}
