//! The outermost layer: names each request, turns every error into a problem, and writes the log.

use std::error::Error as _;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use poem::error::{MethodNotAllowedError, NotFoundError, ParsePathError};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Error, Middleware, Request, Response, Result};
use poem_openapi::error::{ParseParamError, ParsePathError as ParseApiPathError};
use uuid::Uuid;

use crate::http::AllowedMethods;
use crate::problem::{Code, FieldError, Problem};

const REQUEST_ID: &str = "x-request-id";

/// The longest request id and path that are taken over into the log, in bytes.
const MAX_LOGGED_BYTES: usize = 128;

/// Answers every request, whatever happens inside.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) allowed: AllowedMethods,
}

impl<E: Endpoint<Output = Response>> Middleware<E> for Guard {
    type Output = GuardEndpoint<E>;

    fn transform(&self, inner: E) -> GuardEndpoint<E> {
        GuardEndpoint { inner, allowed: self.allowed.clone() }
    }
}

pub(crate) struct GuardEndpoint<E> {
    inner: E,
    allowed: AllowedMethods,
}

impl<E: Endpoint<Output = Response>> Endpoint for GuardEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let begun = Instant::now();
        let id = request_id(&request);
        let method = request.method().clone();
        let path = request.original_uri().path().to_owned();
        // Without the prefix of an app that the API is mounted in.
        let own_path = request.uri().path().to_owned();

        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind().await;
        let mut response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => self.problem_response(error, &own_path, &id),
            Err(_panic) => Problem::internal("a handler panicked").into_response(&id),
        };
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        // Never the query, headers or bodies: they hold tokens, names and what people wrote.
        tracing::info!(
            request_id = id,
            %method,
            path = clipped(&path),
            status = response.status().as_u16(),
            micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request",
        );
        Ok(response)
    }
}

impl<E> GuardEndpoint<E> {
    fn problem_response(&self, error: Error, path: &str, id: &str) -> Response {
        if error.is_from_response() {
            return error.into_response();
        }
        let problem = problem(error);
        if let Some(cause) = problem.source() {
            tracing::error!(request_id = id, code = problem.code().as_str(), cause = chain(cause));
        }
        let mut response = problem.into_response(id);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Some(Ok(methods)) = self.allowed.of(path).map(HeaderValue::from_str)
        {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    }
}

/// Our own problems pass; what poem and poem-openapi raise is named by the contract's codes.
fn problem(error: Error) -> Problem {
    let error = match error.downcast::<Problem>() {
        Ok(problem) => return problem,
        Err(error) => error,
    };
    if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        return Problem::invalid(vec![FieldError::at(name, plain_reason(reason))]);
    }
    if error.is::<NotFoundError>()
        || error.is::<ParsePathError>()
        || error.is::<ParseApiPathError>()
    {
        return Problem::new(Code::NotFound, "there is nothing at this address");
    }
    if error.is::<MethodNotAllowedError>() {
        return Problem::new(Code::MethodNotAllowed, "this address does not have this method");
    }
    match error.status() {
        StatusCode::NOT_FOUND => Problem::new(Code::NotFound, "there is nothing at this address"),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Code::PayloadTooLarge, "the body may have at most 64 KiB")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(Code::UnsupportedMediaType, "send the body as application/json")
        }
        status if status.is_client_error() => {
            Problem::new(Code::InvalidRequest, "the request is malformed")
        }
        _ => Problem::internal(error.to_string()),
    }
}

/// poem-openapi puts the type's name in front: `failed to parse "Date": must be …`.
fn plain_reason(reason: &str) -> &str {
    if reason.ends_with("expects an input value.") {
        "is required"
    } else {
        reason.split_once("\": ").map_or(reason, |(_, plain)| plain)
    }
}

/// The caller's, if it is short and plain, else a new one.
fn request_id(request: &Request) -> String {
    let plain = |id: &&str| {
        (1..=MAX_LOGGED_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given.filter(plain).map_or_else(fresh_id, str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "names a request; nothing is decided by it")]
fn fresh_id() -> String {
    Uuid::now_v7().to_string()
}

fn clipped(path: &str) -> &str {
    path.get(..path.len().min(MAX_LOGGED_BYTES)).unwrap_or("…")
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
