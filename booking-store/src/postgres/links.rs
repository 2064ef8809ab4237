//! Linked calendars, and when they are busy.
//!
//! What adds links, removes them or puts other times in the place of theirs holds the lock of the
//! therapist's calendar, as bookings do: each comes before the other or after it. Who removes the
//! therapist holds it too.

use async_trait::async_trait;
use std::collections::BTreeSet;

use booking_core::{
    AuditEntry, BusyTimes, By, Copied, CopyClaim, CopyState, Linked, LinkedCalendar,
    LinkedCalendarId, LinkedCalendars, Refresh, StoreError, Text, UserId,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{BEGIN, PostgresStore, audit, change};
use crate::error::Failure;
use crate::link_rows::LinkRow;
use crate::rows;

/// Links, by what comes after `FROM`.
macro_rules! links {
    ($rest:tt, $($argument:expr),+) => {
        sqlx::query_as!(
            LinkRow,
            r#"SELECT
                id, therapist_id, version, kind, label, host, location, zone, write_back,
                unix_ms(created_at) AS "created_ms!", validators,
                unix_ms(fetched_at) AS fetched_ms, unix_ms(expanded_at) AS expanded_ms,
                unix_ms(checked_at) AS checked_ms, failures, fault, fault_detail,
                unix_ms(next_at) AS "next_ms!"
             FROM "# + $rest,
            $($argument),+
        )
    };
}

#[async_trait]
impl LinkedCalendars for PostgresStore {
    async fn link(&self, calendar: &LinkedCalendar, by: By) -> Result<Linked, StoreError> {
        let call = || self.writers.call(async |one| add(one, calendar, by.clone()).await);
        self.writers.persist(call).await
    }

    async fn linked_to(&self, therapist: &UserId) -> Result<Vec<LinkedCalendar>, StoreError> {
        self.readers.call(async |connection| of_therapist(connection, therapist).await).await
    }

    async fn linked_calendar(
        &self,
        id: LinkedCalendarId,
    ) -> Result<Option<LinkedCalendar>, StoreError> {
        self.readers.call(async |connection| one(connection, id).await).await
    }

    async fn relink(&self, calendar: &LinkedCalendar, by: By) -> Result<bool, StoreError> {
        self.writers.call(async |connection| replace(connection, calendar, by).await).await
    }

    async fn unlink(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        by: By,
    ) -> Result<bool, StoreError> {
        let call = || self.writers.call(async |one| remove(one, therapist, id, by.clone()).await);
        self.writers.persist(call).await
    }

    async fn refresh(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        refresh: &Refresh,
    ) -> Result<bool, StoreError> {
        self.writers.call(async |one| make_due(one, therapist, id, refresh).await).await
    }

    async fn claim_links(&self, claim: &CopyClaim) -> Result<Vec<LinkedCalendar>, StoreError> {
        self.relays.call(async |connection| take(connection, claim).await).await
    }

    async fn copied(
        &self,
        claimed: &LinkedCalendar,
        state: &CopyState,
        times: Option<&BusyTimes>,
    ) -> Result<Copied, StoreError> {
        let call = || self.relays.call(async |one| note(one, claimed, state, times).await);
        self.relays.persist(call).await
    }
}

/// Within the transaction; of somebody who was in no meeting yet, too.
async fn lock(connection: &mut PgConnection, therapist: &UserId) -> Result<(), Failure> {
    let one = [therapist.as_str().to_owned()];
    change::add_calendars(connection, &one).await?;
    match change::lock(connection, &one).await? {
        1 => Ok(()),
        _ => Err(Failure::corrupt("a calendar has gone")),
    }
}

async fn add(
    connection: &mut PgConnection,
    link: &LinkedCalendar,
    by: By,
) -> Result<Linked, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    lock(&mut transaction, &link.therapist).await?;
    // A statement of its own: it sees what has been committed before the lock was granted.
    let look = sqlx::query!(
        r#"SELECT
            (SELECT count(*) FROM linked_calendar WHERE therapist_id = $1) AS "count!",
            EXISTS (SELECT FROM user_news WHERE user_id = $1)
                AND NOT EXISTS (SELECT FROM directory_user WHERE id = $1) AS "has_left!""#,
        link.therapist.as_str(),
    );
    let found = look.fetch_one(&mut *transaction).await?;
    if found.has_left {
        return Ok(Linked::NobodysAnyMore);
    }
    if found.count >= i64::from(LinkedCalendar::MAX_PER_THERAPIST) {
        return Ok(Linked::TooMany);
    }
    insert(&mut transaction, link).await?;
    audit::note(&mut transaction, [&AuditEntry::of_new_link(by, link)]).await?;
    transaction.commit().await?;
    Ok(Linked::Done)
}

async fn insert(connection: &mut PgConnection, link: &LinkedCalendar) -> Result<(), Failure> {
    let copy = &link.copy;
    let insert = sqlx::query!(
        "INSERT INTO linked_calendar (
             id, therapist_id, version, kind, label, host, location, zone, write_back, created_at,
             validators, fetched_at, expanded_at, checked_at, failures, fault, fault_detail, next_at
         ) VALUES (
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
         )",
        link.id.uuid(),
        link.therapist.as_str(),
        version(link)?,
        link.kind.as_str(),
        link.label.as_ref().map(Text::as_str),
        link.host.as_str(),
        &link.location.0[..],
        link.zone.map(Tz::name),
        link.write_back.as_str(),
        link.created_at,
        copy.validators.as_ref().map(Text::as_str),
        copy.fetched_at,
        copy.expanded_at,
        copy.checked_at,
        i64::from(copy.failures),
        copy.fault.as_ref().map(|(fault, _)| fault.as_str()),
        copy.fault.as_ref().map(|(_, detail)| detail.as_str()),
        copy.next_at,
    );
    insert.execute(connection).await?;
    Ok(())
}

fn version(link: &LinkedCalendar) -> Result<i64, Failure> {
    i64::try_from(link.version).map_err(Failure::corrupt)
}

async fn of_therapist(
    connection: &mut PgConnection,
    therapist: &UserId,
) -> Result<Vec<LinkedCalendar>, Failure> {
    let select = links!(
        "linked_calendar WHERE therapist_id = $1 ORDER BY created_at, id",
        therapist.as_str()
    );
    rows::all(select.fetch_all(connection).await?)
}

async fn one(
    connection: &mut PgConnection,
    id: LinkedCalendarId,
) -> Result<Option<LinkedCalendar>, Failure> {
    let select = links!("linked_calendar WHERE id = $1", id.uuid());
    rows::one(select.fetch_optional(connection).await?)
}

/// As it is, and until the end of the transaction nobody else changes it.
async fn lock_one(
    connection: &mut PgConnection,
    therapist: &UserId,
    id: LinkedCalendarId,
) -> Result<Option<LinkedCalendar>, Failure> {
    let select = links!(
        "linked_calendar WHERE id = $1 AND therapist_id = $2 FOR UPDATE",
        id.uuid(),
        therapist.as_str()
    );
    rows::one(select.fetch_optional(connection).await?)
}

async fn replace(
    connection: &mut PgConnection,
    link: &LinkedCalendar,
    by: By,
) -> Result<bool, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let before = lock_one(&mut transaction, &link.therapist, link.id).await?;
    let Some(before) = before.filter(|before| before.version + 1 == link.version) else {
        return Ok(false);
    };
    let update = sqlx::query!(
        "UPDATE linked_calendar SET
             version = $2, kind = $3, label = $4, host = $5, location = $6, zone = $7,
             write_back = $8, validators = NULL, next_at = $9
         WHERE id = $1",
        link.id.uuid(),
        version(link)?,
        link.kind.as_str(),
        link.label.as_ref().map(Text::as_str),
        link.host.as_str(),
        &link.location.0[..],
        link.zone.map(Tz::name),
        link.write_back.as_str(),
        link.copy.next_at,
    );
    update.execute(&mut *transaction).await?;
    audit::note(&mut transaction, [&AuditEntry::of_changed_link(by, &before, link)]).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn remove(
    connection: &mut PgConnection,
    therapist: &UserId,
    id: LinkedCalendarId,
    by: By,
) -> Result<bool, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    lock(&mut transaction, therapist).await?;
    let Some(link) = lock_one(&mut transaction, therapist, id).await? else { return Ok(false) };
    delete(&mut transaction, therapist, &[id.uuid()]).await?;
    audit::note(&mut transaction, [&AuditEntry::of_removed_link(by, &link)]).await?;
    transaction.commit().await?;
    Ok(true)
}

/// With their busy times.
async fn delete(
    connection: &mut PgConnection,
    therapist: &UserId,
    ids: &[Uuid],
) -> Result<(), Failure> {
    let delete = sqlx::query!(
        "DELETE FROM linked_calendar WHERE therapist_id = $1 AND id = ANY($2)",
        therapist.as_str(),
        ids,
    );
    delete.execute(connection).await?;
    Ok(())
}

/// All of somebody who goes, in the transaction that removes them: who is linking a calendar for them
/// at this time comes before, and it goes along, or after, and finds them gone.
pub(super) async fn unlink_all(
    connection: &mut PgConnection,
    therapist: &UserId,
) -> Result<Vec<LinkedCalendar>, Failure> {
    lock(connection, therapist).await?;
    let select = links!(
        "linked_calendar WHERE therapist_id = $1 ORDER BY created_at, id FOR UPDATE",
        therapist.as_str()
    );
    let gone: Vec<LinkedCalendar> = rows::all(select.fetch_all(&mut *connection).await?)?;
    let ids: Vec<Uuid> = gone.iter().map(|link| link.id.uuid()).collect();
    if !ids.is_empty() {
        delete(connection, therapist, &ids).await?;
    }
    Ok(gone)
}

async fn make_due(
    connection: &mut PgConnection,
    therapist: &UserId,
    id: LinkedCalendarId,
    refresh: &Refresh,
) -> Result<bool, Failure> {
    let Refresh { now, unless_checked_after, unless_due_by } = refresh;
    let update = sqlx::query!(
        "UPDATE linked_calendar SET
             next_at = CASE
                 WHEN next_at > $5 AND coalesce(checked_at <= $4, TRUE) THEN $3 ELSE next_at
             END
         WHERE id = $1 AND therapist_id = $2",
        id.uuid(),
        therapist.as_str(),
        now,
        unless_checked_after,
        unless_due_by,
    );
    Ok(update.execute(connection).await?.rows_affected() > 0)
}

/// What somebody else is taking on at this moment is passed over.
async fn take(
    connection: &mut PgConnection,
    claim: &CopyClaim,
) -> Result<Vec<LinkedCalendar>, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let update = sqlx::query_scalar!(
        "WITH due AS (
            SELECT id FROM linked_calendar WHERE next_at <= $1
            ORDER BY next_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE linked_calendar SET next_at = $2 FROM due WHERE linked_calendar.id = due.id
         RETURNING linked_calendar.id",
        claim.now,
        claim.until,
        i64::from(claim.limit),
    );
    let ids = update.fetch_all(&mut *transaction).await?;
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let select = links!("linked_calendar WHERE id = ANY($1)", &ids);
    let claimed = rows::all(select.fetch_all(&mut *transaction).await?)?;
    transaction.commit().await?;
    Ok(claimed)
}

async fn note(
    connection: &mut PgConnection,
    claimed: &LinkedCalendar,
    copy: &CopyState,
    times: Option<&BusyTimes>,
) -> Result<Copied, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    if times.is_some() {
        lock(&mut transaction, &claimed.therapist).await?;
    }
    let update = sqlx::query!(
        "UPDATE linked_calendar SET
             validators = $4, fetched_at = $5, expanded_at = $6, checked_at = $7, failures = $8,
             fault = $9, fault_detail = $10, next_at = $11
         WHERE id = $1 AND version = $2 AND next_at = $3",
        claimed.id.uuid(),
        version(claimed)?,
        claimed.copy.next_at,
        copy.validators.as_ref().map(Text::as_str),
        copy.fetched_at,
        copy.expanded_at,
        copy.checked_at,
        i64::from(copy.failures),
        copy.fault.as_ref().map(|(fault, _)| fault.as_str()),
        copy.fault.as_ref().map(|(_, detail)| detail.as_str()),
        copy.next_at,
    );
    if update.execute(&mut *transaction).await?.rows_affected() == 0 {
        return Ok(Copied::Outdated);
    }
    let copied = match times {
        Some(times) => put_times(&mut transaction, claimed, times).await?,
        None => Copied::Same,
    };
    transaction.commit().await?;
    Ok(copied)
}

/// Only from the first to the last that differ is anything written. What differs is found out here: with
/// no join but by an index, which is what suits all else, the database may look through one of the lists
/// for each of the other.
async fn put_times(
    connection: &mut PgConnection,
    link: &LinkedCalendar,
    times: &BusyTimes,
) -> Result<Copied, Failure> {
    type Bounds = (DateTime<Utc>, DateTime<Utc>);
    let (therapist, id) = (link.therapist.as_str(), link.id.uuid());
    let before = sqlx::query!(
        "SELECT starts_at, ends_at FROM external_busy WHERE therapist_id = $1 AND calendar_id = $2",
        therapist,
        id,
    );
    let before = before.fetch_all(&mut *connection).await?;
    let before: BTreeSet<Bounds> =
        before.into_iter().map(|piece| (piece.starts_at, piece.ends_at)).collect();
    let pieces = times.as_slice().iter();
    let after: BTreeSet<Bounds> = pieces.map(|piece| (piece.start(), piece.end())).collect();
    let mut differ = before.symmetric_difference(&after).map(|(starts_at, _)| *starts_at);
    let Some(first) = differ.next() else { return Ok(Copied::Same) };
    let last = differ.last().unwrap_or(first);
    let delete = sqlx::query!(
        "DELETE FROM external_busy
         WHERE therapist_id = $1 AND calendar_id = $2 AND starts_at BETWEEN $3 AND $4",
        therapist,
        id,
        first,
        last,
    );
    delete.execute(&mut *connection).await?;
    let new = after.into_iter().filter(|(starts_at, _)| (first..=last).contains(starts_at));
    let (starts, ends): (Vec<_>, Vec<_>) = new.unzip();
    let insert = sqlx::query!(
        "INSERT INTO external_busy (therapist_id, calendar_id, starts_at, ends_at)
         SELECT $1, $2, starts_at, ends_at
         FROM unnest($3::timestamptz[], $4::timestamptz[]) AS new (starts_at, ends_at)",
        therapist,
        id,
        &starts,
        &ends,
    );
    insert.execute(connection).await?;
    Ok(Copied::Changed)
}
