//! Files that mean harm, or were never meant.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use booking_core::{
    ExternalTimes, Span, Unclear, UnreadableCalendar as Unreadable, external_times_of,
};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{calendar, event, read, span};
use crate::strategies::cases;

#[test]
fn files_that_are_no_calendar() {
    for (file, expected) in [
        ("", Unreadable::NotACalendar),
        ("<!doctype html><title>Sign in</title>", Unreadable::NotACalendar),
        ("BEGIN:VCARD\r\nEND:VCARD\r\n", Unreadable::NotACalendar),
        ("BEGIN:VEVENT\r\nEND:VEVENT\r\n", Unreadable::NotACalendar),
        ("BEGIN:VCALENDAR\r\n", Unreadable::CutShort),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:2024", Unreadable::CutShort),
        ("END:VCALENDAR\r\n", Unreadable::Unbalanced),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n", Unreadable::Unbalanced),
        ("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\nBEGIN:X\r\nEND:X\r\n", Unreadable::NotACalendar),
    ] {
        assert_eq!(read(file, Tz::UTC), Err(expected), "{file}");
    }
}

#[test]
fn files_that_are_too_much() {
    let deep = |depth: usize| "BEGIN:X\n".repeat(depth) + &"END:X\n".repeat(depth);
    assert!(read(&calendar(&deep(7)), Tz::UTC).is_ok());
    assert_eq!(read(&calendar(&deep(8)), Tz::UTC), Err(Unreadable::TooDeep));
    assert_eq!(read(&calendar(&deep(200_000)), Tz::UTC), Err(Unreadable::TooDeep));
    let many = |count: usize| calendar(&"BEGIN:VEVENT\nEND:VEVENT\n".repeat(count));
    assert_eq!(read(&many(19_999), Tz::UTC).unwrap().unclear_count, 19_999);
    assert_eq!(read(&many(19_999), Tz::UTC).unwrap().unclear.len(), 20);
    assert_eq!(read(&many(20_000), Tz::UTC), Err(Unreadable::TooManyComponents));
    let long =
        |length: usize| event(&format!("DTSTART:20240115\nDESCRIPTION:{}", "x".repeat(length)));
    assert_eq!(read(&long(5_000_000), Tz::UTC).unwrap().busy.as_slice().len(), 1);
    assert_eq!(read(&long(5_300_000), Tz::UTC), Err(Unreadable::TooLong));
}

/// However a rule is meant, it costs no more than this; far more than it takes, for a busy machine.
const PATIENCE: Duration = Duration::from_mins(10);

#[test]
fn rules_without_end_are_cut() {
    let started = Instant::now();
    let at = "UID:1\nDTSTART:20100101T000000Z\nDURATION:PT30S\nRRULE:";
    for rule in [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "FREQ=SECONDLY;COUNT=1000000000",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;BYMINUTE=0,1,\
         2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30;BYSECOND=0,1,2",
    ] {
        let times = read(&event(&format!("{at}{rule}")), Tz::UTC).unwrap();
        assert_eq!(times.unclear[0].what, Unclear::TooDense, "{rule}");
    }
    // Rules that mean no day at all: only the start is there.
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
        "FREQ=YEARLY;INTERVAL=65535;COUNT=4294967295",
        "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1;BYSETPOS=2",
    ] {
        let times = read(&event(&format!("{at}{rule}")), Tz::UTC).unwrap();
        assert!(times.busy.is_empty(), "{rule}: {times:?}");
    }
    // And a file full of them is given up whole.
    for rule in ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MINUTELY"] {
        let one = format!(
            "BEGIN:VEVENT\nDTSTART:20100101T000000Z\nDURATION:PT30S\nRRULE:{rule}\nEND:VEVENT\n"
        );
        let all = calendar(&one.repeat(15_000));
        assert_eq!(read(&all, Tz::UTC), Err(Unreadable::TooMuch), "{rule}");
    }
    let dense = "BEGIN:VEVENT\nDTSTART:20240101T000000Z\nDURATION:PT30S\n\
                 RRULE:FREQ=MINUTELY;COUNT=60000\nEND:VEVENT\n";
    assert_eq!(read(&calendar(dense), Tz::UTC).unwrap().busy.as_slice().len(), 60_000);
    assert_eq!(read(&calendar(&dense.repeat(2)), Tz::UTC), Err(Unreadable::TooMuch));
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

/// What is compared with each other is counted too.
#[test]
fn copies_and_overrides_without_end_are_cut() {
    let at = "BEGIN:VEVENT\nUID:1\nDTSTART:20240101T000000Z\n";
    let id = "RECURRENCE-ID;RANGE=THISANDFUTURE:20240101T000000Z\n";
    let file =
        format!("{at}END:VEVENT\n").repeat(9_000) + &format!("{at}{id}END:VEVENT\n").repeat(9_000);
    assert_eq!(read(&calendar(&file), Tz::UTC), Err(Unreadable::TooMuch));

    let rules = event(&format!("DTSTART:20240101\n{}", "RRULE:FREQ=DAILY\n".repeat(9)));
    let times = read(&rules, Tz::UTC).unwrap();
    assert_eq!((times.unclear_count, times.unclear[0].what), (1, Unclear::TooDense));
    assert_eq!(times.busy.as_slice().len(), 1);
}

/// What a file of 5 MiB may take, whatever is in it; one that is read over and over takes hours.
const HASTE: Duration = Duration::from_mins(5);

/// A file of 5 MiB: an event between `before` and `after`, with as many of `unit` as there is room for.
fn full(before: &str, unit: &str, after: &str) -> String {
    let head = format!("BEGIN:VCALENDAR\n{before}");
    let tail = format!("{after}\nEND:VCALENDAR\n");
    let room = 5 * 1_024 * 1_024 - head.len() - tail.len();
    head + &unit.repeat(room / unit.len()) + &tail
}

fn read_in_haste(what: &str, file: &str) -> Result<ExternalTimes, Unreadable> {
    let started = Instant::now();
    let times = read(file, Tz::UTC);
    assert!(started.elapsed() < HASTE, "{what}: {:?}", started.elapsed());
    times
}

const EVENT: &str = "BEGIN:VEVENT\nDTSTART:20240115T090000\nDURATION:PT1H\n";

#[test]
fn a_name_of_a_zone_without_end_is_nobodys() {
    let start = "BEGIN:VEVENT\nDURATION:PT1H\nDTSTART;TZID=";
    for unit in ["/", "a/", " "] {
        let file = full(start, unit, "x:20240115T090000\nEND:VEVENT");
        let times = read_in_haste(unit, &file).unwrap();
        assert_eq!((times.busy.as_slice().len(), times.unclear[0].what), (1, Unclear::Zone));
        for name in ["TZID:", "TZID:A\nX-LIC-LOCATION:", "TZID:A\nTZID-ALIAS-OF:"] {
            let after = format!("\nEND:VTIMEZONE\n{start}A:20240115T090000\nEND:VEVENT");
            let file = full(&format!("BEGIN:VTIMEZONE\n{name}"), unit, &after);
            let times = read_in_haste(&format!("{name}{unit}"), &file).unwrap();
            assert_eq!((times.busy.as_slice().len(), times.unclear[0].what), (1, Unclear::Zone));
        }
    }
    // As long as a name may be, and often.
    let line = format!("EXDATE;TZID={}:20240116T090000\n", "/".repeat(255));
    let times = read_in_haste("lines", &full(EVENT, &line, "END:VEVENT")).unwrap();
    assert_eq!((times.busy.as_slice().len(), times.unclear[0].what), (1, Unclear::Zone));
}

#[test]
fn a_zone_is_looked_up_once_for_a_line() {
    for (name, length) in [("RDATE", 2_500_000), ("EXDATE", 2_500_000), ("EXDATE", 255)] {
        let before = format!("{EVENT}{name};TZID={}:", "x".repeat(length));
        let file = full(&before, "18000101T090000,", "18000101T090000\nEND:VEVENT");
        let times = read_in_haste(name, &file).unwrap();
        assert_eq!((times.busy.as_slice().len(), times.unclear[0].what), (1, Unclear::Zone));
    }
}

/// What is asked of a clock does not depend on how often a file says that it changes.
#[test]
fn a_zone_that_changes_by_the_minute_is_none() {
    let minutes = |count: u32| -> String {
        let minute = |n| format!("20240115T{:02}{:02}00", n / 60, n % 60);
        (0..count).map(minute).collect::<Vec<_>>().join(",")
    };
    let with = |count| {
        let one = |kind: &str, to, dates: &str| {
            format!(
                "BEGIN:{kind}\nDTSTART:20240101T000000\nRDATE:{dates}\nTZOFFSETFROM:+0000\n\
                 TZOFFSETTO:{to}\nEND:{kind}\n"
            )
        };
        format!(
            "BEGIN:VTIMEZONE\nTZID:A\n{}END:VTIMEZONE\n\
             BEGIN:VEVENT\nDTSTART;TZID=A:20240116T090000\nDURATION:PT1H\nEXDATE;TZID=A:",
            one("STANDARD", "+0100", &minutes(count))
        )
    };
    for (count, unclear) in [(5, 0), (1_400, 1)] {
        let file = full(&with(count), "20240115T090000,", "20240115T090000\nEND:VEVENT");
        let times = read_in_haste("changes", &file).unwrap();
        assert_eq!((times.busy.as_slice().len(), times.unclear_count), (1, unclear), "{count}");
    }
}

#[test]
fn lines_are_unfolded_once() {
    for unit in ["\n  ", "\n ", "\r\n\tx\r"] {
        for name in ["UID", "DESCRIPTION", "UID:"] {
            let file = full(&format!("{EVENT}{name}"), unit, "\nEND:VEVENT");
            let times = read_in_haste(&format!("{name}{unit:?}"), &file).unwrap();
            assert_eq!(
                (times.busy.as_slice().len(), times.unclear_count),
                (1, 0),
                "{name}{unit:?}"
            );
        }
    }
}

#[test]
fn values_without_end_are_read_once() {
    for (name, unit) in [
        ("DTSTART", ";"),
        ("DTSTART", ";X=\""),
        ("DTSTART:", "2"),
        ("DURATION:P", "1"),
        ("DURATION:P", "1W"),
        ("DURATION:P", "999999999W"),
        ("DURATION:PT", "999999999H"),
        ("RDATE:", ","),
        ("RDATE:", "/P1D,"),
        ("EXDATE:", "20240115,"),
        ("RECURRENCE-ID:", "20240115T"),
        ("SEQUENCE:", "9"),
        ("RRULE:", "FREQ=DAILY;"),
        ("RRULE:FREQ=DAILY;BYDAY=", "MO,"),
        ("UID:", "\u{1}"),
    ] {
        let file = full(&format!("BEGIN:VEVENT\n{name}"), unit, "\nDTSTART:20240115\nEND:VEVENT");
        let _ = read_in_haste(&format!("{name}{unit}"), &file).unwrap();
    }
    let file = full("BEGIN:VFREEBUSY\nFREEBUSY:", "18000101T000000Z/P1D,", "\nEND:VFREEBUSY");
    assert!(read_in_haste("FREEBUSY", &file).unwrap().busy.is_empty());
}

/// The items of a list are work too.
#[test]
fn lists_without_end_are_cut() {
    let list = |name: &str, items: &mut dyn Iterator<Item = i32>| {
        let mut text = format!("FREQ=YEARLY;{name}=");
        for item in items {
            if text.len() < 2_000 {
                text += &format!("{item},");
            }
        }
        text.trim_end_matches(',').to_owned()
    };
    for rule in [
        list("BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS", &mut (1..366)),
        list("BYYEARDAY", &mut (1..366).map(|day| -day)),
        list("BYMONTHDAY", &mut std::iter::repeat_n(31, 900)),
    ] {
        let one = format!("BEGIN:VEVENT\nDTSTART:00010101T000000Z\nRRULE:{rule}\nEND:VEVENT\n");
        let _ = read_in_haste(&rule, &full("", &one, ""));
    }
}

/// What is missing of it would be free.
#[test]
fn a_text_of_several_that_is_cut_short_is_an_error_of_all() {
    let files = |files: &[&str]| {
        let files = files.iter().map(|file| file.as_bytes());
        external_times_of(files, super::year(), Tz::UTC, &BTreeSet::new())
    };
    let good = event("UID:1\nDTSTART:20240115");
    let whole = event("UID:2\nDTSTART:20240116\nDESCRIPTION:a\n b");
    for end in "BEGIN:VCALENDAR".len()..whole.trim_end().len() {
        let cut = &whole[..end];
        assert_eq!(files(&[&good, cut]), Err(Unreadable::CutShort), "{cut}");
        assert_eq!(files(&[cut, &good]), Err(Unreadable::CutShort), "{cut}");
        assert_eq!(read(cut, Tz::UTC), Err(Unreadable::CutShort), "{cut}");
    }
    for odd in ["", "<p>", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEV\nEND:VEVENT\nEND:VCALENDAR\n"] {
        let times = files(&[&good, odd, whole.trim_end()]).unwrap();
        assert_eq!((times.busy.as_slice().len(), times.unclear_count), (1, 1), "{odd}");
        assert_eq!(times.unclear[0].what, Unclear::File);
    }
}

#[test]
fn odd_lines_are_passed_over() {
    let file = "\u{feff}BEGIN:VCALENDAR\nno line at all\n;:;:\n:\n\n \n\
        begin:vevent\nX-\u{1f600};A=\"b:;c\":\u{0}\nDTSTART;X=\"a;b:c\";VALUE=DATE:2024\n 0115\n\
        SUMMARY:a\n\u{20}b\nSUM\n MARY:c\nDESCRIPTION;:x\nEND:vevent\nEND:VCALENDAR";
    assert_eq!(read(file, Tz::UTC).unwrap().busy.as_slice().len(), 1);
    let mut garbage =
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:\xff\xfe\xc3\n \xa9\nUID:\xff\x80\n".to_vec();
    garbage.extend_from_slice(b"DTSTART:20240115\nRRULE:FREQ=\xff\nEND:VEVENT\nEND:VCALENDAR\n");
    let times =
        booking_core::external_times(&garbage, super::year(), Tz::UTC, &BTreeSet::new()).unwrap();
    assert_eq!((times.busy.as_slice().len(), times.unclear_count), (1, 1));
}

/// Parts that mean something, in any order.
const PARTS: [&str; 34] = [
    "BEGIN:VCALENDAR",
    "END:VCALENDAR",
    "BEGIN:VEVENT",
    "END:VEVENT",
    "BEGIN:VTIMEZONE",
    "END:VTIMEZONE",
    "BEGIN:STANDARD",
    "END:STANDARD",
    "DTSTART:",
    "DTEND:",
    "DURATION:",
    "RRULE:",
    "EXDATE:",
    "RDATE;VALUE=PERIOD:",
    "RECURRENCE-ID;RANGE=THISANDFUTURE:",
    "TZID:Z",
    ";TZID=Z:",
    "20240115",
    "T090000Z",
    "T033000",
    "99991231",
    "00000101T000000",
    "/",
    ",",
    "P9999W",
    "-PT1S",
    "FREQ=YEARLY",
    ";BYDAY=-5SU",
    ";BYWEEKNO=53",
    ";COUNT=9",
    ";INTERVAL=65535",
    ";BYSETPOS=-366",
    "TZOFFSETFROM:-2359",
    "TZOFFSETTO:+235959",
];

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let file = [b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n".as_slice(), &bytes].concat();
        let _ = booking_core::external_times(&file, super::year(), Tz::Europe__London, &BTreeSet::new());
    }

    #[test]
    fn nothing_made_of_parts_panics(
        parts in prop::collection::vec((prop::sample::select(&PARTS[..]), any::<bool>()), 0..60),
    ) {
        let mut file = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20240101\n".to_owned();
        for (part, ends) in parts {
            file += part;
            file += if ends { "\n" } else { "" };
        }
        file += "\nEND:VEVENT\nEND:VCALENDAR\n";
        let _ = read(&file, Tz::Australia__Lord_Howe);
    }

    /// However long it is, and however often it says so: never less is busy, and nothing overflows.
    #[test]
    fn durations_are_as_long_as_they_say(
        sign in prop::sample::select(&["", "+", "-"][..]),
        dates in part(&[("W", 7 * 86_400), ("D", 86_400)]),
        times in part(&[("H", 3_600), ("M", 60), ("S", 1)]),
    ) {
        let (dates, times) = match (dates, times) {
            (dates, None) => (dates.unwrap_or(("1D".to_owned(), 86_400)), (String::new(), 0)),
            (dates, Some((text, seconds))) => (dates.unwrap_or_default(), (format!("T{text}"), seconds)),
        };
        let (text, seconds) = (format!("{sign}P{}{}", dates.0, times.0), dates.1 + times.1);
        let year = super::year();
        let start = span("2024-01-15T09:00", "2024-01-15T10:00").start();
        let left = (year.end() - start).num_seconds();
        let seconds = i64::try_from(seconds).unwrap_or(left).min(left);
        let busy = if sign == "-" {
            None
        } else {
            Span::new(start, start + chrono::Duration::seconds(seconds))
        };
        let expected: Vec<Span> = busy.into_iter().collect();
        for (file, is_told) in [
            (event(&format!("DTSTART:20240115T090000Z\nDURATION:{text}")), sign == "-" && seconds > 0),
            (event(&format!("DTSTART:19700101T000000Z\nRDATE:20240115T090000Z/{text}")), expected.is_empty()),
            (
                calendar(&format!(
                    "BEGIN:VFREEBUSY\nFREEBUSY:20240115T090000Z/{text}\nEND:VFREEBUSY"
                )),
                expected.is_empty(),
            ),
        ] {
            let found = read(&file, Tz::UTC).unwrap();
            prop_assert_eq!(found.busy.as_slice(), &expected);
            prop_assert_eq!(found.unclear_count, usize::from(is_told));
        }
    }
}

/// A number and its unit, now and then over and over, and the seconds that it means.
fn part(units: &'static [(&'static str, i128)]) -> impl Strategy<Value = Option<(String, i128)>> {
    let number = prop_oneof![0..100_u32, 0..=999_999_999_u32, Just(999_999_999)];
    let times = prop::sample::select(&[1, 1, 1, 2, 20_000_u16][..]);
    prop::option::of((number, prop::sample::select(units), times).prop_map(
        |(number, (unit, worth), times)| {
            let text = format!("{number}{unit}").repeat(times.into());
            (text, i128::from(number) * worth * i128::from(times))
        },
    ))
}
