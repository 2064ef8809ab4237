//! Random zones, dates and weekly hours, with a liking for the days on which clocks change.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use booking_core::tzdb::local_time;
use booking_core::{WallTime, Window};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Zones whose clocks do what the next programmer will not expect.
pub(crate) const ZONES: &[Tz] = &[
    Tz::UTC,
    Tz::America__New_York,
    Tz::Europe__London,
    Tz::Europe__Dublin,
    Tz::America__Sao_Paulo,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Cairo,
    Tz::Africa__Casablanca,
    Tz::Pacific__Apia,
    Tz::Pacific__Auckland,
    Tz::Asia__Kathmandu,
    Tz::America__St_Johns,
    Tz::Asia__Gaza,
    Tz::Asia__Tehran,
    Tz::America__Havana,
    Tz::Atlantic__Azores,
    Tz::Asia__Beirut,
    Tz::Antarctica__Troll,
];

/// A bounded number of cases; failures are shown, not written beside the sources.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn offset_seconds(zone: Tz, instant: DateTime<Utc>) -> i32 {
    local_time(zone, instant).offset().local_minus_utc()
}

/// When the clocks of a zone show a time, earliest first: not at all or twice, where they are set.
pub(crate) fn shown_at(zone: Tz, wall: NaiveDateTime) -> Vec<DateTime<Utc>> {
    let nearby = [TimeDelta::days(-1), TimeDelta::days(1)].map(|by| wall.and_utc() + by);
    let offsets: BTreeSet<i32> = nearby.into_iter().map(|at| offset_seconds(zone, at)).collect();
    let instants = offsets.iter().rev().map(|by| wall.and_utc() - TimeDelta::seconds((*by).into()));
    instants.filter(|at| local_time(zone, *at).naive_local() == wall).collect()
}

/// The UTC dates from 1975 to 2040 on which clocks change in one of [`ZONES`].
static CHANGES: LazyLock<Vec<(Tz, NaiveDate)>> = LazyLock::new(|| {
    const LOOKS: i32 = 65 * 366;
    let first = NaiveDate::from_ymd_opt(1975, 1, 1).expect("a date").and_time(Default::default());
    let look = |number: i32| first.and_utc() + TimeDelta::days(i64::from(number));
    let changes = |zone: Tz| {
        let changed = move |day: &i32| {
            offset_seconds(zone, look(*day)) != offset_seconds(zone, look(day + 1))
        };
        (0..LOOKS).filter(changed).map(move |day| (zone, look(day).date_naive()))
    };
    ZONES.iter().copied().flat_map(changes).collect()
});

/// A zone and a date: mostly one from the day before to the day after a change of clocks.
pub(crate) fn zoned_date() -> impl Strategy<Value = (Tz, NaiveDate)> {
    let first = NaiveDate::from_ymd_opt(1975, 1, 2).expect("a date");
    let any_day =
        (select(ZONES), 0..64 * 365_u64).prop_map(move |(zone, n)| (zone, first + Days::new(n)));
    let changes = CHANGES.as_slice();
    let near_change = (select(changes), -1..=2_i64)
        .prop_map(|((zone, date), days)| (zone, date + TimeDelta::days(days)));
    prop_oneof![1 => any_day, 4 => near_change]
}

pub(crate) fn window(start: u16, end: u16) -> Window {
    let time = |minutes| WallTime::from_minutes(minutes).expect("a time of day");
    Window::new(time(start), time(end)).expect("start before end")
}

/// A window by its texts: `hours("09:00", "24:00")`.
pub(crate) fn hours(start: &str, end: &str) -> Window {
    let time = |text: &str| text.parse::<WallTime>().expect("a time of day");
    Window::new(time(start), time(end)).expect("start before end")
}

pub(crate) fn all_week(of_each_day: &[Window]) -> Vec<(Weekday, Window)> {
    let days = (0..7_u8).map(|day| Weekday::try_from(day).expect("a weekday"));
    days.flat_map(|day| of_each_day.iter().map(move |window| (day, *window))).collect()
}

/// The whole week but for one window.
pub(crate) fn all_but(weekday: Weekday, hole: Window) -> Vec<(Weekday, Window)> {
    let (start, end) = (hole.start().minutes(), hole.end().minutes());
    let mut windows = all_week(&[window(0, 1440)]);
    windows.retain(|(day, _)| *day != weekday);
    windows.extend((start > 0).then(|| (weekday, window(0, start))));
    windows.extend((end < 1440).then(|| (weekday, window(end, 1440))));
    windows
}

fn weekday() -> impl Strategy<Value = Weekday> {
    (0..7_u8).prop_map(|day| Weekday::try_from(day).expect("a weekday"))
}

fn time_of_day() -> impl Strategy<Value = u16> {
    prop_oneof![
        6 => (0..=48_u16).prop_map(|n| n * 30),
        2 => (0..=144_u16).prop_map(|n| n * 10),
        1 => 0..=1440_u16,
        1 => Just(0_u16),
        1 => Just(1440_u16),
    ]
}

fn any_window() -> impl Strategy<Value = Window> {
    (time_of_day(), time_of_day())
        .prop_filter_map("an empty window", |(a, b)| (a != b).then(|| window(a.min(b), a.max(b))))
}

/// One that matters when clocks change, which they do at night.
fn night_hole() -> impl Strategy<Value = Window> {
    (0..8_u16, 1..=4_u16).prop_map(|(start, length)| window(start * 30, (start + length) * 30))
}

/// Weekly hours that have something to do around `date`.
pub(crate) fn weekly_hours(date: NaiveDate) -> impl Strategy<Value = Vec<(Weekday, Window)>> {
    use chrono::Datelike;
    let today = date.weekday();
    let near = select(vec![today.pred(), today, today.succ()]);
    let across_midnight = (near.clone(), time_of_day(), time_of_day()).prop_map(|(day, a, b)| {
        let evening = (a < 1440).then(|| (day, window(a, 1440)));
        let morning = (b > 0).then(|| (day.succ(), window(0, b)));
        evening.into_iter().chain(morning).collect()
    });
    prop_oneof![
        4 => vec((weekday(), any_window()), 0..14),
        3 => vec(any_window(), 1..4).prop_map(|windows| all_week(&windows)),
        3 => vec((near.clone(), any_window()), 1..5),
        2 => across_midnight,
        1 => Just(all_week(&[window(0, 1440)])),
        2 => (near.clone(), night_hole()).prop_map(|(day, hole)| all_but(day, hole)),
        1 => (near, any_window()).prop_map(|(day, hole)| all_but(day, hole)),
    ]
}

/// A zone, a date in it, and weekly hours.
pub(crate) fn practice() -> impl Strategy<Value = (Tz, NaiveDate, Vec<(Weekday, Window)>)> {
    zoned_date().prop_flat_map(|(zone, date)| {
        weekly_hours(date).prop_map(move |windows| (zone, date, windows))
    })
}
