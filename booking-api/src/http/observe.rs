//! The outermost layer: names each request, and writes the log and the metrics.

use std::time::Instant;

use poem::http::{HeaderName, HeaderValue, header};
use poem::{Endpoint, Middleware, Request, Response, Result};
use tracing::Instrument;
use uuid::Uuid;

use crate::http::{Metrics, Routes, spans};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken over, in bytes.
const MAX_ID_BYTES: usize = 128;

/// The name of a request: the caller's, or a fresh one.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Names, times and logs every request.
#[derive(Clone)]
pub(crate) struct Observe {
    pub(crate) routes: Routes,
    pub(crate) metrics: Metrics,
}

impl<E: Endpoint<Output = Response>> Middleware<E> for Observe {
    type Output = ObserveEndpoint<E>;

    fn transform(&self, inner: E) -> ObserveEndpoint<E> {
        ObserveEndpoint { inner, routes: self.routes.clone(), metrics: self.metrics.clone() }
    }
}

pub(crate) struct ObserveEndpoint<E> {
    inner: E,
    routes: Routes,
    metrics: Metrics,
}

impl<E: Endpoint<Output = Response>> Endpoint for ObserveEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let begun = Instant::now();
        let RequestId(id) = request_id(&request);
        request.extensions_mut().insert(RequestId(id.clone()));
        let method = request.method().clone();
        // Without the prefix of an app that the API is mounted in.
        let address = self.routes.find(request.uri().path());

        let route = address.map_or("other", |address| address.template.as_str());
        let span = spans::of_request(&method, route, &id, request.headers());
        let mut response = self.inner.call(request).instrument(span.clone()).await?;
        spans::end(&span, response.status());
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, value);
        }
        // Appointments are nothing for a shared browser or a proxy to keep.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        // What is JSON is never taken for a page.
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let (status, took) = (response.status(), begun.elapsed());
        self.metrics.record(&method, address, status, took);
        // The address and never the path, query, headers or bodies: those hold tokens, names, what
        // people wrote, and who belongs to whom.
        tracing::info!(
            request_id = id,
            %method,
            route,
            status = status.as_u16(),
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "request",
        );
        Ok(response)
    }
}

/// The caller's, if it is short and plain, else a new one.
fn request_id(request: &Request) -> RequestId {
    let plain = |id: &&str| {
        (1..=MAX_ID_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given.filter(plain).map_or_else(RequestId::fresh, |id| RequestId(id.to_owned()))
}

impl RequestId {
    /// The name that a request has got; empty where nobody names them.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get().cloned().unwrap_or(Self(String::new()))
    }

    #[expect(clippy::disallowed_methods, reason = "names a request; nothing is decided by it")]
    fn fresh() -> Self {
        Self(Uuid::now_v7().to_string())
    }
}
