//! Webhooks, from the change to the receiver: most of it over the memory store, under a clock that
//! stands still until it is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod command;
mod documented;
mod practice;
pub(crate) mod receiver;
mod secrets;
mod sending;
