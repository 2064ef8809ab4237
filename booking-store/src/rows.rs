//! Between the domain's values and the plain ones that databases keep.
//!
//! Whatever is read is checked again: a value that the domain's types do not admit is an error,
//! never a guess.

use std::collections::BTreeSet;
use std::str::FromStr;

use booking_core::{
    AvailabilityId, AvailabilitySlot, Bounded, Buffers, Busy, Email, Fingerprint, Meeting,
    MeetingId, MeetingUrl, Series, SeriesId, SeriesMeetings, SessionDuration, Text, Unit, User,
    UserId, WEEKDAYS, WallTime, Window,
};
use chrono::{DateTime, NaiveDate, Utc, Weekday};
use chrono_tz::Tz;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::{Failure, Malformed};

/// A meeting, as both databases answer.
#[derive(Debug, FromRow, Deserialize)]
pub(crate) struct MeetingRow {
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) client_id: String,
    pub(crate) therapist_id: String,
    pub(crate) start_ms: i64,
    pub(crate) duration_minutes: i64,
    pub(crate) buffer_before_minutes: i64,
    pub(crate) buffer_after_minutes: i64,
    pub(crate) status: String,
    pub(crate) meeting_type: String,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) meeting_url: Option<String>,
    pub(crate) session_notes: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

/// An availability slot.
#[derive(Debug, FromRow)]
pub(crate) struct SlotRow {
    pub(crate) id: Uuid,
    pub(crate) therapist_id: String,
    pub(crate) weekday: i64,
    pub(crate) start_minute: i64,
    pub(crate) end_minute: i64,
    pub(crate) is_available: bool,
    pub(crate) notes: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

/// A live meeting, as far as conflicts are concerned.
#[derive(Debug, FromRow)]
pub(crate) struct BusyRow {
    pub(crate) id: Uuid,
    pub(crate) client_id: String,
    pub(crate) therapist_id: String,
    pub(crate) start_ms: i64,
    pub(crate) duration_minutes: i64,
    pub(crate) buffer_before_minutes: i64,
    pub(crate) buffer_after_minutes: i64,
}

/// A series; its meetings are rows of their own.
#[derive(Debug, FromRow, Deserialize)]
pub(crate) struct SeriesRow {
    pub(crate) id: Uuid,
    pub(crate) client_id: String,
    pub(crate) therapist_id: String,
    pub(crate) rule: String,
    /// A list of dates, as JSON: see [`CivilDate`].
    pub(crate) except_dates: String,
    pub(crate) start_ms: i64,
    pub(crate) duration_minutes: i64,
    pub(crate) zone: String,
    pub(crate) created_ms: i64,
}

/// A user of the directory.
#[derive(Debug, FromRow, Deserialize)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) role: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) zone: Option<String>,
}

impl TryFrom<MeetingRow> for Meeting {
    type Error = Malformed;

    fn try_from(row: MeetingRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: MeetingId::from_uuid(row.id),
            version: count(row.version)?,
            client: user(&row.client_id)?,
            therapist: user(&row.therapist_id)?,
            start: instant(row.start_ms)?,
            duration: duration(row.duration_minutes)?,
            buffers: buffers(row.buffer_before_minutes, row.buffer_after_minutes)?,
            status: word("meeting status", &row.status)?,
            meeting_type: word("meeting type", &row.meeting_type)?,
            title: text(row.title)?,
            description: optional_text(row.description)?,
            meeting_url: url(row.meeting_url)?,
            session_notes: optional_text(row.session_notes)?,
            created_at: instant(row.created_ms)?,
            updated_at: instant(row.updated_ms)?,
        })
    }
}

impl TryFrom<SlotRow> for AvailabilitySlot {
    type Error = Malformed;

    fn try_from(row: SlotRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: AvailabilityId::from_uuid(row.id),
            therapist: user(&row.therapist_id)?,
            weekday: weekday(row.weekday)?,
            window: window(row.start_minute, row.end_minute)?,
            is_available: row.is_available,
            notes: optional_text(row.notes)?,
            created_at: instant(row.created_ms)?,
            updated_at: instant(row.updated_ms)?,
        })
    }
}

impl TryFrom<BusyRow> for Busy {
    type Error = Malformed;

    fn try_from(row: BusyRow) -> Result<Self, Malformed> {
        let span = duration(row.duration_minutes)?.span_from(instant(row.start_ms)?);
        Ok(Self {
            meeting: MeetingId::from_uuid(row.id),
            client: user(&row.client_id)?,
            therapist: user(&row.therapist_id)?,
            span: span.ok_or(Malformed::new("span"))?,
            buffers: buffers(row.buffer_before_minutes, row.buffer_after_minutes)?,
        })
    }
}

impl SeriesRow {
    pub(crate) fn with(self, meetings: Vec<MeetingRow>) -> Result<SeriesMeetings, Failure> {
        let meetings: Vec<Meeting> = all(meetings)?;
        let series = Series {
            id: SeriesId::from_uuid(self.id),
            client: user(&self.client_id)?,
            therapist: user(&self.therapist_id)?,
            rule: self.rule.parse().map_err(Malformed::because("rule"))?,
            except: dates(&self.except_dates)?,
            start: instant(self.start_ms)?,
            duration: duration(self.duration_minutes)?,
            zone: self.zone.parse().map_err(Malformed::because("time zone"))?,
            created_at: instant(self.created_ms)?,
            meetings: meetings.iter().map(|meeting| meeting.id).collect(),
        };
        Ok(SeriesMeetings { series, meetings })
    }
}

impl TryFrom<UserRow> for User {
    type Error = Malformed;

    fn try_from(row: UserRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: user(&row.id)?,
            role: word("role", &row.role)?,
            first_name: text(row.first_name)?,
            last_name: text(row.last_name)?,
            email: Email::new(row.email).map_err(Malformed::because("e-mail address"))?,
            zone: zone(row.zone)?,
        })
    }
}

/// The domain's values for what a database answered.
pub(crate) fn all<Row, T>(rows: impl IntoIterator<Item = Row>) -> Result<Vec<T>, Failure>
where
    T: TryFrom<Row, Error = Malformed>,
{
    rows.into_iter().map(|row| Ok(T::try_from(row)?)).collect()
}

/// The domain's value for what a database answered, if anything.
pub(crate) fn one<Row, T>(row: Option<Row>) -> Result<Option<T>, Failure>
where
    T: TryFrom<Row, Error = Malformed>,
{
    Ok(row.map(T::try_from).transpose()?)
}

/// A value that rows of this kind have.
pub(crate) fn there<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::corrupt("a row without one of its values"))
}

pub(crate) fn instant(unix_millis: i64) -> Result<DateTime<Utc>, Malformed> {
    DateTime::from_timestamp_millis(unix_millis).ok_or(Malformed::new("instant"))
}

pub(crate) fn user(id: &str) -> Result<UserId, Malformed> {
    UserId::new(id).map_err(Malformed::because("user id"))
}

/// Of clients with therapists.
pub(crate) fn relationships(rows: &[(String, String)]) -> Result<Vec<(UserId, UserId)>, Malformed> {
    rows.iter().map(|(client, therapist)| Ok((user(client)?, user(therapist)?))).collect()
}

pub(crate) fn count(count: i64) -> Result<u64, Malformed> {
    u64::try_from(count).map_err(Malformed::because("count"))
}

pub(crate) fn buffers(before: i64, after: i64) -> Result<Buffers, Malformed> {
    Ok(Buffers { before: bounded("buffer", before)?, after: bounded("buffer", after)? })
}

/// A number within the bounds of its type.
pub(crate) fn bounded<U: Unit, const MIN: u32, const MAX: u32>(
    what: &'static str,
    number: i64,
) -> Result<Bounded<U, MIN, MAX>, Malformed> {
    let number = u32::try_from(number).map_err(Malformed::because(what))?;
    Bounded::new(number).map_err(Malformed::because(what))
}

pub(crate) fn duration(minutes: i64) -> Result<SessionDuration, Malformed> {
    u32::try_from(minutes)
        .ok()
        .and_then(|minutes| SessionDuration::try_from(minutes).ok())
        .ok_or(Malformed::new("duration"))
}

/// One of an enum's words.
pub(crate) fn word<T>(what: &'static str, word: &str) -> Result<T, Malformed>
where
    T: FromStr<Err = booking_core::UnknownWord>,
{
    word.parse().map_err(Malformed::because(what))
}

fn text<const MAX: usize>(text: String) -> Result<Text<MAX>, Malformed> {
    Text::new(text).map_err(Malformed::because("text"))
}

pub(crate) fn optional_text<const MAX: usize>(
    stored: Option<String>,
) -> Result<Option<Text<MAX>>, Malformed> {
    stored.map(text).transpose()
}

fn url(stored: Option<String>) -> Result<Option<MeetingUrl>, Malformed> {
    stored.map(MeetingUrl::new).transpose().map_err(Malformed::because("URL"))
}

pub(crate) fn zone(name: Option<String>) -> Result<Option<Tz>, Malformed> {
    name.map(|name| name.parse()).transpose().map_err(Malformed::because("time zone"))
}

pub(crate) fn window(start_minute: i64, end_minute: i64) -> Result<Window, Malformed> {
    let time = |minute: i64| u16::try_from(minute).ok().and_then(WallTime::from_minutes);
    time(start_minute)
        .zip(time(end_minute))
        .and_then(|(start, end)| Window::new(start, end))
        .ok_or(Malformed::new("window"))
}

pub(crate) fn weekday(from_sunday: i64) -> Result<Weekday, Malformed> {
    let day = usize::try_from(from_sunday).ok().and_then(|index| WEEKDAYS.get(index));
    day.copied().ok_or(Malformed::new("weekday"))
}

pub(crate) fn weekday_of(slot: &AvailabilitySlot) -> i64 {
    slot.weekday.num_days_from_sunday().into()
}

pub(crate) fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, Malformed> {
    bytes.try_into().map(Fingerprint).map_err(Malformed::because("fingerprint"))
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(Failure::corrupt)
}

pub(crate) fn from_json<T: DeserializeOwned>(
    what: &'static str,
    json: &str,
) -> Result<T, Malformed> {
    serde_json::from_str(json).map_err(Malformed::because(what))
}

/// A date in JSON: as text, or counted from 1970. Only so does Postgres tell of those before the year 1,
/// which in its own words are years BC.
#[derive(Deserialize)]
#[serde(untagged)]
enum CivilDate {
    Text(NaiveDate),
    Day(i64),
}

fn dates(json: &str) -> Result<BTreeSet<NaiveDate>, Malformed> {
    let dates: Vec<CivilDate> = from_json("dates", json)?;
    let date = |date| match date {
        CivilDate::Text(date) => Ok(date),
        CivilDate::Day(from_1970) => self::date(from_1970),
    };
    dates.into_iter().map(date).collect()
}

/// The date so many days after 1970-01-01.
pub(crate) fn date(from_1970: i64) -> Result<NaiveDate, Malformed> {
    let days = i32::try_from(from_1970).ok();
    days.and_then(NaiveDate::from_epoch_days).ok_or(Malformed::new("date"))
}

/// How SQLite's queries take a set of people: one parameter, however many there are.
#[cfg(feature = "sqlite")]
pub(crate) fn people<'a>(people: impl IntoIterator<Item = &'a UserId>) -> Result<String, Failure> {
    json(&people.into_iter().collect::<Vec<_>>())
}
