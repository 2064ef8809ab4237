//! Who gets events.

use booking_core::{
    Added, AuditEntry, By, ChangeSubscriber, Subscriber, SubscriberId, admit_subscriber,
};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{SqliteStore, audit};
use crate::error::Failure;
use crate::event_rows::{self, SubscriberRow};
use crate::rows;

/// What they get begins after the last event that there is.
const INSERT: &str = "
    INSERT INTO subscriber (id, event_types, is_active, settings, created_ms, noted_to)
    VALUES (
        ?1, ?2, ?3, ?4, ?5,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0)
    )";

pub(super) const SELECT: &str = "
    SELECT id, event_types, is_active, settings, created_ms FROM subscriber WHERE id = ?1";

pub(super) const UPDATE: &str = "
    UPDATE subscriber SET event_types = ?2, is_active = ?3, settings = ?4, created_ms = ?5
    WHERE id = ?1";

/// Some at a time: other writers have their turn in between.
pub(super) const DELETE_DELIVERIES: &str = "
    DELETE FROM delivery WHERE (subscriber_id, sequence) IN (
        SELECT subscriber_id, sequence FROM delivery WHERE subscriber_id = ?1 LIMIT ?2
    )";

pub(super) const DELETE: &str = "DELETE FROM subscriber WHERE id = ?1";

/// How many deliveries of somebody who leaves go in one transaction.
const SOME: u32 = 10_000;

/// All of a small table.
pub(super) const ALL: &str = "
    SELECT id, event_types, is_active, settings, created_ms FROM subscriber
    ORDER BY created_ms, id";

impl SqliteStore {
    pub(super) async fn insert(&self, subscriber: &Subscriber, by: By) -> Result<Added, Failure> {
        let mut transaction = self.begin_write().await?;
        // Nobody else writes meanwhile.
        let added = admit_subscriber(&subscriber.id, &all(&mut *transaction).await?);
        if added == Added::Done {
            put(&mut transaction, INSERT, subscriber).await?;
            let entry = AuditEntry::of_subscriber(by, None, Some(subscriber));
            audit::note(&mut transaction, entry.as_ref()).await?;
            transaction.commit().await?;
        }
        Ok(added)
    }

    pub(super) async fn update(
        &self,
        id: &SubscriberId,
        change: ChangeSubscriber<'_>,
        by: By,
    ) -> Result<Option<Subscriber>, Failure> {
        let mut transaction = self.begin_write().await?;
        let Some(before) = find(&mut transaction, id).await? else { return Ok(None) };
        let mut subscriber = before.clone();
        change(&mut subscriber);
        subscriber.id = id.clone();
        put(&mut transaction, UPDATE, &subscriber).await?;
        let entry = AuditEntry::of_subscriber(by, Some(&before), Some(&subscriber));
        audit::note(&mut transaction, entry.as_ref()).await?;
        transaction.commit().await?;
        Ok(Some(subscriber))
    }

    pub(super) async fn delete(&self, id: &SubscriberId, by: By) -> Result<bool, Failure> {
        loop {
            let mut transaction = self.begin_write().await?;
            let some = sqlx::query(DELETE_DELIVERIES).bind(id.as_str()).bind(SOME);
            let gone = some.execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            if gone < SOME.into() {
                break;
            }
        }
        let mut transaction = self.begin_write().await?;
        let Some(before) = find(&mut transaction, id).await? else { return Ok(false) };
        sqlx::query(DELETE).bind(id.as_str()).execute(&mut *transaction).await?;
        let entry = AuditEntry::of_subscriber(by, Some(&before), None);
        audit::note(&mut transaction, entry.as_ref()).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

pub(super) async fn all(executor: impl SqliteExecutor<'_>) -> Result<Vec<Subscriber>, Failure> {
    rows::all(sqlx::query_as::<_, SubscriberRow>(ALL).fetch_all(executor).await?)
}

async fn find(
    connection: &mut SqliteConnection,
    id: &SubscriberId,
) -> Result<Option<Subscriber>, Failure> {
    let select = sqlx::query_as::<_, SubscriberRow>(SELECT).bind(id.as_str());
    rows::one(select.fetch_optional(connection).await?)
}

/// For both statements, whose parameters are the same.
async fn put(
    connection: &mut SqliteConnection,
    statement: &'static str,
    subscriber: &Subscriber,
) -> Result<(), Failure> {
    let put = sqlx::query(statement)
        .bind(subscriber.id.as_str())
        .bind(rows::json(&event_rows::event_types(subscriber))?)
        .bind(subscriber.is_active)
        .bind(rows::json(&subscriber.settings)?)
        .bind(subscriber.created_at.timestamp_millis());
    put.execute(connection).await?;
    Ok(())
}
