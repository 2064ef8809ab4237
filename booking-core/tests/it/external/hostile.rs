//! Files that mean harm, or were never meant.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use booking_core::{Unclear, UnreadableCalendar as Unreadable};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{calendar, event, read};
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
const PATIENCE: Duration = Duration::from_secs(60);

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
}
