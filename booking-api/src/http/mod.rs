//! What every request passes through, whatever it asks for. From the outside in: [`Observe`] names,
//! times and logs it; [`Cors`] deals with pages of other origins; [`Problems`] turns what went wrong
//! into answers.

mod cors;
mod metrics;
mod observe;
mod problems;
mod routes;

pub(crate) use cors::Cors;
pub(crate) use metrics::Metrics;
pub(crate) use observe::Observe;
pub(crate) use problems::Problems;
pub(crate) use routes::Routes;
