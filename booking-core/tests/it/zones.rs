//! What the library takes for granted about the world's time zones, and dates in them.

use std::thread;

use booking_core::tzdb::local_time;
use booking_core::{Calendar, Overrides, SpanSet, Terms, WeeklyHours};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use crate::oracle::{Oracle, instant};
use crate::strategies::{all_week, cases, hours, offset_seconds, zoned_date};
use crate::world::at;

/// The library looks at a zone's offset this often, and bisects where it changed.
const PROBE: TimeDelta = TimeDelta::hours(144);

/// The library takes it that no wall clock is this many seconds from UTC.
const FARTHEST: i32 = 16 * 3_600;

/// Looks at all zones in steps: changes that are at least a step apart cannot hide. The steps are
/// finer where most bookings are made.
#[test]
fn no_zone_changes_its_offset_twice_between_two_looks() {
    let eras = [
        ("1900-01-01T00:00Z", "1970-01-01T00:00Z", TimeDelta::hours(96)),
        ("1970-01-01T00:00Z", "2040-01-01T00:00Z", TimeDelta::hours(24)),
        ("2040-01-01T00:00Z", "2100-01-01T00:00Z", TimeDelta::hours(96)),
    ];
    let check = |zones: &[Tz]| {
        for zone in zones {
            let changes: Vec<DateTime<Utc>> = eras
                .into_iter()
                .flat_map(|(from, to, step)| changes(*zone, at(from), at(to), step))
                .collect();
            for pair in changes.windows(2) {
                let apart = pair[1] - pair[0] - TimeDelta::hours(1);
                assert!(apart >= PROBE, "{zone} at {} and {}", pair[0], pair[1]);
            }
        }
    };
    let (some, others) = TZ_VARIANTS.split_at(TZ_VARIANTS.len() / 2);
    thread::scope(|scope| {
        scope.spawn(|| check(some));
        check(others);
    });
}

/// When the offset had just changed, to the hour.
fn changes(
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    step: TimeDelta,
) -> Vec<DateTime<Utc>> {
    let mut changes = Vec::new();
    let (mut look, mut offset) = (from, offset_seconds(zone, from));
    while look < to {
        let then = offset_seconds(zone, look + step);
        if then != offset {
            assert!(then.abs() < FARTHEST, "{zone} is {then} seconds from UTC after {look}");
            let mut hours = (1..=step.num_hours()).map(|hours| look + TimeDelta::hours(hours));
            changes.extend(hours.find(|hour| offset_seconds(zone, *hour) == then));
        }
        (look, offset) = (look + step, then);
    }
    changes
}

fn always_open(zone: Tz) -> Calendar {
    let hours: WeeklyHours = all_week(&[hours("00:00", "24:00")]).into_iter().collect();
    Calendar {
        zone,
        hours,
        overrides: Overrides::default(),
        taken: SpanSet::default(),
        terms: Terms::default(),
    }
}

/// The dates that somebody's calendar lacks, since 1975.
#[test]
fn a_date_that_a_zone_skipped_has_no_slots() {
    for (zone, skipped) in [
        (Tz::Pacific__Kwajalein, "1993-08-21"),
        (Tz::Pacific__Kiritimati, "1994-12-31"),
        (Tz::Pacific__Enderbury, "1994-12-31"),
        (Tz::Pacific__Apia, "2011-12-30"),
        (Tz::Pacific__Fakaofo, "2011-12-30"),
    ] {
        let calendar = always_open(zone);
        let skipped: NaiveDate = skipped.parse().unwrap();
        let count = |date| calendar.slots(date, at("1975-01-01T00:00Z")).len();
        assert_eq!(count(skipped - Days::new(1)), 48, "{zone}, the day before {skipped}");
        assert_eq!(count(skipped), 0, "{zone}, {skipped}");
        assert_eq!(count(skipped + Days::new(1)), 48, "{zone}, the day after {skipped}");
        assert_eq!(Calendar::reach(zone, skipped), None);
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn the_starts_of_a_date_are_on_that_date_and_leave_no_gaps((zone, date) in zoned_date()) {
        let calendar = always_open(zone);
        let starts: Vec<DateTime<Utc>> = calendar
            .slots(date, at("1970-01-01T00:00Z"))
            .iter()
            .map(|slot| slot.start.instant())
            .collect();
        for start in &starts {
            prop_assert_eq!(local_time(zone, *start).date_naive(), date);
        }
        let Some(day) = Oracle::new(zone, &[]).day(date) else {
            prop_assert!(starts.is_empty());
            return Ok(());
        };
        prop_assert_eq!(starts[0], instant(day.first));
        for minute in day.of_date {
            let reached = starts.iter().any(|start| {
                (TimeDelta::zero()..TimeDelta::minutes(30)).contains(&(instant(minute) - start))
            });
            prop_assert!(reached, "nobody can meet at {}", instant(minute));
        }
    }

    #[test]
    fn a_date_reaches_from_its_first_minute_to_the_end_of_its_last_session(
        (zone, date) in zoned_date(),
    ) {
        let reach = Calendar::reach(zone, date).map(|reach| (reach.start(), reach.end()));
        let day = Oracle::new(zone, &[]).day(date);
        let expected = day.map(|day| (instant(day.first), instant(day.last + 1 + 120)));
        prop_assert_eq!(reach, expected);
    }
}
