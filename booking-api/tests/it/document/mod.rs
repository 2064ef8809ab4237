//! The OpenAPI document: what it says is so, of every answer that any test gets.

mod answers;
mod changes;
mod examples;
mod golden;
mod schemas;
mod sent;

pub(crate) use answers::check;
pub(crate) use schemas::GOLDEN;
