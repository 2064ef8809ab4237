//! The clocks of zones: as of today's database, and as another reader of it has them.

use booking_core::tzdb::{self, local_time};
use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::world::at;

/// What governments have decided of late, which databases of 2025 and before do not know, and what
/// holds beyond tables that end with a year.
#[test]
fn clocks_are_those_that_governments_have_decided_on() {
    for (zone, instant, shown) in [
        (Tz::America__Vancouver, "2026-12-01T20:00Z", "2026-12-01T13:00:00-07:00"),
        (Tz::America__Edmonton, "2026-12-01T20:00Z", "2026-12-01T14:00:00-06:00"),
        (Tz::America__Inuvik, "2026-12-01T20:00Z", "2026-12-01T14:00:00-06:00"),
        (Tz::Africa__Casablanca, "2026-12-01T20:00Z", "2026-12-01T20:00:00+00:00"),
        (Tz::Europe__Chisinau, "2026-03-29T00:30Z", "2026-03-29T02:30:00+02:00"),
        (Tz::Europe__Chisinau, "2026-03-29T01:00Z", "2026-03-29T04:00:00+03:00"),
        (Tz::America__New_York, "2100-07-05T13:00Z", "2100-07-05T09:00:00-04:00"),
        (Tz::America__New_York, "2100-12-05T13:00Z", "2100-12-05T08:00:00-05:00"),
    ] {
        assert_eq!(local_time(zone, at(instant)).to_rfc3339(), shown, "{zone}");
    }
    assert!(tzdb::version() >= "2026f", "{}", tzdb::version());
}

/// They agree where chrono-tz's table is neither older than a decision nor before a correction.
#[test]
#[expect(clippy::disallowed_methods, reason = "chrono-tz's own word is what is compared")]
fn another_reader_of_the_database_sees_the_same_clocks() {
    let theirs = |zone: Tz, instant: DateTime<Utc>| {
        zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc()
    };
    for zone in TZ_VARIANTS {
        let mut instant = at("1993-01-01T00:00Z");
        while instant < at("2026-09-01T00:00Z") {
            let ours = local_time(zone, instant).offset().local_minus_utc();
            assert_eq!(ours, theirs(zone, instant), "{zone} at {instant}");
            // So that no hour of the day, nor day of the week, is all that is looked at.
            instant += TimeDelta::hours(24 * 6 + 7);
        }
    }
}

/// Where the calendar ends, clocks are as they were last.
#[test]
fn the_ends_of_time_have_clocks() {
    for zone in [Tz::America__New_York, Tz::Pacific__Apia, Tz::UTC] {
        for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert_eq!(local_time(zone, instant).to_utc(), instant, "{zone}");
        }
    }
}
