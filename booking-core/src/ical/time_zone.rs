//! IANA zones as `VTIMEZONE`s: each change of the clocks that matters, and no rule that is guessed.

use std::fmt;

use chrono_tz::Tz;

use super::OnTheWall;
use super::lines::Lines;
use crate::tzdb;
use crate::zone::{Seconds, Stretch, instant, stretches};

/// The zone, for instants of `within`.
pub(super) fn write(lines: &mut Lines, zone: Tz, within: Seconds) {
    lines.component("VTIMEZONE", |lines| {
        lines.plain("TZID", zone.name());
        lines.plain("X-LIC-LOCATION", zone.name());
        let mut before = None;
        for Stretch { seconds, offset } in stretches(zone, within) {
            let from = before.unwrap_or(offset);
            // Stretches end now and then where nothing changes.
            if before != Some(offset) {
                observance(lines, zone, seconds.start, from, offset);
            }
            before = Some(offset);
        }
    });
}

fn observance(lines: &mut Lines, zone: Tz, second: i64, from: i64, to: i64) {
    let named = tzdb::name_at(zone, second);
    let name = if named.is_dst { "DAYLIGHT" } else { "STANDARD" };
    lines.component(name, |lines| {
        // What the clock showed when it was set.
        lines.plain("DTSTART", OnTheWall(instant(second + from).naive_utc()));
        lines.plain("TZOFFSETFROM", FromUtc(from));
        lines.plain("TZOFFSETTO", FromUtc(to));
        lines.text("TZNAME", &named.abbreviation);
    });
}

/// Seconds from UTC: `-0500`; `+001730` where seconds matter.
struct FromUtc(i64);

impl fmt::Display for FromUtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let seconds = self.0.abs();
        write!(f, "{sign}{:02}{:02}", seconds / 3_600, seconds / 60 % 60)?;
        if seconds % 60 == 0 { Ok(()) } else { write!(f, "{:02}", seconds % 60) }
    }
}
