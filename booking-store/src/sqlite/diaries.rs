//! What lists of slots are made of.

use booking_core::{Diaries, DiariesDraft, DiariesQuery, SessionDuration};
use sqlx::SqlitePool;

use crate::diary_rows::DiaryRow;
use crate::error::Failure;
use crate::rows;

/// One statement, and so one snapshot without a transaction around it: users of `?1`, weekly
/// availability of `?2`, and live meetings of `?1` that begin between `?3`, the longest session before
/// the time that is asked for, and `?4`, its end; those of two of them twice. Kinds are the letters
/// `p`, `h` and `b`, as on Postgres.
pub(super) const DIARIES: &str = "
    SELECT
        112 AS kind, id AS person, role, zone, NULL AS number, NULL AS begin, NULL AS end,
        NULL AS at_ms
    FROM directory_user WHERE id IN (SELECT value FROM json_each(?1))
    UNION ALL
    SELECT 104, therapist_id, NULL, NULL, weekday, start_minute, end_minute, NULL
    FROM availability
    WHERE therapist_id IN (SELECT value FROM json_each(?2)) AND is_available
    UNION ALL
    SELECT 98, client_id, NULL, NULL, duration_minutes, NULL, NULL, start_ms FROM meeting
    WHERE client_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > ?3 AND start_ms < ?4
    UNION ALL
    SELECT 98, therapist_id, NULL, NULL, duration_minutes, NULL, NULL, start_ms FROM meeting
    WHERE therapist_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > ?3 AND start_ms < ?4";

/// All of it, as of one moment.
pub(super) async fn diaries(
    readers: &SqlitePool,
    query: &DiariesQuery,
) -> Result<Diaries, Failure> {
    let earliest = |start: chrono::DateTime<chrono::Utc>| start - SessionDuration::MAX.to_delta();
    let found = sqlx::query_as::<_, DiaryRow>(DIARIES)
        .bind(rows::people(query.people())?)
        .bind(rows::people(&query.therapists)?)
        .bind(query.within.map(|span| earliest(span.start()).timestamp_millis()))
        .bind(query.within.map(|span| span.end().timestamp_millis()))
        .fetch_all(readers)
        .await?;
    let mut draft = DiariesDraft::new(query);
    for row in found {
        row.add_to(&mut draft)?;
    }
    Ok(draft.finish())
}
