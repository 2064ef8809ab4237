//! Webhooks, from the change to the receiver, over the memory store and under a clock that stands
//! still until it is told.

mod admin;
mod documented;
mod practice;
mod receiver;
mod secrets;
mod sending;
