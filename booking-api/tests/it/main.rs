//! The contract over HTTP: every test starts the real `booking-api` command and talks to it.

mod access;
mod caller;
mod commands;
mod directory;
mod flow;
mod hostile;
mod hostile_raw;
mod idempotency;
mod kill;
mod logs;
mod nats;
mod nats_server;
mod pages;
mod paging;
#[path = "../../../booking-store/tests/it/postgres/server.rs"]
#[expect(dead_code, reason = "the tests of booking-store use all of it")]
mod postgres;
mod races;
mod raw;
mod server;
mod signing;
mod slots;
mod sse;
mod streams;
mod streams_end;
mod streams_resumed;
mod text;
mod tokens;
mod two_processes;
mod unavailable;
mod updates;
mod validation;
mod versions;
mod webhooks;
