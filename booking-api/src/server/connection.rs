//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, Request, Response, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use super::Tls;
use super::answer::Answer;
use super::prompt::Prompt;
#[cfg(feature = "tls")]
use super::pulse::HEAD_TIMEOUT;
use super::pulse::{Busy, Pulse, WRITE_TIMEOUT};
use super::{ConnectionCounts, Guest, Stopping};

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

    pub(super) async fn serve_io<Io>(self, io: Io, scheme: Scheme, ends: (LocalAddr, RemoteAddr))
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
                let busy = busy.keeping(answer.extensions_mut().remove());
                if stopping.has_begun() && !busy.is_http2() {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(answer.map(|body| Answer::new(body, busy)))
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
                () = pulse.has_said_goodbye() => {}
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
