//! The outbox table: the log of events, in the order of their commits.

use async_trait::async_trait;
use booking_core::{EventQuery, Outbox, Recorded, StoreError};
use chrono::{DateTime, Utc};

use super::SqliteStore;
use crate::error::Failure;
use crate::event_rows::{self, EventRow};
use crate::rows;

/// Whether there are events that were not looked at for everybody.
pub(super) const IS_BEHIND: &str = "
    SELECT EXISTS (
        SELECT 1 FROM subscriber WHERE noted_to < (SELECT max(sequence) FROM outbox)
    )";

/// How many events come next, at most `?1`, and which one is the last of them.
pub(super) const NEXT: &str = "
    SELECT count(*), max(sequence) FROM (
        SELECT sequence FROM outbox WHERE sequence > (SELECT min(noted_to) FROM subscriber)
        ORDER BY sequence LIMIT ?1
    )";

/// How many events were not looked at for somebody, at most `?1`.
pub(super) const UNPUBLISHED: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM outbox WHERE sequence > (SELECT min(noted_to) FROM subscriber) LIMIT ?1
    )";

/// A delivery, due at `?2`, of every event up to `?1` to everybody who wants it. Somebody may have
/// asked for one of them already.
pub(super) const NOTE: &str = "
    INSERT INTO delivery (subscriber_id, sequence, meeting_id, state, due_ms)
    SELECT subscriber.id, outbox.sequence, outbox.meeting_id, 'pending', ?2
    FROM subscriber CROSS JOIN outbox
    WHERE is_active = 1 AND outbox.sequence > noted_to AND outbox.sequence <= ?1
        AND (event_types = '[]' OR event_type IN (SELECT value FROM json_each(event_types)))
    ON CONFLICT DO NOTHING";

pub(super) const NOTED: &str = "UPDATE subscriber SET noted_to = ?1 WHERE noted_to < ?1";

pub(super) const EVENTS: &str = "
    SELECT sequence, event_id, occurred_ms, payload FROM outbox
    WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";

/// Each half comes in order from its index, and has what the other has not.
pub(super) const EVENTS_OF: &str = "
    SELECT sequence, event_id, occurred_ms, payload FROM outbox
    WHERE client_id = ?3 AND sequence > ?1
    UNION ALL
    SELECT sequence, event_id, occurred_ms, payload FROM outbox
    WHERE therapist_id = ?3 AND client_id <> ?3 AND sequence > ?1
    ORDER BY sequence LIMIT ?2";

/// Of all that ever were, as the numbers of rows that have gone are not used again.
pub(super) const LAST: &str = "
    SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0)";

/// Their deliveries go with them.
pub(super) const FORGET: &str = "
    DELETE FROM outbox WHERE sequence IN (
        SELECT sequence FROM outbox
        WHERE occurred_ms < ?1
            AND sequence <= (SELECT coalesce(min(noted_to), 9223372036854775807) FROM subscriber)
            AND NOT EXISTS (
                SELECT 1 FROM delivery
                WHERE delivery.sequence = outbox.sequence AND delivery.state = 'pending'
            )
        ORDER BY occurred_ms, sequence LIMIT ?2
    )";

#[async_trait]
impl Outbox for SqliteStore {
    /// Every event is in the log already; what is left are its deliveries, if anybody wants any.
    async fn publish(&self, now: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let is_behind = sqlx::query_scalar(IS_BEHIND).fetch_one(&self.readers);
        if !is_behind.await.map_err(Failure::from)? {
            return Ok(0);
        }
        Ok(self.note(now, limit).await?)
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<Recorded>, StoreError> {
        let statement = if query.person.is_some() { EVENTS_OF } else { EVENTS };
        let mut select = sqlx::query_as::<_, EventRow>(statement)
            .bind(event_rows::bound(query.after))
            .bind(query.limit);
        if let Some(person) = &query.person {
            select = select.bind(person.as_str());
        }
        Ok(rows::all(select.fetch_all(&self.readers).await.map_err(Failure::from)?)?)
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        let last = sqlx::query_scalar(LAST).fetch_one(&self.readers).await;
        Ok(event_rows::number("sequence", last.map_err(Failure::from)?).map_err(Failure::from)?)
    }

    async fn unpublished(&self, limit: u32) -> Result<u32, StoreError> {
        let count = sqlx::query_scalar(UNPUBLISHED).bind(limit).fetch_one(&self.readers).await;
        Ok(count.map_err(Failure::from)?)
    }

    async fn forget(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        Ok(self.forget_events(before, limit).await?)
    }
}

impl SqliteStore {
    async fn forget_events(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, Failure> {
        let mut transaction = self.begin_write().await?;
        let delete = sqlx::query(FORGET).bind(before.timestamp_millis()).bind(limit);
        let gone = delete.execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        Ok(u32::try_from(gone).unwrap_or(limit))
    }

    async fn note(&self, now: DateTime<Utc>, limit: u32) -> Result<u32, Failure> {
        let mut transaction = self.begin_write().await?;
        let next = sqlx::query_as::<_, (u32, Option<i64>)>(NEXT).bind(limit);
        let (count, Some(last)) = next.fetch_one(&mut *transaction).await? else { return Ok(0) };
        let note = sqlx::query(NOTE).bind(last).bind(now.timestamp_millis());
        note.execute(&mut *transaction).await?;
        sqlx::query(NOTED).bind(last).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(count)
    }
}
