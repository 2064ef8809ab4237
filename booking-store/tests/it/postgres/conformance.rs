use std::sync::Arc;

use booking_core::testing::Harness;
use booking_store::PostgresStore;

use super::server::{Database, sql};

async fn harness() -> Harness {
    let database = Database::new();
    let store = PostgresStore::open(&database.url).await.expect("a new database");
    Harness::new(Arc::new(store), database)
}

booking_core::conformance!(harness());

/// Where nobody is in the way a change never comes to the locks: here every one does.
mod locked {
    use super::*;

    async fn harness() -> Harness {
        let database = Database::new();
        sql(&database.url, super::super::NEVER_CURRENT);
        let store = PostgresStore::open(&database.url).await.expect("a new database");
        Harness::new(Arc::new(store), database)
    }

    booking_core::conformance_races!(harness());
    booking_core::conformance_availability!(harness());
    booking_core::conformance_atomicity!(harness());
    booking_core::conformance_current!(harness());
    booking_core::conformance_dropped!(harness());
}
