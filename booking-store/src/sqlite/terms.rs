//! How therapists want to be booked.

use std::collections::{BTreeMap, BTreeSet};

use booking_core::{
    AvailabilityOverride, CountedMeeting, MeetingId, OverrideId, Span, Text, TherapistSettings,
    UserId,
};
use chrono::NaiveDate;
use sqlx::sqlite::{SqliteQueryResult, SqliteRow};
use sqlx::{FromRow, Row, SqliteConnection};
use uuid::Uuid;

use crate::error::{Failure, Malformed};
use crate::rows;
use crate::terms_rows::{self, OverrideRow, SettingsRow};

/// Of some therapists (`?1`).
pub(super) const SETTINGS: &str = "
    SELECT * FROM scheduling_settings WHERE therapist_id IN (SELECT value FROM json_each(?1))";

/// Meetings of a therapist (`?1`) that began in a span (`?2` to `?3`), and are over.
pub(super) const COUNTED: &str = "
    SELECT id, start_ms FROM meeting
    WHERE therapist_id = ?1 AND status IN ('COMPLETED', 'NO_SHOW')
        AND start_ms >= ?2 AND start_ms < ?3";

/// Those of a therapist (`?1`) that have a date from one (`?2`) to another (`?3`).
pub(super) const OVERRIDES: &str = "
    SELECT * FROM availability_override
    WHERE therapist_id = ?1 AND last_date >= ?2 AND first_date <= ?3";

pub(super) const OVERRIDE: &str = "SELECT * FROM availability_override WHERE id = ?1";

const INSERT_OVERRIDE: &str = "
    INSERT INTO availability_override (
        id, therapist_id, first_date, last_date, windows, notes, created_ms, updated_ms
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(super) const UPDATE_OVERRIDE: &str = "
    UPDATE availability_override SET
        therapist_id = ?2, first_date = ?3, last_date = ?4, windows = ?5, notes = ?6,
        created_ms = ?7, updated_ms = ?8
    WHERE id = ?1";

pub(super) const DELETE_OVERRIDE: &str = "DELETE FROM availability_override WHERE id = ?1";

const PUT_SETTINGS: &str = "
    INSERT INTO scheduling_settings (
        therapist_id, version, zone, interval_minutes, durations, buffer_before_minutes,
        buffer_after_minutes, widest_before_minutes, widest_after_minutes, notice_minutes, horizon_days,
        most_a_day, most_a_week, cancellation_minutes, reschedule_minutes, meeting_url,
        updated_ms
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    ON CONFLICT (therapist_id) DO UPDATE SET
        version = excluded.version, zone = excluded.zone,
        interval_minutes = excluded.interval_minutes, durations = excluded.durations,
        buffer_before_minutes = excluded.buffer_before_minutes,
        buffer_after_minutes = excluded.buffer_after_minutes,
        widest_before_minutes = excluded.widest_before_minutes,
        widest_after_minutes = excluded.widest_after_minutes,
        notice_minutes = excluded.notice_minutes, horizon_days = excluded.horizon_days,
        most_a_day = excluded.most_a_day, most_a_week = excluded.most_a_week,
        cancellation_minutes = excluded.cancellation_minutes,
        reschedule_minutes = excluded.reschedule_minutes, meeting_url = excluded.meeting_url,
        updated_ms = excluded.updated_ms";

pub(super) async fn settings_of(
    connection: &mut SqliteConnection,
    therapists: &BTreeSet<UserId>,
) -> Result<BTreeMap<UserId, TherapistSettings>, Failure> {
    let select = sqlx::query(SETTINGS).bind(rows::people(therapists)?);
    let mut found = BTreeMap::new();
    for row in select.fetch_all(connection).await? {
        let then = rows::instant(row.try_get("updated_ms")?)?;
        let settings = SettingsRow::from_row(&row)?.updated_at(then)?;
        found.insert(settings.therapist.clone(), settings);
    }
    Ok(found)
}

pub(super) async fn counted(
    connection: &mut SqliteConnection,
    therapist: &UserId,
    within: Span,
) -> Result<Vec<CountedMeeting>, Failure> {
    let select = sqlx::query_as::<_, (Uuid, i64)>(COUNTED)
        .bind(therapist.as_str())
        .bind(within.start().timestamp_millis())
        .bind(within.end().timestamp_millis());
    let counted = select.fetch_all(connection).await?.into_iter().map(|(id, start_ms)| {
        Ok(CountedMeeting { meeting: MeetingId::from_uuid(id), start: rows::instant(start_ms)? })
    });
    counted.collect()
}

pub(super) async fn put_settings(
    connection: &mut SqliteConnection,
    settings: &TherapistSettings,
) -> Result<(), Failure> {
    let row = SettingsRow::of(settings)?;
    let put = sqlx::query(PUT_SETTINGS)
        .bind(row.therapist_id)
        .bind(row.version)
        .bind(row.zone)
        .bind(row.interval_minutes)
        .bind(row.durations)
        .bind(row.buffer_before_minutes)
        .bind(row.buffer_after_minutes)
        .bind(row.widest_before_minutes)
        .bind(row.widest_after_minutes)
        .bind(row.notice_minutes)
        .bind(row.horizon_days)
        .bind(row.most_a_day)
        .bind(row.most_a_week)
        .bind(row.cancellation_minutes)
        .bind(row.reschedule_minutes)
        .bind(row.meeting_url)
        .bind(settings.updated_at.map(|then| then.timestamp_millis()));
    put.execute(connection).await?;
    Ok(())
}

pub(super) async fn overrides(
    connection: &mut SqliteConnection,
    therapist: &UserId,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Vec<AvailabilityOverride>, Failure> {
    let [first, last] = [first, last].map(|date| terms_rows::date_bound(date).to_string());
    let select = sqlx::query(OVERRIDES).bind(therapist.as_str()).bind(first).bind(last);
    let rows = select.fetch_all(connection).await?;
    let mut found = rows.iter().map(override_of).collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(|one| (one.dates.first(), one.id));
    Ok(found)
}

pub(super) async fn override_with(
    connection: &mut SqliteConnection,
    id: OverrideId,
) -> Result<Option<AvailabilityOverride>, Failure> {
    let select = sqlx::query(OVERRIDE).bind(id.uuid());
    select.fetch_optional(connection).await?.as_ref().map(override_of).transpose()
}

fn override_of(row: &SqliteRow) -> Result<AvailabilityOverride, Failure> {
    let day = |column: &str| {
        let date: &str = row.try_get(column)?;
        let date: NaiveDate = date.parse().map_err(Malformed::because("date"))?;
        Ok::<_, Failure>(i64::from(date.to_epoch_days()))
    };
    let row = OverrideRow {
        id: row.try_get("id")?,
        therapist_id: row.try_get("therapist_id")?,
        first_day: day("first_date")?,
        last_day: day("last_date")?,
        windows: row.try_get("windows")?,
        notes: row.try_get("notes")?,
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
    };
    Ok(row.try_into()?)
}

pub(super) async fn insert_override(
    connection: &mut SqliteConnection,
    one: &AvailabilityOverride,
) -> Result<(), Failure> {
    put_override(connection, INSERT_OVERRIDE, one).await.map(drop)
}

pub(super) async fn update_override(
    connection: &mut SqliteConnection,
    one: &AvailabilityOverride,
) -> Result<SqliteQueryResult, Failure> {
    put_override(connection, UPDATE_OVERRIDE, one).await
}

/// For both statements, whose parameters are the same.
async fn put_override(
    connection: &mut SqliteConnection,
    statement: &'static str,
    one: &AvailabilityOverride,
) -> Result<SqliteQueryResult, Failure> {
    let put = sqlx::query(statement)
        .bind(one.id.uuid())
        .bind(one.therapist.as_str())
        .bind(one.dates.first().to_string())
        .bind(one.dates.last().to_string())
        .bind(rows::json(&one.windows)?)
        .bind(one.notes.as_ref().map(Text::as_str))
        .bind(one.created_at.timestamp_millis())
        .bind(one.updated_at.timestamp_millis());
    Ok(put.execute(connection).await?)
}

pub(super) async fn delete_override(
    connection: &mut SqliteConnection,
    id: OverrideId,
) -> Result<(), Failure> {
    sqlx::query(DELETE_OVERRIDE).bind(id.uuid()).execute(connection).await?;
    Ok(())
}
