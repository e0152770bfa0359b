//! The bytes of an opened object: exactly as many as announced, or an error.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use crate::pace::Permit;
use crate::{Error, Result, Wait};

/// The least a source must send, measured over the time we wait for it.
const BYTES_PER_SECOND_MIN: u64 = 1024;
/// How much waiting the rate is measured over.
const RATE_WINDOW: Duration = Duration::from_secs(30);

/// A body. Dropping it before its end closes the connection.
pub struct Body(Inner);

enum Inner {
    Memory(VecDeque<Bytes>),
    Stream(Box<Stream>),
}

struct Stream {
    incoming: Incoming,
    host: String,
    expected: u64,
    received: u64,
    idle_timeout: Duration,
    window: Window,
    /// Until the last byte is here.
    permit: Option<Permit>,
}

/// Bytes that came in, and how long we waited for them. Time in which nobody asked for bytes does
/// not count: a slow reader is not a slow source.
#[derive(Default)]
struct Window {
    waited: Duration,
    bytes: u64,
}

impl Body {
    /// A body from memory, for sources that are not on the network.
    pub fn from_chunks(chunks: impl IntoIterator<Item = Bytes>) -> Self {
        Self(Inner::Memory(chunks.into_iter().collect()))
    }

    pub(crate) fn stream(
        incoming: Incoming,
        host: &str,
        expected: u64,
        idle_timeout: Duration,
        permit: Permit,
    ) -> Self {
        Self(Inner::Stream(Box::new(Stream {
            incoming,
            host: host.to_owned(),
            expected,
            received: 0,
            idle_timeout,
            window: Window::default(),
            permit: Some(permit).filter(|_| expected > 0),
        })))
    }

    /// The next bytes, never none; `None` once all announced bytes have come. Too few or too many
    /// bytes, too slow ones and a broken connection are errors, after which the body is of no use.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        match &mut self.0 {
            Inner::Memory(chunks) => Ok(chunks.pop_front()),
            Inner::Stream(stream) => stream.chunk().await,
        }
    }
}

impl Stream {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let asked = Instant::now();
            let frame = timeout(self.idle_timeout, self.incoming.frame()).await;
            let waited = asked.elapsed();
            let Ok(frame) = frame else {
                let seconds = self.idle_timeout.as_secs();
                return Err(Error::Timeout { host: self.host.clone(), wait: Wait::Body, seconds });
            };
            let bytes = match frame {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(source)) => return Err(self.cut(Some(source))),
                None if self.received < self.expected => return Err(self.cut(None)),
                None => return Ok(None),
            };
            self.received += bytes.len() as u64;
            if self.received > self.expected {
                return Err(Error::protocol("a body is longer than announced"));
            }
            if self.received == self.expected {
                self.permit = None;
            }
            if self.window.is_slow(waited, bytes.len() as u64) {
                let bytes_per_second = BYTES_PER_SECOND_MIN;
                return Err(Error::Slow { host: self.host.clone(), bytes_per_second });
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    fn cut(&self, source: Option<hyper::Error>) -> Error {
        Error::Cut {
            host: self.host.clone(),
            expected: self.expected,
            received: self.received,
            source: source.map(|source| Box::new(source) as _),
        }
    }
}

impl Window {
    fn is_slow(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < RATE_WINDOW {
            return false;
        }
        let slow = self.bytes < BYTES_PER_SECOND_MIN * self.waited.as_secs();
        *self = Self::default();
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_slow_and_a_slow_reader_is_not() {
        let mut window = Window::default();
        let slow = (0..40).any(|_| window.is_slow(Duration::from_secs(1), 1));
        assert!(slow);
        let mut window = Window::default();
        assert!((0..100).all(|_| !window.is_slow(Duration::from_secs(1), 2048)));
        let mut window = Window::default();
        assert!((0..1000).all(|_| !window.is_slow(Duration::ZERO, 1)));
    }

    #[tokio::test]
    async fn a_body_from_memory_gives_its_chunks() {
        let mut body = Body::from_chunks([Bytes::from_static(b"a"), Bytes::from_static(b"bc")]);
        assert_eq!(body.chunk().await.expect("a chunk").as_deref(), Some(&b"a"[..]));
        assert_eq!(body.chunk().await.expect("a chunk").as_deref(), Some(&b"bc"[..]));
        assert_eq!(body.chunk().await.expect("the end"), None);
    }
}
