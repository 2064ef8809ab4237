//! The store that a database URL names.

use std::sync::Arc;

use async_trait::async_trait;
use booking_core::{
    AuditLog, DirectoryAdmin, EventStore, Feeds, LinkedCalendars, MemoryStore, Store, with_causes,
};
use booking_store::{PoolState, PostgresStore, SqliteStore};

use super::Failure;

/// A store with the directory, the events, the audit log and the calendar feeds that it keeps.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) store: Arc<dyn Store>,
    pub(super) directory: Arc<dyn DirectoryAdmin>,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) audit: Arc<dyn AuditLog>,
    pub(super) feeds: Arc<dyn Feeds>,
    pub(super) links: Arc<dyn LinkedCalendars>,
    kept: Arc<dyn Kept>,
}

/// A store that has connections, and wants to be told when it is no longer needed.
#[async_trait]
trait Kept: Send + Sync {
    async fn close(&self);

    fn pools(&self) -> Vec<PoolState>;
}

#[async_trait]
impl Kept for MemoryStore {
    async fn close(&self) {}

    fn pools(&self) -> Vec<PoolState> {
        Vec::new()
    }
}

#[async_trait]
impl Kept for SqliteStore {
    async fn close(&self) {
        Self::close(self).await;
    }

    fn pools(&self) -> Vec<PoolState> {
        Self::pools(self)
    }
}

#[async_trait]
impl Kept for PostgresStore {
    async fn close(&self) {
        Self::close(self).await;
    }

    fn pools(&self) -> Vec<PoolState> {
        Self::pools(self)
    }
}

impl Backend {
    /// Opens the store, its tables up to date.
    pub(super) async fn open(url: &str) -> Result<Self, Failure> {
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Self::of(MemoryStore::default())),
            Some(("sqlite", _)) => match SqliteStore::open(url).await {
                Ok(store) => Ok(Self::of(store)),
                Err(error) => Err(format!("cannot open {url}: {}", with_causes(&error)).into()),
            },
            Some(("postgres" | "postgresql", _)) => Ok(Self::of(PostgresStore::open(url).await?)),
            _ => Err("the database URL must begin with postgres: or sqlite:, or be memory:".into()),
        }
    }

    /// Waits for calls under way; SQLite folds its log into the file, which is whole then.
    pub(super) async fn close(&self) {
        self.kept.close().await;
    }

    /// How its connections are used.
    pub(super) fn pools(&self) -> Vec<PoolState> {
        self.kept.pools()
    }

    fn of<S>(store: S) -> Self
    where
        S: Store
            + DirectoryAdmin
            + EventStore
            + AuditLog
            + Feeds
            + LinkedCalendars
            + Kept
            + 'static,
    {
        let store = Arc::new(store);
        Self {
            store: store.clone(),
            directory: store.clone(),
            events: store.clone(),
            audit: store.clone(),
            feeds: store.clone(),
            links: store.clone(),
            kept: store,
        }
    }
}
