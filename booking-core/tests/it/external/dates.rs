//! Series of whole days, in all zones.

use booking_core::Span;
use booking_core::tzdb::local_time;
use chrono::{Datelike, NaiveDate, TimeDelta, Weekday};
use chrono_tz::Tz;

use super::{calendar, event, once, read};

const BERLIN: Tz = Tz::Europe__Berlin;

#[test]
fn four_mondays_are_four_mondays_everywhere() {
    let file = event("UID:1\nDTSTART;VALUE=DATE:20240923\nRRULE:FREQ=WEEKLY;COUNT=4");
    for zone in chrono_tz::TZ_VARIANTS {
        let times = read(&file, zone).unwrap();
        let days: Vec<_> = times.busy.iter().collect();
        assert_eq!(days.len(), 4, "{zone}");
        for (number, day) in days.into_iter().enumerate() {
            let (start, end) = (local_time(zone, day.start()), local_time(zone, day.end()));
            assert_eq!(start.weekday(), Weekday::Mon, "{zone}");
            assert_eq!(start.date_naive().ordinal(), 267 + 7 * u32::try_from(number).unwrap());
            assert_eq!(end.date_naive(), start.date_naive().succ_opt().unwrap(), "{zone}");
            // Midnight, or what comes after, where the clocks skip it.
            for midnight in [day.start(), day.end()] {
                let before = local_time(zone, midnight - TimeDelta::seconds(1));
                assert!(before.date_naive() < local_time(zone, midnight).date_naive(), "{zone}");
            }
        }
    }
}

/// Programs write the dates of a series as midnights of UTC, wherever they are: west of Greenwich, that is
/// the evening before.
#[test]
fn dates_are_named_by_midnights_of_utc_too() {
    let daily = "UID:1\nDTSTART;VALUE=DATE:20240108\nRRULE:FREQ=DAILY;UNTIL=";
    let replaced = |line: &str, by: &str| {
        calendar(&format!(
            "BEGIN:VEVENT\n{daily}20240112\nEND:VEVENT\n\
             BEGIN:VEVENT\nUID:1\n{line}\n{by}\nEND:VEVENT"
        ))
    };
    let away = "DTSTART;VALUE=DATE:20240110\nSTATUS:CANCELLED";
    for (file, expected) in [
        (event(&format!("{daily}20240110T000000Z")), &[8, 9, 10][..]),
        (event(&format!("{daily}20240110")), &[8, 9, 10]),
        (event(&format!("{daily}20240112\nEXDATE:20240110T000000Z")), &[8, 9, 11, 12]),
        (event(&format!("{daily}20240112\nEXDATE;TZID=Etc/UTC:20240110T000000")), &[8, 9, 11, 12]),
        (event(&format!("{daily}20240112\nEXDATE;VALUE=DATE:20240110")), &[8, 9, 11, 12]),
        (event(&format!("{daily}20240112\nEXDATE:20240110T000000")), &[8, 9, 11, 12]),
        (replaced("RECURRENCE-ID:20240110T000000Z", away), &[8, 9, 11, 12]),
        (replaced("RECURRENCE-ID;VALUE=DATE:20240110", away), &[8, 9, 11, 12]),
        (replaced("RECURRENCE-ID;RANGE=THISANDFUTURE:20240110T000000Z", away), &[8, 9]),
        (
            replaced("RECURRENCE-ID;RANGE=THISANDFUTURE:20240110T000000Z", "DTSTART:20240111"),
            &[8, 9, 11, 12, 13],
        ),
    ] {
        for zone in chrono_tz::TZ_VARIANTS {
            let times = read(&file, zone).unwrap();
            let midnight = |day: &u32| {
                let date = NaiveDate::from_ymd_opt(2024, 1, *day).unwrap();
                // No zone has changed its clocks in these days.
                once(zone, &format!("{date}T00:00"))
            };
            let days =
                expected.iter().map(|day| Span::new(midnight(day), midnight(&(day + 1))).unwrap());
            assert_eq!(times.busy, days.collect(), "{zone}: {file}");
        }
    }
}

/// What is no midnight of UTC is a time: the date is that of the calendar's zone. In doubt an UNTIL reaches
/// the day that it names in UTC.
#[test]
fn dates_are_named_by_times() {
    let daily = "UID:1\nDTSTART;VALUE=DATE:20240108\nRRULE:FREQ=DAILY;UNTIL=";
    let without = |exdate: &str| event(&format!("{daily}20240110\nEXDATE:{exdate}"));
    for (zone, file, expected) in [
        (Tz::America__New_York, without("20240110T050000Z"), &[8, 9][..]),
        (Tz::America__New_York, without("20240110T045959Z"), &[8, 10]),
        (BERLIN, without("20240109T230000Z"), &[8, 9]),
        (BERLIN, without("20240109T225959Z"), &[8, 10]),
        (Tz::Pacific__Auckland, without("20240109T110000Z"), &[8, 9]),
        (Tz::America__New_York, event(&format!("{daily}20240110T050000Z")), &[8, 9, 10]),
        (Tz::America__New_York, event(&format!("{daily}20240110T045959Z")), &[8, 9, 10]),
        (Tz::Pacific__Honolulu, event(&format!("{daily}20240109T235959Z")), &[8, 9]),
        (BERLIN, event(&format!("{daily}20240109T230000Z")), &[8, 9, 10]),
        (BERLIN, event(&format!("{daily}20240109T225959Z")), &[8, 9]),
        (Tz::Pacific__Auckland, event(&format!("{daily}20240109T110000Z")), &[8, 9, 10]),
    ] {
        let times = read(&file, zone).unwrap();
        let day = |date: &u32| {
            let [from, to] =
                [*date, date + 1].map(|day| once(zone, &format!("2024-01-{day:02}T00:00")));
            Span::new(from, to).unwrap()
        };
        assert_eq!(times.busy, expected.iter().map(day).collect(), "{zone}: {file}");
    }
}
