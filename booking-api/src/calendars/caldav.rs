//! Calendars that are a collection on a CalDAV server (RFC 4791).

use booking_core::Span;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::client::{Client, Fetched};
use super::failure::FetchError;
use super::ics::begins_a_calendar;
use super::location::Location;
use super::multistatus::{self, Member};
use super::request::{Ask, Redirects, read};
use super::validators;

/// The longest answer on a collection itself, and on what is in it.
const MAX_PROPERTIES_BYTES: usize = 256 * 1024;
const MAX_REPORT_BYTES: usize = 16 * 1024 * 1024;

/// Servers compare what has no zone with the window in one of their own: it is asked for with a day
/// more on either side.
const AROUND: TimeDelta = TimeDelta::days(1);

/// Is it a calendar, and has anything in it changed?
const PROPERTIES: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:" xmlns:S="http://calendarserver.org/ns/"><D:prop>
<D:resourcetype/><D:sync-token/><S:getctag/>
</D:prop></D:propfind>"#;

/// What a server said of a collection: each changes when anything in it does.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ctag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sync: Option<String>,
}

pub(super) async fn fetch(
    client: &Client,
    location: &Location,
    validators: Option<&str>,
    window: Span,
) -> Result<Fetched, FetchError> {
    let version = look(client, location).await?;
    if version != Version::default() && version == validators::read(validators) {
        return Ok(Fetched::Unchanged);
    }
    // What changes from now on is in another version, whether or not it is in this answer.
    let answer = ask(client, location, "REPORT", "1", report(window), MAX_REPORT_BYTES).await?;
    let mut texts = Vec::new();
    for member in multistatus::parse(&answer)? {
        texts.extend(text(member)?);
    }
    // That it was read is known, also where nothing is said of versions.
    let validators = validators::write(&version).or_else(|| Some("{}".to_owned()));
    Ok(Fetched::Texts { texts, validators })
}

async fn look(client: &Client, location: &Location) -> Result<Version, FetchError> {
    let body = PROPERTIES.to_owned();
    let answer = ask(client, location, "PROPFIND", "0", body, MAX_PROPERTIES_BYTES).await?;
    let mut members = multistatus::parse(&answer)?.into_iter();
    let collection = members.next().filter(|member| member.is_calendar);
    let collection = collection.ok_or(FetchError::NotACalendar)?;
    let said = |word: Option<String>| word.and_then(|word| validators::said(word.trim()));
    Ok(Version { ctag: said(collection.ctag), sync: said(collection.sync_token) })
}

/// All events that have to do with the window, with everything that belongs to them.
fn report(window: Span) -> String {
    let [start, end] = [window.start() - AROUND, window.end() + AROUND].map(in_utc);
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<D:prop><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
<C:time-range start="{start}" end="{end}"/>
</C:comp-filter></C:comp-filter></C:filter>
</C:calendar-query>"#
    )
}

fn in_utc(instant: DateTime<Utc>) -> impl std::fmt::Display {
    instant.format("%Y%m%dT%H%M%SZ")
}

/// The object of a member; none if the member is no longer there, or has none. Half of the events
/// would be worse than those of yesterday: what is withheld fails all of it.
fn text(member: Member) -> Result<Option<String>, FetchError> {
    match (member.status, member.data, member.data_status) {
        (Some(404 | 410), ..) | (None | Some(200..=299), None, Some(404 | 410)) => Ok(None),
        // The server has more, and says so.
        (Some(507), ..) => Err(FetchError::TooLarge),
        (None | Some(200..=299), Some(text), _) => {
            let text = text.trim_start();
            let text = begins_a_calendar(text).then(|| text.to_owned());
            text.map(Some).ok_or(FetchError::Unreadable)
        }
        _ => Err(FetchError::Unreadable),
    }
}

/// The XML that a server answers a question of WebDAV with.
async fn ask(
    client: &Client,
    location: &Location,
    method: &str,
    depth: &'static str,
    body: String,
    most: usize,
) -> Result<String, FetchError> {
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| FetchError::Unreadable)?;
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static("depth"), HeaderValue::from_static(depth)),
        (CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8")),
    ]);
    let ask = Ask { method, headers, body: Bytes::from(body), redirects: Redirects::Anywhere };
    let response = client.ask(location, &ask).await?;
    match response.status() {
        StatusCode::MULTI_STATUS => {
            let body = read(response, most).await?;
            String::from_utf8(body).map_err(|_| FetchError::Unreadable)
        }
        // Servers of plain pages know no such methods, or take them for others.
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            Err(FetchError::NotACalendar)
        }
        _ => client.success(&response).and(Err(FetchError::NotACalendar)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_asked_for_with_a_day_around_it() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let window = Span::new(at("2024-03-01T00:00:00.5Z"), at("2025-01-01T00:00:00Z")).unwrap();
        let range = r#"<C:time-range start="20240229T000000Z" end="20250102T000000Z"/>"#;
        assert!(report(window).contains(range));
    }

    #[test]
    fn what_is_gone_is_left_out_and_what_is_withheld_fails_all_of_it() {
        let calendar = Some("\n BEGIN:VCALENDAR\nEND:VCALENDAR\n");
        let read = Ok(Some("BEGIN:VCALENDAR\nEND:VCALENDAR\n".to_owned()));
        let table = [
            (None, calendar, None, read.clone()),
            (Some(200), calendar, None, read),
            (Some(404), None, None, Ok(None)),
            (Some(410), calendar, None, Ok(None)),
            (None, None, Some(404), Ok(None)),
            (None, None, Some(403), Err(FetchError::Unreadable)),
            (None, None, None, Err(FetchError::Unreadable)),
            (None, Some("<html>"), None, Err(FetchError::Unreadable)),
            (None, Some(""), None, Err(FetchError::Unreadable)),
            (Some(403), calendar, None, Err(FetchError::Unreadable)),
            (Some(507), None, None, Err(FetchError::TooLarge)),
        ];
        for (status, data, data_status, expected) in table {
            let data = data.map(str::to_owned);
            let member = Member { status, data, data_status, ..Member::default() };
            assert_eq!(text(member), expected, "{status:?} {data_status:?}");
        }
    }
}
