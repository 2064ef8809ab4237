//! Turns every error, and every panic, into a problem.

use std::error::Error as _;
use std::panic::AssertUnwindSafe;

use booking_core::with_causes;
use futures_util::FutureExt;
use poem::error::{MethodNotAllowedError, NotFoundError, ParsePathError};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Error, Middleware, Request, Response, Result};
use poem_openapi::error::{ParseParamError, ParsePathError as ParseApiPathError};

use crate::http::{RequestId, Routes, mount_prefix};
use crate::problem::{Code, FieldError, Problem};

/// Answers every request, whatever happens inside.
#[derive(Debug, Clone)]
pub(crate) struct Problems {
    pub(crate) routes: Routes,
}

impl<E: Endpoint<Output = Response>> Middleware<E> for Problems {
    type Output = ProblemsEndpoint<E>;

    fn transform(&self, inner: E) -> ProblemsEndpoint<E> {
        ProblemsEndpoint { inner, routes: self.routes.clone() }
    }
}

pub(crate) struct ProblemsEndpoint<E> {
    inner: E,
    routes: Routes,
}

impl<E: Endpoint<Output = Response>> Endpoint for ProblemsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let RequestId(id) = RequestId::of(&request);
        let path = request.uri().path().to_owned();
        let place = Place { id, prefix: mount_prefix(&request).to_owned(), path };
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind().await;
        Ok(match answer {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_from_response() => error.into_response(),
            Ok(Err(error)) => self.answer(problem(error), &place),
            Err(_panic) => self.answer(Problem::internal("a handler panicked"), &place),
        })
    }
}

impl<E> ProblemsEndpoint<E> {
    fn answer(&self, problem: Problem, Place { id, prefix, path }: &Place) -> Response {
        if let Some(cause) = problem.source() {
            tracing::error!(
                request_id = id,
                code = problem.code().as_str(),
                cause = with_causes(cause)
            );
        }
        if problem.code() != Code::MethodNotAllowed {
            return problem.into_response(id, prefix);
        }
        let Some(address) = self.routes.find(path) else {
            // The router lets an empty id pass for one.
            return nothing_there().into_response(id, prefix);
        };
        let mut response = problem.into_response(id, prefix);
        if let Ok(methods) = HeaderValue::from_str(&address.methods) {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    }
}

/// Where a problem arose.
struct Place {
    /// The request's name.
    id: String,
    /// Where the API is mounted.
    prefix: String,
    /// The request's path from there.
    path: String,
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
        return nothing_there();
    }
    if error.is::<MethodNotAllowedError>() {
        return Problem::new(Code::MethodNotAllowed, "this address does not have this method");
    }
    match error.status() {
        StatusCode::NOT_FOUND => nothing_there(),
        status if status.is_client_error() => {
            Problem::new(Code::InvalidRequest, "the request is malformed")
        }
        _ => Problem::internal(error.to_string()),
    }
}

fn nothing_there() -> Problem {
    Problem::new(Code::NotFound, "there is nothing at this address")
}

/// poem-openapi wraps a reason in names of types:
/// `failed to parse "Date": must be … (occurred while parsing "optional_Date")`.
fn plain_reason(reason: &str) -> &str {
    if reason.ends_with("expects an input value.") {
        return "is required";
    }
    let plain = reason.split_once("\": ").map_or(reason, |(_, plain)| plain);
    plain.split_once(" (occurred while parsing").map_or(plain, |(plain, _)| plain)
}
