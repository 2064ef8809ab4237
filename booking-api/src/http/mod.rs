//! What every request passes through, whatever it asks for. From the outside in: [`Observe`] names,
//! times and logs it; [`Unread`] ends connections that cannot go on; [`Cors`] deals with pages of other
//! origins; [`Limiter`] says how much may be asked; [`Problems`] turns what went wrong into answers.

mod address;
mod cors;
mod limits;
mod metrics;
mod observe;
mod problems;
mod rates;
mod routes;
mod security;
mod spans;
mod unread;

use poem::Request;

pub(crate) use address::network_of;
pub use address::{ForwardedHeader, TrustedProxies};
pub(crate) use cors::Cors;
pub use limits::Limits;
pub(crate) use limits::{Limiter, UntilTaken};
pub(crate) use metrics::{Metrics, Probe};
pub(crate) use observe::{Observe, RequestId};
pub(crate) use problems::Problems;
pub use rates::Quota;
pub(crate) use routes::{Routes, base_path};
pub(crate) use security::page_policy;
#[cfg(feature = "command")]
pub(crate) use spans::TARGET as SPANS;
pub(crate) use unread::Unread;

/// The path under which an app has mounted the API: empty, or such as `/scheduling`.
pub(crate) fn mount_prefix(request: &Request) -> &str {
    let whole = request.original_uri().path();
    whole.strip_suffix(request.uri().path()).unwrap_or_default()
}
