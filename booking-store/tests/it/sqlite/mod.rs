//! What is particular to SQLite: one file, several processes, and power that fails.

mod conformance;
mod files;
mod migrations;
mod processes;
mod upgrade;
mod walls;

use std::path::{Path, PathBuf};

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
    World::new(Harness::new(std::sync::Arc::new(store), ())).await
}

/// Somebody else who has the file open.
async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}
