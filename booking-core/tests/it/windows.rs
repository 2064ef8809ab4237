//! A weekly window means the instants at which the wall clock shows a time inside it.

use booking_core::{Span, SpanSet, WeeklyHours, Window};
use chrono::{NaiveDate, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;

use crate::oracle::{Minute, Oracle, instant, minute, minutes};
use crate::strategies::{all_but, all_week, cases, hours, practice};
use crate::world::at;

proptest! {
    #![proptest_config(cases(320))]

    #[test]
    fn spans_are_the_minutes_at_which_the_wall_clock_is_inside_a_window(
        (zone, date, windows) in practice(),
        begin in -1_500..1_500_i64,
        length in prop_oneof![1..120_i64, 120..4_000_i64],
    ) {
        let from = midnight(date) + begin;
        check_against_oracle(zone, &windows, from, from + length)?;
    }

    #[test]
    fn cutting_the_question_cuts_the_answer(
        (zone, date, windows) in practice(),
        begin in -90_000..90_000_i64,
        length in 1..200_000_i64,
    ) {
        let hours: WeeklyHours = windows.into_iter().collect();
        let wide = minutes(midnight(date) - 2_000, midnight(date) + 6_000);
        let start = instant(midnight(date)) + TimeDelta::seconds(begin);
        let narrow = Span::new(start, start + TimeDelta::seconds(length)).unwrap();

        let cut: SpanSet =
            hours.spans(zone, wide).iter().filter_map(|span| span.intersection(narrow)).collect();
        prop_assert_eq!(hours.spans(zone, narrow), cut);
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn spans_are_right_over_months(
        (zone, date, windows) in practice(),
        days in prop_oneof![20..60_i64, 200..400_i64],
    ) {
        check_against_oracle(zone, &windows, midnight(date) - 720, midnight(date) + days * 1440)?;
    }
}

/// On a local date in a zone, a window of each of these weekdays is these UTC spans.
#[test]
fn windows_across_clock_changes_gaps_and_folds() {
    use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    let new_york = Tz::America__New_York;
    let lord_howe = Tz::Australia__Lord_Howe;
    type Row<'a> = (Tz, Weekday, &'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);
    #[rustfmt::skip]
    let table: &[Row<'_>] = &[
        // Clocks go forward at 02:00: three hours on the clock are two, and one is none.
        (new_york, Sun, "01:00", "04:00", "2026-03-08", &[("2026-03-08T06:00Z", "2026-03-08T08:00Z")]),
        (new_york, Sun, "02:00", "03:00", "2026-03-08", &[]),
        (new_york, Sun, "02:30", "03:30", "2026-03-08", &[("2026-03-08T07:00Z", "2026-03-08T07:30Z")]),
        (new_york, Sun, "00:00", "24:00", "2026-03-08", &[("2026-03-08T05:00Z", "2026-03-09T04:00Z")]),
        // Clocks go back at 02:00: what is there twice counts twice.
        (new_york, Sun, "00:00", "03:00", "2026-11-01", &[("2026-11-01T04:00Z", "2026-11-01T08:00Z")]),
        (new_york, Sun, "01:30", "02:00", "2026-11-01", &[("2026-11-01T05:30Z", "2026-11-01T06:00Z"),
                                                          ("2026-11-01T06:30Z", "2026-11-01T07:00Z")]),
        (new_york, Sun, "01:00", "02:00", "2026-11-01", &[("2026-11-01T05:00Z", "2026-11-01T07:00Z")]),
        (new_york, Sun, "00:00", "24:00", "2026-11-01", &[("2026-11-01T04:00Z", "2026-11-02T05:00Z")]),
        // An ordinary week, and the end of the day.
        (new_york, Mon, "09:00", "17:00", "2026-01-12", &[("2026-01-12T14:00Z", "2026-01-12T22:00Z")]),
        (new_york, Tue, "23:30", "24:00", "2026-01-13", &[("2026-01-14T04:30Z", "2026-01-14T05:00Z")]),
        (Tz::UTC,  Wed, "00:00", "24:00", "2026-01-14", &[("2026-01-14T00:00Z", "2026-01-15T00:00Z")]),
        // Half an hour back.
        (lord_howe, Sun, "01:00", "03:00", "2026-04-05", &[("2026-04-04T14:00Z", "2026-04-04T16:30Z")]),
        (lord_howe, Sun, "01:30", "02:00", "2026-04-05", &[("2026-04-04T14:30Z", "2026-04-04T15:30Z")]),
        // Apia went from Thursday, December 29th, to Saturday, December 31st.
        (Tz::Pacific__Apia, Thu, "00:00", "24:00", "2011-12-29", &[("2011-12-29T10:00Z", "2011-12-30T10:00Z")]),
        (Tz::Pacific__Apia, Fri, "00:00", "24:00", "2011-12-30", &[]),
        (Tz::Pacific__Apia, Sat, "00:00", "24:00", "2011-12-31", &[("2011-12-30T10:00Z", "2011-12-31T10:00Z")]),
        // Midnight itself is skipped: the day begins at 01:00.
        (Tz::America__Sao_Paulo, Sun, "00:00", "02:00", "2018-11-04", &[("2018-11-04T03:00Z", "2018-11-04T04:00Z")]),
        // St John's went from 00:01 back to 23:01 of the day before.
        (Tz::America__St_Johns, Sun, "00:00", "01:00", "2009-11-01", &[("2009-11-01T02:30Z", "2009-11-01T02:31Z"),
                                                                       ("2009-11-01T03:30Z", "2009-11-01T04:30Z")]),
        // Kathmandu gained a quarter of an hour as 1986 began.
        (Tz::Asia__Kathmandu, Wed, "00:00", "01:00", "1986-01-01", &[("1985-12-31T18:30Z", "1985-12-31T19:15Z")]),
    ];
    for (zone, weekday, start, end, date, expected) in table {
        let windows = [(*weekday, hours(start, end))];
        let date: NaiveDate = date.parse().unwrap();
        let around = minutes(midnight(date) - 1_440, midnight(date) + 2_880);
        let open = WeeklyHours::from_iter(windows).spans(*zone, around);
        let expected: Vec<Span> = expected.iter().map(|(from, to)| span(from, to)).collect();
        assert_eq!(open.as_slice(), expected, "{zone} {date} {weekday} {start}–{end}");
    }
}

#[test]
fn windows_that_touch_are_one() {
    let windows = [
        (Weekday::Mon, hours("12:00", "17:00")),
        (Weekday::Mon, hours("09:00", "12:00")),
        (Weekday::Mon, hours("22:00", "24:00")),
        (Weekday::Tue, hours("00:00", "02:00")),
    ];
    let week = span("2026-01-11T00:00Z", "2026-01-18T00:00Z");
    assert_eq!(
        WeeklyHours::from_iter(windows).spans(Tz::UTC, week).as_slice(),
        [
            span("2026-01-12T09:00Z", "2026-01-12T17:00Z"),
            span("2026-01-12T22:00Z", "2026-01-13T02:00Z"),
        ]
    );
}

#[test]
fn an_hour_that_clocks_skip_is_not_missed() {
    let windows = all_but(Weekday::Sun, hours("02:00", "03:00"));
    let weeks = span("2026-03-01T00:00Z", "2026-03-20T00:00Z");
    assert_eq!(
        WeeklyHours::from_iter(windows).spans(Tz::America__New_York, weeks).as_slice(),
        [
            span("2026-03-01T00:00Z", "2026-03-01T07:00Z"),
            span("2026-03-01T08:00Z", "2026-03-15T06:00Z"),
            span("2026-03-15T07:00Z", "2026-03-20T00:00Z"),
        ]
    );
}

/// Recife tried summer time for a week; no zone was ever quicker. Seen from wherever one starts.
#[test]
fn the_quickest_pair_of_changes_is_not_missed() {
    let windows = all_week(&[hours("23:00", "24:00")]);
    let around = minute(at("2000-09-29T00:00Z"));
    for from in (around..around + 7 * 1_440).step_by(8 * 60) {
        check_against_oracle(Tz::America__Recife, &windows, from, around + 24 * 1_440).unwrap();
    }
}

#[test]
fn the_week_is_covered_when_no_minute_lacks_a_window() {
    let covered = |windows: &[(Weekday, Window)]| {
        windows.iter().copied().collect::<WeeklyHours>().cover_the_week()
    };
    assert!(covered(&all_week(&[hours("00:00", "24:00")])));
    assert!(covered(&all_week(&[hours("12:00", "24:00"), hours("00:00", "12:00")])));
    assert!(covered(&all_week(&[
        hours("00:00", "20:00"),
        hours("03:00", "04:00"),
        hours("19:00", "24:00")
    ])));
    assert!(!covered(&[]));
    assert!(!covered(&all_week(&[hours("00:00", "23:59")])));
    assert!(!covered(&all_week(&[hours("00:01", "24:00")])));
    assert!(!covered(&all_week(&[hours("00:00", "12:00"), hours("12:01", "24:00")])));
    assert!(!covered(&all_but(Weekday::Sun, hours("02:00", "02:01"))));
    assert!(!covered(&all_but(Weekday::Wed, hours("00:00", "24:00"))));
}

fn midnight(date: NaiveDate) -> Minute {
    minute(date.and_time(NaiveTime::MIN).and_utc())
}

fn span(from: &str, to: &str) -> Span {
    Span::new(at(from), at(to)).expect("from before to")
}

fn check_against_oracle(
    zone: Tz,
    windows: &[(Weekday, Window)],
    from: Minute,
    to: Minute,
) -> Result<(), TestCaseError> {
    let hours: WeeklyHours = windows.iter().copied().collect();
    let open = hours.spans(zone, minutes(from, to));
    let expected = Oracle::new(zone, windows).open_spans(from, to);
    prop_assert_eq!(open.as_slice(), expected.as_slice());
    Ok(())
}
