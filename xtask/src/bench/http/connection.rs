//! A kept connection of the load generator: HTTP/1.1 as little as it takes, so that the servers are
//! what is measured. Blocking; a thread has one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// How long an answer may pause.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes read at a time; an answer that is longer is not kept.
const BUFFER_BYTES: usize = 256 << 10;
/// Status codes whose answers have no body.
const BODILESS: [u16; 2] = [204, 304];

/// A connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer; what it holds is gone with the next request.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    head: &'a str,
    /// Bytes of the body.
    pub(super) length: u64,
    /// The body, or as much of its end or beginning as was kept: all, if it came with the head in
    /// one buffer.
    pub(super) body: &'a [u8],
}

impl Connection {
    /// Connects to a host and port.
    pub(super) fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Sends a request, head and body, and reads the answer to its end.
    pub(super) fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request)?;
        let (mut filled, mut seen) = (0, 0);
        let head_end = loop {
            filled += self.read_at(filled)?;
            if let Some(at) = find(&self.buffer[seen..filled], b"\r\n\r\n") {
                break seen + at + 4;
            }
            seen = filled.saturating_sub(3);
        };
        let (status, length) = framing(text(&self.buffer[..head_end])?)?;
        let fits = length <= (BUFFER_BYTES - head_end) as u64;
        let surplus = "more bytes than announced";
        let mut left = length.checked_sub((filled - head_end) as u64).context(surplus)?;
        while left > 0 {
            // What does not fit is overwritten, past the head and the beginning.
            let at = if fits || filled < BUFFER_BYTES { filled } else { head_end };
            let read = self.read_at(at)?;
            filled = at + read;
            left = left.checked_sub(read as u64).context(surplus)?;
        }
        let end = if fits { head_end + length as usize } else { filled };
        let head = text(&self.buffer[..head_end])?;
        Ok(Answer { status, head, length, body: &self.buffer[head_end..end] })
    }

    fn read_at(&mut self, at: usize) -> Result<usize> {
        ensure!(at < self.buffer.len(), "the head of an answer has no end");
        let read = self.stream.read(&mut self.buffer[at..])?;
        ensure!(read > 0, "the server hung up");
        Ok(read)
    }
}

impl Answer<'_> {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }
}

/// Status and length of an answer with this head.
fn framing(head: &str) -> Result<(u16, u64)> {
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.context("not an answer of HTTP/1.1")?;
    if BODILESS.contains(&status) {
        return Ok((status, 0));
    }
    let length = header(head, "content-length").and_then(|length| length.parse().ok());
    Ok((status, length.context("an answer of unknown length")?))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).context("the head of an answer is no text")
}

/// A request: its head from its parts, and its body.
pub(super) fn request(line: &str, address: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: {address}\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    if !line.starts_with("GET ") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// The header that asks for these bytes.
pub(super) fn range_header(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A connection to a server that sends `parts`, each on its own, whatever it is asked.
    fn answered(parts: &[&[u8]]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            for part in parts {
                stream.write_all(&part).expect("it reads");
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Connection::open(&address).expect("it listens")
    }

    #[test]
    fn an_answer_is_read_to_its_end_however_it_is_cut() {
        let mut cut = answered(&[
            b"HTTP/1.1 206 Partial Content\r\nETag: \"x\"\r\ncontent-LENGTH: 5\r",
            b"\n\r",
            b"\nab",
            b"cdeHTTP/1.1 204 No Content\r\n\r\n",
        ]);
        // The last part of the first answer brings the second one, which nobody has asked for.
        let refused = cut.exchange(b"GET / HTTP/1.1\r\n\r\n").err().expect("too much");
        assert!(refused.to_string().contains("more bytes than announced"), "{refused}");
        let mut cut =
            answered(&[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nab", b"cde"]);
        let answer = cut.exchange(b"").expect("an answer");
        assert_eq!((answer.status, answer.length, answer.body), (200, 5, &b"abcde"[..]));
        assert_eq!(answer.header("etag"), Some("\"x\""));
        assert!(cut.exchange(b"").is_err(), "the server has hung up");
    }

    #[test]
    fn an_answer_larger_than_the_buffer_is_counted() {
        let body = vec![7; 3 * BUFFER_BYTES + 5];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut large = answered(&[head.as_bytes(), &body]);
        let answer = large.exchange(b"").expect("an answer");
        assert_eq!((answer.status, answer.length), (200, body.len() as u64));
        assert!(large.exchange(b"").is_err(), "nothing follows");
    }

    #[test]
    fn a_request_says_how_long_it_is_unless_it_only_reads() {
        let put = request("PUT /a", "h:1", &[("X", "y")], b"12");
        assert_eq!(put, b"PUT /a HTTP/1.1\r\nHost: h:1\r\nX: y\r\nContent-Length: 2\r\n\r\n12");
        assert_eq!(request("GET /a", "h:1", &[], b""), b"GET /a HTTP/1.1\r\nHost: h:1\r\n\r\n");
        assert_eq!(range_header(&(2..5)), "bytes=2-4");
    }
}
