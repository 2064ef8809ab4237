//! Many dates asked for at once answer as each of them does alone.

use booking_core::Span;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::oracle::{instant, minute, minutes};
use crate::slots::calendar;
use crate::strategies::{all_but, all_week, cases, hours, offset_seconds, practice};

proptest! {
    #![proptest_config(cases(160))]

    /// Whatever was learned on the way to a date says nothing else than a look at that date alone.
    #[test]
    fn a_range_of_dates_answers_as_its_dates_do_one_by_one(
        (zone, date, windows) in practice(),
        before in prop_oneof![3 => 0..12_i64, 1 => 150..420_i64],
        after in 0..9_i64,
        meetings in vec((-20_000..12_000_i64, 1..300_i64), 0..60),
    ) {
        let midnight = minute(date.and_time(NaiveTime::MIN).and_utc());
        let taken: Vec<Span> = meetings
            .iter()
            .map(|(start, length)| minutes(midnight + start, midnight + start + length))
            .collect();
        let calendar = calendar(zone, &windows, &taken);
        let now = instant(midnight - 3_000);
        let (first, last) = (date - TimeDelta::days(before), date + TimeDelta::days(after));

        let mut next = first;
        for day in calendar.days(first, last) {
            prop_assert_eq!(day.date(), next);
            prop_assert_eq!(day.slots(now), calendar.slots(next, now), "{}", next);
            next += TimeDelta::days(1);
        }
        prop_assert_eq!(next, last + TimeDelta::days(1));
    }
}

/// All changes of clocks in some decades: with hours for which it matters when they began, and with
/// hours that never end.
#[test]
fn dates_around_changes_of_clocks_answer_the_same_in_a_row() {
    let always = all_week(&[hours("00:00", "24:00")]);
    let holed = all_but(Weekday::Sun, hours("02:00", "02:50"));
    let night = all_week(&[hours("00:00", "03:10"), hours("22:40", "24:00")]);
    let (first, last) = ("1975-01-02".parse().unwrap(), "2041-01-01".parse().unwrap());
    for (zone, windows) in [
        (Tz::Pacific__Apia, &always),
        (Tz::America__St_Johns, &night),
        (Tz::Australia__Lord_Howe, &holed),
        (Tz::Asia__Gaza, &night),
        (Tz::Europe__Dublin, &always),
        (Tz::America__New_York, &holed),
        (Tz::America__Recife, &night),
    ] {
        let calendar = calendar(zone, windows, &[]);
        let mut compared = 0;
        for day in calendar.days(first, last) {
            let noon = day.date().and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(12);
            let offset = |days| offset_seconds(zone, noon + TimeDelta::days(days));
            if offset(-1) != offset(1) {
                let alone = calendar.slots(day.date(), DateTime::UNIX_EPOCH);
                assert_eq!(day.slots(DateTime::UNIX_EPOCH), alone, "{zone} {}", day.date());
                compared += 1;
            }
        }
        assert!(compared > 0, "{zone} has changed its clocks");
    }
}

#[test]
fn ranges_end_where_there_are_no_slots_any_more() {
    let calendar = calendar(Tz::UTC, &all_week(&[hours("00:00", "24:00")]), &[]);
    let days = |first, last| calendar.days(first, last);
    assert_eq!(days(NaiveDate::MIN, NaiveDate::MIN + TimeDelta::days(9)).count(), 0);
    assert_eq!(days(NaiveDate::MAX - TimeDelta::days(9), NaiveDate::MAX).count(), 0);
    let new_year: NaiveDate = "2026-01-01".parse().unwrap();
    assert_eq!(days(new_year, new_year - TimeDelta::days(1)).count(), 0);
    let from = days(NaiveDate::MIN, NaiveDate::MAX).next().unwrap();
    assert_eq!(from.date(), NaiveDate::from_ymd_opt(-1, 1, 1).unwrap());
    assert_eq!(from.slots(DateTime::<Utc>::MIN_UTC), []);
    let last = days("9999-12-31".parse().unwrap(), NaiveDate::MAX).next().unwrap();
    assert_eq!(last.slots(DateTime::UNIX_EPOCH).len(), 48);
}
