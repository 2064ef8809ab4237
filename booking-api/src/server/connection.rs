//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, Request, Response, Version, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

#[cfg(feature = "tls")]
use super::Tls;
use super::prompt::Prompt;
use super::{ConnectionCounts, Guest, Stopping};

/// How long the head of a request, or a TLS handshake, may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may stay open with nothing asked: longer than the minute that load
/// balancers keep theirs, so that it is they who close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may take nothing of what is sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request that was on its way when the server began to stop may take to be here.
const LAST_REQUEST: Duration = Duration::from_millis(500);
/// How long a connection that we want to end may take for that, with nothing under way.
const GOODBYE: Duration = Duration::from_secs(3);
/// How often we look whether a connection has a use.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What hyper reads of a head before it gives up by itself, without a problem: more than
/// [`crate::http::Heads`] lets pass.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HTTP2_HEAD_BYTES: u32 = 64 * 1024;
const MAX_HTTP2_REQUESTS: u32 = 100;
const MAX_HTTP2_RESETS: usize = 20;
const HTTP2_PING_EVERY: Duration = Duration::from_secs(30);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What all connections have in common.
pub(super) struct Connection<E> {
    pub(super) endpoint: Arc<E>,
    pub(super) stopping: Stopping,
    pub(super) counts: ConnectionCounts,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
}

impl<E> Clone for Connection<E> {
    fn clone(&self) -> Self {
        Self {
            endpoint: self.endpoint.clone(),
            stopping: self.stopping.clone(),
            counts: self.counts.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
        }
    }
}

impl<E: Endpoint<Output = poem::Response> + 'static> Connection<E> {
    pub(super) async fn serve(self, stream: TcpStream, remote: SocketAddr, guest: Guest) {
        let _until_the_end = guest;
        let at_once = self.stopping.at_once.clone();
        // Answers are small, and wait for nothing.
        let _less_prompt = stream.set_nodelay(true).is_err();
        let local = stream.local_addr().map_or_else(|_| Addr::default(), Addr::SocketAddr);
        let ends = (LocalAddr(local), RemoteAddr(Addr::SocketAddr(remote)));
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let shaken = at_once
                .run_until_cancelled(tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)))
                .await;
            match shaken {
                Some(Ok(Ok(stream))) => {
                    let served = self.serve_io(stream, Scheme::HTTPS, ends);
                    at_once.run_until_cancelled(Box::pin(served)).await;
                }
                Some(Ok(Err(error))) => tracing::debug!(%error, "no TLS"),
                Some(Err(_late)) => self.counts.count_timeout(),
                None => {}
            }
            return;
        }
        let served = self.serve_io(stream, Scheme::HTTP, ends);
        at_once.run_until_cancelled(Box::pin(served)).await;
    }

    async fn serve_io<Io>(self, io: Io, scheme: Scheme, ends: (LocalAddr, RemoteAddr))
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pulse = Arc::new(Pulse::new());
        let heard = pulse.clone();
        let io = Prompt::new(io, WRITE_TIMEOUT, move || heard.hear());
        let (endpoint, stopping, beating) = (self.endpoint, self.stopping.clone(), pulse.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let busy = Busy::with(&beating, request.version());
            let (local, remote) = ends.clone();
            let request = poem::Request::from((request, local, remote, scheme.clone()));
            let (endpoint, stopping) = (endpoint.clone(), stopping.clone());
            async move {
                let mut answer: Response<_> = endpoint.get_response(request).await.into();
                if stopping.has_begun() && !busy.0.is_http2() {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(answer.map(|body| Counted { body, _busy: busy }))
            }
        });
        let builder = builder();
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            // What it ended with is the other side's business.
            _ = connection.as_mut() => true,
            () = pulse.has_no_use(&self.stopping, &self.counts) => false,
        };
        if !ended {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                _ = connection => {}
                () = pulse.is_quiet_for(GOODBYE) => {}
            }
        }
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Heads have their time by `Pulse`: hyper counts the time between two requests as the head's.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_HTTP2_REQUESTS)
        .max_pending_accept_reset_streams(MAX_HTTP2_RESETS)
        .max_header_list_size(MAX_HTTP2_HEAD_BYTES)
        .keep_alive_interval(HTTP2_PING_EVERY)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT);
    builder
}

/// What goes on on a connection. Times are milliseconds since it began.
struct Pulse {
    begun: Instant,
    /// Requests that have not been answered to the last byte.
    in_flight: AtomicUsize,
    /// When there was last one of them; 0 before the first.
    last_busy: AtomicU64,
    /// When the head of the next one began to arrive; 0 while it has not.
    head_begun: AtomicU64,
    is_http2: AtomicBool,
}

impl Pulse {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            in_flight: AtomicUsize::new(0),
            last_busy: AtomicU64::new(0),
            head_begun: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
        }
    }

    /// Something has arrived.
    fn hear(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 {
            let now = self.millis();
            let begun = &self.head_begun;
            let _begun_already =
                begun.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).is_err();
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// How long nothing has been under way; nothing while something is.
    fn quiet(&self) -> Option<Duration> {
        let since = self.last_busy.load(Ordering::Relaxed);
        let is_quiet = self.in_flight.load(Ordering::Relaxed) == 0;
        is_quiet.then(|| Duration::from_millis(self.millis().saturating_sub(since)))
    }

    fn is_too_slow(&self) -> bool {
        let Some(quiet) = self.quiet() else { return false };
        if self.last_busy.load(Ordering::Relaxed) == 0 {
            return quiet >= HEAD_TIMEOUT;
        }
        let head_begun = self.head_begun.load(Ordering::Relaxed);
        let head = Duration::from_millis(self.millis().saturating_sub(head_begun));
        // In HTTP/2, what arrives while nothing is asked need not be a request.
        !self.is_http2() && head_begun > 0 && head >= HEAD_TIMEOUT
    }

    /// Waits until the connection is to end: nothing comes of it, or nothing should.
    async fn has_no_use(&self, stopping: &Stopping, counts: &ConnectionCounts) {
        let too_slow_or_idle = async {
            loop {
                sleep(LOOK_EVERY).await;
                if self.is_too_slow() {
                    return counts.count_timeout();
                }
                if self.quiet().is_some_and(|quiet| quiet >= IDLE_TIMEOUT) {
                    return;
                }
            }
        };
        let told_to = async {
            stopping.closing.cancelled().await;
            // HTTP/2 has a word for it, and loses nothing. HTTP/1 says it with an answer; to close
            // at once would be to close in the face of a request that is on its way.
            if !self.is_http2() {
                self.is_quiet_for(LAST_REQUEST).await;
            }
        };
        tokio::select! {
            () = too_slow_or_idle => {}
            () = told_to => {}
        }
    }

    /// Waits until nothing has been under way for this time, counted from now on.
    async fn is_quiet_for(&self, time: Duration) {
        let begun = Instant::now();
        loop {
            let quiet = self.quiet().unwrap_or_default().min(begun.elapsed());
            if quiet >= time {
                return;
            }
            sleep((time - quiet).min(LAST_REQUEST)).await;
        }
    }
}

/// A request under way: until its answer has been handed over to the last byte.
struct Busy(Arc<Pulse>);

impl Busy {
    fn with(pulse: &Arc<Pulse>, version: Version) -> Self {
        pulse.in_flight.fetch_add(1, Ordering::Relaxed);
        pulse.head_begun.store(0, Ordering::Relaxed);
        if version == Version::HTTP_2 {
            pulse.is_http2.store(true, Ordering::Relaxed);
        }
        Self(pulse.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.last_busy.store(self.0.millis(), Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that is a part of its request's time.
struct Counted<B> {
    body: B,
    _busy: Busy,
}

impl<B: Body + Unpin> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
