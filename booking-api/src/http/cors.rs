//! Pages of other origins that may call the API.

use std::sync::Arc;

use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Middleware, Request, Response, Result};

/// Answers preflights and marks answers for the origins that `allows` says yes to (Fetch standard,
/// "CORS protocol"). Every other request passes as if there were no such thing, so that pages of
/// the server itself, which send an `Origin` too, are never in the way.
#[derive(Clone)]
pub(crate) struct Cors {
    pub(crate) allows: Allows,
}

pub(crate) type Allows = Arc<dyn Fn(&str) -> bool + Send + Sync>;

const METHODS: &str = "GET, POST, PUT, DELETE";
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, \
     x-request-id";
const RESPONSE_HEADERS: &str = "etag, idempotency-replayed, link, location, ratelimit, ratelimit-policy, retry-after, \
     x-request-id";
const PREFLIGHT_SECONDS: &str = "600";

impl<E: Endpoint<Output = Response>> Middleware<E> for Cors {
    type Output = CorsEndpoint<E>;

    fn transform(&self, inner: E) -> CorsEndpoint<E> {
        CorsEndpoint { inner, allows: self.allows.clone() }
    }
}

pub(crate) struct CorsEndpoint<E> {
    inner: E,
    allows: Allows,
}

impl<E: Endpoint<Output = Response>> Endpoint for CorsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let Some(origin) = origin.filter(|o| o.to_str().is_ok_and(|origin| (self.allows)(origin)))
        else {
            return self.inner.call(request).await;
        };
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut response =
            if is_preflight { preflight() } else { self.inner.call(request).await? };
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        set(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        Ok(response)
    }
}

fn preflight() -> Response {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
    let headers = response.headers_mut();
    set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    set(headers, header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    response
}

fn set(headers: &mut poem::http::HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
