//! What is particular to Postgres: a server, which others use too, and which may go away.

mod conformance;
mod delivery_plans;
mod migrations;
mod million;
mod outages;
mod plans;
mod races;
mod server;
mod signals;
mod slot_cache;
mod teeth;
mod upgrade;
mod walls;

use std::sync::Arc;

use booking_core::testing::{Harness, World};
use booking_store::PostgresStore;

use server::Database;

async fn open(database: &Database) -> PostgresStore {
    PostgresStore::open(&database.url).await.unwrap()
}

/// The demo people, and the service, over a store.
async fn world(store: PostgresStore) -> World {
    World::new(Harness::new(Arc::new(store), ())).await
}
