//! The outbox table. What is delivered is marked and stays.

use async_trait::async_trait;
use booking_core::{Event, EventId, Outbox, Recorded, StoreError};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::error::{Failure, Malformed};
use crate::rows;

pub(super) const UNDELIVERED: &str = "
    SELECT sequence, event_id, occurred_ms, payload FROM outbox
    WHERE delivered = 0 AND sequence > ?1 ORDER BY sequence LIMIT ?2";

pub(super) const MARK_DELIVERED: &str = "
    UPDATE outbox SET delivered = 1
    WHERE sequence IN (SELECT value FROM json_each(?1)) AND delivered = 0";

#[async_trait]
impl Outbox for SqliteStore {
    async fn undelivered(&self, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let select = sqlx::query(UNDELIVERED).bind(after).bind(limit).fetch_all(&self.readers);
        let rows = select.await.map_err(Failure::from)?;
        let recorded: Result<Vec<Recorded>, Failure> = rows.iter().map(recorded).collect();
        Ok(recorded?)
    }

    async fn mark_delivered(&self, sequences: &[u64]) -> Result<(), StoreError> {
        if sequences.is_empty() {
            return Ok(());
        }
        // Numbers that SQLite has no room for were never handed out.
        let known: Vec<i64> = sequences.iter().filter_map(|&n| i64::try_from(n).ok()).collect();
        let update = sqlx::query(MARK_DELIVERED).bind(rows::json(&known)?).execute(&self.writer);
        update.await.map_err(Failure::from)?;
        Ok(())
    }
}

fn recorded(row: &SqliteRow) -> Result<Recorded, Failure> {
    let sequence: i64 = row.try_get("sequence")?;
    Ok(Recorded {
        sequence: u64::try_from(sequence).map_err(Malformed::because("sequence"))?,
        event: Event {
            id: EventId::from_uuid(row.try_get("event_id")?),
            occurred_at: rows::instant(row.try_get("occurred_ms")?)?,
            payload: rows::from_json("event", row.try_get("payload")?)?,
        },
    })
}
