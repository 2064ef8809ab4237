//! What every request passes through, whatever it asks for. From the outside in: [`Observe`] names,
//! times and logs it; [`Cors`] deals with pages of other origins; [`Problems`] turns what went wrong
//! into answers.

mod cors;
mod metrics;
mod observe;
mod problems;
mod prompt;
mod routes;

use poem::Request;

pub(crate) use cors::Cors;
pub(crate) use metrics::Metrics;
pub(crate) use observe::{Observe, RequestId};
pub(crate) use problems::Problems;
pub use prompt::PromptAcceptor;
pub(crate) use routes::Routes;

/// The path under which an app has mounted the API: empty, or such as `/scheduling`.
pub(crate) fn mount_prefix(request: &Request) -> &str {
    let whole = request.original_uri().path();
    whole.strip_suffix(request.uri().path()).unwrap_or_default()
}
