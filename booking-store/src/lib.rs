//! The storage ports of [`booking_core`] over SQL.
//!
//! [`SqliteStore`] keeps everything in one file and needs no server: the embedded default. It
//! passes the conformance suite of `booking-core`, as every store does.
//!
//! Rows, SQL types and transactions do not leave this crate: what goes in and out are the domain's
//! values and [`StoreError`](booking_core::StoreError).

#[cfg(feature = "sqlite")]
mod error;
#[cfg(feature = "sqlite")]
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
