//! A store that is wrong on purpose: it answers before what it answers is committed.

use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Meeting, MeetingQuery, Scope,
    Store, StoreError,
};
use booking_store::SqliteStore;

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
            // Later than anybody looks.
            tokio::time::sleep(Duration::from_secs(10)).await;
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
