//! What a scope names, and lists of meetings.

use booking_core::{
    AvailabilityId, AvailabilitySlot, Busy, Calendars, Earlier, IdempotencyKey, Meeting, MeetingId,
    MeetingQuery, MeetingStatus, MeetingTexts, Record, Scope, SessionDuration, Span, UserId,
};
use futures_util::TryStreamExt;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::{directory, holds, links, series, terms};
use crate::error::Failure;
use crate::rows::{self, BusyRow, MeetingRow, SlotRow};

/// Live meetings of some people (`?1`) that overlap any of some spans (`?2`, pairs of bounds), each
/// once. One that overlaps starts less than the longest session (`?3`) before: that makes both bounds
/// bounds of the index.
pub(super) const BUSY: &str = "
    SELECT meeting.id, client_id, therapist_id, start_ms, duration_minutes, buffer_before_minutes,
        buffer_after_minutes
    FROM json_each(?2) CROSS JOIN meeting
    WHERE client_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > (json_each.value ->> 0) - ?3 AND start_ms < json_each.value ->> 1
        AND start_ms + duration_minutes * 60000 > json_each.value ->> 0
    UNION
    SELECT meeting.id, client_id, therapist_id, start_ms, duration_minutes, buffer_before_minutes,
        buffer_after_minutes
    FROM json_each(?2) CROSS JOIN meeting
    WHERE therapist_id IN (SELECT value FROM json_each(?1))
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_ms > (json_each.value ->> 0) - ?3 AND start_ms < json_each.value ->> 1
        AND start_ms + duration_minutes * 60000 > json_each.value ->> 0";

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

/// What is listed of a meeting: long texts, where they are asked for (`?11`).
macro_rules! listed {
    () => {
        "SELECT
            id, version, client_id, therapist_id, start_ms, duration_minutes, buffer_before_minutes,
            buffer_after_minutes, status, meeting_type, title,
            CASE WHEN ?11 THEN description END AS description, meeting_url,
            CASE WHEN ?11 THEN session_notes END AS session_notes, created_ms, updated_ms
        FROM meeting"
    };
}

/// Meetings of a person (`?1`) after a place (`?2`, `?3`) and before an instant (`?4`), in one of
/// five statuses. Each half comes in order from its index; nothing is sorted.
pub(super) const MEETINGS: &str = concat!(
    listed!(),
    "
    WHERE client_id = ?1 AND (start_ms, id) > (?2, ?3) AND start_ms < ?4
        AND status IN (?5, ?6, ?7, ?8, ?9)
    UNION ALL
    ",
    listed!(),
    "
    WHERE therapist_id = ?1 AND (start_ms, id) > (?2, ?3) AND start_ms < ?4
        AND status IN (?5, ?6, ?7, ?8, ?9)
    ORDER BY start_ms, id
    LIMIT ?10"
);

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
        found.holds = holds::find(connection, holds::OF_THERAPIST, therapist).await?;
    }
    if let Some(holder) = &scope.placed_by {
        found.placed = holds::find(connection, holds::PLACED, holder).await?;
    }
    if let Some(therapist) = scope.hours_of.as_ref().filter(|_| !scope.busy_within.is_empty()) {
        found.external = links::busy(connection, therapist, &scope.busy_within).await?;
    }
    if let Some(id) = scope.series {
        found.series = series::with_meetings(connection, id).await?;
    }
    if !scope.busy_within.is_empty() {
        found.busy = busy(connection, scope).await?;
    }
    if let Some((therapist, within)) = scope.hours_of.as_ref().zip(scope.counted_within) {
        found.counted = terms::counted(connection, therapist, within).await?;
    }
    if let Some((therapist, dates)) = scope.hours_of.as_ref().zip(scope.overrides_on) {
        found.overrides = terms::overrides(connection, therapist, dates).await?;
    }
    if let Some(id) = scope.override_with {
        found.override_with = terms::override_with(connection, id).await?;
    }
    if !scope.settings_of.is_empty() {
        found.settings = terms::settings_of(connection, &scope.settings_of).await?;
    }
    if let Some(earlier) = &scope.earlier {
        found.has_earlier = has_earlier(connection, earlier).await?;
    }
    if !scope.users.is_empty() {
        found.users = directory::users(&mut *connection, &scope.users).await?;
    }
    if let Some((client, therapist)) = &scope.related {
        found.are_related = directory::related(connection, client, therapist).await?;
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

    let mut select = sqlx::query_as::<_, MeetingRow>(MEETINGS)
        .bind(query.person.as_str())
        .bind(after_ms)
        .bind(after_id)
        .bind(before_ms);
    for status in MeetingStatus::ALL {
        let wanted = query.statuses.is_empty() || query.statuses.contains(status);
        select = select.bind(wanted.then_some(status.as_str()));
    }
    let mut found = select
        .bind(query.limit)
        .bind(query.texts == MeetingTexts::Whole)
        .fetch(readers)
        .map_err(Failure::from);
    let mut page: Vec<Meeting> = Vec::new();
    let mut text_bytes = 0;
    // Where the page ends, the database stops reading.
    while text_bytes < MeetingQuery::MAX_TEXT_BYTES
        && let Some(row) = found.try_next().await?
    {
        let meeting = Meeting::try_from(row)?;
        text_bytes += meeting.text_bytes();
        page.push(meeting);
    }
    Ok(page)
}

async fn busy(connection: &mut SqliteConnection, scope: &Scope) -> Result<Vec<Busy>, Failure> {
    let bounds = |span: Span| [span.start().timestamp_millis(), span.end().timestamp_millis()];
    let within: Vec<[i64; 2]> = scope.busy_within.iter().map(bounds).collect();
    let rows = sqlx::query_as::<_, BusyRow>(BUSY)
        .bind(rows::people(&scope.people)?)
        .bind(rows::json(&within)?)
        .bind(SessionDuration::MAX.to_delta().num_milliseconds())
        .fetch_all(connection)
        .await?;
    rows::all(rows)
}

async fn hours_of(
    connection: &mut SqliteConnection,
    therapist: &UserId,
) -> Result<Vec<AvailabilitySlot>, Failure> {
    let select = sqlx::query_as::<_, SlotRow>(HOURS).bind(therapist.as_str());
    rows::all(select.fetch_all(connection).await?)
}

async fn meeting_with(
    connection: &mut SqliteConnection,
    id: MeetingId,
) -> Result<Option<Meeting>, Failure> {
    let select = sqlx::query_as::<_, MeetingRow>(MEETING).bind(id.uuid());
    rows::one(select.fetch_optional(connection).await?)
}

async fn slot_with(
    connection: &mut SqliteConnection,
    id: AvailabilityId,
) -> Result<Option<AvailabilitySlot>, Failure> {
    let select = sqlx::query_as::<_, SlotRow>(SLOT).bind(id.uuid());
    rows::one(select.fetch_optional(connection).await?)
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
