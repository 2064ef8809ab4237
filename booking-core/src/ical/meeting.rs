//! Meetings as `VEVENT`s.

use chrono_tz::Tz;

use super::lines::Lines;
use super::{InUtc, UID_SUFFIX, calendar, envelope, time_zone};
use crate::meeting::{Meeting, MeetingStatus};
use crate::zone::Seconds;

/// How much of a meeting is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// When it is, and nothing else about it.
    Times,
    /// Also its title, and where to meet.
    Titles,
}

/// What a meeting is called of which only the time is told.
const NEUTRAL: &str = "Session";

/// Meetings as a calendar: cancelled ones too, so that apps take them out.
///
/// Each has an id that stays, and a sequence that grows with its version. Nobody's name, address,
/// description or notes are in it.
///
/// ```
/// use booking_core::ical::{Detail, meetings};
/// # let meeting = booking_core::testing::fixtures::meeting(
/// #     &booking_core::testing::fixtures::client(),
/// #     &booking_core::testing::fixtures::therapist(),
/// #     booking_core::testing::fixtures::hour(14),
/// # );
///
/// let text = meetings("Sessions", Detail::Times, std::slice::from_ref(&meeting));
/// assert!(text.contains("DTSTART:20240115T140000Z\r\nDTEND:20240115T150000Z\r\n"));
/// assert!(text.contains("SUMMARY:Session\r\n"));
/// ```
#[must_use]
pub fn meetings(name: &str, detail: Detail, meetings: &[Meeting]) -> String {
    calendar(name, |lines| {
        for meeting in meetings {
            event(lines, detail, meeting);
        }
        if meetings.is_empty() {
            // There must be something in a calendar (RFC 5545, section 3.6).
            time_zone::write(lines, Tz::UTC, Seconds { start: 0, end: 1 });
        }
    })
}

/// One meeting as an object of its own, the same event as in [`meetings`]: what a CalDAV server keeps
/// of it (RFC 4791, section 4.1), with nothing that describes a calendar.
#[must_use]
pub fn object(detail: Detail, meeting: &Meeting) -> String {
    envelope(|lines| event(lines, detail, meeting))
}

fn event(lines: &mut Lines, detail: Detail, meeting: &Meeting) {
    let is_cancelled = meeting.status == MeetingStatus::Cancelled;
    lines.component("VEVENT", |event| {
        event.plain("UID", format_args!("{}{UID_SUFFIX}", meeting.id));
        // Without a METHOD it is when the event last changed (section 3.8.7.2): the same each time.
        event.plain("DTSTAMP", InUtc(meeting.updated_at));
        event.plain("CREATED", InUtc(meeting.created_at));
        event.plain("LAST-MODIFIED", InUtc(meeting.updated_at));
        event.plain("SEQUENCE", sequence(meeting));
        event.plain("DTSTART", InUtc(meeting.start));
        event.plain("DTEND", InUtc(meeting.end()));
        // Also what nobody has confirmed yet takes its time: apps leave out what is tentative.
        event.plain("STATUS", if is_cancelled { "CANCELLED" } else { "CONFIRMED" });
        event.plain("TRANSP", if is_cancelled { "TRANSPARENT" } else { "OPAQUE" });
        event.plain("CLASS", "PRIVATE");
        match detail {
            Detail::Times => event.text("SUMMARY", NEUTRAL),
            Detail::Titles => {
                event.text("SUMMARY", meeting.title.as_str());
                if let Some(url) = &meeting.meeting_url {
                    event.text("LOCATION", url.as_str());
                    event.plain("URL", url.as_str());
                }
            }
        }
    });
}

/// Begins at 0, has 31 bits, and never falls.
fn sequence(meeting: &Meeting) -> i32 {
    i32::try_from(meeting.version.saturating_sub(1)).unwrap_or(i32::MAX)
}
