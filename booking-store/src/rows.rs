//! Between the domain's values and the plain ones that databases keep.
//!
//! Whatever is read is checked again: a value that the domain's types do not admit is an error,
//! never a guess.

use std::str::FromStr;

use booking_core::{
    AvailabilitySlot, Fingerprint, MeetingUrl, SessionDuration, Text, UserId, WEEKDAYS, WallTime,
    Window,
};
use chrono::{DateTime, Utc, Weekday};
use chrono_tz::Tz;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Failure, Malformed};

pub(crate) fn instant(unix_millis: i64) -> Result<DateTime<Utc>, Malformed> {
    DateTime::from_timestamp_millis(unix_millis).ok_or(Malformed::new("instant"))
}

pub(crate) fn user(id: &str) -> Result<UserId, Malformed> {
    UserId::new(id).map_err(Malformed::because("user id"))
}

pub(crate) fn version(version: i64) -> Result<u64, Malformed> {
    u64::try_from(version).map_err(Malformed::because("version"))
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

pub(crate) fn text<const MAX: usize>(text: String) -> Result<Text<MAX>, Malformed> {
    Text::new(text).map_err(Malformed::because("text"))
}

pub(crate) fn optional_text<const MAX: usize>(
    stored: Option<String>,
) -> Result<Option<Text<MAX>>, Malformed> {
    stored.map(text).transpose()
}

pub(crate) fn url(stored: Option<String>) -> Result<Option<MeetingUrl>, Malformed> {
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

/// How queries take a set of people: one parameter, however many there are.
pub(crate) fn people<'a>(people: impl IntoIterator<Item = &'a UserId>) -> Result<String, Failure> {
    json(&people.into_iter().collect::<Vec<_>>())
}
