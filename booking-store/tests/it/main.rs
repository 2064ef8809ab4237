//! Every store on the suite that all stores pass, and what is particular to each.

#![cfg(feature = "sqlite")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;
