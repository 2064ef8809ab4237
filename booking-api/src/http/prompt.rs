//! Connections whose other side takes nothing, or is gone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long an answer may take that somebody waits for who has said that they send nothing more.
const AFTER_HANGING_UP: Duration = Duration::from_secs(1);

/// Accepts connections that end when their use has: when the other side takes nothing of what there
/// is to send for a while, and when it has hung up. Without it, poem keeps the connection of who
/// does not read for ever, and notices that the reader of a stream is gone when it has something to
/// send for the second time.
///
/// ```
/// use std::time::Duration;
///
/// use booking_api::PromptAcceptor;
/// use poem::listener::{Listener, TcpListener};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
/// let acceptor = PromptAcceptor::new(acceptor, Duration::from_secs(30));
/// let server = poem::Server::new_with_acceptor(acceptor);
/// # let _ = server;
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PromptAcceptor<A> {
    inner: A,
    write_timeout: Duration,
}

impl<A> PromptAcceptor<A> {
    /// Breaks connections whose other side takes nothing for this time.
    pub const fn new(inner: A, write_timeout: Duration) -> Self {
        Self { inner, write_timeout }
    }
}

impl<A: Acceptor> Acceptor for PromptAcceptor<A> {
    type Io = Prompt<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let (io, local, remote, scheme) = self.inner.accept().await?;
        let write_timeout = self.write_timeout;
        Ok((Prompt { io, write_timeout, stalled: None, hung_up: None }, local, remote, scheme))
    }
}

/// A connection that ends when its use has.
#[derive(Debug)]
pub struct Prompt<Io> {
    io: Io,
    write_timeout: Duration,
    /// Until when the other side may take something: only while it does not.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Until when there may be an answer, once the other side has hung up.
    hung_up: Option<Pin<Box<Sleep>>>,
}

impl<Io: Unpin> Prompt<Io> {
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

impl<Io: AsyncRead + Unpin> AsyncRead for Prompt<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, could_take) = (buf.filled().len(), buf.remaining() > 0);
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() == before && could_take {
            self.hung_up.get_or_insert_with(|| Box::pin(sleep(AFTER_HANGING_UP)));
        }
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Prompt<Io> {
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
        self.write(cx, AsyncWrite::poll_shutdown)
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
