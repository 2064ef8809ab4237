//! Calendars from elsewhere: when they are busy.

mod cases;
mod dates;
mod described;
mod hostile;
mod oracle;
mod programs;

use std::collections::BTreeSet;

use booking_core::tzdb::local_time;
use booking_core::{ExternalTimes, Span, UnreadableCalendar, external_times};
use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::strategies::shown_at;

/// One calendar around `body`, whose lines end with LF here and CRLF there.
fn calendar(body: &str) -> String {
    let lines: String = body.lines().map(|line| format!("{}\r\n", line.trim_start())).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{lines}END:VCALENDAR\r\n")
}

/// An event of these lines.
fn event(lines: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT"))
}

fn span(from: &str, to: &str) -> Span {
    let at = |text: &str| -> DateTime<Utc> { format!("{text}:00Z").parse().unwrap() };
    Span::new(at(from), at(to)).unwrap()
}

/// The year 2024, or nearly.
fn year() -> Span {
    span("2024-01-01T00:00", "2025-01-01T00:00")
}

fn read(file: &str, zone: Tz) -> Result<ExternalTimes, UnreadableCalendar> {
    external_times(file.as_bytes(), year(), zone, &BTreeSet::new())
}

/// Spans as `zone`'s wall clock shows them: `from/to`, to the minute, with the offset of the start.
fn shown(times: &ExternalTimes, zone: Tz) -> Vec<String> {
    let show = |at: DateTime<Utc>| local_time(zone, at);
    let line = |span: Span| {
        let (start, end) = (show(span.start()), show(span.end()));
        format!("{}/{}", start.format("%Y-%m-%dT%H:%M%:z"), end.format("%Y-%m-%dT%H:%M%:z"))
    };
    times.busy.iter().map(line).collect()
}

/// `2024-03-31T02:30` on the wall clock of a zone, where it is shown once.
fn once(zone: Tz, wall: &str) -> DateTime<Utc> {
    let wall = NaiveDateTime::parse_from_str(wall, "%Y-%m-%dT%H:%M").unwrap();
    let [at] = shown_at(zone, wall)[..] else { panic!("{wall} is not shown once") };
    at
}
