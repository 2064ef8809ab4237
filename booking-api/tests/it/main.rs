//! The contract over HTTP: every test starts the real `booking-api` command and talks to it.

mod access;
mod caller;
mod commands;
mod directory;
mod faults;
mod flow;
mod hostile;
mod hostile_raw;
mod idempotency;
mod kill;
mod logs;
mod migrations;
mod nats;
mod nats_server;
mod pages;
mod paging;
#[path = "../../../booking-store/tests/it/postgres/server.rs"]
mod postgres;
mod processes;
mod races;
mod raw;
mod same_answers;
mod server;
mod signing;
mod slots;
mod sse;
mod streams;
mod streams_end;
mod streams_resumed;
mod text;
mod tokens;
mod unavailable;
mod updates;
mod validation;
mod versions;
mod webhooks;
