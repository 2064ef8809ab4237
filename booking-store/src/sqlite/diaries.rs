//! What lists of slots are made of.

use booking_core::{Diaries, DiariesDraft, DiariesQuery, SessionDuration};
use sqlx::SqlitePool;

use crate::diary_rows::DiaryRow;
use crate::error::Failure;
use crate::rows;
use crate::terms_rows;

/// One statement, and so one snapshot without a transaction around it: users of `?1`, weekly
/// availability, settings and overrides of `?2`, these with a date from `?7` to `?8`; live meetings of
/// `?1` that begin between `?3`, the longest session before the time that is asked for, and `?4`, its
/// end, those of two of them twice; meetings of `?2` that began within `?5` to `?6` and are over; and
/// what is kept of the time of `?2`. Before the meetings that are over come times at which calendars
/// that `?2` have linked are busy, in pieces of at most a day, and a few that end too early. Kinds are
/// the letters `p`, `h`, `o`, `b`, `q`, `d` and `l`, as on Postgres.
pub(super) const DIARIES: &str = "
    SELECT
        112 AS kind, id AS person, role, zone, NULL AS number, NULL AS begin, NULL AS end,
        NULL AS at_ms, NULL AS json
    FROM directory_user WHERE id IN (SELECT value FROM json_each(?1))
    UNION ALL
    SELECT
        112, therapist_id, NULL, NULL, NULL, NULL, NULL, updated_ms,
        json_object(
            'therapist_id', therapist_id, 'version', version, 'zone', zone,
            'interval_minutes', interval_minutes, 'durations', durations,
            'buffer_before_minutes', buffer_before_minutes,
            'buffer_after_minutes', buffer_after_minutes,
            'widest_before_minutes', widest_before_minutes,
            'widest_after_minutes', widest_after_minutes, 'notice_minutes', notice_minutes,
            'horizon_days', horizon_days, 'most_a_day', most_a_day, 'most_a_week', most_a_week,
            'cancellation_minutes', cancellation_minutes,
            'reschedule_minutes', reschedule_minutes, 'meeting_url', meeting_url
        )
    FROM scheduling_settings WHERE therapist_id IN (SELECT value FROM json_each(?2))
    UNION ALL
    SELECT 104, therapist_id, NULL, NULL, weekday, start_minute, end_minute, NULL, NULL
    FROM availability
    WHERE therapist_id IN (SELECT value FROM json_each(?2)) AND is_available
    UNION ALL
    SELECT
        111, therapist_id, NULL, NULL, unixepoch(first_date) / 86400, unixepoch(last_date) / 86400,
        NULL, NULL, windows
    FROM availability_override
    WHERE therapist_id IN (SELECT value FROM json_each(?2))
        AND last_date >= ?7 AND first_date <= ?8
    UNION ALL
    SELECT 98, client_id, NULL, NULL, duration_minutes, NULL, NULL, start_ms, NULL FROM meeting
    WHERE client_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > ?3 AND start_ms < ?4
    UNION ALL
    SELECT
        98, therapist_id, NULL, NULL, duration_minutes, buffer_before_minutes,
        buffer_after_minutes, start_ms, NULL
    FROM meeting
    WHERE therapist_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > ?3 AND start_ms < ?4
    UNION ALL
    SELECT 113, therapist_id, NULL, NULL, ends_ms, NULL, NULL, starts_ms, NULL FROM external_busy
    WHERE therapist_id IN (SELECT value FROM json_each(?2))
        AND starts_ms > ?3 - 86400000 AND starts_ms < ?4
    UNION ALL
    SELECT 100, therapist_id, NULL, NULL, NULL, NULL, NULL, start_ms, NULL FROM meeting
    WHERE therapist_id IN (SELECT value FROM json_each(?2))
        AND status IN ('COMPLETED', 'NO_SHOW') AND start_ms >= ?5 AND start_ms < ?6
    UNION ALL
    SELECT
        108, therapist_id, NULL, NULL, NULL, NULL, NULL, NULL,
        json_object(
            'id', hex(id), 'holder_id', holder_id, 'therapist_id', therapist_id,
            'start_ms', start_ms, 'duration_minutes', duration_minutes,
            'buffer_before_minutes', buffer_before_minutes,
            'buffer_after_minutes', buffer_after_minutes,
            'created_ms', created_ms, 'expires_ms', expires_ms
        )
    FROM hold WHERE therapist_id IN (SELECT value FROM json_each(?2))";

/// All of it, as of one moment.
pub(super) async fn diaries(
    readers: &SqlitePool,
    query: &DiariesQuery,
) -> Result<Diaries, Failure> {
    let dates = query.dates();
    let earliest = |start: chrono::DateTime<chrono::Utc>| start - SessionDuration::MAX.to_delta();
    let found = sqlx::query_as::<_, DiaryRow>(DIARIES)
        .bind(rows::people(query.people())?)
        .bind(rows::people(&query.therapists)?)
        .bind(query.within.map(|span| earliest(span.start()).timestamp_millis()))
        .bind(query.within.map(|span| span.end().timestamp_millis()))
        .bind(query.counted_within.map(|span| span.start().timestamp_millis()))
        .bind(query.counted_within.map(|span| span.end().timestamp_millis()))
        .bind(dates.map(|(first, _)| terms_rows::date_bound(first).to_string()))
        .bind(dates.map(|(_, last)| terms_rows::date_bound(last).to_string()))
        .fetch_all(readers)
        .await?;
    let mut draft = DiariesDraft::new(query);
    for row in found {
        row.add_to(&mut draft)?;
    }
    Ok(draft.finish())
}
