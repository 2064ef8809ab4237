//! Webhooks, from the change to the receiver: most of it over the memory store, under a clock that
//! stands still until it is told.

mod admin;
mod command;
mod documented;
mod practice;
mod receiver;
mod secrets;
mod sending;
