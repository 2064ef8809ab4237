//! Zones that files describe, and nobody else knows: on servers each event is a file of its own, with its
//! zone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use booking_core::{ExternalTimes, UnreadableCalendar, external_times_of};
use chrono_tz::Tz;

use super::{calendar, shown, year};

/// As Outlook writes those that somebody has made up: since 1601, with the clocks `ahead` of UTC in
/// winter.
fn customized(name: &str, ahead: &str) -> String {
    format!(
        "BEGIN:VTIMEZONE\nTZID:{name}\n\
         BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0230\nTZOFFSETTO:{ahead}\n\
         RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
         BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:{ahead}\nTZOFFSETTO:+0230\n\
         RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
    )
}

/// An hour from nine o'clock on, there.
fn object(zone: &str, name: &str, number: usize) -> String {
    let (month, day) = (number / 28 % 12 + 1, number % 28 + 1);
    calendar(&format!(
        "{zone}BEGIN:VEVENT\nUID:{number}\nDTSTART;TZID={name}:2024{month:02}{day:02}T090000\n\
         DURATION:PT1H\nEND:VEVENT"
    ))
}

fn read(files: &[String]) -> Result<ExternalTimes, UnreadableCalendar> {
    let files = files.iter().map(String::as_bytes);
    external_times_of(files, year(), Tz::UTC, &BTreeSet::new())
}

const NAME: &str = "Customized Time Zone";

#[test]
fn a_zone_that_comes_with_every_event_is_worked_out_once() {
    for (count, names) in [(200, 1), (1_000, 40)] {
        let file = |number| {
            let name = format!("{NAME} {}", number % names);
            object(&customized(&name, "+0130"), &name, number)
        };
        let files: Vec<String> = (0..count).map(file).collect();
        let times = read(&files).unwrap();
        assert_eq!(times.unclear, [], "{count} {names}");
        let spans = shown(&times, Tz::UTC);
        assert_eq!(spans.len(), count.min(336));
        assert_eq!(spans[0], "2024-01-01T07:30+00:00/2024-01-01T08:30+00:00");
        assert!(
            spans.contains(&"2024-07-01T06:30+00:00/2024-07-01T07:30+00:00".to_owned())
                || count < 200
        );
    }
}

/// What they are called makes no difference, and what they say does.
#[test]
fn zones_of_one_name_may_differ_from_file_to_file() {
    let files = ["+0130", "+0100", "+0130", "+0045"].map(|ahead| customized(NAME, ahead));
    let files: Vec<String> =
        files.iter().zip(0..).map(|(zone, number)| object(zone, NAME, number)).collect();
    let times = read(&files).unwrap();
    let starts: Vec<_> = times.busy.iter().map(|span| span.start().to_rfc3339()).collect();
    assert_eq!(
        starts,
        [
            "2024-01-01T07:30:00+00:00",
            "2024-01-02T08:00:00+00:00",
            "2024-01-03T07:30:00+00:00",
            "2024-01-04T08:15:00+00:00",
        ]
    );
}

/// As many as are different are worked out, and no more than there is time for.
#[test]
fn zones_without_end_are_cut() {
    let offset =
        |number: usize| format!("+{:02}{:02}{:02}", number / 3_600, number / 60 % 60, number % 60);
    let files = |count: usize| -> Vec<String> {
        (0..count).map(|number| object(&customized(NAME, &offset(number)), NAME, number)).collect()
    };
    assert_eq!(read(&files(60)).unwrap().unclear_count, 0);
    assert_eq!(read(&files(70)), Err(UnreadableCalendar::TooMuch));
    let started = Instant::now();
    assert_eq!(read(&files(4_000)), Err(UnreadableCalendar::TooMuch));
    // And a file of 5 MiB, most of which is one zone that comes again and again.
    let dates = "20240115T030000,".repeat(1_000);
    let zone = customized(NAME, "+0130")
        .replace("END:STANDARD", &format!("RDATE:{dates}20240115T030000\nEND:STANDARD"));
    let file = object(&zone.repeat(300), NAME, 0);
    assert!(file.len() > 4_900_000 && file.len() < 5 * 1_024 * 1_024, "{}", file.len());
    assert_eq!(read(&[file]).unwrap().unclear_count, 0);
    assert!(started.elapsed() < Duration::from_mins(5), "{:?}", started.elapsed());
}
