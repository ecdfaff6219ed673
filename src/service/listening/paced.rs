//! A stream whose reader has to keep up: an answer that is not taken for too long is given up, and
//! with it whatever it stands on; and nothing more is read of whoever does not take it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::rt::time::{Instant, Sleep, sleep_until};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that a reader has to take within a deadline, so that one byte now and then does not do: a
/// line of 17 kbit/s is faster.
const TAKEN_MIN_BYTES: usize = 64 << 10;

/// A stream with a deadline for its reader.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    within: Duration,
    /// Since the reader had to be waited for first: when that is too long, and what was taken.
    waiting: Option<Waiting>,
    /// Whether the last write could take nothing.
    is_full: bool,
    /// Whoever wanted to read meanwhile.
    held: Option<Waker>,
}

#[derive(Debug)]
struct Waiting {
    until: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S> Paced<S> {
    pub(super) const fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, waiting: None, is_full: false, held: None }
    }

    /// What came of a write: whether the reader keeps up.
    fn paced(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.is_full = written.is_pending();
        if !self.is_full
            && let Some(held) = self.held.take()
        {
            held.wake();
        }
        match written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.taken += bytes;
                    if waiting.taken >= TAKEN_MIN_BYTES {
                        self.waiting = None;
                    }
                }
                self.still_waits(cx, Poll::Ready(Ok(bytes)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let until = Instant::now() + self.within;
                self.waiting.get_or_insert_with(|| Waiting { until: Box::pin(sleep_until(until)), taken: 0 });
                self.still_waits(cx, Poll::Pending)
            }
        }
    }

    fn still_waits(&mut self, cx: &mut Context<'_>, otherwise: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let is_late = self.waiting.as_mut().is_some_and(|waiting| waiting.until.as_mut().poll(cx).is_ready());
        if is_late { Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the reader does not keep up"))) } else { otherwise }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Who does not take the answers to what they asked is asked nothing more.
        if self.is_full {
            self.held = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.paced(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // All is taken: the next answer has its own time.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.waiting = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.paced(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
