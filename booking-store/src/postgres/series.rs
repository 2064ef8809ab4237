//! Sessions that were booked together.

use booking_core::{MeetingId, Series};
use chrono::NaiveDate;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Failure;

/// Writes it, once its meetings are there, in the transaction of their change.
pub(super) async fn insert(connection: &mut PgConnection, series: &Series) -> Result<(), Failure> {
    let except: Vec<NaiveDate> = series.except.iter().copied().collect();
    let meetings: Vec<Uuid> = series.meetings.iter().copied().map(MeetingId::uuid).collect();
    let insert = sqlx::query!(
        "WITH booked AS (
            INSERT INTO series (
                id, client_id, therapist_id, rule, except_dates, start_at, duration_minutes, zone,
                created_at
            ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         )
         INSERT INTO series_meeting (series_id, place, meeting_id)
         SELECT $1, place - 1, meeting_id
         FROM unnest($10::uuid[]) WITH ORDINALITY AS row (meeting_id, place)",
        series.id.uuid(),
        series.client.as_str(),
        series.therapist.as_str(),
        series.rule.to_string(),
        &except,
        series.start,
        i64::from(series.duration.minutes()),
        series.zone.name(),
        series.created_at,
        &meetings,
    );
    insert.execute(connection).await?;
    Ok(())
}
