//! The storage ports of [`booking_core`] over SQL.
//!
//! - [`PostgresStore`] keeps everything in a Postgres database, for any number of processes.
//! - [`SqliteStore`] keeps everything in one file and needs no server: the embedded default.
//!
//! Both pass the conformance suite of `booking-core`, as every store does. Each is a feature of its
//! own (`postgres`, `sqlite`).
//!
//! Rows, SQL types and transactions do not leave this crate: what goes in and out are the domain's
//! values and [`StoreError`](booking_core::StoreError).

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod audit_rows;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod diary_rows;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod error;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod event_rows;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod feed_rows;
mod hold_rows;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod link_rows;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod pool_state;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;
mod terms_rows;

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("choose a store: the feature `postgres`, `sqlite`, or both");

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use pool_state::PoolState;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
