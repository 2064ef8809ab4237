//! Linked calendars, and when they are busy. Whoever writes has the file's lock, as bookings have.

use async_trait::async_trait;
use booking_core::{
    AuditEntry, BusyTimes, By, Copied, CopyClaim, CopyState, Linked, LinkedCalendar,
    LinkedCalendarId, LinkedCalendars, Refresh, Span, SpanSet, StoreError, Text, Unwritten, UserId,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

use super::{SqliteStore, audit};
use crate::error::Failure;
use crate::link_rows::{self, LinkRow};
use crate::rows;

/// How many there are, and whether news have taken their therapist out.
pub(super) const LOOK: &str = "
    SELECT
        (SELECT count(*) FROM linked_calendar WHERE therapist_id = ?1),
        EXISTS (SELECT 1 FROM user_news WHERE user_id = ?1)
            AND NOT EXISTS (SELECT 1 FROM directory_user WHERE id = ?1)";

const INSERT: &str = "
    INSERT INTO linked_calendar (
        id, therapist_id, version, kind, label, host, location, zone, write_back, created_ms,
        validators, fetched_ms, expanded_ms, checked_ms, failures, unwritten, written_to_ms, fault,
        fault_detail, next_ms, unread
    ) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21
    )";

pub(super) const OF_THERAPIST: &str =
    "SELECT * FROM linked_calendar WHERE therapist_id = ?1 ORDER BY created_ms, id";

pub(super) const ONE: &str = "SELECT * FROM linked_calendar WHERE id = ?1";

pub(super) const REPLACE: &str = "
    UPDATE linked_calendar SET
        version = ?2, kind = ?3, label = ?4, host = ?5, location = ?6, zone = ?7, write_back = ?8,
        validators = ?9, written_to_ms = ?10, next_ms = ?11
    WHERE id = ?1";

/// Their busy times go along.
pub(super) const REMOVE: &str =
    "DELETE FROM linked_calendar WHERE id = ?1 AND therapist_id = ?2 RETURNING *";

pub(super) const REMOVE_ALL: &str =
    "DELETE FROM linked_calendar WHERE therapist_id = ?1 RETURNING *";

pub(super) const REFRESH: &str = "
    UPDATE linked_calendar SET
        next_ms = CASE
            WHEN next_ms > ?5 AND coalesce(checked_ms <= ?4, TRUE) THEN ?3 ELSE next_ms
        END
    WHERE id = ?1 AND therapist_id = ?2";

pub(super) const CLAIM: &str = "
    UPDATE linked_calendar SET next_ms = ?2
    WHERE id IN (
        SELECT id FROM linked_calendar WHERE next_ms <= ?1 ORDER BY next_ms, id LIMIT ?3
    )
    RETURNING *";

/// When calendars say so that a therapist (`?1`) has linked, as far as it overlaps any of some spans
/// (`?2`, pairs of bounds): pieces of at most a day, so both bounds are bounds of the key.
pub(super) const BUSY: &str = "
    SELECT starts_ms, ends_ms FROM json_each(?2) CROSS JOIN external_busy
    WHERE therapist_id = ?1
        AND starts_ms > (json_each.value ->> 0) - 86400000 AND starts_ms < json_each.value ->> 1
        AND ends_ms > json_each.value ->> 0";

#[async_trait]
impl LinkedCalendars for SqliteStore {
    async fn link(&self, calendar: &LinkedCalendar, by: By) -> Result<Linked, StoreError> {
        Ok(self.insert_link(calendar, by).await?)
    }

    async fn linked_to(&self, therapist: &UserId) -> Result<Vec<LinkedCalendar>, StoreError> {
        let select = sqlx::query_as::<_, LinkRow>(OF_THERAPIST).bind(therapist.as_str());
        Ok(rows::all(select.fetch_all(&self.readers).await.map_err(Failure::from)?)?)
    }

    async fn linked_calendar(
        &self,
        id: LinkedCalendarId,
    ) -> Result<Option<LinkedCalendar>, StoreError> {
        let select = sqlx::query_as::<_, LinkRow>(ONE).bind(id.uuid());
        Ok(rows::one(select.fetch_optional(&self.readers).await.map_err(Failure::from)?)?)
    }

    async fn relink(&self, calendar: &LinkedCalendar, by: By) -> Result<bool, StoreError> {
        Ok(self.replace_link(calendar, by).await?)
    }

    async fn unlink(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        by: By,
    ) -> Result<bool, StoreError> {
        Ok(self.delete_link(therapist, id, by).await?)
    }

    async fn refresh(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        refresh: &Refresh,
    ) -> Result<bool, StoreError> {
        Ok(self.make_due(therapist, id, refresh).await?)
    }

    async fn claim_links(&self, claim: &CopyClaim) -> Result<Vec<LinkedCalendar>, StoreError> {
        Ok(self.take_links(claim).await?)
    }

    async fn copied(
        &self,
        claimed: &LinkedCalendar,
        state: &CopyState,
        times: Option<&BusyTimes>,
    ) -> Result<Copied, StoreError> {
        Ok(self.note_copy(claimed, state, times).await?)
    }

    async fn unwritten(&self, what: &Unwritten) -> Result<(), StoreError> {
        Ok(self.note_unwritten(what).await?)
    }
}

impl SqliteStore {
    async fn insert_link(&self, link: &LinkedCalendar, by: By) -> Result<Linked, Failure> {
        let mut transaction = self.begin_write().await?;
        let look = sqlx::query_as(LOOK).bind(link.therapist.as_str());
        let (count, has_left): (u32, bool) = look.fetch_one(&mut *transaction).await?;
        if has_left {
            return Ok(Linked::NobodysAnyMore);
        }
        if count >= LinkedCalendar::MAX_PER_THERAPIST {
            return Ok(Linked::TooMany);
        }
        let insert = sqlx::query(INSERT)
            .bind(link.id.uuid())
            .bind(link.therapist.as_str())
            .bind(version(link)?)
            .bind(link.kind.as_str())
            .bind(link.label.as_ref().map(Text::as_str))
            .bind(link.host.as_str())
            .bind(&link.location.0[..])
            .bind(link.zone.map(Tz::name))
            .bind(link.write_back.as_str())
            .bind(link.created_at.timestamp_millis());
        bind_copy(insert, &link.copy)?.execute(&mut *transaction).await?;
        audit::note(&mut transaction, [&AuditEntry::of_new_link(by, link)]).await?;
        transaction.commit().await?;
        Ok(Linked::Done)
    }

    async fn replace_link(&self, link: &LinkedCalendar, by: By) -> Result<bool, Failure> {
        let mut transaction = self.begin_write().await?;
        let select = sqlx::query_as::<_, LinkRow>(ONE).bind(link.id.uuid());
        let before: Option<LinkedCalendar> =
            rows::one(select.fetch_optional(&mut *transaction).await?)?;
        let is_before = |before: &LinkedCalendar| {
            before.therapist == link.therapist && before.version + 1 == link.version
        };
        let Some(before) = before.filter(is_before) else { return Ok(false) };
        let copy = link.copy_after(&before);
        let replace = sqlx::query(REPLACE)
            .bind(link.id.uuid())
            .bind(version(link)?)
            .bind(link.kind.as_str())
            .bind(link.label.as_ref().map(Text::as_str))
            .bind(link.host.as_str())
            .bind(&link.location.0[..])
            .bind(link.zone.map(Tz::name))
            .bind(link.write_back.as_str())
            .bind(copy.validators.as_ref().map(Text::as_str))
            .bind(copy.written_to.map(|to| to.timestamp_millis()))
            .bind(copy.next_at.timestamp_millis());
        replace.execute(&mut *transaction).await?;
        audit::note(&mut transaction, [&AuditEntry::of_changed_link(by, &before, link)]).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn delete_link(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        by: By,
    ) -> Result<bool, Failure> {
        let mut transaction = self.begin_write().await?;
        let delete = sqlx::query_as::<_, LinkRow>(REMOVE).bind(id.uuid()).bind(therapist.as_str());
        let gone = rows::one(delete.fetch_optional(&mut *transaction).await?)?;
        let Some(link) = gone else { return Ok(false) };
        audit::note(&mut transaction, [&AuditEntry::of_removed_link(by, &link)]).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn make_due(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        refresh: &Refresh,
    ) -> Result<bool, Failure> {
        let mut transaction = self.begin_write().await?;
        let update = sqlx::query(REFRESH)
            .bind(id.uuid())
            .bind(therapist.as_str())
            .bind(refresh.now.timestamp_millis())
            .bind(refresh.unless_checked_after.timestamp_millis())
            .bind(refresh.unless_due_by.timestamp_millis());
        let is_theirs = update.execute(&mut *transaction).await?.rows_affected() > 0;
        transaction.commit().await?;
        Ok(is_theirs)
    }

    async fn take_links(&self, claim: &CopyClaim) -> Result<Vec<LinkedCalendar>, Failure> {
        let now = claim.now.timestamp_millis();
        // Most of the time there is nothing: not for that does a file get locked.
        let any = sqlx::query_scalar(IS_ANY_DUE).bind(now).fetch_one(&self.readers);
        if !any.await? {
            return Ok(vec![]);
        }
        let mut transaction = self.begin_write().await?;
        let update = sqlx::query_as::<_, LinkRow>(CLAIM)
            .bind(now)
            .bind(claim.until.timestamp_millis())
            .bind(claim.limit);
        let claimed = rows::all(update.fetch_all(&mut *transaction).await?)?;
        transaction.commit().await?;
        Ok(claimed)
    }
}

pub(super) const IS_ANY_DUE: &str =
    "SELECT EXISTS (SELECT 1 FROM linked_calendar WHERE next_ms <= ?1)";

pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// What of it both statements write last.
pub(super) fn bind_copy<'q>(query: Query<'q>, copy: &'q CopyState) -> Result<Query<'q>, Failure> {
    let millis = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_millis());
    let query = query
        .bind(copy.validators.as_ref().map(Text::as_str))
        .bind(millis(copy.fetched_at))
        .bind(millis(copy.expanded_at))
        .bind(millis(copy.checked_at))
        .bind(copy.failures)
        .bind(copy.unwritten)
        .bind(millis(copy.written_to))
        .bind(copy.fault.as_ref().map(|(fault, _)| fault.as_str()))
        .bind(copy.fault.as_ref().map(|(_, detail)| detail.as_str()))
        .bind(copy.next_at.timestamp_millis());
    Ok(query.bind(link_rows::unread(copy)?))
}

fn version(link: &LinkedCalendar) -> Result<i64, Failure> {
    i64::try_from(link.version).map_err(Failure::corrupt)
}

pub(super) fn pairs(spans: impl Iterator<Item = Span>) -> Result<String, Failure> {
    let pair = |span: Span| [span.start().timestamp_millis(), span.end().timestamp_millis()];
    rows::json(&spans.map(pair).collect::<Vec<[i64; 2]>>())
}

/// When the calendars that a therapist has linked are busy.
pub(super) async fn busy(
    connection: &mut SqliteConnection,
    therapist: &UserId,
    within: &SpanSet,
) -> Result<Vec<Span>, Failure> {
    let select = sqlx::query_as(BUSY).bind(therapist.as_str()).bind(pairs(within.iter())?);
    let found: Vec<(i64, i64)> = select.fetch_all(connection).await?;
    let span = |(start, end)| Ok(link_rows::busy(rows::instant(start)?, end)?);
    found.into_iter().map(span).collect()
}

/// All of somebody who goes.
pub(super) async fn unlink_all(
    connection: &mut SqliteConnection,
    therapist: &UserId,
) -> Result<Vec<LinkedCalendar>, Failure> {
    let delete = sqlx::query_as::<_, LinkRow>(REMOVE_ALL).bind(therapist.as_str());
    rows::all(delete.fetch_all(connection).await?)
}
