//! Calendar feeds.

use async_trait::async_trait;
use booking_core::{
    AuditEntry, By, CalendarFeed, FeedDigest, FeedId, Feeds, StoreError, Text, UserId,
};
use sqlx::SqliteConnection;

use super::{SqliteStore, audit};
use crate::error::Failure;
use crate::feed_rows::FeedRow;
use crate::rows;

/// Nobody else writes meanwhile: the count is right.
const INSERT: &str = "
    INSERT INTO calendar_feed (id, owner_id, content, name, digest, created_ms)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6
    WHERE (SELECT count(*) FROM calendar_feed WHERE owner_id = ?2) < ?7";

pub(super) const OF_OWNER: &str =
    "SELECT * FROM calendar_feed WHERE owner_id = ?1 ORDER BY created_ms, id";

pub(super) const ONE: &str = "SELECT * FROM calendar_feed WHERE id = ?1";

pub(super) const REVOKE: &str =
    "DELETE FROM calendar_feed WHERE id = ?1 AND owner_id = ?2 RETURNING *";

pub(super) const REVOKE_ALL: &str = "DELETE FROM calendar_feed WHERE owner_id = ?1 RETURNING *";

#[async_trait]
impl Feeds for SqliteStore {
    async fn add_feed(
        &self,
        feed: &CalendarFeed,
        digest: &FeedDigest,
        by: By,
    ) -> Result<bool, StoreError> {
        Ok(self.insert_feed(feed, digest, by).await?)
    }

    async fn feeds_of(&self, owner: &UserId) -> Result<Vec<CalendarFeed>, StoreError> {
        let select = sqlx::query_as::<_, FeedRow>(OF_OWNER).bind(owner.as_str());
        Ok(rows::all(select.fetch_all(&self.readers).await.map_err(Failure::from)?)?)
    }

    async fn feed(&self, id: FeedId) -> Result<Option<(CalendarFeed, FeedDigest)>, StoreError> {
        let select = sqlx::query_as::<_, FeedRow>(ONE).bind(id.uuid());
        Ok(rows::one(select.fetch_optional(&self.readers).await.map_err(Failure::from)?)?)
    }

    async fn revoke_feed(&self, owner: &UserId, id: FeedId, by: By) -> Result<bool, StoreError> {
        Ok(self.delete_feed(owner, id, by).await?)
    }
}

impl SqliteStore {
    async fn insert_feed(
        &self,
        feed: &CalendarFeed,
        digest: &FeedDigest,
        by: By,
    ) -> Result<bool, Failure> {
        let mut transaction = self.begin_write().await?;
        let insert = sqlx::query(INSERT)
            .bind(feed.id.uuid())
            .bind(feed.owner.as_str())
            .bind(feed.content.as_str())
            .bind(feed.name.as_ref().map(Text::as_str))
            .bind(&digest.0[..])
            .bind(feed.created_at.timestamp_millis())
            .bind(CalendarFeed::MAX_PER_OWNER);
        if insert.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(false);
        }
        audit::note(&mut transaction, [&AuditEntry::of_new_feed(by, feed)]).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn delete_feed(&self, owner: &UserId, id: FeedId, by: By) -> Result<bool, Failure> {
        let mut transaction = self.begin_write().await?;
        let delete = sqlx::query_as::<_, FeedRow>(REVOKE).bind(id.uuid()).bind(owner.as_str());
        let gone = rows::one(delete.fetch_optional(&mut *transaction).await?)?;
        let Some(feed) = gone else { return Ok(false) };
        audit::note(&mut transaction, [&AuditEntry::of_revoked_feed(by, &feed)]).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// All of somebody who goes.
pub(super) async fn revoke_all(
    connection: &mut SqliteConnection,
    owner: &UserId,
) -> Result<Vec<CalendarFeed>, Failure> {
    let delete = sqlx::query_as::<_, FeedRow>(REVOKE_ALL).bind(owner.as_str());
    rows::all(delete.fetch_all(connection).await?)
}
