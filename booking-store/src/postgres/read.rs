//! What a scope names, and lists of meetings.

use booking_core::{
    AvailabilityId, AvailabilityOverride, AvailabilitySlot, Busy, Calendars, CountedMeeting,
    Meeting, MeetingId, MeetingQuery, MeetingStatus, MeetingTexts, OverrideId, Record, Scope,
    SeriesId, SessionDuration, User, UserId,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Failure;
use crate::hold_rows;
use crate::link_rows;
use crate::rows::{self, BusyRow, MeetingRow, SeriesRow, SlotRow, UserRow, there};
use crate::terms_rows::{self, OverrideRow, SettingsRow};

/// Everything that the scope names, as of one moment.
pub(super) async fn calendars(
    connection: &mut PgConnection,
    scope: &Scope,
) -> Result<Calendars, Failure> {
    let within = || scope.busy_within.iter();
    let longest = SessionDuration::MAX.to_delta();
    let record = scope.record.as_ref();
    let earlier = scope.earlier.as_ref();
    let related = scope.related.as_ref();
    let found = sqlx::query_file_as!(
        Row,
        "queries/calendars.sql",
        record.map(|(user, _)| user.as_str()),
        record.map(|(_, key)| key.as_str()),
        scope.meeting.map(MeetingId::uuid),
        scope.availability.map(AvailabilityId::uuid),
        scope.hours_of.as_ref().map(UserId::as_str),
        &names(&scope.people),
        &within().map(|span| bound(span.start())).collect::<Vec<_>>(),
        &within().map(|span| bound(span.end())).collect::<Vec<_>>(),
        &within().map(|span| bound(span.start()) - longest).collect::<Vec<_>>(),
        earlier.map(|earlier| earlier.client.as_str()),
        earlier.map(|earlier| earlier.therapist.as_str()),
        earlier.map(|earlier| bound(earlier.before)),
        &names(&scope.users),
        related.map(|(client, _)| client.as_str()),
        related.map(|(_, therapist)| therapist.as_str()),
        &names(&scope.settings_of),
        scope.counted_within.map(|span| bound(span.start())),
        scope.counted_within.map(|span| bound(span.end())),
        scope.overrides_on.map(|(first, _)| terms_rows::date_bound(first)),
        scope.overrides_on.map(|(_, last)| terms_rows::date_bound(last)),
        scope.override_with.map(OverrideId::uuid),
        scope.series.map(SeriesId::uuid),
        scope.placed_by.as_ref().map(UserId::as_str),
    );
    let mut calendars = Calendars { scope: scope.clone(), ..Calendars::default() };
    for row in found.fetch_all(connection).await? {
        row.add_to(&mut calendars)?;
    }
    calendars.overrides.sort_by_key(|one| (one.dates.first(), one.id));
    if scope.busy_within.as_slice().len() > 1 {
        // A meeting may be part of several spans.
        calendars.busy.sort_by_key(|busy| busy.meeting);
        calendars.busy.dedup_by_key(|busy| busy.meeting);
    }
    calendars.hours.sort_by_key(|slot| (rows::weekday_of(slot), slot.window, slot.id));
    Ok(calendars)
}

/// One of the things that `calendars.sql` finds; what the columns mean is said there.
struct Row {
    kind: i8,
    id: Option<Uuid>,
    one: Option<String>,
    other: Option<String>,
    number: Option<i64>,
    begin: Option<i64>,
    end: Option<i64>,
    flag: Option<bool>,
    at: Option<DateTime<Utc>>,
    later: Option<DateTime<Utc>>,
    bytes: Option<Vec<u8>>,
    json: Option<String>,
}

/// A series with its meetings.
#[derive(Deserialize)]
struct SeriesJson {
    series: SeriesRow,
    meetings: Vec<MeetingRow>,
}

impl Row {
    fn add_to(self, calendars: &mut Calendars) -> Result<(), Failure> {
        match self.kind.cast_unsigned() {
            b'h' => calendars.hours.push(self.slot()?),
            b's' => calendars.availability = Some(self.slot()?),
            b'b' => calendars.busy.push(self.busy()?),
            b'v' => {
                let (person, revision) = (rows::user(&there(self.one)?)?, there(self.number)?);
                calendars.revisions.insert(person, rows::count(revision)?);
            }
            b'p' => {
                let settings = rows::from_json::<SettingsRow>("settings", &there(self.json)?)?;
                let settings = settings.updated_at(there(self.at)?)?;
                calendars.settings.insert(settings.therapist.clone(), settings);
            }
            b'd' => calendars.counted.push(CountedMeeting {
                meeting: MeetingId::from_uuid(there(self.id)?),
                start: there(self.at)?,
            }),
            b'q' => {
                calendars.external.push(link_rows::busy(there(self.at)?, there(self.number)?)?);
            }
            b'o' => calendars.overrides.push(self.override_row()?),
            b'l' => calendars.holds.push(hold_rows::from_json(&there(self.json)?)?),
            b'y' => calendars.placed.push(hold_rows::from_json(&there(self.json)?)?),
            b'x' => calendars.override_with = Some(self.override_row()?),
            b'm' => {
                let meeting = rows::from_json::<MeetingRow>("meeting", &there(self.json)?)?;
                calendars.meeting = Some(meeting.try_into()?);
            }
            b't' => {
                let SeriesJson { series, meetings } =
                    rows::from_json("series", &there(self.json)?)?;
                calendars.series = Some(series.with(meetings)?);
            }
            b'u' => {
                let user = rows::from_json::<UserRow>("user", &there(self.json)?)?;
                let user = User::try_from(user)?;
                calendars.users.insert(user.id.clone(), user);
            }
            b'r' => calendars.are_related = true,
            b'e' => calendars.has_earlier = true,
            b'k' => calendars.record = Some(self.record(&calendars.scope)?),
            kind => return Err(Failure::corrupt(format!("rows of no kind {kind}"))),
        }
        Ok(())
    }

    fn slot(self) -> Result<AvailabilitySlot, Failure> {
        let row = SlotRow {
            id: there(self.id)?,
            therapist_id: there(self.one)?,
            weekday: there(self.number)?,
            start_minute: there(self.begin)?,
            end_minute: there(self.end)?,
            is_available: there(self.flag)?,
            notes: self.other,
            created_ms: there(self.at)?.timestamp_millis(),
            updated_ms: there(self.later)?.timestamp_millis(),
        };
        Ok(row.try_into()?)
    }

    fn override_row(self) -> Result<AvailabilityOverride, Failure> {
        let row = OverrideRow {
            id: there(self.id)?,
            therapist_id: there(self.one)?,
            first_day: there(self.number)?,
            last_day: there(self.begin)?,
            windows: there(self.json)?,
            notes: self.other,
            created_ms: there(self.at)?.timestamp_millis(),
            updated_ms: there(self.later)?.timestamp_millis(),
        };
        Ok(row.try_into()?)
    }

    fn busy(self) -> Result<Busy, Failure> {
        let row = BusyRow {
            id: there(self.id)?,
            client_id: there(self.one)?,
            therapist_id: there(self.other)?,
            start_ms: there(self.at)?.timestamp_millis(),
            duration_minutes: there(self.number)?,
            buffer_before_minutes: there(self.begin)?,
            buffer_after_minutes: there(self.end)?,
        };
        Ok(row.try_into()?)
    }

    fn record(self, scope: &Scope) -> Result<Record, Failure> {
        let (user, key) = there(scope.record.clone())?;
        Ok(Record {
            user,
            key,
            fingerprint: rows::fingerprint(&there(self.bytes)?)?,
            answer: rows::from_json("answer", &there(self.json)?)?,
            created_at: there(self.at)?,
        })
    }
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
        match query.texts {
            MeetingTexts::Whole => MeetingQuery::MAX_TEXT_BYTES as i64,
            MeetingTexts::LeftOut => i64::MAX,
        },
        query.texts == MeetingTexts::Whole,
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
