//! What is offered books, and nothing else does: listing and booking against the oracle.

use booking_core::tzdb::local_time;
use booking_core::{Calendar, Overrides, Refusal, SessionDuration, Span, SpanSet, Terms, Window};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::oracle::{Day, Minute, Oracle, instant, minute, minutes};
use crate::strategies::{all_but, all_week, cases, hours, practice};
use crate::world::at;

/// Meetings and the present, in minutes and seconds from the first minute of the date.
type Around = (Vec<(Minute, Minute)>, i64);

fn around() -> impl Strategy<Value = Around> {
    let start = prop_oneof![
        5 => (-8..104_i64).prop_map(|n| n * 15),
        1 => -150..1_700_i64,
    ];
    let length = prop_oneof![3 => (1..=4_i64).prop_map(|n| n * 30), 1 => 1..300_i64];
    let now = prop_oneof![
        3 => Just(-90_000_i64),
        2 => (-4..52_i64).prop_map(|n| n * 1_800),
        1 => -7_200..95_000_i64,
    ];
    (vec((start, length), 0..7), now)
}

fn taken_and_now(day: &Day, (meetings, now): &Around) -> (Vec<Span>, DateTime<Utc>) {
    let span =
        |(start, length): &(Minute, Minute)| minutes(day.first + start, day.first + start + length);
    (meetings.iter().map(span).collect(), instant(day.first) + TimeDelta::seconds(*now))
}

pub(crate) fn calendar(zone: Tz, windows: &[(Weekday, Window)], taken: &[Span]) -> Calendar {
    Calendar {
        zone,
        hours: windows.iter().copied().collect(),
        overrides: Overrides::default(),
        taken: taken.iter().copied().collect(),
        terms: Terms::default(),
    }
}

/// Starts with the durations offered at each.
fn offers(
    calendar: &Calendar,
    date: NaiveDate,
    now: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, Vec<SessionDuration>)> {
    let slots = calendar.slots(date, now);
    slots.into_iter().map(|slot| (slot.start.instant(), slot.durations.iter().collect())).collect()
}

proptest! {
    #![proptest_config(cases(240))]

    #[test]
    fn slots_are_those_of_the_oracle((zone, date, windows) in practice(), around in around()) {
        let Some(day) = Oracle::new(zone, &windows).day(date) else {
            let calendar = calendar(zone, &windows, &[]);
            prop_assert!(calendar.slots(date, DateTime::UNIX_EPOCH).is_empty());
            prop_assert!(Calendar::reach(zone, date).is_none());
            return Ok(());
        };
        let (taken, now) = taken_and_now(&day, &around);
        let calendar = calendar(zone, &windows, &taken);
        prop_assert_eq!(offers(&calendar, date, now), day.slots(now, &taken));
    }
}

proptest! {
    #![proptest_config(cases(72))]

    #[test]
    fn what_is_offered_is_admitted_and_nothing_else(
        (zone, date, windows) in practice(),
        around in around(),
        nudges in vec(1..30_i64, 3),
    ) {
        let Some(day) = Oracle::new(zone, &windows).day(date) else { return Ok(()) };
        let (taken, now) = taken_and_now(&day, &around);
        let calendar = calendar(zone, &windows, &taken);
        let offered = offers(&calendar, date, now);

        let half_hours = (day.first..=day.last).step_by(30);
        let starts = offered.iter().map(|(start, _)| minute(*start)).chain(half_hours);
        let nudged = starts.flat_map(|start| {
            nudges.iter().flat_map(move |by| [start - by, start, start + by])
        });
        for start in nudged.filter(|start| day.of_date.binary_search(start).is_ok()) {
            check_admission(&calendar, &day, start, now, &taken, &offered)?;
        }
    }

    #[test]
    fn only_meetings_within_reach_bear_on_a_date(
        (zone, date, windows) in practice(),
        around in around(),
    ) {
        let Some(day) = Oracle::new(zone, &windows).day(date) else { return Ok(()) };
        let (taken, now) = taken_and_now(&day, &around);
        let reach = Calendar::reach(zone, date).unwrap();
        let near: Vec<Span> = taken.iter().copied().filter(|span| span.overlaps(reach)).collect();
        prop_assert_eq!(
            calendar(zone, &windows, &taken).slots(date, now),
            calendar(zone, &windows, &near).slots(date, now)
        );
    }
}

fn check_admission(
    calendar: &Calendar,
    day: &Day,
    start: Minute,
    now: DateTime<Utc>,
    taken: &[Span],
    offered: &[(DateTime<Utc>, Vec<SessionDuration>)],
) -> Result<(), TestCaseError> {
    for duration in SessionDuration::ALL {
        let admitted = calendar.admit(instant(start), duration, now);
        prop_assert_eq!(
            &admitted,
            &day.verdict(start, duration, now, taken),
            "{} for {:?}",
            instant(start),
            duration
        );
        let is_offered = offered
            .iter()
            .any(|(at, durations)| *at == instant(start) && durations.contains(&duration));
        prop_assert_eq!(admitted.is_ok(), is_offered);
    }
    Ok(())
}

/// Every minute of dates that have everything: seams, odd minutes, a gap, a fold, meetings.
#[test]
fn every_minute_of_some_hard_days() {
    let windows = [
        (Weekday::Sat, hours("22:10", "24:00")),
        (Weekday::Sun, hours("00:00", "02:30")),
        (Weekday::Sun, hours("02:45", "06:00")),
        (Weekday::Sun, hours("06:00", "07:20")),
    ];
    for (zone, date) in [
        (Tz::America__New_York, "2026-03-08"),
        (Tz::America__New_York, "2026-11-01"),
        (Tz::America__St_Johns, "2009-11-01"),
    ] {
        let date: NaiveDate = date.parse().unwrap();
        let day = Oracle::new(zone, &windows).day(date).unwrap();
        let taken = [minutes(day.first + 75, day.first + 105)];
        let now = instant(day.first - 1);
        let calendar = calendar(zone, &windows, &taken);
        let offered = offers(&calendar, date, now);
        assert_eq!(offered, day.slots(now, &taken));
        for start in &day.of_date {
            check_admission(&calendar, &day, *start, now, &taken, &offered).unwrap();
        }
    }
}

/// One line per start: the local time and the durations, as the contract's examples have it.
fn listing(
    zone: Tz,
    windows: &[(Weekday, Window)],
    taken: &[(&str, &str)],
    date: &str,
) -> Vec<String> {
    let span = |(from, to): &(&str, &str)| Span::new(at(from), at(to)).expect("a span");
    let taken: Vec<Span> = taken.iter().map(span).collect();
    let date: NaiveDate = date.parse().expect("a date");
    let offers = offers(&calendar(zone, windows, &taken), date, at("1990-01-01T00:00Z"));
    let line = |(start, durations): (DateTime<Utc>, Vec<SessionDuration>)| {
        let minutes: Vec<String> = durations.iter().map(|d| d.minutes().to_string()).collect();
        format!("{} {}", local_time(zone, start).format("%H:%M"), minutes.join(" "))
    };
    offers.into_iter().map(line).collect()
}

#[test]
fn the_documented_answer_where_meetings_cut_the_durations() {
    let windows = [(Weekday::Mon, hours("09:00", "17:00"))];
    let taken = [
        ("2024-01-15T10:30Z", "2024-01-15T12:30Z"),
        ("2024-01-15T12:30Z", "2024-01-15T14:30Z"),
        ("2024-01-15T14:30Z", "2024-01-15T16:30Z"),
        ("2024-01-15T16:30Z", "2024-01-15T17:00Z"),
    ];
    assert_eq!(
        listing(Tz::UTC, &windows, &taken, "2024-01-15"),
        ["09:00 30 60 90", "09:30 30 60", "10:00 30"]
    );
}

#[test]
fn a_window_that_touches_midnight_carries_over() {
    let windows =
        [(Weekday::Mon, hours("22:30", "24:00")), (Weekday::Tue, hours("00:00", "02:00"))];
    assert_eq!(
        listing(Tz::Europe__London, &windows, &[], "2026-01-12"),
        ["22:30 30 60 90 120", "23:00 30 60 90 120", "23:30 30 60 90 120"]
    );
    assert_eq!(
        listing(Tz::Europe__London, &windows, &[], "2026-01-13"),
        ["00:00 30 60 90 120", "00:30 30 60 90", "01:00 30 60", "01:30 30"]
    );
}

#[test]
fn the_grid_carries_over_midnight_too() {
    let windows =
        [(Weekday::Mon, hours("23:10", "24:00")), (Weekday::Tue, hours("00:00", "01:00"))];
    assert_eq!(listing(Tz::UTC, &windows, &[], "2026-01-12"), ["23:10 30 60 90", "23:40 30 60"]);
    assert_eq!(listing(Tz::UTC, &windows, &[], "2026-01-13"), ["00:10 30"]);
}

#[test]
fn a_session_may_run_across_a_seam() {
    let windows =
        [(Weekday::Mon, hours("09:00", "12:00")), (Weekday::Mon, hours("12:00", "17:00"))];
    let day = listing(Tz::UTC, &windows, &[], "2026-01-12");
    assert_eq!(day.len(), 16);
    assert_eq!(day[5], "11:30 30 60 90 120");
}

#[test]
fn the_grid_counts_from_the_start_of_each_free_standing_window() {
    let windows = [
        (Weekday::Mon, hours("09:10", "10:30")),
        (Weekday::Mon, hours("10:45", "11:00")),
        (Weekday::Mon, hours("13:05", "14:00")),
        (Weekday::Mon, hours("14:00", "14:20")),
    ];
    assert_eq!(
        listing(Tz::UTC, &windows, &[], "2026-01-12"),
        ["09:10 30 60", "09:40 30", "13:05 30 60", "13:35 30"]
    );
}

#[test]
fn slots_on_days_on_which_clocks_change() {
    let night = [(Weekday::Sun, hours("01:00", "03:30"))];
    let new_york = Tz::America__New_York;
    assert_eq!(
        listing(new_york, &night, &[], "2026-03-08"),
        ["01:00 30 60 90", "01:30 30 60", "03:00 30"]
    );
    assert_eq!(
        listing(new_york, &night, &[], "2026-11-01"),
        [
            "01:00 30 60 90 120",
            "01:30 30 60 90 120",
            "01:00 30 60 90 120",
            "01:30 30 60 90 120",
            "02:00 30 60 90",
            "02:30 30 60",
            "03:00 30"
        ]
    );
    assert_eq!(
        listing(Tz::Pacific__Apia, &all_week(&[hours("00:00", "24:00")]), &[], "2011-12-30"),
        [""; 0]
    );
}

#[test]
fn availability_without_a_beginning_counts_from_the_first_minute_of_the_date() {
    let always = all_week(&[hours("00:00", "24:00")]);
    let starts = |zone, date| {
        let lines = listing(zone, &always, &[], date);
        (lines.len(), lines[0].clone())
    };
    let all = "30 60 90 120";
    assert_eq!(starts(Tz::Asia__Kathmandu, "2026-01-12"), (48, format!("00:00 {all}")));
    assert_eq!(starts(Tz::America__New_York, "2026-03-08"), (46, format!("00:00 {all}")));
    assert_eq!(starts(Tz::America__New_York, "2026-11-01"), (50, format!("00:00 {all}")));
    assert_eq!(starts(Tz::America__Sao_Paulo, "2018-11-04"), (46, format!("01:00 {all}")));
}

/// The hole of the week falls into the gap: the run that begins a week before goes on.
#[test]
fn the_grid_counts_from_weeks_ago_if_need_be() {
    let windows = all_but(Weekday::Sun, hours("02:00", "02:50"));
    let first = |date| listing(Tz::America__New_York, &windows, &[], date).remove(0);
    assert_eq!(first("2026-03-07"), "00:20 30 60 90 120");
    assert_eq!(first("2026-03-14"), "00:20 30 60 90 120");
    assert_eq!(first("2026-03-16"), "00:20 30 60 90 120");
}

#[test]
fn the_reason_is_the_first_in_the_contracts_order() {
    use SessionDuration::{HalfHour, Hour, TwoHours};
    let calendar = Calendar {
        zone: Tz::UTC,
        hours: [(Weekday::Mon, hours("09:00", "12:00"))].into_iter().collect(),
        overrides: Overrides::default(),
        taken: SpanSet::from_iter(Span::new(at("2026-01-12T10:00Z"), at("2026-01-12T11:00Z"))),
        terms: Terms::default(),
    };
    #[rustfmt::skip]
    let table = [
        ("09:30", "08:00", Hour,     Err(Refusal::SlotConflict)),
        ("09:30", "08:00", HalfHour, Ok(())),
        ("09:10", "08:00", Hour,     Err(Refusal::NotOnGrid)),
        ("11:10", "08:00", Hour,     Err(Refusal::OutsideAvailability)),
        ("10:30", "08:00", TwoHours, Err(Refusal::OutsideAvailability)),
        ("08:40", "08:00", Hour,     Err(Refusal::OutsideAvailability)),
        ("12:00", "08:00", HalfHour, Err(Refusal::OutsideAvailability)),
        ("11:00", "08:00", Hour,     Ok(())),
        ("09:00", "09:00", HalfHour, Err(Refusal::InThePast)),
        ("09:10", "10:00", TwoHours, Err(Refusal::InThePast)),
        ("09:00", "08:59", HalfHour, Ok(())),
    ];
    for (start, now, duration, expected) in table {
        let on = |time| at(&format!("2026-01-12T{time}Z"));
        assert_eq!(calendar.admit(on(start), duration, on(now)), expected, "{start} at {now}");
    }
}

#[test]
fn the_ends_of_the_calendar_offer_nothing_and_panic_nowhere() {
    let all_day = Window::new("00:00".parse().unwrap(), "24:00".parse().unwrap()).unwrap();
    let week: Vec<_> = std::iter::successors(Some(Weekday::Mon), |day| Some(day.succ()))
        .take(7)
        .map(|day| (day, all_day))
        .collect();
    for zone in [Tz::UTC, chrono_tz::Pacific::Kiritimati, chrono_tz::America::Los_Angeles] {
        let calendar = calendar(zone, &week, &[]);
        for date in [NaiveDate::MIN, NaiveDate::MAX] {
            assert_eq!(calendar.slots(date, DateTime::<Utc>::MIN_UTC), []);
            assert_eq!(Calendar::reach(zone, date), None);
        }
        for start in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            for duration in SessionDuration::ALL {
                assert!(calendar.admit(start, duration, DateTime::UNIX_EPOCH).is_err());
            }
        }
        let forever =
            Span::new(DateTime::<Utc>::MAX_UTC - TimeDelta::days(9), DateTime::<Utc>::MAX_UTC);
        assert!(!calendar.hours.spans(zone, forever.unwrap()).is_empty());
    }
}

#[test]
fn no_session_starts_within_a_second() {
    let calendar = calendar(Tz::UTC, &[(Weekday::Mon, hours("09:00", "12:00"))], &[]);
    let nine = at("2026-01-12T09:00Z");
    let admit = |start| calendar.admit(start, SessionDuration::HalfHour, DateTime::UNIX_EPOCH);
    assert_eq!(admit(nine), Ok(()));
    assert_eq!(admit(nine + TimeDelta::nanoseconds(1)), Err(Refusal::NotOnGrid));
    assert_eq!(admit(nine - TimeDelta::nanoseconds(1)), Err(Refusal::OutsideAvailability));

    // Nor does a meeting that goes on for a part of one leave that second free.
    let over = Span::new(nine - TimeDelta::hours(1), nine + TimeDelta::nanoseconds(1)).unwrap();
    let begun = Span::new(nine + TimeDelta::nanoseconds(1), nine + TimeDelta::hours(1)).unwrap();
    for taken in [over, begun] {
        let taken = Calendar { taken: SpanSet::from_iter([taken]), ..calendar.clone() };
        let admitted = taken.admit(nine, SessionDuration::HalfHour, DateTime::UNIX_EPOCH);
        assert_eq!(admitted, Err(Refusal::SlotConflict));
    }
}

#[test]
fn no_session_starts_within_a_minute() {
    // Monrovia was 44 minutes and 30 seconds behind until 1972.
    let zone = chrono_tz::Africa::Monrovia;
    let morning = Window::new("09:00".parse().unwrap(), "12:00".parse().unwrap()).unwrap();
    let calendar = calendar(zone, &[(Weekday::Mon, morning)], &[]);
    let offered = |year, month, day| {
        calendar.slots(NaiveDate::from_ymd_opt(year, month, day).unwrap(), DateTime::<Utc>::MIN_UTC)
    };
    assert_eq!(offered(1970, 1, 5), []);
    assert_eq!(offered(2024, 1, 15).len(), 6);
}
