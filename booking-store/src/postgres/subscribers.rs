//! Who gets events.

use booking_core::{
    Added, AuditEntry, By, ChangeSubscriber, Subscriber, SubscriberId, admit_subscriber,
};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

use super::{BEGIN, audit};
use crate::error::Failure;
use crate::event_rows::{self, SubscriberRow};
use crate::rows;

/// How many deliveries of somebody who leaves go in one transaction.
const SOME: u32 = 10_000;

pub(super) async fn add(
    connection: &mut PgConnection,
    subscriber: &Subscriber,
    by: By,
) -> Result<Added, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    // One after the other: what follows sees whom the one before has added.
    let lock = sqlx::query!(r#"SELECT pg_advisory_xact_lock(8, 0)::text AS "locked""#);
    lock.fetch_one(&mut *transaction).await?;
    let added = admit_subscriber(&subscriber.id, &all(&mut transaction).await?);
    if added != Added::Done {
        return Ok(added);
    }
    let insert = sqlx::query!(
        "INSERT INTO subscriber (id, event_types, is_active, settings, created_at)
         VALUES ($1, $2::text::jsonb, $3, $4::text::json, $5)
         ON CONFLICT DO NOTHING",
        subscriber.id.as_str(),
        rows::json(&event_rows::event_types(subscriber))?,
        subscriber.is_active,
        rows::json(&subscriber.settings)?,
        subscriber.created_at,
    );
    // A process of the version before adds them without that lock.
    if insert.execute(&mut *transaction).await?.rows_affected() == 0 {
        return Ok(Added::NameTaken);
    }
    let entry = AuditEntry::of_subscriber(by, None, Some(subscriber));
    audit::note(&mut transaction, entry.as_ref()).await?;
    transaction.commit().await?;
    Ok(added)
}

pub(super) async fn change(
    connection: &mut PgConnection,
    id: &SubscriberId,
    change: ChangeSubscriber<'_>,
    by: By,
) -> Result<Option<Subscriber>, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    // Who publishes meanwhile goes by one version or by the other, and does not wait.
    let Some(before) = locked(&mut transaction, id).await? else { return Ok(None) };
    let mut subscriber = before.clone();
    change(&mut subscriber);
    subscriber.id = id.clone();
    let update = sqlx::query!(
        "UPDATE subscriber SET
            event_types = $2::text::jsonb, is_active = $3, settings = $4::text::json,
            created_at = $5
         WHERE id = $1",
        subscriber.id.as_str(),
        rows::json(&event_rows::event_types(&subscriber))?,
        subscriber.is_active,
        rows::json(&subscriber.settings)?,
        subscriber.created_at,
    );
    update.execute(&mut *transaction).await?;
    let entry = AuditEntry::of_subscriber(by, Some(&before), Some(&subscriber));
    audit::note(&mut transaction, entry.as_ref()).await?;
    transaction.commit().await?;
    Ok(Some(subscriber))
}

async fn locked(
    connection: &mut PgConnection,
    id: &SubscriberId,
) -> Result<Option<Subscriber>, Failure> {
    let select = sqlx::query_as!(
        SubscriberRow,
        r#"SELECT
            id, event_types AS "event_types: Json<Vec<String>>", is_active,
            settings AS "settings: Json<Value>", unix_ms(created_at) AS "created_ms!"
         FROM subscriber WHERE id = $1 FOR NO KEY UPDATE"#,
        id.as_str(),
    );
    rows::one(select.fetch_optional(connection).await?)
}

/// Removes some of their deliveries; whether these were the last.
pub(super) async fn remove_some(
    connection: &mut PgConnection,
    id: &SubscriberId,
) -> Result<bool, Failure> {
    let delete = sqlx::query!(
        "DELETE FROM delivery WHERE subscriber_id = $1 AND position IN (
            SELECT position FROM delivery WHERE subscriber_id = $1 ORDER BY position LIMIT $2
        )",
        id.as_str(),
        i64::from(SOME),
    );
    Ok(delete.execute(connection).await?.rows_affected() < SOME.into())
}

pub(super) async fn remove(
    connection: &mut PgConnection,
    id: &SubscriberId,
    by: By,
) -> Result<bool, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let Some(before) = locked(&mut transaction, id).await? else { return Ok(false) };
    let delete = sqlx::query!("DELETE FROM subscriber WHERE id = $1", id.as_str());
    delete.execute(&mut *transaction).await?;
    let entry = AuditEntry::of_subscriber(by, Some(&before), None);
    audit::note(&mut transaction, entry.as_ref()).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn all(connection: &mut PgConnection) -> Result<Vec<Subscriber>, Failure> {
    let select = sqlx::query_as!(
        SubscriberRow,
        r#"SELECT
            id, event_types AS "event_types: Json<Vec<String>>", is_active,
            settings AS "settings: Json<Value>", unix_ms(created_at) AS "created_ms!"
         FROM subscriber ORDER BY id"#,
    );
    let mut subscribers: Vec<Subscriber> = rows::all(select.fetch_all(connection).await?)?;
    subscribers.sort_by_key(|subscriber| subscriber.created_at);
    Ok(subscribers)
}
