//! What is on its way to whom.

use async_trait::async_trait;
use booking_core::{
    Added, AuditEntry, Backlog, By, ChangeSubscriber, Claim, Claimed, Deliveries, Delivery,
    DeliveryQuery, EventPayload, Replay, Settled, StoreError, Subscriber, SubscriberId,
};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

use super::outbox::lock_end;
use super::{BEGIN, PostgresStore, audit, subscribers};
use crate::error::Failure;
use crate::event_rows::{self, BacklogRow, DeliveryRow, DueRow, Follows};
use crate::rows;

#[async_trait]
impl Deliveries for PostgresStore {
    async fn add_subscriber(&self, subscriber: &Subscriber, by: By) -> Result<Added, StoreError> {
        self.relays.call(async |one| subscribers::add(one, subscriber, by).await).await
    }

    async fn change_subscriber(
        &self,
        id: &SubscriberId,
        change: ChangeSubscriber<'_>,
        by: By,
    ) -> Result<Option<Subscriber>, StoreError> {
        self.relays.call(async |one| subscribers::change(one, id, change, by).await).await
    }

    async fn remove_subscriber(&self, id: &SubscriberId, by: By) -> Result<bool, StoreError> {
        let some = || self.relays.call(async |one| subscribers::remove_some(one, id).await);
        while !self.relays.persist(some).await? {}
        let rest = || self.relays.call(async |one| subscribers::remove(one, id, by.clone()).await);
        self.relays.persist(rest).await
    }

    async fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        self.readers.call(async |connection| subscribers::all(connection).await).await
    }

    async fn claim(
        &self,
        subscriber: &SubscriberId,
        claim: &Claim,
    ) -> Result<Vec<Claimed>, StoreError> {
        self.relays.call(async |connection| take(connection, subscriber, claim).await).await
    }

    async fn settle(
        &self,
        subscriber: &SubscriberId,
        settled: &[Settled],
    ) -> Result<(), StoreError> {
        for batch in event_rows::batches(settled) {
            let batch = Attempts::of(&batch);
            let call = || self.relays.call(async |one| settle(one, subscriber, &batch).await);
            self.relays.persist(call).await?;
        }
        Ok(())
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError> {
        self.relays.call(async |connection| list(connection, query).await).await
    }

    async fn replay(
        &self,
        subscriber: &SubscriberId,
        replay: &Replay,
        by: By,
    ) -> Result<u32, StoreError> {
        let call = || self.relays.call(async |one| again(one, subscriber, replay, &by).await);
        self.relays.persist(call).await
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.relays.call(async |connection| backlog(connection).await).await
    }
}

async fn take(
    connection: &mut PgConnection,
    subscriber: &SubscriberId,
    claim: &Claim,
) -> Result<Vec<Claimed>, Failure> {
    let until = event_rows::until(claim);
    let claim = sqlx::query_file_as!(
        DueRow,
        "queries/claim.sql",
        subscriber.as_str(),
        claim.now,
        until,
        i64::from(claim.limit),
    );
    let due = claim.fetch_all(connection).await?;
    due.into_iter().map(|row| Ok(event_rows::claimed(row, until)?)).collect()
}

/// What became of different deliveries, as columns.
#[derive(Default)]
struct Attempts {
    position: Vec<i64>,
    until: Vec<DateTime<Utc>>,
    state: Vec<String>,
    due_at: Vec<Option<DateTime<Utc>>>,
    failures: Vec<i64>,
    attempted_at: Vec<DateTime<Utc>>,
    status: Vec<Option<i64>>,
    error: Vec<Option<String>>,
}

impl Attempts {
    fn of(settled: &[&Settled]) -> Self {
        let mut attempts = Self::default();
        for one in settled {
            let Follows { state, due_at, failures } = event_rows::follows(one.outcome);
            attempts.position.push(event_rows::bound(one.sequence));
            attempts.until.push(one.until);
            attempts.state.push(state.as_str().to_owned());
            attempts.due_at.push(due_at);
            attempts.failures.push(failures);
            attempts.attempted_at.push(one.attempt.at);
            attempts.status.push(one.attempt.status.map(i64::from));
            attempts.error.push(one.attempt.error.as_deref().map(without_null));
        }
        attempts
    }
}

/// Postgres has no null characters in texts.
fn without_null(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

async fn settle(
    connection: &mut PgConnection,
    subscriber: &SubscriberId,
    attempts: &Attempts,
) -> Result<(), Failure> {
    let settle = sqlx::query_file!(
        "queries/settle.sql",
        subscriber.as_str(),
        &attempts.position,
        &attempts.until,
        &attempts.state,
        &attempts.due_at as &[Option<DateTime<Utc>>],
        &attempts.failures,
        &attempts.attempted_at,
        &attempts.status as &[Option<i64>],
        &attempts.error as &[Option<String>],
    );
    settle.execute(connection).await?;
    Ok(())
}

async fn list(
    connection: &mut PgConnection,
    query: &DeliveryQuery,
) -> Result<Vec<Delivery>, Failure> {
    let subscriber = query.subscriber.as_str();
    let before = query.before.map_or(i64::MAX, event_rows::bound);
    let limit = i64::from(query.limit);
    let rows = match query.state {
        None => {
            let select = sqlx::query_file_as!(
                DeliveryRow,
                "queries/deliveries.sql",
                subscriber,
                before,
                limit
            );
            select.fetch_all(connection).await?
        }
        Some(state) => {
            let select = sqlx::query_file_as!(
                DeliveryRow,
                "queries/deliveries_in_state.sql",
                subscriber,
                before,
                limit,
                state.as_str(),
            );
            select.fetch_all(connection).await?
        }
    };
    rows::all(rows)
}

/// An event that is to be delivered again is not forgotten meanwhile: both hold the log's end.
async fn again(
    connection: &mut PgConnection,
    id: &SubscriberId,
    replay: &Replay,
    by: &By,
) -> Result<u32, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    lock_end(&mut transaction).await?;
    let (from, to) = (event_rows::bound(replay.from), event_rows::bound(replay.to));
    let (subscriber, limit) = (id.as_str(), i64::from(replay.limit));
    let replayed = if replay.only_dead {
        let update = sqlx::query!(
            "UPDATE delivery SET
                state = 'pending', failures = 0, due_at = $5, claimed_until = NULL,
                attempted_at = NULL, status = NULL, error = NULL
             WHERE subscriber_id = $1 AND position IN (
                SELECT position FROM delivery
                WHERE subscriber_id = $1 AND state = 'dead' AND position >= $2 AND position <= $3
                ORDER BY position LIMIT $4
             )",
            subscriber,
            from,
            to,
            limit,
            replay.now,
        );
        update.execute(&mut *transaction).await?
    } else {
        let insert =
            sqlx::query_file!("queries/replay.sql", subscriber, from, to, limit, replay.now);
        insert.execute(&mut *transaction).await?
    };
    let replayed = u32::try_from(replayed.rows_affected()).unwrap_or(replay.limit);
    let entry = AuditEntry::of_replay(by.clone(), id, replay, replayed);
    audit::note(&mut transaction, entry.as_ref()).await?;
    transaction.commit().await?;
    Ok(replayed)
}

async fn backlog(connection: &mut PgConnection) -> Result<Vec<Backlog>, Failure> {
    let select = sqlx::query_as!(
        BacklogRow,
        r#"SELECT
            id,
            (
                SELECT count(*) FROM (
                    SELECT FROM delivery
                    WHERE subscriber_id = subscriber.id AND state = 'pending' LIMIT $1
                ) AS pending
            ) AS "pending!",
            (
                SELECT unix_ms(occurred_at) FROM delivery JOIN outbox USING (position)
                WHERE subscriber_id = subscriber.id AND delivery.state = 'pending'
                ORDER BY delivery.position LIMIT 1
            ) AS oldest_ms,
            (
                SELECT count(*) FROM (
                    SELECT FROM delivery
                    WHERE subscriber_id = subscriber.id AND state = 'dead' LIMIT $1
                ) AS dead
            ) AS "dead!"
         FROM subscriber ORDER BY id"#,
        i64::from(Backlog::MOST),
    );
    rows::all(select.fetch_all(connection).await?)
}
