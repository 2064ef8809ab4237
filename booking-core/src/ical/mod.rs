//! iCalendar objects (RFC 5545): meetings and availability as calendar apps read them.
//!
//! Pure: values in, text out, and the same text for the same values. What another person could not
//! know is never in it: no notes, no descriptions, no names and no addresses of anybody. Titles and where
//! to meet are there only when somebody asks for them.
//!
//! ```
//! use booking_core::ical;
//!
//! let text = ical::meetings("Sessions", ical::Detail::Times, &[]);
//! assert!(text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"));
//! ```

mod availability;
mod lines;
mod meeting;
mod time_zone;

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDateTime, Utc};

pub use self::availability::{Week, availability};
pub use self::meeting::{Detail, meetings, object};

use self::lines::Lines;
#[cfg(feature = "ical")]
use crate::id::MeetingId;
use crate::zone::instant;

/// Who writes. Without a version: the same meetings are the same text after an upgrade too.
const PRODUCT: &str = "-//booking//booking-core//EN";

/// How often apps are asked to look again; many have their own mind about it.
const REFRESH: &str = "PT1H";

/// What makes ids of ours unlike those of other programs. No domain: a calendar outlives those.
pub(crate) const UID_SUFFIX: &str = "@booking";

/// Which meeting has this id when it goes out from here, or from another installation: those say it in
/// the same form.
#[cfg(feature = "ical")]
pub(crate) fn meeting_named(uid: &str) -> Option<MeetingId> {
    uid.strip_suffix(UID_SUFFIX)?.parse().ok()
}

/// Years have four digits: from the first second of 0000 to the last of 9999.
const SECONDS: RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// The object that everything is in.
fn envelope(fill: impl FnOnce(&mut Lines)) -> String {
    let mut lines = Lines::default();
    lines.component("VCALENDAR", |calendar| {
        calendar.plain("VERSION", "2.0");
        calendar.plain("PRODID", PRODUCT);
        calendar.plain("CALSCALE", "GREGORIAN");
        fill(calendar);
    });
    lines.into_text()
}

/// An object with what describes it as a calendar.
fn calendar(name: &str, fill: impl FnOnce(&mut Lines)) -> String {
    envelope(|calendar| {
        // RFC 7986, and what apps understood before there was one.
        calendar.text("NAME", name);
        calendar.text("X-WR-CALNAME", name);
        calendar.plain("REFRESH-INTERVAL;VALUE=DURATION", REFRESH);
        calendar.plain("X-PUBLISHED-TTL", REFRESH);
        fill(calendar);
    })
}

/// An instant, in UTC: `20240115T140000Z`.
struct InUtc(DateTime<Utc>);

impl fmt::Display for InUtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.timestamp().clamp(*SECONDS.start(), *SECONDS.end());
        write!(f, "{}Z", OnTheWall(instant(second).naive_utc()))
    }
}

/// What a clock on a wall shows: `20240115T140000`.
struct OnTheWall(NaiveDateTime);

impl fmt::Display for OnTheWall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%Y%m%dT%H%M%S").fmt(f)
    }
}
