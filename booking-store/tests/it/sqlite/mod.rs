//! What is particular to SQLite: one file, several processes, and power that fails.

mod batches;
mod conformance;
mod early;
mod files;
mod migrations;
mod parked;
mod processes;
mod upgrade;
mod walls;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use booking_core::Store;
use booking_core::testing::{Harness, World};
use booking_store::SqliteStore;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// A folder of its own, and where the file shall be.
fn new_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("booking.db");
    (folder, path)
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path.to_str().unwrap()).await.unwrap()
}

/// The demo people, and the service, over a store.
async fn world(store: SqliteStore) -> World {
    World::new(Harness::new(Arc::new(store), ())).await
}

/// The same, by way of another store that is over it.
async fn world_over<S: Store + 'static>(store: SqliteStore, over: fn(SqliteStore) -> S) -> World {
    let mut harness = Harness::new(Arc::new(store.clone()), ());
    harness.store = Arc::new(over(store));
    World::new(harness).await
}

/// Somebody else who has the file open.
async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}
