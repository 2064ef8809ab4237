//! The OpenAPI document: what it says is so, of every answer that any test gets.

mod answers;
mod examples;
mod golden;
mod schemas;

pub(crate) use answers::check;
