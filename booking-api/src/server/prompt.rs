//! Connections whose other side takes nothing, or is gone.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long an answer may take that somebody waits for who has said that they send nothing more.
const AFTER_HANGING_UP: Duration = Duration::from_secs(1);

/// How long the other side of a connection that we have ended may take to end it too, and how much of
/// what it sends meanwhile is thrown away. Without that, the answer would be lost on the way to
/// somebody who was still sending (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// A connection that ends when its use has: when the other side takes nothing of what there is to
/// send for a while, and when it has hung up. Without it, hyper keeps the connection of who does not
/// read for ever, and notices that the reader of a stream is gone when it has something to send for
/// the second time.
pub(super) struct Prompt<Io, Heard> {
    io: Io,
    write_timeout: Duration,
    /// Called when something has arrived.
    heard: Heard,
    /// Until when the other side may take something: only while it does not.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Until when there may be an answer, once the other side has hung up.
    hung_up: Option<Pin<Box<Sleep>>>,
    /// Until when the other side may end the connection too, once we have.
    lingering: Option<Pin<Box<Sleep>>>,
    thrown_away: usize,
}

impl<Io: Unpin, Heard: Unpin> Prompt<Io, Heard> {
    pub(super) fn new(io: Io, write_timeout: Duration, heard: Heard) -> Self {
        let (stalled, hung_up, lingering) = (None, None, None);
        Self { io, write_timeout, heard, stalled, hung_up, lingering, thrown_away: 0 }
    }

    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Io>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let is_over = |until: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>| {
            until.as_mut().is_some_and(|until| until.as_mut().poll(cx).is_ready())
        };
        if is_over(&mut self.hung_up, cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if let Poll::Ready(done) = write(Pin::new(&mut self.io), cx) {
            self.stalled = None;
            return Poll::Ready(done);
        }
        self.stalled.get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        if is_over(&mut self.stalled, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<Io: AsyncRead + Unpin, Heard> Prompt<Io, Heard> {
    /// Reads on until the other side ends too.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if self.hung_up.is_some() || until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [MaybeUninit::uninit(); 4096];
        while self.thrown_away < LINGER_BYTES {
            let mut buf = ReadBuf::uninit(&mut bytes);
            let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                break;
            }
            self.thrown_away += buf.filled().len();
        }
        Poll::Ready(())
    }
}

impl<Io: AsyncRead + Unpin, Heard: FnMut() + Unpin> AsyncRead for Prompt<Io, Heard> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, could_take) = (buf.filled().len(), buf.remaining() > 0);
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) && could_take {
            if buf.filled().len() > before {
                (self.heard)();
            } else {
                self.hung_up.get_or_insert_with(|| Box::pin(sleep(AFTER_HANGING_UP)));
            }
        }
        read
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin, Heard: Unpin> AsyncWrite for Prompt<Io, Heard> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(self.write(cx, AsyncWrite::poll_shutdown))?;
        }
        self.linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
