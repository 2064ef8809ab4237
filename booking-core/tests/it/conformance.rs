//! The reference store passes the suite that every store passes, alone and with its changes
//! announced.

use std::sync::Arc;

use booking_core::testing::Harness;
use booking_core::{Announced, Hub, MemoryStore};

async fn harness() -> Harness {
    Harness::new(Arc::new(MemoryStore::default()), ())
}

booking_core::conformance!(harness());

mod announced {
    use super::*;

    async fn harness() -> Harness {
        let inner = Arc::new(MemoryStore::default());
        let announced = Arc::new(Announced::new(inner.clone(), Hub::default()));
        Harness {
            store: announced.clone(),
            directory: announced.clone(),
            links: announced,
            ..Harness::new(inner, ())
        }
    }

    booking_core::conformance!(harness());
}
