//! Every store on the suite that all stores pass, and what is particular to each.

#![cfg(any(feature = "postgres", feature = "sqlite"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod old;
#[cfg(feature = "postgres")]
mod postgres;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;
mod unaudited;
