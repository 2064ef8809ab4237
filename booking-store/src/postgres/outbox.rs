//! The outbox table. What is delivered is marked and stays.

use async_trait::async_trait;
use booking_core::{Event, EventId, EventPayload, Outbox, Recorded, StoreError};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::PostgresStore;
use crate::error::{Failure, Malformed};
use crate::rows;

#[async_trait]
impl Outbox for PostgresStore {
    async fn undelivered(&self, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        self.readers.call(async |connection| undelivered(connection, after, limit).await).await
    }

    async fn mark_delivered(&self, sequences: &[u64]) -> Result<(), StoreError> {
        if sequences.is_empty() {
            return Ok(());
        }
        self.writers.call(async |connection| mark_delivered(connection, sequences).await).await
    }
}

async fn undelivered(
    connection: &mut PgConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<Recorded>, Failure> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let select = sqlx::query!(
        r#"SELECT
            sequence, event_id, unix_ms(occurred_at) AS "occurred_ms!",
            payload AS "payload: Json<EventPayload>"
         FROM outbox WHERE NOT delivered AND sequence > $1 ORDER BY sequence LIMIT $2"#,
        after,
        i64::from(limit),
    );
    let rows = select.fetch_all(connection).await?;
    rows.into_iter()
        .map(|row| {
            let sequence = u64::try_from(row.sequence).map_err(Malformed::because("sequence"))?;
            let Json(payload) = row.payload;
            let occurred_at = rows::instant(row.occurred_ms)?;
            let event = Event { id: EventId::from_uuid(row.event_id), occurred_at, payload };
            Ok(Recorded { sequence, event })
        })
        .collect()
}

async fn mark_delivered(connection: &mut PgConnection, sequences: &[u64]) -> Result<(), Failure> {
    // Numbers that Postgres has no room for were never handed out.
    let known: Vec<i64> = sequences.iter().filter_map(|&n| i64::try_from(n).ok()).collect();
    // Locked in order: two who deliver the same events do not wait for each other in a circle.
    let update = sqlx::query!(
        "UPDATE outbox SET delivered = TRUE WHERE sequence IN (
            SELECT sequence FROM outbox WHERE sequence = ANY($1::bigint[]) AND NOT delivered
            ORDER BY sequence FOR UPDATE
        )",
        &known,
    );
    update.execute(connection).await?;
    Ok(())
}
