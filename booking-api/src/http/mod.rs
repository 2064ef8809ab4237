//! What every request passes through, whatever it asks for.

mod allow;
mod cors;
mod guard;

pub(crate) use allow::AllowedMethods;
pub(crate) use cors::Cors;
pub(crate) use guard::Guard;
