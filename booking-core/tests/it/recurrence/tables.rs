//! What clocks do to sessions that recur, where rules end, and what is said of those that are none.

use std::collections::BTreeSet;

use booking_core::{Occurrences, Recurrence, Refusal, StartTime};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;

use super::date;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn expand(rule: &str, first: DateTime<Utc>, zone: Tz) -> Result<Occurrences, Refusal> {
    let rule: Recurrence = rule.parse().unwrap_or_else(|wrong| panic!("{rule}: {wrong}"));
    rule.occurrences(StartTime::new(first).expect("a whole minute"), zone, &BTreeSet::new())
}

/// The zone, the rule, the first session, all sessions as UTC shows them, and the days without one.
type Row = (Tz, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// What clocks do to a weekly or daily session: the same time on the wall, whatever that is in UTC.
#[test]
fn sessions_stay_where_they_are_on_the_wall() {
    let table: &[Row] = &[
        // Forward on March 10th, back on November 3rd.
        (
            Tz::America__New_York,
            "FREQ=WEEKLY;COUNT=3",
            "2024-03-04T14:00",
            &["03-04 14:00", "03-11 13:00", "03-18 13:00"],
            &[],
        ),
        (
            Tz::America__New_York,
            "FREQ=WEEKLY;COUNT=2",
            "2024-10-28T13:00",
            &["10-28 13:00", "11-04 14:00"],
            &[],
        ),
        // 02:30 does not come on March 10th, and does not count.
        (
            Tz::America__New_York,
            "FREQ=DAILY;COUNT=3",
            "2024-03-09T07:30",
            &["03-09 07:30", "03-11 06:30", "03-12 06:30"],
            &["2024-03-10"],
        ),
        // 01:30 comes twice on November 3rd: the first counts, unless the second was asked for.
        (
            Tz::America__New_York,
            "FREQ=DAILY;COUNT=3",
            "2024-11-02T05:30",
            &["11-02 05:30", "11-03 05:30", "11-04 06:30"],
            &[],
        ),
        (
            Tz::America__New_York,
            "FREQ=DAILY;COUNT=2",
            "2024-11-03T06:30",
            &["11-03 06:30", "11-04 06:30"],
            &[],
        ),
        (
            Tz::Europe__London,
            "FREQ=WEEKLY;COUNT=2;BYDAY=SU",
            "2024-03-24T01:30",
            &["03-24 01:30", "04-07 00:30"],
            &["2024-03-31"],
        ),
        (
            Tz::Europe__Dublin,
            "FREQ=MONTHLY;UNTIL=20241201;BYDAY=-1SU",
            "2024-09-29T09:00",
            &["09-29 09:00", "10-27 10:00", "11-24 10:00"],
            &[],
        ),
        // By half an hour, and on the other side of the year.
        (
            Tz::Australia__Lord_Howe,
            "FREQ=DAILY;COUNT=2",
            "2024-04-05T22:00",
            &["04-05 22:00", "04-06 22:30"],
            &[],
        ),
        (
            Tz::Australia__Lord_Howe,
            "FREQ=DAILY;COUNT=2",
            "2024-10-04T15:45",
            &["10-04 15:45", "10-06 15:15"],
            &["2024-10-06"],
        ),
        (
            Tz::Pacific__Auckland,
            "FREQ=WEEKLY;COUNT=2;BYDAY=MO",
            "2024-09-22T21:00",
            &["09-22 21:00", "09-29 20:00"],
            &[],
        ),
        // At midnight.
        (
            Tz::Asia__Beirut,
            "FREQ=DAILY;COUNT=2",
            "2024-03-29T22:15",
            &["03-29 22:15", "03-31 21:15"],
            &["2024-03-31"],
        ),
        (
            Tz::America__Havana,
            "FREQ=WEEKLY;COUNT=2",
            "2024-03-03T05:30",
            &["03-03 05:30", "03-17 04:30"],
            &["2024-03-10"],
        ),
        // Backward for Ramadan.
        (
            Tz::Africa__Casablanca,
            "FREQ=WEEKLY;COUNT=7;BYDAY=WE",
            "2024-03-06T09:00",
            &[
                "03-06 09:00",
                "03-13 10:00",
                "03-20 10:00",
                "03-27 10:00",
                "04-03 10:00",
                "04-10 10:00",
                "04-17 09:00",
            ],
            &[],
        ),
        // By two hours.
        (
            Tz::Antarctica__Troll,
            "FREQ=DAILY;COUNT=2",
            "2024-03-30T02:30",
            &["03-30 02:30", "04-01 00:30"],
            &["2024-03-31"],
        ),
        // A day that a whole country skipped.
        (
            Tz::Pacific__Apia,
            "FREQ=DAILY;COUNT=3",
            "2011-12-29T20:00",
            &["12-29 20:00", "12-30 20:00", "12-31 20:00"],
            &["2011-12-30"],
        ),
        // Never changes.
        (
            Tz::Asia__Kathmandu,
            "FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-1",
            "2024-01-31T03:15",
            &["01-31 03:15", "02-29 03:15", "03-31 03:15"],
            &[],
        ),
        (
            Tz::UTC,
            "FREQ=MONTHLY;COUNT=3",
            "2024-01-31T10:00",
            &["01-31 10:00", "03-31 10:00", "05-31 10:00"],
            &[],
        ),
    ];
    for (zone, rule, first, starts, skipped) in table {
        let found = expand(rule, at(&format!("{first}:00Z")), *zone).expect("a rule");
        let shown: Vec<String> = found
            .starts
            .iter()
            .map(|start| start.instant().format("%m-%d %H:%M").to_string())
            .collect();
        let skipped: Vec<NaiveDate> = skipped.iter().map(|day| date(day)).collect();
        assert_eq!(
            (shown, found.skipped),
            (starts.iter().map(ToString::to_string).collect(), skipped),
            "{rule} in {zone}"
        );
    }
}

/// An end is a date of the therapist's, or an instant; both still count.
#[test]
fn an_end_still_counts() {
    let zone = Tz::America__New_York;
    let first = at("2024-01-02T00:00:00Z");
    for (until, sessions) in [
        // On the first Monday it is Tuesday already in UTC.
        ("20240108", 2),
        ("20240107", 1),
        ("20240109T000000Z", 2),
        ("20240108T235959Z", 1),
        ("20240101", 1),
    ] {
        let found = expand(&format!("FREQ=WEEKLY;UNTIL={until}"), first, zone).expect("a rule");
        assert_eq!(found.starts.len(), sessions, "{until}");
    }
}

/// Excepted dates count, and are not there.
#[test]
fn excepted_dates_count() {
    let rule: Recurrence = "FREQ=DAILY;COUNT=4".parse().expect("a rule");
    let first = StartTime::new(at("2024-01-01T09:00:00Z")).expect("a minute");
    let except = [date("2024-01-01"), date("2024-01-03"), date("2024-01-05"), date("1999-01-01")];
    let found = rule.occurrences(first, Tz::UTC, &except.into()).expect("two are left");
    let days: Vec<u32> = found.starts.iter().map(|start| start.instant().day()).collect();
    assert_eq!(days, [2, 4]);
}

/// What a rule may not be, and what is said of it.
#[test]
fn what_cannot_be_followed_is_refused_by_its_name() {
    for (rule, told) in [
        ("", "must be parts NAME=VALUE, with a ; between them"),
        ("FREQ=DAILY;;COUNT=1", "must be parts NAME=VALUE, with a ; between them"),
        ("COUNT=3", "FREQ is required"),
        ("FREQ=YEARLY;COUNT=3", "FREQ must be DAILY, WEEKLY or MONTHLY"),
        ("FREQ=SECONDLY;COUNT=3", "FREQ must be DAILY, WEEKLY or MONTHLY"),
        ("FREQ=DAILY", "COUNT or UNTIL is required: a series has an end"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20240101", "COUNT and UNTIL exclude each other"),
        ("FREQ=DAILY;COUNT=1;COUNT=2", "COUNT is there twice"),
        ("FREQ=DAILY;COUNT=0", "COUNT must be 1 to 104"),
        ("FREQ=DAILY;COUNT=105", "COUNT must be 1 to 104"),
        ("FREQ=DAILY;COUNT=4294967295", "COUNT must be 1 to 104"),
        ("FREQ=DAILY;COUNT=+5", "COUNT must be 1 to 104"),
        ("FREQ=DAILY;COUNT=3;INTERVAL=0", "INTERVAL must be 1 to 731 with this FREQ"),
        ("FREQ=WEEKLY;COUNT=3;INTERVAL=65535", "INTERVAL must be 1 to 104 with this FREQ"),
        ("FREQ=MONTHLY;COUNT=3;INTERVAL=25", "INTERVAL must be 1 to 24 with this FREQ"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=1MO", "BYDAY takes numbers with FREQ=MONTHLY alone"),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=6MO",
            "BYDAY takes numbers from 1 to 5, or from the month's end -1 to -5",
        ),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=MO,", "BYDAY must be days such as MO,WE"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=XX", "BYDAY must be days such as MO,WE"),
        ("FREQ=WEEKLY;COUNT=3;BYMONTHDAY=1", "BYMONTHDAY comes with FREQ=MONTHLY alone"),
        (
            "FREQ=MONTHLY;COUNT=3;BYMONTHDAY=0",
            "BYMONTHDAY must be days from 1 to 31, or from the month's end -1 to -31",
        ),
        ("FREQ=WEEKLY;COUNT=3;WKST=1", "WKST must be a day: MO, TU, WE, TH, FR, SA or SU"),
        (
            "FREQ=DAILY;UNTIL=20241301",
            "UNTIL must be a date (20241231) or an instant of UTC (20241231T235959Z)",
        ),
        (
            "FREQ=DAILY;UNTIL=20241231T235959",
            "UNTIL must be a date (20241231) or an instant of UTC (20241231T235959Z)",
        ),
        (
            "FREQ=DAILY;UNTIL=20241231T235960Z",
            "UNTIL must be a date (20241231) or an instant of UTC (20241231T235959Z)",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYSETPOS=1",
            "BYSETPOS is not supported: a rule is made of FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, WKST",
        ),
        (
            "FREQ=DAILY;COUNT=3;BYHOUR=9",
            "BYHOUR is not supported: a rule is made of FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, WKST",
        ),
        ("FREQ=DAILY;COUNT=\u{663}", "must have at most 255 ASCII characters"),
    ] {
        let refused = rule.parse::<Recurrence>().expect_err(rule);
        assert_eq!(refused.to_string(), told, "{rule}");
    }
    let long = format!("FREQ=WEEKLY;COUNT=1;BYDAY={}MO", "MO,".repeat(90));
    assert!(long.parse::<Recurrence>().is_err());
}

/// What a rule may not come to.
#[test]
fn what_comes_to_too_much_is_refused() {
    let first = at("2024-01-01T09:00:00Z");
    for (rule, field, told) in [
        ("FREQ=DAILY;COUNT=2;BYDAY=TU", "startTime", "must be on a day of the rule"),
        ("FREQ=DAILY;COUNT=2;INTERVAL=7;BYDAY=TU", "startTime", "must be on a day of the rule"),
        ("FREQ=DAILY;UNTIL=99991231", "rule", "must come to at most 104 sessions"),
        ("FREQ=WEEKLY;UNTIL=20251231;BYDAY=MO,WE", "rule", "must come to at most 104 sessions"),
        ("FREQ=MONTHLY;UNTIL=99991231T235959Z", "rule", "must end within two years of startTime"),
        ("FREQ=MONTHLY;COUNT=104", "rule", "must end within two years of startTime"),
        (
            "FREQ=MONTHLY;INTERVAL=24;COUNT=2;BYDAY=1MO;BYMONTHDAY=1",
            "rule",
            "must end within two years of startTime",
        ),
        ("FREQ=DAILY;UNTIL=20231231", "rule", "must not end before startTime"),
    ] {
        let refused = expand(rule, first, Tz::UTC).expect_err(rule);
        assert_eq!(refused, Refusal::Invalid { field, detail: told }, "{rule}");
    }
    let only: Recurrence = "FREQ=DAILY;COUNT=1".parse().expect("a rule");
    let first = StartTime::new(first).expect("a minute");
    let told = only.occurrences(first, Tz::UTC, &[date("2024-01-01")].into());
    assert_eq!(
        told,
        Err(Refusal::Invalid { field: "exDates", detail: "must leave at least one session" })
    );
    // A whole two years of weeks.
    assert_eq!(
        expand("FREQ=WEEKLY;COUNT=104", first.instant(), Tz::UTC).expect("a rule").starts.len(),
        104
    );
    assert_eq!(Recurrence::MOST, 104, "as it is told");
}
