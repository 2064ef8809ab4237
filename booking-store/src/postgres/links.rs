//! Linked calendars, and when they are busy.
//!
//! What adds links, removes them or puts other times in the place of theirs holds the lock of the
//! therapist's calendar, as bookings do: each comes before the other or after it. Who removes the
//! therapist holds it too.

use async_trait::async_trait;

use booking_core::{
    AuditEntry, BusyTimes, By, Copied, CopyClaim, CopyState, Linked, LinkedCalendar,
    LinkedCalendarId, LinkedCalendars, Refresh, StoreError, Text, Unwritten, UserId,
};
use chrono_tz::Tz;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{BEGIN, PostgresStore, audit, change, copies};
use crate::error::Failure;
use crate::link_rows::{self, LinkRow};
use crate::rows;

/// Links, by what comes after `FROM`.
macro_rules! links {
    ($rest:tt, $($argument:expr),+) => {
        sqlx::query_as!(
            LinkRow,
            r#"SELECT
                id, therapist_id, version, kind, label, host, location, zone, write_back,
                unix_ms(created_at) AS "created_ms!", validators,
                unix_ms(fetched_at) AS fetched_ms, unix_ms(expanded_at) AS expanded_ms, unread,
                unix_ms(checked_at) AS checked_ms, failures, unwritten,
                unix_ms(written_to) AS written_to_ms, fault, fault_detail,
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
        let call = || self.relays.call(async |one| copies::note(one, claimed, state, times).await);
        self.relays.persist(call).await
    }

    async fn unwritten(&self, what: &Unwritten) -> Result<(), StoreError> {
        self.relays.call(async |one| copies::note_unwritten(one, what).await).await
    }
}

/// Within the transaction; of somebody who was in no meeting yet, too.
pub(super) async fn lock(connection: &mut PgConnection, therapist: &UserId) -> Result<(), Failure> {
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
             validators, fetched_at, expanded_at, checked_at, failures, unwritten, written_to, fault,
             fault_detail, next_at, unread
         ) VALUES (
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
             $21
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
        i64::from(copy.unwritten),
        copy.written_to,
        copy.fault.as_ref().map(|(fault, _)| fault.as_str()),
        copy.fault.as_ref().map(|(_, detail)| detail.as_str()),
        copy.next_at,
        link_rows::unread(copy)?,
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
    let copy = link.copy_after(&before);
    let update = sqlx::query!(
        "UPDATE linked_calendar SET
             version = $2, kind = $3, label = $4, host = $5, location = $6, zone = $7,
             write_back = $8, validators = $9, written_to = $10, next_at = $11
         WHERE id = $1",
        link.id.uuid(),
        version(link)?,
        link.kind.as_str(),
        link.label.as_ref().map(Text::as_str),
        link.host.as_str(),
        &link.location.0[..],
        link.zone.map(Tz::name),
        link.write_back.as_str(),
        copy.validators.as_ref().map(Text::as_str),
        copy.written_to,
        copy.next_at,
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
