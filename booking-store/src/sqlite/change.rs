//! Applies what was decided, within the transaction that holds the lock.

use booking_core::{
    AvailabilityId, AvailabilitySlot, Change, Event, Meeting, MeetingUrl, Record, Text, Write,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteQueryResult;

use super::{audit, holds, series, terms};
use crate::error::Failure;
use crate::rows;

const INSERT_MEETING: &str = "
    INSERT INTO meeting (
        id, version, client_id, therapist_id, start_ms, duration_minutes, status, meeting_type,
        title, description, meeting_url, session_notes, created_ms, updated_ms,
        buffer_before_minutes, buffer_after_minutes
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

pub(super) const UPDATE_MEETING: &str = "
    UPDATE meeting SET
        version = ?2, client_id = ?3, therapist_id = ?4, start_ms = ?5, duration_minutes = ?6,
        status = ?7, meeting_type = ?8, title = ?9, description = ?10, meeting_url = ?11,
        session_notes = ?12, created_ms = ?13, updated_ms = ?14, buffer_before_minutes = ?15,
        buffer_after_minutes = ?16
    WHERE id = ?1";

const INSERT_AVAILABILITY: &str = "
    INSERT INTO availability (
        id, therapist_id, weekday, start_minute, end_minute, is_available, notes, created_ms,
        updated_ms
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(super) const UPDATE_AVAILABILITY: &str = "
    UPDATE availability SET
        therapist_id = ?2, weekday = ?3, start_minute = ?4, end_minute = ?5, is_available = ?6,
        notes = ?7, created_ms = ?8, updated_ms = ?9
    WHERE id = ?1";

pub(super) const DELETE_AVAILABILITY: &str = "DELETE FROM availability WHERE id = ?1";

const INSERT_EVENT: &str = "
    INSERT INTO outbox (event_id, meeting_id, occurred_ms, payload) VALUES (?1, ?2, ?3, ?4)";

pub(super) const UPSERT_RECORD: &str = "
    INSERT INTO idempotency_record (user_id, key, fingerprint, answer, created_ms, expires_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (user_id, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, answer = excluded.answer,
        created_ms = excluded.created_ms, expires_ms = excluded.expires_ms";

/// Each record clears away a few that have expired, so that the table does not grow for ever and
/// no single request pays for it.
pub(super) const CLEAR_EXPIRED: &str = "
    DELETE FROM idempotency_record WHERE rowid IN (
        SELECT rowid FROM idempotency_record WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT 16
    )";

pub(super) async fn apply(
    connection: &mut SqliteConnection,
    change: &Change,
) -> Result<(), Failure> {
    for audited in &change.writes {
        match audited.write() {
            Write::InsertMeeting(meeting) => {
                put_meeting(connection, INSERT_MEETING, meeting).await?;
            }
            Write::UpdateMeeting(meeting) => {
                one_row(&put_meeting(connection, UPDATE_MEETING, meeting).await?)?;
            }
            Write::InsertSeries(series) => series::insert(connection, series).await?,
            Write::InsertAvailability(slot) => {
                put_availability(connection, INSERT_AVAILABILITY, slot).await?;
            }
            Write::UpdateAvailability(slot) => {
                one_row(&put_availability(connection, UPDATE_AVAILABILITY, slot).await?)?;
            }
            Write::DeleteAvailability(id) => delete_availability(connection, *id).await?,
            Write::PutSettings(settings) => terms::put_settings(connection, settings).await?,
            Write::InsertOverride(one) => terms::insert_override(connection, one).await?,
            Write::UpdateOverride(one) => {
                one_row(&terms::update_override(connection, one).await?)?;
            }
            Write::DeleteOverride(id) => terms::delete_override(connection, *id).await?,
            Write::PutHold(hold) => holds::put(connection, hold).await?,
            Write::DeleteHold(id) => holds::delete(connection, *id).await?,
        }
        audit::note(connection, Some(audited.entry())).await?;
    }
    for event in &change.events {
        insert_event(connection, event).await?;
    }
    if let Some(record) = &change.record {
        put_record(connection, record).await?;
    }
    Ok(())
}

/// An update was decided by looking at the row, under the lock: it is there.
fn one_row(result: &SqliteQueryResult) -> Result<(), Failure> {
    if result.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Failure::corrupt("the row to update is not there"))
    }
}

/// For both statements, whose parameters are the same.
async fn put_meeting(
    connection: &mut SqliteConnection,
    statement: &'static str,
    meeting: &Meeting,
) -> Result<SqliteQueryResult, Failure> {
    let put = sqlx::query(statement)
        .bind(meeting.id.uuid())
        .bind(i64::try_from(meeting.version).map_err(Failure::corrupt)?)
        .bind(meeting.client.as_str())
        .bind(meeting.therapist.as_str())
        .bind(meeting.start.timestamp_millis())
        .bind(meeting.duration.minutes())
        .bind(meeting.status.as_str())
        .bind(meeting.meeting_type.as_str())
        .bind(meeting.title.as_str())
        .bind(meeting.description.as_ref().map(Text::as_str))
        .bind(meeting.meeting_url.as_ref().map(MeetingUrl::as_str))
        .bind(meeting.session_notes.as_ref().map(Text::as_str))
        .bind(meeting.created_at.timestamp_millis())
        .bind(meeting.updated_at.timestamp_millis())
        .bind(meeting.buffers.before.minutes())
        .bind(meeting.buffers.after.minutes());
    Ok(put.execute(connection).await?)
}

/// For both statements, whose parameters are the same.
async fn put_availability(
    connection: &mut SqliteConnection,
    statement: &'static str,
    slot: &AvailabilitySlot,
) -> Result<SqliteQueryResult, Failure> {
    let put = sqlx::query(statement)
        .bind(slot.id.uuid())
        .bind(slot.therapist.as_str())
        .bind(rows::weekday_of(slot))
        .bind(slot.window.start().minutes())
        .bind(slot.window.end().minutes())
        .bind(slot.is_available)
        .bind(slot.notes.as_ref().map(Text::as_str))
        .bind(slot.created_at.timestamp_millis())
        .bind(slot.updated_at.timestamp_millis());
    Ok(put.execute(connection).await?)
}

async fn delete_availability(
    connection: &mut SqliteConnection,
    id: AvailabilityId,
) -> Result<(), Failure> {
    sqlx::query(DELETE_AVAILABILITY).bind(id.uuid()).execute(connection).await?;
    Ok(())
}

async fn insert_event(connection: &mut SqliteConnection, event: &Event) -> Result<(), Failure> {
    let insert = sqlx::query(INSERT_EVENT)
        .bind(event.id.uuid())
        .bind(event.payload.meeting().uuid())
        .bind(event.occurred_at.timestamp_millis())
        .bind(rows::json(&event.payload)?);
    insert.execute(connection).await?;
    Ok(())
}

async fn put_record(connection: &mut SqliteConnection, record: &Record) -> Result<(), Failure> {
    let now = record.created_at.timestamp_millis();
    sqlx::query(CLEAR_EXPIRED).bind(now).execute(&mut *connection).await?;
    let upsert = sqlx::query(UPSERT_RECORD)
        .bind(record.user.as_str())
        .bind(record.key.as_str())
        .bind(&record.fingerprint.0[..])
        .bind(rows::json(&record.answer)?)
        .bind(now)
        .bind(record.expires_at().timestamp_millis());
    upsert.execute(connection).await?;
    Ok(())
}
