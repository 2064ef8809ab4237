//! The store that a database URL names.

use std::sync::Arc;

use booking_core::{Booking, Clock, DirectoryAdmin, MemoryStore, Outbox, RandomIds, Store};
use booking_store::{PostgresStore, SqliteStore};

use super::Failure;

/// A store with the directory and the outbox that it keeps.
pub(super) struct Backend {
    pub(super) store: Arc<dyn Store>,
    pub(super) directory: Arc<dyn DirectoryAdmin>,
    pub(super) outbox: Arc<dyn Outbox>,
}

impl Backend {
    /// Opens the store, its tables up to date.
    pub(super) async fn open(url: &str) -> Result<Self, Failure> {
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Self::of(MemoryStore::default())),
            Some(("sqlite", _)) => Ok(Self::of(SqliteStore::open(url).await?)),
            Some(("postgres" | "postgresql", _)) => Ok(Self::of(PostgresStore::open(url).await?)),
            _ => Err("the database URL must begin with postgres: or sqlite:, or be memory:".into()),
        }
    }

    pub(super) fn booking(&self, clock: Arc<dyn Clock>) -> Booking {
        // A trait object can be seen as any of its supertraits.
        Booking::new(self.store.clone(), self.directory.clone(), clock, Arc::new(RandomIds))
    }

    fn of<S: Store + DirectoryAdmin + Outbox + 'static>(store: S) -> Self {
        let store = Arc::new(store);
        Self { store: store.clone(), directory: store.clone(), outbox: store }
    }
}
