use std::sync::Arc;

use booking_core::testing::Harness;
use booking_store::PostgresStore;

use super::server::Database;

async fn harness() -> Harness {
    let database = Database::new();
    let store = PostgresStore::open(&database.url).await.expect("a new database");
    Harness::new(Arc::new(store), database)
}

booking_core::conformance!(harness());
