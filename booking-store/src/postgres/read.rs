//! What a scope names, and lists of meetings.

use std::collections::BTreeMap;

use booking_core::{
    Answer, AvailabilityId, Calendars, Meeting, MeetingId, MeetingQuery, MeetingStatus, Record,
    Scope, SessionDuration, User, UserId,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Failure;
use crate::rows::{self, BusyRow, MeetingRow, SlotRow, UserRow};

/// Everything that the scope names, as of one moment.
pub(super) async fn calendars(
    connection: &mut PgConnection,
    scope: &Scope,
) -> Result<Calendars, Failure> {
    let within = scope.busy_within;
    let record = scope.record.as_ref();
    let earlier = scope.earlier.as_ref();
    let found = sqlx::query_file!(
        "queries/calendars.sql",
        record.map(|(user, _)| user.as_str()),
        record.map(|(_, key)| key.as_str()),
        scope.meeting.map(MeetingId::uuid),
        scope.availability.map(AvailabilityId::uuid),
        scope.hours_of.as_ref().map(UserId::as_str),
        &names(&scope.people),
        within.map(|span| bound(span.start())),
        within.map(|span| bound(span.end())),
        within.map(|span| bound(span.start()) - SessionDuration::MAX.to_delta()),
        earlier.map(|earlier| earlier.client.as_str()),
        earlier.map(|earlier| earlier.therapist.as_str()),
        earlier.map(|earlier| bound(earlier.before)),
        &names(&scope.users),
        scope.related.as_ref().map(|(client, _)| client.as_str()),
        scope.related.as_ref().map(|(_, therapist)| therapist.as_str()),
    );
    let found = found.fetch_one(connection).await?;
    let written = found.fingerprint.zip(found.answer).zip(found.created_ms);
    let record = match record.zip(written) {
        Some(((user, key), ((fingerprint, Json(answer)), created_ms))) => Some(Record {
            user: user.clone(),
            key: key.clone(),
            fingerprint: rows::fingerprint(&fingerprint)?,
            answer,
            created_at: rows::instant(created_ms)?,
        }),
        None => None,
    };
    let users: Vec<User> = rows::all(found.users.map_or_else(Vec::new, |Json(rows)| rows))?;
    Ok(Calendars {
        scope: scope.clone(),
        busy: rows::all(found.busy.map_or_else(Vec::new, |Json(rows)| rows))?,
        hours: rows::all(found.hours.map_or_else(Vec::new, |Json(rows)| rows))?,
        meeting: rows::one(found.meeting.map(|Json(row)| row))?,
        availability: rows::one(found.slot.map(|Json(row)| row))?,
        has_earlier: found.has_earlier,
        record,
        users: users.into_iter().map(|user| (user.id.clone(), user)).collect(),
        are_related: found.are_related,
        revisions: revisions(scope, &found.revisions)?,
    })
}

/// None, where somebody has no calendar yet. Both come by the bytes of the ids.
fn revisions(scope: &Scope, found: &[i64]) -> Result<BTreeMap<UserId, u64>, Failure> {
    if found.len() < scope.people.len() {
        return Ok(BTreeMap::new());
    }
    let counted = scope.people.iter().cloned().zip(found);
    let counted = counted.map(|(person, revision)| Ok((person, rows::count(*revision)?)));
    counted.collect()
}

pub(super) async fn meetings(
    connection: &mut PgConnection,
    query: &MeetingQuery,
) -> Result<Vec<Meeting>, Failure> {
    // No meeting has the least id: it stands for the place just before all of that start.
    let from = query.from.map(|from| (from, Uuid::nil()));
    let after = query.after.map(|place| (place.start, place.id.uuid()));
    let (after, after_id) = from.max(after).unwrap_or((DateTime::<Utc>::MIN_UTC, Uuid::nil()));
    let all = MeetingStatus::ALL.iter();
    let wanted = all.filter(|one| query.statuses.is_empty() || query.statuses.contains(*one));
    let statuses: Vec<String> = wanted.map(|status| status.as_str().to_owned()).collect();
    let select = sqlx::query_file_as!(
        MeetingRow,
        "queries/meetings.sql",
        query.person.as_str(),
        bound(after),
        after_id,
        bound(query.to.unwrap_or(DateTime::<Utc>::MAX_UTC)),
        &statuses,
        i64::from(query.limit),
    );
    rows::all(select.fetch_all(connection).await?)
}

pub(super) async fn ping(connection: &mut PgConnection) -> Result<(), Failure> {
    let select = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM meeting) AS "any!""#);
    select.fetch_one(connection).await?;
    Ok(())
}

/// One parameter, however many people there are.
pub(super) fn names<'a>(people: impl IntoIterator<Item = &'a UserId>) -> Vec<String> {
    people.into_iter().map(|person| person.as_str().to_owned()).collect()
}

/// Postgres knows no instants before 4713 BC, and nothing happened that early.
pub(super) fn bound(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(EARLIEST_MS).map_or(instant, |earliest| instant.max(earliest))
}

/// 4000 BC, or thereabouts.
const EARLIEST_MS: i64 = -188_000_000_000_000;
