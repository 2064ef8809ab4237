//! What a scope names, and lists of meetings.

use booking_core::{
    AvailabilityId, AvailabilitySlot, Busy, Calendars, Earlier, IdempotencyKey, Meeting, MeetingId,
    MeetingQuery, MeetingStatus, Record, Scope, SessionDuration, Span, UserId,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use uuid::Uuid;

use crate::error::{Failure, Malformed};
use crate::rows;

/// Live meetings of some people (`?1`) that overlap a span (`?2` to `?3`). One that overlaps starts
/// less than the longest session (`?4`) before it: that makes both bounds bounds of the index.
pub(super) const BUSY: &str = "
    SELECT id, client_id, therapist_id, start_ms, duration_minutes FROM meeting
    WHERE client_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > ?2 - ?4 AND start_ms < ?3
        AND start_ms + duration_minutes * 60000 > ?2
    UNION
    SELECT id, client_id, therapist_id, start_ms, duration_minutes FROM meeting
    WHERE therapist_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > ?2 - ?4 AND start_ms < ?3
        AND start_ms + duration_minutes * 60000 > ?2";

pub(super) const HOURS: &str = "
    SELECT * FROM availability WHERE therapist_id = ?1
    ORDER BY weekday, start_minute, end_minute, id";

pub(super) const MEETING: &str = "SELECT * FROM meeting WHERE id = ?1";

pub(super) const SLOT: &str = "SELECT * FROM availability WHERE id = ?1";

pub(super) const EARLIER: &str = "
    SELECT EXISTS (
        SELECT 1 FROM meeting
        WHERE client_id = ?1 AND therapist_id = ?2 AND start_ms < ?3 AND status <> 'CANCELLED'
    )";

pub(super) const RECORD: &str = "
    SELECT fingerprint, answer, created_ms FROM idempotency_record WHERE user_id = ?1 AND key = ?2";

/// Meetings of a person (`?1`) after a place (`?2`, `?3`) and before an instant (`?4`), in one of
/// five statuses. Each half comes in order from its index; nothing is sorted.
pub(super) const MEETINGS: &str = "
    SELECT * FROM meeting
    WHERE client_id = ?1 AND (start_ms, id) > (?2, ?3) AND start_ms < ?4
        AND status IN (?5, ?6, ?7, ?8, ?9)
    UNION ALL
    SELECT * FROM meeting
    WHERE therapist_id = ?1 AND (start_ms, id) > (?2, ?3) AND start_ms < ?4
        AND status IN (?5, ?6, ?7, ?8, ?9)
    ORDER BY start_ms, id
    LIMIT ?10";

/// Everything that the scope names, as of the transaction that `connection` is in.
pub(super) async fn calendars(
    connection: &mut SqliteConnection,
    scope: &Scope,
) -> Result<Calendars, Failure> {
    let mut found = Calendars { scope: scope.clone(), ..Calendars::default() };
    if let Some(key) = &scope.record {
        found.record = record(connection, key).await?;
    }
    if let Some(id) = scope.meeting {
        found.meeting = meeting_with(connection, id).await?;
    }
    if let Some(id) = scope.availability {
        found.availability = slot_with(connection, id).await?;
    }
    if let Some(therapist) = &scope.hours_of {
        found.hours = hours_of(connection, therapist).await?;
    }
    if let Some(within) = scope.busy_within {
        found.busy = busy(connection, scope, within).await?;
    }
    if let Some(earlier) = &scope.earlier {
        found.has_earlier = has_earlier(connection, earlier).await?;
    }
    Ok(found)
}

pub(super) async fn meetings(
    readers: &SqlitePool,
    query: &MeetingQuery,
) -> Result<Vec<Meeting>, Failure> {
    // An empty id comes before every id: the place just before all meetings of that start.
    let from = query.from.map(|from| (from.timestamp_millis(), Vec::new()));
    let after = query.after.map(|p| (p.start.timestamp_millis(), p.id.uuid().as_bytes().to_vec()));
    let (after_ms, after_id) = from.max(after).unwrap_or((i64::MIN, Vec::new()));
    let before_ms = query.to.map_or(i64::MAX, |to| to.timestamp_millis());

    let mut select = sqlx::query(MEETINGS)
        .bind(query.person.as_str())
        .bind(after_ms)
        .bind(after_id)
        .bind(before_ms);
    for status in MeetingStatus::ALL {
        let wanted = query.statuses.is_empty() || query.statuses.contains(status);
        select = select.bind(wanted.then_some(status.as_str()));
    }
    let rows = select.bind(query.limit).fetch_all(readers).await?;
    rows.iter().map(meeting).collect()
}

async fn busy(
    connection: &mut SqliteConnection,
    scope: &Scope,
    within: Span,
) -> Result<Vec<Busy>, Failure> {
    let rows = sqlx::query(BUSY)
        .bind(rows::people(&scope.people)?)
        .bind(within.start().timestamp_millis())
        .bind(within.end().timestamp_millis())
        .bind(SessionDuration::MAX.to_delta().num_milliseconds())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let start = rows::instant(row.try_get("start_ms")?)?;
            let duration = rows::duration(row.try_get("duration_minutes")?)?;
            let span = Span::new(start, start + duration.to_delta());
            Ok(Busy {
                meeting: MeetingId::from_uuid(row.try_get("id")?),
                client: rows::user(row.try_get("client_id")?)?,
                therapist: rows::user(row.try_get("therapist_id")?)?,
                span: span.ok_or(Malformed::new("span"))?,
            })
        })
        .collect()
}

async fn hours_of(
    connection: &mut SqliteConnection,
    therapist: &UserId,
) -> Result<Vec<AvailabilitySlot>, Failure> {
    let rows = sqlx::query(HOURS).bind(therapist.as_str()).fetch_all(connection).await?;
    rows.iter().map(slot).collect()
}

async fn meeting_with(
    connection: &mut SqliteConnection,
    id: MeetingId,
) -> Result<Option<Meeting>, Failure> {
    let row = sqlx::query(MEETING).bind(id.uuid()).fetch_optional(connection).await?;
    row.as_ref().map(meeting).transpose()
}

async fn slot_with(
    connection: &mut SqliteConnection,
    id: AvailabilityId,
) -> Result<Option<AvailabilitySlot>, Failure> {
    let row = sqlx::query(SLOT).bind(id.uuid()).fetch_optional(connection).await?;
    row.as_ref().map(slot).transpose()
}

async fn has_earlier(
    connection: &mut SqliteConnection,
    earlier: &Earlier,
) -> Result<bool, Failure> {
    let found = sqlx::query_scalar(EARLIER)
        .bind(earlier.client.as_str())
        .bind(earlier.therapist.as_str())
        .bind(earlier.before.timestamp_millis());
    Ok(found.fetch_one(connection).await?)
}

async fn record(
    connection: &mut SqliteConnection,
    (user, key): &(UserId, IdempotencyKey),
) -> Result<Option<Record>, Failure> {
    let select = sqlx::query(RECORD).bind(user.as_str()).bind(key.as_str());
    let Some(row) = select.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(Record {
        user: user.clone(),
        key: key.clone(),
        fingerprint: rows::fingerprint(row.try_get("fingerprint")?)?,
        answer: rows::from_json("answer", row.try_get("answer")?)?,
        created_at: rows::instant(row.try_get("created_ms")?)?,
    }))
}

fn meeting(row: &SqliteRow) -> Result<Meeting, Failure> {
    Ok(Meeting {
        id: MeetingId::from_uuid(row.try_get("id")?),
        version: rows::version(row.try_get("version")?)?,
        client: rows::user(row.try_get("client_id")?)?,
        therapist: rows::user(row.try_get("therapist_id")?)?,
        start: rows::instant(row.try_get("start_ms")?)?,
        duration: rows::duration(row.try_get("duration_minutes")?)?,
        status: rows::word("meeting status", row.try_get("status")?)?,
        meeting_type: rows::word("meeting type", row.try_get("meeting_type")?)?,
        title: rows::text(row.try_get("title")?)?,
        description: rows::optional_text(row.try_get("description")?)?,
        meeting_url: rows::url(row.try_get("meeting_url")?)?,
        session_notes: rows::optional_text(row.try_get("session_notes")?)?,
        created_at: rows::instant(row.try_get("created_ms")?)?,
        updated_at: rows::instant(row.try_get("updated_ms")?)?,
    })
}

fn slot(row: &SqliteRow) -> Result<AvailabilitySlot, Failure> {
    Ok(AvailabilitySlot {
        id: AvailabilityId::from_uuid(row.try_get::<Uuid, _>("id")?),
        therapist: rows::user(row.try_get("therapist_id")?)?,
        weekday: rows::weekday(row.try_get("weekday")?)?,
        window: rows::window(row.try_get("start_minute")?, row.try_get("end_minute")?)?,
        is_available: row.try_get("is_available")?,
        notes: rows::optional_text(row.try_get("notes")?)?,
        created_at: rows::instant(row.try_get("created_ms")?)?,
        updated_at: rows::instant(row.try_get("updated_ms")?)?,
    })
}
