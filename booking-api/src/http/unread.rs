//! What is left of a body that nobody reads is in the way of the next request on the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::{StreamExt, stream};
use poem::http::{HeaderValue, Version, header};
use poem::{Body, Endpoint, Middleware, Request, Response, Result};

/// Ends a connection with an answer that came before the whole body had. The server hangs up then in
/// any case; unless the answer says so, callers send their next request into the void.
#[derive(Clone)]
pub(crate) struct Unread;

impl<E: Endpoint<Output = Response>> Middleware<E> for Unread {
    type Output = UnreadEndpoint<E>;

    fn transform(&self, inner: E) -> UnreadEndpoint<E> {
        UnreadEndpoint { inner }
    }
}

pub(crate) struct UnreadEndpoint<E> {
    inner: E,
}

impl<E: Endpoint<Output = Response>> Endpoint for UnreadEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body();
        // Later versions of HTTP have a stream for each request.
        if body.is_empty() || request.version() > Version::HTTP_11 {
            request.set_body(body);
            return self.inner.call(request).await;
        }
        let is_read = Arc::new(AtomicBool::new(false));
        let seen = is_read.clone();
        let end = stream::poll_fn(move |_| {
            seen.store(true, Ordering::Relaxed);
            Poll::Ready(None)
        });
        request.set_body(Body::from_bytes_stream(body.into_bytes_stream().chain(end)));
        let mut response = self.inner.call(request).await?;
        if !is_read.load(Ordering::Relaxed) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}
