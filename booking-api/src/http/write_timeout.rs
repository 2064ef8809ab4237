//! Connections that take nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Accepts connections that break when there is something to send and the other side takes nothing
/// of it for a while. Without it, who does not read keeps a connection for ever.
///
/// ```
/// use std::time::Duration;
///
/// use booking_api::WriteTimeout;
/// use poem::listener::{Listener, TcpListener};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
/// let server = poem::Server::new_with_acceptor(WriteTimeout::new(acceptor, Duration::from_secs(30)));
/// # let _ = server;
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct WriteTimeout<A> {
    inner: A,
    patience: Duration,
}

impl<A> WriteTimeout<A> {
    /// Breaks connections after this time.
    pub const fn new(inner: A, patience: Duration) -> Self {
        Self { inner, patience }
    }
}

impl<A: Acceptor> Acceptor for WriteTimeout<A> {
    type Io = Patient<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let (io, local, remote, scheme) = self.inner.accept().await?;
        Ok((Patient { io, patience: self.patience, waiting: None }, local, remote, scheme))
    }
}

/// A connection with patience.
#[derive(Debug)]
pub struct Patient<Io> {
    io: Io,
    patience: Duration,
    /// Until when the other side may take something: only while it does not.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<Io: Unpin> Patient<Io> {
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: impl FnOnce(Pin<&mut Io>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = progress(Pin::new(&mut self.io), cx) {
            self.waiting = None;
            return Poll::Ready(done);
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Patient<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Patient<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch(cx, AsyncWrite::poll_shutdown)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
