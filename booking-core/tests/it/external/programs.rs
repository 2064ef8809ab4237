//! What programs write, whatever the standard says.

use booking_core::Unclear;
use chrono_tz::Tz;
use proptest::prelude::*;

use super::cases::{BERLIN, check};
use super::{calendar, event, read, shown};
use crate::strategies::cases;

fn at_nine(id: &str) -> String {
    format!("DTSTART;TZID={id}:20240115T090000\nDURATION:PT1H")
}

#[test]
fn names_of_zones() {
    let in_berlin = &["01-15 09:00-10:00"][..];
    let in_utc = &["01-15 10:00-11:00"][..];
    for (id, expected) in [
        ("Europe/Berlin", in_berlin),
        ("\"Europe/Berlin\"", in_berlin),
        ("\"Europe/Berlin", in_berlin),
        ("W. Europe Standard Time", in_berlin),
        ("/mozilla.org/20070129_1/Europe/Berlin", in_berlin),
        ("/freeassociation.sourceforge.net/Europe/Berlin", in_berlin),
        ("Tokyo Standard Time", &["01-15 01:00-02:00"]),
        ("GMT", in_utc),
        ("tzone://Microsoft/Utc", in_utc),
        ("\"tzone://Microsoft/Utc\"", in_utc),
        ("tzone://Microsoft/Utc;VALUE=DATE-TIME", in_utc),
        ("GMT+05:30", &["01-15 04:30-05:30"]),
        ("\"GMT+05:30\"", &["01-15 04:30-05:30"]),
        ("UTC-3:00", &["01-15 13:00-14:00"]),
        ("+03:00", &["01-15 07:00-08:00"]),
        ("Etc/GMT+5", &["01-15 15:00-16:00"]),
    ] {
        check(&event(&at_nine(id)), expected);
    }
    for id in
        ["Nowhere/Land", "(UTC+01:00) Amsterdam, Berlin", "GMT+5", "+24:00", "+:", "tzone://x"]
    {
        for id in [id.to_owned(), format!("\"{id}\"")] {
            let unknown = read(&event(&at_nine(&id)), Tz::Asia__Tokyo).unwrap();
            assert_eq!(
                (unknown.unclear_count, unknown.unclear[0].what),
                (1, Unclear::Zone),
                "{id}"
            );
            let nine = "2024-01-15T09:00+09:00/2024-01-15T10:00+09:00";
            assert_eq!(shown(&unknown, Tz::Asia__Tokyo), [nine], "{id}");
        }
    }
}

/// A name is text where a zone is described, and a parameter where it is used: each has its own way with
/// commas and colons, and not every program has both.
#[test]
fn a_described_zone_is_found_by_its_name_however_that_is_written() {
    let file = |described: &str, named: &str| {
        calendar(&format!(
            "BEGIN:VTIMEZONE\nTZID:{described}\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
             TZOFFSETFROM:+0545\nTZOFFSETTO:+0545\nEND:STANDARD\nEND:VTIMEZONE\n\
             BEGIN:VEVENT\n{}\nEND:VEVENT",
            at_nine(named)
        ))
    };
    for names in [
        &["(UTC+01:00) Amsterdam, Berlin", "(UTC+01:00) Amsterdam\\, Berlin"][..],
        &["a; b", "a\\; b"],
        &["a \\ b", "a \\\\ b"],
        &["tzone://Microsoft/Custom"],
        &["GMT+05:30"],
        &["\\"],
    ] {
        for described in names {
            for named in names {
                check(&file(described, &format!("\"{named}\"")), &["01-15 04:15-05:15"]);
                if !named.contains(';') {
                    check(&file(described, named), &["01-15 04:15-05:15"]);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(512))]

    /// Whatever its zone is called, and with quotes or not: an event that has a time has one.
    #[test]
    fn a_name_of_a_zone_hides_no_time(
        id in prop_oneof!["[A-Za-z+/:;,.=\"\\\\() 0-9-]{0,40}", "\\PC{0,40}"],
        is_quoted in any::<bool>(),
    ) {
        let id = if is_quoted { format!("\"{id}\"") } else { id };
        let more = format!(
            "{}\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID={id}:20240116T090000\n\
             RDATE;TZID={id}:20240120T090000",
            at_nine(&id)
        );
        let times = read(&event(&more), BERLIN).unwrap();
        prop_assert_eq!(times.busy.as_slice().len(), 3, "{:?}", times);
        prop_assert!(times.unclear.iter().all(|odd| odd.what == Unclear::Zone), "{:?}", times);
    }
}

/// Exchange writes the dates that are left out as midnights, of whatever zone.
#[test]
fn a_midnight_at_which_nothing_begins_names_its_date() {
    let daily = |start: &str, exdate: &str| {
        event(&format!(
            "DTSTART;TZID={start}\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE{exdate}"
        ))
    };
    let berlin = "Europe/Berlin:20240114T133000";
    let without_third = &["01-14 13:30-14:30", "01-15 13:30-14:30", "01-17 13:30-14:30"];
    for exdate in [
        ";TZID=\"tzone://Microsoft/Utc\":20240116T000000",
        ";TZID=tzone://Microsoft/Utc:20240116T000000",
        ";TZID=Europe/Berlin:20240116T000000",
        ":20240116T000000Z",
        ":20240116T000000",
        ";VALUE=DATE:20240116",
    ] {
        check(&daily(berlin, exdate), without_third);
    }
    check(&daily(berlin, ":20240116T000001Z").replace("COUNT=4", "COUNT=1"), &without_third[..1]);
    // Midnight of UTC is eight in the evening of the day before in Halifax: an instance is left out there,
    // and no date.
    let halifax = "America/Halifax:20240114T200000";
    let evening = |day: u32| format!("01-{day} 01:00-02:00");
    let evenings = |days: &[u32]| days.iter().copied().map(evening).collect::<Vec<_>>();
    for (exdate, days) in [
        (":20240116T000000Z", [15, 17, 18]),
        (";TZID=America/Halifax:20240116T000000", [15, 16, 18]),
    ] {
        let days = evenings(&days);
        check(&daily(halifax, exdate), &days.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // On the day before by the clocks of the series, an instance may have been meant that began then before
    // it was moved: all are busy.
    let tuesdays = "America/Los_Angeles:20240109T100000\nRRULE:FREQ=WEEKLY;BYDAY=TU,WE;COUNT=4";
    let moved = event(&format!("DTSTART;TZID={tuesdays}\nDURATION:PT1H\nEXDATE:20240117T000000Z"));
    check(
        &moved,
        &["01-09 19:00-20:00", "01-10 19:00-20:00", "01-16 19:00-20:00", "01-17 19:00-20:00"],
    );
    // So is one that RDATE has put there.
    let midnight = ":20240116T000000Z\nRDATE:20240116T000000Z";
    check(
        &daily("Etc/UTC:20240116T120000", midnight).replace("COUNT=4", "COUNT=1"),
        &["01-16 13:00-14:00"],
    );
}

/// Days with numbers, and without.
#[test]
fn weekdays_with_numbers() {
    let series = |rule: &str| {
        event(&format!("DTSTART;TZID=Europe/Berlin:20240101T090000\nDURATION:PT1H\nRRULE:{rule}"))
    };
    let days =
        |days: &str| days.split(' ').map(|day| format!("{day} 09:00-10:00")).collect::<Vec<_>>();
    for (rule, expected) in [
        ("FREQ=MONTHLY;BYDAY=MO,-1FR;COUNT=8", "01-01 01-08 01-15 01-22 01-26 01-29 02-05 02-12"),
        ("FREQ=MONTHLY;BYDAY=2TU,WE,-5MO;COUNT=7", "01-01 01-03 01-09 01-10 01-17 01-24 01-31"),
        ("FREQ=WEEKLY;BYDAY=1MO;COUNT=4", "01-01 01-08 01-15 01-22"),
        ("FREQ=WEEKLY;BYDAY=-1MO,TU;COUNT=4", "01-01 01-02 01-08 01-09"),
        ("FREQ=DAILY;BYDAY=1MO;COUNT=3", "01-01 01-08 01-15"),
        ("FREQ=YEARLY;BYDAY=MO,-52SU;UNTIL=20240116", "01-01 01-07 01-08 01-15"),
        (
            "FREQ=YEARLY;BYMONTH=2;BYDAY=-1MO,TH;COUNT=6",
            "01-01 02-01 02-08 02-15 02-22 02-26 02-29",
        ),
        ("FREQ=YEARLY;BYWEEKNO=2,3;BYDAY=1MO;COUNT=2", "01-01 01-08 01-15"),
    ] {
        let expected = days(expected);
        check(&series(rule), &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // They are no more work than others.
    let one = "BEGIN:VEVENT\nDTSTART:20100101T090000Z\nDURATION:PT1H\n\
               RRULE:FREQ=MONTHLY;BYDAY=MO,-1FR\nEND:VEVENT\n";
    let times = read(&calendar(&one.repeat(200)), BERLIN).unwrap();
    assert_eq!((times.unclear_count, times.busy.as_slice().len()), (0, 53 + 12));
}

/// By RFC 5545 (3.3.10) what the clocks skip does not count; to those who count it, it is at half past
/// three.
#[test]
fn what_clocks_skip_is_busy_and_does_not_count() {
    let series = |rule: &str| {
        event(&format!("DTSTART;TZID=Europe/Berlin:20240330T023000\nDURATION:PT15M\nRRULE:{rule}"))
    };
    let nights =
        ["03-30 02:30-02:45", "03-31 03:30-03:45", "04-01 02:30-02:45", "04-02 02:30-02:45"];
    check(&series("FREQ=DAILY;COUNT=1"), &nights[..1]);
    check(&series("FREQ=DAILY;COUNT=2"), &nights[..3]);
    check(&series("FREQ=DAILY;COUNT=3"), &nights);
    check(&series("FREQ=DAILY;UNTIL=20240401T003000Z"), &nights[..3]);
    // Dates are there, whatever the clocks show at midnight.
    let dates = event("DTSTART:20240330\nRRULE:FREQ=DAILY;COUNT=3");
    let times = read(&dates, Tz::Asia__Beirut).unwrap();
    assert_eq!(shown(&times, Tz::Asia__Beirut), ["2024-03-30T00:00+02:00/2024-04-02T00:00+03:00"]);
}

/// The instance from which on something is different may be named by its date, or be one that the clocks
/// skip.
#[test]
fn what_follows_moves_as_the_instance_that_is_named() {
    let changed = |start: &str, original: &str, to: &str| {
        calendar(&format!(
            "BEGIN:VEVENT\nUID:1\nDTSTART{start}\nRRULE:FREQ=DAILY;COUNT=4\n\
             END:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE{original}\n\
             DTSTART{to}\nEND:VEVENT"
        ))
    };
    let an_hour = |time: &str| format!("{time}\nDURATION:PT1H");
    let nine = an_hour(";TZID=Europe/Berlin:20240115T090000");
    let from_third =
        ["01-15 09:00-10:00", "01-16 09:00-10:00", "01-17 11:00-12:00", "01-18 11:00-12:00"];
    for original in [";VALUE=DATE:20240117", ";TZID=Europe/Berlin:20240117T090000"] {
        for to in [";TZID=Europe/Berlin:20240117T110000", ":20240117T100000Z"] {
            check(&changed(&nine, original, &an_hour(to)), &from_third);
        }
    }
    // Whole days that become an hour each, by whatever clock.
    let days = ";VALUE=DATE:20240115";
    let to = an_hour(":20240117T100000Z");
    check(
        &changed(days, ";VALUE=DATE:20240117", &to),
        &["01-15 00:00-00:00+2", "01-17 11:00-12:00", "01-18 11:00-12:00"],
    );
    // Four nights, and one that is skipped; from that one on it is in the morning.
    let night = an_hour(";TZID=Europe/Berlin:20240330T023000");
    let morning = an_hour(";TZID=Europe/Berlin:20240331T093000");
    let mornings = ["03-31", "04-01", "04-02", "04-03"].map(|day| format!("{day} 09:30-10:30"));
    let expected: Vec<_> =
        ["03-30 02:30-03:30"].into_iter().chain(mornings.iter().map(String::as_str)).collect();
    check(&changed(&night, ";TZID=Europe/Berlin:20240331T023000", &morning), &expected);
    // Where midnight is skipped, a date is a date all the same.
    let file = changed(":20240329", ":20240330", ":20240331");
    let beirut = Tz::Asia__Beirut;
    let times = read(&file, beirut).unwrap();
    assert_eq!(
        shown(&times, beirut),
        [
            "2024-03-29T00:00+02:00/2024-03-30T00:00+02:00",
            "2024-03-31T01:00+03:00/2024-04-03T00:00+03:00"
        ]
    );
}
