//! Writes how therapists want to be booked, and what is kept for whom, within the transaction that
//! holds the locks.

use booking_core::{AvailabilityOverride, OverrideId, Text, TherapistSettings, Write};
use sqlx::PgConnection;

use super::holds;
use crate::error::Failure;
use crate::rows;
use crate::terms_rows::SettingsRow;

/// In their order; of other writes, which have a statement together, nothing.
pub(super) async fn put(connection: &mut PgConnection, writes: &[&Write]) -> Result<(), Failure> {
    for write in writes {
        match write {
            Write::PutSettings(settings) => put_settings(connection, settings).await?,
            Write::InsertOverride(one) => insert_override(connection, one).await?,
            Write::UpdateOverride(one) => update_override(connection, one).await?,
            Write::DeleteOverride(id) => delete_override(connection, *id).await?,
            Write::PutHold(hold) => holds::put(connection, hold).await?,
            Write::DeleteHold(id) => holds::delete(connection, *id).await?,
            Write::InsertMeeting(_)
            | Write::UpdateMeeting(_)
            | Write::InsertSeries(_)
            | Write::InsertAvailability(_)
            | Write::UpdateAvailability(_)
            | Write::DeleteAvailability(_) => {}
        }
    }
    Ok(())
}

async fn put_settings(
    connection: &mut PgConnection,
    settings: &TherapistSettings,
) -> Result<(), Failure> {
    let row = SettingsRow::of(settings)?;
    let put = sqlx::query_file!(
        "queries/put_settings.sql",
        row.therapist_id,
        row.version,
        row.zone,
        row.interval_minutes,
        row.durations,
        row.buffer_before_minutes,
        row.buffer_after_minutes,
        row.widest_before_minutes,
        row.widest_after_minutes,
        row.notice_minutes,
        row.horizon_days,
        row.most_a_day,
        row.most_a_week,
        row.cancellation_minutes,
        row.reschedule_minutes,
        row.meeting_url,
        settings.updated_at,
    );
    put.execute(connection).await?;
    Ok(())
}

async fn insert_override(
    connection: &mut PgConnection,
    one: &AvailabilityOverride,
) -> Result<(), Failure> {
    let insert = sqlx::query!(
        "INSERT INTO availability_override (
             id, therapist_id, first_date, last_date, windows, notes, created_at, updated_at
         ) VALUES ($1, $2, $3, $4, $5::text::json, $6, $7, $8)",
        one.id.uuid(),
        one.therapist.as_str(),
        one.dates.first(),
        one.dates.last(),
        rows::json(&one.windows)?,
        one.notes.as_ref().map(Text::as_str),
        one.created_at,
        one.updated_at,
    );
    insert.execute(connection).await?;
    Ok(())
}

async fn update_override(
    connection: &mut PgConnection,
    one: &AvailabilityOverride,
) -> Result<(), Failure> {
    let update = sqlx::query!(
        "UPDATE availability_override SET
             therapist_id = $2, first_date = $3, last_date = $4, windows = $5::text::json,
             notes = $6, created_at = $7, updated_at = $8
         WHERE id = $1",
        one.id.uuid(),
        one.therapist.as_str(),
        one.dates.first(),
        one.dates.last(),
        rows::json(&one.windows)?,
        one.notes.as_ref().map(Text::as_str),
        one.created_at,
        one.updated_at,
    );
    // It was decided by looking at the row: it is there.
    match update.execute(connection).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(Failure::corrupt("the row to update is not there")),
    }
}

async fn delete_override(connection: &mut PgConnection, id: OverrideId) -> Result<(), Failure> {
    let delete = sqlx::query!("DELETE FROM availability_override WHERE id = $1", id.uuid());
    delete.execute(connection).await?;
    Ok(())
}
