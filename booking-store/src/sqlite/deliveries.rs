//! What is on its way to whom.

use async_trait::async_trait;
use booking_core::{
    Added, AuditEntry, Backlog, By, ChangeSubscriber, Claim, Claimed, Deliveries, Delivery,
    DeliveryQuery, Replay, Settled, StoreError, Subscriber, SubscriberId,
};
use serde::Serialize;

use super::{SqliteStore, audit, subscribers};
use crate::error::Failure;
use crate::event_rows::{self, BacklogRow, DeliveryRow, DueRow, Follows};
use crate::rows;

/// What is due to `?1` at `?2`: of each meeting the oldest, if nobody has it.
pub(super) const DUE: &str = "
    SELECT
        outbox.sequence, outbox.event_id, outbox.occurred_ms, outbox.payload, delivery.failures
    FROM delivery CROSS JOIN outbox ON outbox.sequence = delivery.sequence
    WHERE subscriber_id = ?1 AND state = 'pending' AND due_ms <= ?2
        AND (claimed_until_ms IS NULL OR claimed_until_ms <= ?2)
        AND EXISTS (SELECT 1 FROM subscriber WHERE id = ?1 AND is_active = 1)
        AND NOT EXISTS (
            SELECT 1 FROM delivery AS older
            WHERE older.subscriber_id = ?1 AND older.meeting_id = delivery.meeting_id
                AND older.state = 'pending' AND older.sequence < delivery.sequence
        )
    ORDER BY due_ms, delivery.sequence LIMIT ?3";

pub(super) const CLAIM: &str = "
    UPDATE delivery SET claimed_until_ms = ?3
    WHERE subscriber_id = ?1 AND sequence IN (SELECT value FROM json_each(?2))";

/// A success counts at all times, a failure under its own claim only.
pub(super) const SETTLE: &str = "
    WITH new AS MATERIALIZED (
        SELECT
            value ->> 'sequence' AS sequence,
            value ->> 'until_ms' AS until_ms,
            value ->> 'state' AS state,
            value ->> 'due_ms' AS due_ms,
            value ->> 'failures' AS failures,
            value ->> 'attempted_ms' AS attempted_ms,
            value ->> 'status' AS status,
            value ->> 'error' AS error
        FROM json_each(?2)
        ORDER BY 1
    )
    UPDATE delivery SET
        state = new.state,
        failures = delivery.failures + new.failures,
        due_ms = coalesce(new.due_ms, delivery.due_ms),
        claimed_until_ms = NULL,
        attempted_ms = new.attempted_ms,
        status = new.status,
        error = new.error
    FROM new
    WHERE subscriber_id = ?1 AND delivery.sequence = new.sequence
        AND (
            new.state = 'delivered'
            OR (delivery.state = 'pending' AND claimed_until_ms = new.until_ms)
        )";

/// The later ones of a meeting wait for the one that is tried again: whoever looks for what is due
/// does not have to pass over them.
pub(super) const POSTPONE: &str = "
    UPDATE delivery SET due_ms = postponed.due_ms
    FROM (
        SELECT later.subscriber_id, later.sequence, max(earlier.due_ms) AS due_ms
        FROM json_each(?2) AS settled
        CROSS JOIN delivery AS earlier
        CROSS JOIN delivery AS later
        WHERE settled.value ->> 'due_ms' IS NOT NULL
            AND earlier.subscriber_id = ?1 AND earlier.sequence = settled.value ->> 'sequence'
            AND earlier.state = 'pending' AND earlier.claimed_until_ms IS NULL
            AND later.subscriber_id = ?1 AND later.meeting_id = earlier.meeting_id
            AND later.state = 'pending' AND later.sequence > earlier.sequence
        GROUP BY later.subscriber_id, later.sequence
    ) AS postponed
    WHERE delivery.subscriber_id = postponed.subscriber_id
        AND delivery.sequence = postponed.sequence AND delivery.due_ms < postponed.due_ms";

pub(super) const LIST: &str = "
    SELECT
        outbox.sequence, outbox.event_id, outbox.occurred_ms, outbox.payload,
        state, failures, due_ms, attempted_ms, status, error
    FROM delivery CROSS JOIN outbox ON outbox.sequence = delivery.sequence
    WHERE subscriber_id = ?1 AND delivery.sequence < ?2
    ORDER BY delivery.sequence DESC LIMIT ?3";

/// Left to itself, SQLite would pass over all that are in another state.
pub(super) const LIST_IN_STATE: &str = "
    SELECT
        outbox.sequence, outbox.event_id, outbox.occurred_ms, outbox.payload,
        state, failures, due_ms, attempted_ms, status, error
    FROM delivery INDEXED BY delivery_by_state
    CROSS JOIN outbox ON outbox.sequence = delivery.sequence
    WHERE subscriber_id = ?1 AND delivery.sequence < ?2 AND state = ?4
    ORDER BY delivery.sequence DESC LIMIT ?3";

pub(super) const REPLAY_DEAD: &str = "
    UPDATE delivery SET
        state = 'pending', failures = 0, due_ms = ?5, claimed_until_ms = NULL,
        attempted_ms = NULL, status = NULL, error = NULL
    WHERE subscriber_id = ?1 AND sequence IN (
        SELECT sequence FROM delivery INDEXED BY delivery_by_state
        WHERE subscriber_id = ?1 AND state = 'dead' AND sequence >= ?2 AND sequence <= ?3
        ORDER BY sequence LIMIT ?4
    )";

pub(super) const REPLAY: &str = "
    INSERT INTO delivery (subscriber_id, sequence, meeting_id, state, due_ms)
    SELECT subscriber.id, outbox.sequence, outbox.meeting_id, 'pending', ?5
    FROM subscriber CROSS JOIN outbox
    WHERE subscriber.id = ?1 AND outbox.sequence >= ?2 AND outbox.sequence <= ?3
        AND (event_types = '[]' OR event_type IN (SELECT value FROM json_each(event_types)))
        AND NOT EXISTS (
            SELECT 1 FROM delivery AS there
            WHERE there.subscriber_id = ?1 AND there.sequence = outbox.sequence
                AND there.state = 'pending'
        )
    ORDER BY outbox.sequence LIMIT ?4
    ON CONFLICT (subscriber_id, sequence) DO UPDATE SET
        state = 'pending', failures = 0, due_ms = excluded.due_ms, claimed_until_ms = NULL,
        attempted_ms = NULL, status = NULL, error = NULL";

/// All of a small table, with counts from an index.
pub(super) const BACKLOG: &str = "
    SELECT
        id,
        (
            SELECT count(*) FROM (
                SELECT 1 FROM delivery
                WHERE subscriber_id = subscriber.id AND state = 'pending' LIMIT ?1
            )
        ) AS pending,
        (
            SELECT occurred_ms FROM delivery JOIN outbox USING (sequence)
            WHERE subscriber_id = subscriber.id AND state = 'pending'
            ORDER BY delivery.sequence LIMIT 1
        ) AS oldest_ms,
        (
            SELECT count(*) FROM (
                SELECT 1 FROM delivery
                WHERE subscriber_id = subscriber.id AND state = 'dead' LIMIT ?1
            )
        ) AS dead
    FROM subscriber ORDER BY id";

#[async_trait]
impl Deliveries for SqliteStore {
    async fn add_subscriber(&self, subscriber: &Subscriber, by: By) -> Result<Added, StoreError> {
        Ok(self.insert(subscriber, by).await?)
    }

    async fn change_subscriber(
        &self,
        id: &SubscriberId,
        change: ChangeSubscriber<'_>,
        by: By,
    ) -> Result<Option<Subscriber>, StoreError> {
        Ok(self.update(id, change, by).await?)
    }

    async fn remove_subscriber(&self, id: &SubscriberId, by: By) -> Result<bool, StoreError> {
        Ok(self.delete(id, by).await?)
    }

    async fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        Ok(subscribers::all(&self.readers).await?)
    }

    async fn claim(
        &self,
        subscriber: &SubscriberId,
        claim: &Claim,
    ) -> Result<Vec<Claimed>, StoreError> {
        // Nobody writes, and no other writer waits, just to find that nothing is due.
        let now = claim.now.timestamp_millis();
        let is_due = sqlx::query(DUE).bind(subscriber.as_str()).bind(now).bind(1);
        if is_due.fetch_optional(&self.readers).await.map_err(Failure::from)?.is_none() {
            return Ok(vec![]);
        }
        Ok(self.take(subscriber, claim).await?)
    }

    async fn settle(
        &self,
        subscriber: &SubscriberId,
        settled: &[Settled],
    ) -> Result<(), StoreError> {
        Ok(self.settle_all(subscriber, settled).await?)
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError> {
        let statement = if query.state.is_some() { LIST_IN_STATE } else { LIST };
        let mut select = sqlx::query_as::<_, DeliveryRow>(statement)
            .bind(query.subscriber.as_str())
            .bind(query.before.map_or(i64::MAX, event_rows::bound))
            .bind(query.limit);
        if let Some(state) = query.state {
            select = select.bind(state.as_str());
        }
        Ok(rows::all(select.fetch_all(&self.readers).await.map_err(Failure::from)?)?)
    }

    async fn replay(
        &self,
        subscriber: &SubscriberId,
        replay: &Replay,
        by: By,
    ) -> Result<u32, StoreError> {
        Ok(self.again(subscriber, replay, by).await?)
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let select =
            sqlx::query_as::<_, BacklogRow>(BACKLOG).bind(Backlog::MOST).fetch_all(&self.readers);
        Ok(rows::all(select.await.map_err(Failure::from)?)?)
    }
}

/// An attempt, as [`SETTLE`] reads it.
#[derive(Serialize)]
struct SettledRow<'a> {
    sequence: i64,
    until_ms: i64,
    state: &'static str,
    due_ms: Option<i64>,
    failures: i64,
    attempted_ms: i64,
    status: Option<u16>,
    error: Option<&'a str>,
}

impl<'a> From<&&'a Settled> for SettledRow<'a> {
    fn from(settled: &&'a Settled) -> Self {
        let Follows { state, due_at, failures } = event_rows::follows(settled.outcome);
        Self {
            sequence: event_rows::bound(settled.sequence),
            until_ms: settled.until.timestamp_millis(),
            state: state.as_str(),
            due_ms: due_at.map(|at| at.timestamp_millis()),
            failures,
            attempted_ms: settled.attempt.at.timestamp_millis(),
            status: settled.attempt.status,
            error: settled.attempt.error.as_deref(),
        }
    }
}

impl SqliteStore {
    async fn take(
        &self,
        subscriber: &SubscriberId,
        claim: &Claim,
    ) -> Result<Vec<Claimed>, Failure> {
        let until = event_rows::until(claim);
        let mut transaction = self.begin_write().await?;
        let due = sqlx::query_as::<_, DueRow>(DUE)
            .bind(subscriber.as_str())
            .bind(claim.now.timestamp_millis())
            .bind(claim.limit)
            .fetch_all(&mut *transaction)
            .await?;
        let sequences: Vec<i64> = due.iter().map(|row| row.sequence).collect();
        let update = sqlx::query(CLAIM)
            .bind(subscriber.as_str())
            .bind(rows::json(&sequences)?)
            .bind(until.timestamp_millis());
        update.execute(&mut *transaction).await?;
        let claimed: Result<_, Failure> =
            due.into_iter().map(|row| Ok(event_rows::claimed(row, until)?)).collect();
        let claimed = claimed?;
        transaction.commit().await?;
        Ok(claimed)
    }

    async fn again(
        &self,
        subscriber: &SubscriberId,
        replay: &Replay,
        by: By,
    ) -> Result<u32, Failure> {
        let mut transaction = self.begin_write().await?;
        let replayed = sqlx::query(if replay.only_dead { REPLAY_DEAD } else { REPLAY })
            .bind(subscriber.as_str())
            .bind(event_rows::bound(replay.from))
            .bind(event_rows::bound(replay.to))
            .bind(replay.limit)
            .bind(replay.now.timestamp_millis())
            .execute(&mut *transaction);
        let replayed = u32::try_from(replayed.await?.rows_affected()).unwrap_or(replay.limit);
        let entry = AuditEntry::of_replay(by, subscriber, replay, replayed);
        audit::note(&mut transaction, entry.as_ref()).await?;
        transaction.commit().await?;
        Ok(replayed)
    }

    async fn settle_all(
        &self,
        subscriber: &SubscriberId,
        settled: &[Settled],
    ) -> Result<(), Failure> {
        if settled.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin_write().await?;
        for batch in event_rows::batches(settled) {
            let json = rows::json(&batch.iter().map(SettledRow::from).collect::<Vec<_>>())?;
            for statement in [SETTLE, POSTPONE] {
                let update = sqlx::query(statement).bind(subscriber.as_str()).bind(&json);
                update.execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }
}
