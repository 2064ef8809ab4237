//! The reference store passes the suite that every store passes.

use std::sync::Arc;

use booking_core::MemoryStore;
use booking_core::testing::Harness;

async fn harness() -> Harness {
    Harness::new(Arc::new(MemoryStore::default()), ())
}

booking_core::conformance!(harness());
