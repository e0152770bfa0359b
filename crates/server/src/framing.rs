//! Watches where requests begin and end, and refuses heads that two parsers could read
//! differently.
//!
//! The HTTP library settles some ambiguities silently (of `Content-Length` beside
//! `Transfer-Encoding` it drops the first). A proxy in front may settle them the other way, and
//! then a request can be hidden in another's body. So the bytes are looked at before the library
//! sees them; a refused head is made unreadable, which the library answers with 400 and a closed
//! connection.

/// Bytes of a request head: more are refused.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Where in the stream of requests a connection is.
pub(crate) struct Framing {
    position: Position,
    /// The head so far; empty between requests.
    head: Vec<u8>,
}

enum Position {
    /// In a head, or between two requests.
    Head,
    /// In a body of known length.
    Body { remaining: u64 },
    /// In a chunked body, after which the connection is closed, or beyond a refusal.
    Last,
}

/// A head that is refused begins, within the bytes just seen, at this offset.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) offset: usize,
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self { position: Position::Head, head: Vec::new() }
    }

    /// Whether part of a head has arrived.
    pub(crate) fn in_head(&self) -> bool {
        !self.head.is_empty()
    }

    /// Looks at the next bytes of the connection.
    pub(crate) fn see(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.position {
                Position::Last => return Ok(()),
                Position::Body { remaining } => {
                    let skipped = (*remaining).min((bytes.len() - at) as u64);
                    *remaining -= skipped;
                    at += skipped as usize;
                    if *remaining == 0 {
                        self.position = Position::Head;
                    }
                }
                Position::Head => {
                    let start = at;
                    at += self
                        .extend(&bytes[at..])
                        .inspect_err(|_| {
                            self.position = Position::Last;
                            self.head.clear();
                        })
                        .map_err(|()| Refusal { offset: start })?;
                }
            }
        }
        Ok(())
    }

    /// Adds bytes to the head up to its end, line by line; the number of bytes taken.
    fn extend(&mut self, bytes: &[u8]) -> Result<usize, ()> {
        let mut at = 0;
        if self.head.is_empty() {
            // Empty lines before a request are legal.
            at = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        }
        while at < bytes.len() {
            let rest = &bytes[at..];
            let line_feed = rest.iter().position(|byte| *byte == b'\n');
            let line = &rest[..line_feed.map_or(rest.len(), |position| position + 1)];
            at += line.len();
            if self.head.len() + line.len() > HEAD_BYTES_MAX {
                return Err(());
            }
            self.head.extend_from_slice(line);
            if line_feed.is_none() {
                break;
            }
            if !self.head.ends_with(b"\r\n") {
                return Err(());
            }
            if self.head.ends_with(b"\r\n\r\n") {
                self.position = body_after(&self.head)?;
                self.head.clear();
                break;
            }
        }
        Ok(at)
    }
}

/// What follows a complete head.
fn body_after(head: &[u8]) -> Result<Position, ()> {
    let (mut length, mut chunked) = (None, false);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(());
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            if length.replace(decimal(value)?).is_some() {
                return Err(());
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(());
            }
            chunked = true;
        }
    }
    match (length, chunked) {
        (Some(_), true) => Err(()),
        (None, true) => Ok(Position::Last),
        (Some(remaining @ 1..), false) => Ok(Position::Body { remaining }),
        (Some(0) | None, false) => Ok(Position::Head),
    }
}

/// Digits only: no sign, no list, no space.
fn decimal(value: &[u8]) -> Result<u64, ()> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits).ok_or(())?;
    text.parse().map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    fn see(text: &[u8]) -> Result<(), Refusal> {
        Framing::new().see(text)
    }

    fn head(headers: &str) -> Vec<u8> {
        format!("POST / HTTP/1.1\r\nhost: x\r\n{headers}\r\n").into_bytes()
    }

    #[test]
    fn ambiguous_heads_are_refused() {
        for headers in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: 5\r\nContent-Length: 5\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length: 0x5\r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: xchunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding:\x0bchunked\r\n",
            "x: a\r\n b: c\r\n",
            "x: a\ncontent-length: 5\r\n",
        ] {
            assert_eq!(see(&head(headers)), Err(Refusal { offset: 0 }), "{headers:?}");
        }
        let long = head(&format!("x: {}\r\n", "a".repeat(HEAD_BYTES_MAX)));
        assert!(see(&long).is_err());
    }

    #[test]
    fn the_offset_of_a_refused_head_skips_what_came_before() {
        let bad = head("content-length: 1\r\ntransfer-encoding: chunked\r\n");
        let before = [&head("content-length: 3\r\n")[..], b"abc", GET, b"\r\n"].concat();
        let offset = before.len() - 2;
        assert_eq!(see(&[before, bad].concat()), Err(Refusal { offset }));
    }

    #[test]
    fn bodies_are_skipped_however_the_bytes_are_cut() {
        let body = "GET / HTTP/1.1\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        let first = head(&format!("content-length: {}\r\n", body.len()));
        let stream = [&first[..], body.as_bytes(), GET, &head("content-length: 0\r\n")].concat();
        for step in 1..stream.len() {
            let mut framing = Framing::new();
            for part in stream.chunks(step) {
                assert_eq!(framing.see(part), Ok(()), "in steps of {step}");
            }
            assert!(!framing.in_head());
        }
    }

    #[test]
    fn a_head_is_as_long_as_it_may_be_and_no_longer() {
        let rest = head("x: \r\n").len();
        let long = head(&format!("x: {}\r\n", "a".repeat(HEAD_BYTES_MAX - rest)));
        let longer = head(&format!("x: {}\r\n", "a".repeat(HEAD_BYTES_MAX - rest + 1)));
        for step in [1_000, HEAD_BYTES_MAX + 1] {
            let see = |text: &[u8]| {
                let mut framing = Framing::new();
                text.chunks(step).try_for_each(|part| framing.see(part))
            };
            assert_eq!(see(&long), Ok(()));
            assert!(see(&longer).is_err());
        }
    }

    #[test]
    fn nothing_is_looked_at_after_a_chunked_head() {
        let stream = [&head("Transfer-Encoding: chunked\r\n")[..], b"5\r\na\nb\nc\r\n0\r\n\r\n"];
        assert_eq!(see(&stream.concat()), Ok(()));
    }
}
