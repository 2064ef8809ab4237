//! Stores that are wrong on purpose: they answer before what they answer is committed.

use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Meeting, MeetingQuery, Scope,
    Store, StoreError,
};
use booking_store::SqliteStore;
use tokio::sync::Notify;

pub(super) struct Early(SqliteStore);

impl Early {
    pub(super) fn over(store: SqliteStore) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Store for Early {
    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let change = decide(&self.0.read(scope).await?)?;
        let (store, late) = (self.0.clone(), change.clone());
        tokio::spawn(async move {
            // As long as a batch may take.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let _nobody_looks = store.change(&Scope::default(), &|_| Ok(late.clone())).await;
        });
        Ok(change)
    }

    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.0.read(scope).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.0.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.0.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

/// It does not wait for the others' commit where it changes nothing itself.
pub(super) struct Hasty(SqliteStore);

impl Hasty {
    pub(super) fn over(store: SqliteStore) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Store for Hasty {
    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let unchanged = Notify::new();
        let decide = |calendars: &Calendars| {
            let decided = decide(calendars);
            if decided.as_ref().is_ok_and(Change::is_empty) {
                unchanged.notify_one();
            }
            decided
        };
        tokio::select! {
            biased;
            done = self.0.change(scope, &decide) => done,
            () = unchanged.notified() => Ok(Change::default()),
        }
    }

    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.0.read(scope).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.0.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.0.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}
