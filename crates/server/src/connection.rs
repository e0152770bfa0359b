//! A connection that cannot be held for nothing: the head of a request must arrive in time,
//! bytes must move in one direction or the other, and ambiguous requests are made unreadable
//! ([`crate::framing`]).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::framing::Framing;

/// A byte stream with deadlines.
pub(crate) struct Guarded<T> {
    inner: T,
    framing: Framing,
    head: Duration,
    idle: Duration,
    /// When this connection is given up unless something happens.
    deadline: Instant,
    /// Wakes the task at a deadline; set again only when it has fired, as deadlines mostly move on.
    alarm: Pin<Box<Sleep>>,
}

impl<T> Guarded<T> {
    /// `head` is the time for a request head, counted from its first byte (of the first request:
    /// from now); `idle` the time in which at least one byte must be read or written.
    pub(crate) fn new(inner: T, head: Duration, idle: Duration) -> Self {
        let deadline = Instant::now() + head;
        let alarm = Box::pin(tokio::time::sleep_until(deadline));
        Self { inner, framing: Framing::new(), head, idle, deadline, alarm }
    }

    fn read(&mut self, bytes: &mut [u8]) {
        let was_in_head = self.framing.in_head();
        if let Err(refusal) = self.framing.see(bytes) {
            // NUL is legal nowhere in a head, so the HTTP library refuses what is left.
            bytes[refusal.offset..].fill(0);
        }
        match (was_in_head, self.framing.in_head()) {
            (true, true) => {}
            (false, true) => self.move_deadline(self.head),
            (_, false) => self.move_deadline(self.idle),
        }
    }

    fn wrote(&mut self) {
        if !self.framing.in_head() {
            self.move_deadline(self.idle);
        }
    }

    fn move_deadline(&mut self, after: Duration) {
        self.deadline = Instant::now() + after;
        if self.alarm.deadline() > self.deadline {
            self.alarm.as_mut().reset(self.deadline);
        }
    }

    /// Pending turns into an error once the deadline is over.
    fn pending<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        while self.alarm.as_mut().poll(cx).is_ready() {
            if self.alarm.deadline() >= self.deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.alarm.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                self.read(&mut buffer.filled_mut()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.pending(cx),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write(cx, bytes) {
            Poll::Pending => self.pending(cx),
            ready => {
                self.wrote();
                ready
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write_vectored(cx, slices) {
            Poll::Pending => self.pending(cx),
            ready => {
                self.wrote();
                ready
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Pending => self.pending(cx),
            ready => ready,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Pending => self.pending(cx),
            ready => ready,
        }
    }
}
