//! What is particular to Postgres: a server, which others use too, and which may go away.

mod conformance;
mod delivery_plans;
mod failover;
mod migrations;
mod million;
mod opening;
mod outages;
mod plans;
mod races;
mod revisions;
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

/// Gives every calendar another revision at every look: whatever was read is out of date.
const NEVER_CURRENT: &str = "
    DROP TRIGGER meeting_is_counted ON meeting;
    DROP TRIGGER availability_is_counted ON availability;
    ALTER TABLE calendar RENAME TO calendar_row;
    CREATE VIEW calendar AS
        SELECT person_id, (random() * 1e15)::bigint AS revision FROM calendar_row";

async fn open(database: &Database) -> PostgresStore {
    PostgresStore::open(&database.url).await.unwrap()
}

/// The demo people, and the service, over a store.
async fn world(store: PostgresStore) -> World {
    World::new(Harness::new(Arc::new(store), ())).await
}
