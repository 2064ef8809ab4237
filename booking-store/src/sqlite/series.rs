//! Sessions that were booked together.

use booking_core::{Series, SeriesId, SeriesMeetings};
use sqlx::SqliteConnection;

use crate::error::Failure;
use crate::rows::{self, MeetingRow, SeriesRow};

pub(super) const SERIES: &str = "SELECT * FROM series WHERE id = ?1";

/// In the order in which they were booked.
pub(super) const MEETINGS: &str = "
    SELECT meeting.* FROM series_meeting JOIN meeting ON meeting.id = meeting_id
    WHERE series_id = ?1 ORDER BY place";

const INSERT: &str = "
    INSERT INTO series (
        id, client_id, therapist_id, rule, except_dates, start_ms, duration_minutes, zone, created_ms
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const INSERT_MEETING: &str =
    "INSERT INTO series_meeting (series_id, place, meeting_id) VALUES (?1, ?2, ?3)";

pub(super) async fn with_meetings(
    connection: &mut SqliteConnection,
    id: SeriesId,
) -> Result<Option<SeriesMeetings>, Failure> {
    let series = sqlx::query_as::<_, SeriesRow>(SERIES).bind(id.uuid());
    let Some(series) = series.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let meetings = sqlx::query_as::<_, MeetingRow>(MEETINGS).bind(id.uuid());
    Ok(Some(series.with(meetings.fetch_all(connection).await?)?))
}

/// Writes it, once its meetings are there, in the transaction of their change.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    series: &Series,
) -> Result<(), Failure> {
    let insert = sqlx::query(INSERT)
        .bind(series.id.uuid())
        .bind(series.client.as_str())
        .bind(series.therapist.as_str())
        .bind(series.rule.to_string())
        .bind(rows::json(&series.except)?)
        .bind(series.start.timestamp_millis())
        .bind(series.duration.minutes())
        .bind(series.zone.name())
        .bind(series.created_at.timestamp_millis());
    insert.execute(&mut *connection).await?;
    for (place, meeting) in (0_i64..).zip(&series.meetings) {
        let insert = sqlx::query(INSERT_MEETING).bind(series.id.uuid()).bind(place);
        insert.bind(meeting.uuid()).execute(&mut *connection).await?;
    }
    Ok(())
}
