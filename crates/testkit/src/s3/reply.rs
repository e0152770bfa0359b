//! One answer, right or wrong, and how it goes over the wire.

use std::fmt::Write;
use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::s3::Content;
use crate::s3::stats::Counter;

/// Bytes of a body written at a time, unless paced.
const STEP: u64 = 256 * 1024;
/// The time what was written gets to arrive: a reset discards what has not.
const BEFORE_RESET: Duration = Duration::from_millis(20);

/// An answer as it will be sent.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// All but those that frame the body.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
    /// The part of the content that is the body.
    pub(crate) range: Range<u64>,
    /// The answer to a HEAD: the body is only announced.
    pub(crate) bodyless: bool,
    pub(crate) framing: Framing,
    pub(crate) start: Start,
    /// The end after so many bytes of the body.
    pub(crate) cut: Option<(u64, Ending)>,
    /// So many bytes at a time, with a pause after each.
    pub(crate) pace: Option<(u64, Duration)>,
    /// Sent behind the body.
    pub(crate) extra: Vec<u8>,
    /// The byte of the body that is changed.
    pub(crate) flipped: Option<u64>,
}

/// How the end of the body is told.
pub(crate) enum Framing {
    /// By its length.
    Length,
    /// By these `Content-Length` lines, right or wrong, and the end of the connection.
    Lines(Vec<String>),
    Chunked,
    /// By the end of the connection.
    Close,
}

/// How the answer begins.
pub(crate) enum Start {
    Head,
    Never(Ending),
    Raw(Vec<u8>),
}

#[derive(Clone, Copy)]
pub(crate) enum Ending {
    Close,
    Reset,
    Stall,
}

impl Reply {
    /// Status and body, framed by its length.
    pub(crate) fn new(status: u16, content: Content) -> Self {
        Self {
            status,
            headers: Vec::new(),
            range: 0..content.len(),
            content,
            bodyless: false,
            framing: Framing::Length,
            start: Start::Head,
            cut: None,
            pace: None,
            extra: Vec::new(),
            flipped: None,
        }
    }

    /// An XML document.
    pub(crate) fn xml(status: u16, document: impl Into<Bytes>) -> Self {
        let mut reply = Self::new(status, Content::Held(document.into()));
        reply.set("Content-Type", "application/xml");
        reply
    }

    /// Bytes of the body.
    pub(crate) fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Adds a header or replaces its namesake.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.unset(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
    }

    /// Sends it. Says whether the connection can take another request; `counted` counts the bytes
    /// of the body.
    pub(crate) async fn send(
        &self,
        stream: &mut TcpStream,
        counted: Option<&Counter>,
    ) -> io::Result<bool> {
        let mut out = match &self.start {
            Start::Head => self.head(),
            Start::Never(ending) => return ending.come(stream).await,
            Start::Raw(bytes) => {
                stream.write_all(bytes).await?;
                return Ending::Close.come(stream).await;
            }
        };
        if !self.bodyless {
            self.send_body(&mut out, stream, counted).await?;
        }
        stream.write_all(&out).await?;
        match (&self.framing, self.cut) {
            (_, Some((_, ending))) if !self.bodyless => ending.come(stream).await,
            (Framing::Lines(_) | Framing::Close, _) => Ending::Close.come(stream).await,
            _ => Ok(true),
        }
    }

    fn head(&self) -> Vec<u8> {
        let reason = http::StatusCode::from_u16(self.status).ok();
        let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or("Unknown");
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        let mut line = |name: &str, value: &str| {
            write!(head, "{name}: {value}\r\n").expect("a string takes all");
        };
        for (name, value) in &self.headers {
            line(name, value);
        }
        match &self.framing {
            Framing::Length => line("Content-Length", &self.len().to_string()),
            Framing::Lines(lines) => lines.iter().for_each(|value| line("Content-Length", value)),
            Framing::Chunked => line("Transfer-Encoding", "chunked"),
            Framing::Close => line("Connection", "close"),
        }
        head += "\r\n";
        head.into_bytes()
    }

    /// Sends `out` and the body; what of it has not been sent is left in `out`.
    async fn send_body(
        &self,
        out: &mut Vec<u8>,
        stream: &mut TcpStream,
        counted: Option<&Counter>,
    ) -> io::Result<()> {
        let end = self.cut.map_or(self.len(), |(bytes, _)| bytes.min(self.len()));
        let (step, pause) = self.pace.unwrap_or((STEP, Duration::ZERO));
        let mut at = 0;
        while at < end {
            let next = end.min(at + step.max(1));
            self.frame(at..next, out);
            stream.write_all(out).await?;
            out.clear();
            if let Some(counter) = counted {
                counter.locked().body_bytes += next - at;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            at = next;
        }
        if self.cut.is_none() {
            out.extend_from_slice(&self.extra);
            if matches!(self.framing, Framing::Chunked) {
                out.extend_from_slice(b"0\r\n\r\n");
            }
        }
        Ok(())
    }

    /// Appends a part of the body to `out`, framed.
    fn frame(&self, part: Range<u64>, out: &mut Vec<u8>) {
        let chunked = matches!(self.framing, Framing::Chunked);
        if chunked {
            out.extend_from_slice(format!("{:x}\r\n", part.end - part.start).as_bytes());
        }
        let first = out.len();
        let range = self.range.start + part.start..self.range.start + part.end;
        out.extend_from_slice(&self.content.slice(range));
        if let Some(at) = self.flipped.filter(|at| part.contains(at)) {
            out[first + (at - part.start) as usize] ^= 1;
        }
        if chunked {
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl Ending {
    /// Ends the exchange this way; the connection cannot take another request.
    async fn come(self, stream: &mut TcpStream) -> io::Result<bool> {
        match self {
            Self::Close => stream.shutdown().await?,
            Self::Reset => {
                tokio::time::sleep(BEFORE_RESET).await;
                stream.set_zero_linger()?;
            }
            // Until the client gives up.
            Self::Stall => while stream.read(&mut [0; 1024]).await? > 0 {},
        }
        Ok(false)
    }
}
