//! A small S3 source of our own, for what nginx cannot be: one with real MD5 ETags, one of millions
//! of objects that are computed and not stored, one that is far away. A thread per connection; it
//! answers GET and HEAD, ranges and If-Match, and listings. It checks no signatures.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::content::{Body, Content, find, list};
use super::listing::{Query, date};

/// How long each request waits before it is answered: what a distant store adds.
#[derive(Clone, Copy, Default)]
pub(super) struct Pauses {
    pub(super) list: Duration,
    pub(super) object: Duration,
}

/// Files up to this size are sent with their head in one write.
const GATHERED_BYTES_MAX: u64 = 64 << 10;
/// Lines of a request that are read.
const HEAD_LINES_MAX: usize = 100;

/// Serves until the process ends; where it listens.
pub(super) fn serve(content: impl Content) -> Result<String> {
    serve_from_afar(content, Pauses::default())
}

/// The same, as slow to answer as a distant store.
pub(super) fn serve_from_afar(content: impl Content, pauses: Pauses) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
    let url = format!("http://{}", listener.local_addr()?);
    let content = Arc::new(content);
    std::thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let content = Arc::clone(&content);
            // A client that goes away ends its connection, and that is all.
            std::thread::spawn(move || converse(&stream, &*content, pauses));
        }
    });
    Ok(url)
}

struct Request {
    is_head: bool,
    bucket: String,
    key: String,
    query: String,
    if_match: Option<String>,
    range: Option<String>,
}

fn converse(stream: &TcpStream, content: &dyn Content, pauses: Pauses) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(16 << 10, stream);
    while let Some(request) = read(&mut reader)? {
        if request.key.is_empty() {
            std::thread::sleep(pauses.list);
            listing(stream, &request, content)?;
        } else {
            std::thread::sleep(pauses.object);
            object(stream, &request, content)?;
        }
    }
    Ok(())
}

/// The next request, or `None` at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((&path[1..], ""));
    let mut request = Request {
        is_head: method == "HEAD",
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        query: query.to_owned(),
        if_match: None,
        range: None,
    };
    for _ in 0..HEAD_LINES_MAX {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim().to_owned();
        if name.eq_ignore_ascii_case("if-match") {
            request.if_match = Some(value);
        } else if name.eq_ignore_ascii_case("range") {
            request.range = Some(value);
        }
    }
    Ok(Some(request))
}

fn object(mut stream: &TcpStream, request: &Request, content: &dyn Content) -> std::io::Result<()> {
    let Some(number) = find(content, &request.bucket, &request.key) else {
        return refuse(stream, request, "404 Not Found", "NoSuchKey");
    };
    let object = content.object(&request.bucket, number);
    let etag = format!("\"{}\"", object.etag);
    if request.if_match.as_ref().is_some_and(|wanted| *wanted != etag) {
        return refuse(stream, request, "412 Precondition Failed", "PreconditionFailed");
    }
    let range = request.range.as_deref().and_then(|range| parse_range(range, object.size));
    let span = range.clone().unwrap_or(0..object.size);
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    let modified = http_date(object.modified);
    let mut head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: {etag}\r\nLast-Modified: {modified}\r\n\
         Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n",
        span.end - span.start
    );
    if range.is_some() {
        let (last, size) = (span.end - 1, object.size);
        head.push_str(&format!("Content-Range: bytes {}-{last}/{size}\r\n", span.start));
    }
    head.push_str("\r\n");
    if request.is_head {
        return stream.write_all(head.as_bytes());
    }
    send(stream, head.into_bytes(), &content.body(&request.bucket, number), span)
}

fn send(
    mut stream: &TcpStream,
    mut head: Vec<u8>,
    body: &Body,
    span: Range<u64>,
) -> std::io::Result<()> {
    let length = span.end - span.start;
    match body {
        Body::Bytes(bytes) => head.extend(&bytes[span.start as usize..span.end as usize]),
        Body::File(path) => {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(span.start))?;
            if length > GATHERED_BYTES_MAX {
                stream.write_all(&head)?;
                // The standard library makes this a sendfile.
                return std::io::copy(&mut file.take(length), &mut stream).map(drop);
            }
            file.take(length).read_to_end(&mut head)?;
        }
    }
    stream.write_all(&head)
}

fn listing(
    mut stream: &TcpStream,
    request: &Request,
    content: &dyn Content,
) -> std::io::Result<()> {
    let Some(query) = Query::parse(&request.query) else {
        return refuse(stream, request, "501 Not Implemented", "NotImplemented");
    };
    match list(content, &request.bucket, &query) {
        Some(xml) => stream.write_all(with_head("200 OK", &xml).as_bytes()),
        None => refuse(stream, request, "404 Not Found", "NoSuchBucket"),
    }
}

fn refuse(
    mut stream: &TcpStream,
    request: &Request,
    status: &str,
    code: &str,
) -> std::io::Result<()> {
    let xml = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    let mut answer = with_head(status, &xml);
    if request.is_head {
        answer.truncate(answer.len() - xml.len());
    }
    stream.write_all(answer.as_bytes())
}

fn with_head(status: &str, xml: &str) -> String {
    let length = xml.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\r\n\
         {xml}"
    )
}

/// `bytes=a-b` and `bytes=a-`, within the object.
fn parse_range(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = first.parse().ok()?;
    let end = if last.is_empty() { size } else { last.parse::<u64>().ok()? + 1 };
    (start < size && start < end).then(|| start..end.min(size))
}

/// A time as HTTP headers have it.
fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = date(seconds / 86_400);
    let (weekday, month) = (DAYS[(seconds / 86_400 % 7) as usize], MONTHS[month as usize - 1]);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_times_are_those_of_http() {
        assert_eq!(parse_range("bytes=2-", 10), Some(2..10));
        assert_eq!(parse_range("bytes=2-3", 10), Some(2..4));
        assert_eq!(parse_range("bytes=2-99", 10), Some(2..10));
        assert_eq!(parse_range("bytes=10-", 10), None);
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
