//! The outbox table: the log of events. What has no position is not in it yet.

use async_trait::async_trait;
use booking_core::{EventPayload, EventQuery, Outbox, Recorded, StoreError};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

use super::{BEGIN, PostgresStore};
use crate::error::Failure;
use crate::event_rows::{self, EventRow};
use crate::rows;

#[async_trait]
impl Outbox for PostgresStore {
    async fn publish(&self, now: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let call = || self.relays.call(async |one| publish(one, now, limit).await);
        self.relays.persist(call).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<Recorded>, StoreError> {
        self.readers.call(async |connection| events(connection, query).await).await
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.readers.call(async |connection| last_sequence(connection).await).await
    }

    async fn unpublished(&self, limit: u32) -> Result<u32, StoreError> {
        self.relays.call(async |connection| unpublished(connection, limit).await).await
    }

    async fn forget(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let call = || self.relays.call(async |one| forget(one, before, limit).await);
        self.relays.persist(call).await
    }
}

/// One publisher at a time, to its commit: positions are seen in their order. What a statement sees
/// is as new as its beginning, so the lock is a statement of its own, before.
async fn publish(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<u32, Failure> {
    let is_behind = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM outbox WHERE position IS NULL) AS "is_behind!""#
    );
    if !is_behind.fetch_one(&mut *connection).await? {
        return Ok(0);
    }
    let mut transaction = connection.begin_with(BEGIN).await?;
    let end = lock_end(&mut transaction).await?;
    let publish = sqlx::query_file_scalar!("queries/publish.sql", i64::from(limit), end, now);
    let published = publish.fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(u32::try_from(published).unwrap_or(limit))
}

/// Where the log ends. Whoever adds deliveries or takes events away holds it meanwhile.
pub(super) async fn lock_end(connection: &mut PgConnection) -> Result<i64, Failure> {
    let end = sqlx::query_scalar!("SELECT position FROM log_end WHERE id = 1 FOR UPDATE");
    Ok(end.fetch_one(connection).await?)
}

async fn events(
    connection: &mut PgConnection,
    query: &EventQuery,
) -> Result<Vec<Recorded>, Failure> {
    let (after, limit) = (event_rows::bound(query.after), i64::from(query.limit));
    let rows = match &query.person {
        Some(person) => {
            let person = person.as_str();
            let select =
                sqlx::query_file_as!(EventRow, "queries/events_of.sql", after, limit, person);
            select.fetch_all(connection).await?
        }
        None => {
            let select = sqlx::query_as!(
                EventRow,
                r#"SELECT
                    position AS "sequence!", event_id, unix_ms(occurred_at) AS "occurred_ms!",
                    payload AS "payload: Json<EventPayload>"
                 FROM outbox WHERE position > $1 ORDER BY position LIMIT $2"#,
                after,
                limit,
            );
            select.fetch_all(connection).await?
        }
    };
    rows::all(rows)
}

async fn last_sequence(connection: &mut PgConnection) -> Result<u64, Failure> {
    let end = sqlx::query_scalar!("SELECT position FROM log_end WHERE id = 1");
    Ok(event_rows::number("position", end.fetch_one(connection).await?)?)
}

async fn unpublished(connection: &mut PgConnection, limit: u32) -> Result<u32, Failure> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!"
         FROM (SELECT FROM outbox WHERE position IS NULL ORDER BY sequence LIMIT $1) AS waiting"#,
        i64::from(limit),
    );
    Ok(u32::try_from(count.fetch_one(connection).await?).unwrap_or(limit))
}

async fn forget(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u32, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    lock_end(&mut transaction).await?;
    let delete = sqlx::query_file!("queries/forget.sql", before, i64::from(limit));
    let gone = delete.execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(u32::try_from(gone).unwrap_or(limit))
}
