//! How therapists want to be booked.

use std::collections::{BTreeMap, BTreeSet};

use booking_core::{Held, MeetingId, Span, TherapistSettings, UserId};
use sqlx::{FromRow, Row, SqliteConnection};
use uuid::Uuid;

use crate::error::Failure;
use crate::rows;
use crate::terms_rows::SettingsRow;

/// Of some therapists (`?1`).
pub(super) const SETTINGS: &str = "
    SELECT * FROM scheduling_settings WHERE therapist_id IN (SELECT value FROM json_each(?1))";

/// Meetings of a therapist (`?1`) that began in a span (`?2` to `?3`), and are over.
pub(super) const HELD: &str = "
    SELECT id, start_ms FROM meeting
    WHERE therapist_id = ?1 AND status IN ('COMPLETED', 'NO_SHOW')
        AND start_ms >= ?2 AND start_ms < ?3";

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

pub(super) async fn held(
    connection: &mut SqliteConnection,
    therapist: &UserId,
    within: Span,
) -> Result<Vec<Held>, Failure> {
    let select = sqlx::query_as::<_, (Uuid, i64)>(HELD)
        .bind(therapist.as_str())
        .bind(within.start().timestamp_millis())
        .bind(within.end().timestamp_millis());
    let held = select.fetch_all(connection).await?.into_iter().map(|(id, start_ms)| {
        Ok(Held { meeting: MeetingId::from_uuid(id), start: rows::instant(start_ms)? })
    });
    held.collect()
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
