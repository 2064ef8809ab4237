//! Calendars that are a file at a URL.

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::client::{Client, Fetched};
use super::failure::FetchError;
use super::location::Location;
use super::request::{Ask, Redirects, read};
use super::validators;

/// The longest file. `booking_core` reads none that is longer.
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// What a server said of a file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    modified: Option<String>,
}

pub(super) async fn fetch(
    client: &Client,
    location: &Location,
    validators: Option<&str>,
) -> Result<Fetched, FetchError> {
    let known: Version = validators::read(validators);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/calendar, */*;q=0.5"));
    for (name, value) in [(IF_NONE_MATCH, known.etag), (IF_MODIFIED_SINCE, known.modified)] {
        let value = value.and_then(|value| HeaderValue::try_from(value).ok());
        headers.extend(value.map(|value| (name, value)));
    }
    let is_conditional = headers.len() > 1;
    let ask =
        Ask { method: Method::GET, headers, body: Bytes::new(), redirects: Redirects::Anywhere };
    let response = client.ask(location, &ask).await?;
    if is_conditional && response.status() == StatusCode::NOT_MODIFIED {
        return Ok(Fetched::Unchanged);
    }
    let status = client.success(&response)?;
    if status != StatusCode::OK {
        return Err(FetchError::Status { status: status.as_u16(), retry_after: None });
    }
    let said = |name: HeaderName| validators::said(response.headers().get(name)?.to_str().ok()?);
    let version = Version { etag: said(ETAG), modified: said(LAST_MODIFIED) };
    let text = text(&read(response, MAX_BYTES).await?)?;
    Ok(Fetched::Texts { texts: vec![text], validators: validators::write(&version) })
}

/// In UTF-8, as the standard wants it; where it is not, only what nobody reads here is lost.
fn text(body: &[u8]) -> Result<String, FetchError> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if begins_a_calendar(text) { Ok(text.to_owned()) } else { Err(FetchError::NotACalendar) }
}

/// Whether the first line is `BEGIN:VCALENDAR`, whatever its case.
pub(super) fn begins_a_calendar(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.trim_end().eq_ignore_ascii_case("BEGIN:VCALENDAR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_is_known_by_its_first_line() {
        let calendars: [&[u8]; 6] = [
            b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
            b"begin:vcalendar\nEND:VCALENDAR",
            b"\xef\xbb\xbfBEGIN:VCALENDAR \r\nEND:VCALENDAR",
            b"\r\n \nBEGIN:VCALENDAR\r\nEND:VCALENDAR",
            b"BEGIN:VCALENDAR\r\nSUMMARY:M\xfcnchen\r\nEND:VCALENDAR",
            b"BEGIN:VCALENDAR",
        ];
        for body in calendars {
            let text = text(body).expect("a calendar");
            assert!(text[..15].eq_ignore_ascii_case("BEGIN:VCALENDAR"), "{text}");
        }
        let others: [&[u8]; 8] = [
            b"",
            b"\xef\xbb\xbf",
            b"<!DOCTYPE html>\nBEGIN:VCALENDAR\n",
            b"BEGIN:VCALENDARS\n",
            b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
            b"\x1f\x8b\x08BEGIN:VCALENDAR",
            b"B\0E\0G\0I\0N\0:\0V\0C\0A\0L\0E\0N\0D\0A\0R\0",
            b"\xff\xfe\xfd\x80\x80",
        ];
        for body in others {
            assert_eq!(text(body), Err(FetchError::NotACalendar), "{body:?}");
        }
    }
}
