//! Calendar feeds.

use async_trait::async_trait;
use booking_core::{
    AuditEntry, By, CalendarFeed, FeedDigest, FeedId, Feeds, StoreError, Text, UserId,
};
use sqlx::{Connection, PgConnection};

use super::{BEGIN, PostgresStore, audit};
use crate::error::Failure;
use crate::feed_rows::FeedRow;
use crate::rows;

#[async_trait]
impl Feeds for PostgresStore {
    async fn add_feed(
        &self,
        feed: &CalendarFeed,
        digest: &FeedDigest,
        by: By,
    ) -> Result<bool, StoreError> {
        self.writers.call(async |connection| add(connection, feed, digest, by).await).await
    }

    async fn feeds_of(&self, owner: &UserId) -> Result<Vec<CalendarFeed>, StoreError> {
        self.readers.call(async |connection| of_owner(connection, owner).await).await
    }

    async fn feed(&self, id: FeedId) -> Result<Option<(CalendarFeed, FeedDigest)>, StoreError> {
        self.readers.call(async |connection| one(connection, id).await).await
    }

    async fn revoke_feed(&self, owner: &UserId, id: FeedId, by: By) -> Result<bool, StoreError> {
        self.writers.call(async |connection| revoke(connection, owner, id, by).await).await
    }
}

async fn add(
    connection: &mut PgConnection,
    feed: &CalendarFeed,
    digest: &FeedDigest,
    by: By,
) -> Result<bool, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    // One after the other, of each owner: what follows sees what the one before has committed.
    let lock = sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(7, hashtext($1))::text AS "locked""#,
        feed.owner.as_str(),
    );
    lock.fetch_one(&mut *transaction).await?;
    let insert = sqlx::query!(
        "INSERT INTO calendar_feed (id, owner_id, content, name, digest, created_at)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE (SELECT count(*) FROM calendar_feed WHERE owner_id = $2) < $7",
        feed.id.uuid(),
        feed.owner.as_str(),
        feed.content.as_str(),
        feed.name.as_ref().map(Text::as_str),
        &digest.0[..],
        feed.created_at,
        i64::from(CalendarFeed::MAX_PER_OWNER),
    );
    if insert.execute(&mut *transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    audit::note(&mut transaction, [&AuditEntry::of_new_feed(by, feed)]).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn of_owner(
    connection: &mut PgConnection,
    owner: &UserId,
) -> Result<Vec<CalendarFeed>, Failure> {
    let select = sqlx::query_as!(
        FeedRow,
        r#"SELECT id, owner_id, content, name, digest, unix_ms(created_at) AS "created_ms!"
         FROM calendar_feed WHERE owner_id = $1 ORDER BY created_at, id"#,
        owner.as_str(),
    );
    rows::all(select.fetch_all(connection).await?)
}

async fn one(
    connection: &mut PgConnection,
    id: FeedId,
) -> Result<Option<(CalendarFeed, FeedDigest)>, Failure> {
    let select = sqlx::query_as!(
        FeedRow,
        r#"SELECT id, owner_id, content, name, digest, unix_ms(created_at) AS "created_ms!"
         FROM calendar_feed WHERE id = $1"#,
        id.uuid(),
    );
    rows::one(select.fetch_optional(connection).await?)
}

async fn revoke(
    connection: &mut PgConnection,
    owner: &UserId,
    id: FeedId,
    by: By,
) -> Result<bool, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let delete = sqlx::query_as!(
        FeedRow,
        r#"DELETE FROM calendar_feed WHERE id = $1 AND owner_id = $2
         RETURNING id, owner_id, content, name, digest, unix_ms(created_at) AS "created_ms!""#,
        id.uuid(),
        owner.as_str(),
    );
    let gone = rows::one(delete.fetch_optional(&mut *transaction).await?)?;
    let Some(feed) = gone else { return Ok(false) };
    audit::note(&mut transaction, [&AuditEntry::of_revoked_feed(by, &feed)]).await?;
    transaction.commit().await?;
    Ok(true)
}

/// All of somebody who goes.
pub(super) async fn revoke_all(
    connection: &mut PgConnection,
    owner: &UserId,
) -> Result<Vec<CalendarFeed>, Failure> {
    let delete = sqlx::query_as!(
        FeedRow,
        r#"DELETE FROM calendar_feed WHERE owner_id = $1
         RETURNING id, owner_id, content, name, digest, unix_ms(created_at) AS "created_ms!""#,
        owner.as_str(),
    );
    rows::all(delete.fetch_all(connection).await?)
}
