use std::sync::Arc;

use booking_core::testing::Harness;
use booking_store::SqliteStore;

async fn harness() -> Harness {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("booking.db");
    let store = SqliteStore::open(&path.to_string_lossy()).await.expect("a new file");
    Harness::new(Arc::new(store), folder)
}

booking_core::conformance!(harness());
