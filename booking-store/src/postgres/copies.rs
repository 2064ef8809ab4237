//! What became of copies of linked calendars, and of what was written into them.

use std::collections::BTreeSet;

use booking_core::{BusyTimes, Copied, CopyState, LinkedCalendar, Text, Unwritten};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::{Connection, PgConnection};

use super::BEGIN;
use super::links::lock;
use crate::error::Failure;
use crate::link_rows;

pub(super) async fn note(
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
             unwritten = $9 + greatest(unwritten - $10, 0),
             written_to = $11,
             fault = CASE
                 WHEN unwritten > $10 AND ($8::bigint = 0 OR $12::text IS NULL) THEN fault ELSE $12
             END,
             fault_detail = CASE
                 WHEN unwritten > $10 AND ($8::bigint = 0 OR $12 IS NULL) THEN fault_detail ELSE $13
             END,
             next_at = $14, unread = $17
         WHERE id = $1 AND location = $2 AND next_at = $3
             AND zone IS NOT DISTINCT FROM $15 AND write_back = $16",
        claimed.id.uuid(),
        &claimed.location.0[..],
        claimed.copy.next_at,
        copy.validators.as_ref().map(Text::as_str),
        copy.fetched_at,
        copy.expanded_at,
        copy.checked_at,
        i64::from(copy.failures),
        i64::from(copy.unwritten),
        i64::from(claimed.copy.unwritten),
        copy.written_to,
        copy.fault.as_ref().map(|(fault, _)| fault.as_str()),
        copy.fault.as_ref().map(|(_, detail)| detail.as_str()),
        copy.next_at,
        claimed.zone.map(Tz::name),
        claimed.write_back.as_str(),
        link_rows::unread(copy)?,
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

pub(super) async fn note_unwritten(
    connection: &mut PgConnection,
    what: &Unwritten,
) -> Result<(), Failure> {
    let (fault, detail) = (what.fault.as_str(), what.detail.as_str());
    let update = match what.link {
        Some(id) => sqlx::query!(
            "UPDATE linked_calendar SET
                 unwritten = unwritten + 1, fault = $2, fault_detail = $3
             WHERE id = $1 AND write_back = 'on'",
            id.uuid(),
            fault,
            detail,
        )
        .execute(connection),
        None => sqlx::query!(
            "UPDATE linked_calendar SET
                 unwritten = unwritten + 1, fault = $1, fault_detail = $2
             WHERE write_back = 'on'",
            fault,
            detail,
        )
        .execute(connection),
    };
    update.await?;
    Ok(())
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
