//! Series against a walk: every five minutes of some weeks are asked for their wall clock, every date
//! whether the rule means it.

use std::collections::{BTreeSet, HashMap};

use booking_core::tzdb::local_time;
use booking_core::{Span, external_times};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::event;
use crate::strategies::{cases, zoned_date};

/// Minutes between two looks: no zone was off by less after 1975, and no event here is.
const TICK: i64 = 5;
const TICKS_A_DAY: i64 = 24 * 60 / TICK;

/// Days before a series begins, of the series, and after, where its last instances end.
const BEFORE: i64 = 3;
const LOOKED_AT: i64 = 40;
const AFTER: i64 = 7;

#[derive(Debug, Clone)]
enum Every {
    Days(u32),
    /// On these, from Monday; with numbers, if they have them, that mean nothing.
    Weeks(u32, BTreeSet<usize>, Option<i32>),
    MonthDay(u32),
    /// On these of each month, each year, or the month of each year: counted from its end, if the number
    /// is negative, and all of them, if there is none.
    Nth(Of, Vec<(Option<i32>, usize)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Month,
    Year,
    MonthOfYear,
}

#[derive(Debug, Clone)]
struct Series {
    zone: Tz,
    first: NaiveDate,
    /// Minutes of the day and of the length; `None` is all day, and the length in days.
    time: Option<(i64, i64)>,
    length_days: i64,
    every: Every,
    count: Option<usize>,
    except: Vec<i64>,
    /// Whether the dates that are left out are written as midnights.
    is_except_midnight: bool,
    is_nominal: bool,
}

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Series {
    fn lines(&self) -> String {
        let rule = match &self.every {
            Every::Days(n) => format!("FREQ=DAILY;INTERVAL={n}"),
            Every::Weeks(n, days, number) => {
                let days: Vec<_> = days.iter().map(|day| (*number, *day)).collect();
                format!("FREQ=WEEKLY;INTERVAL={n};BYDAY={}", list(&days))
            }
            Every::MonthDay(day) => format!("FREQ=MONTHLY;BYMONTHDAY={day}"),
            Every::Nth(Of::Month, days) => format!("FREQ=MONTHLY;BYDAY={}", list(days)),
            Every::Nth(Of::Year, days) => format!("FREQ=YEARLY;BYDAY={}", list(days)),
            Every::Nth(Of::MonthOfYear, days) => {
                format!("FREQ=YEARLY;BYDAY={};BYMONTH={}", list(days), self.first.month())
            }
        };
        let count = self.count.map(|count| format!(";COUNT={count}")).unwrap_or_default();
        let write = |civil: NaiveDateTime| match self.time {
            Some(_) => format!(";TZID={}:{}", self.zone, civil.format("%Y%m%dT%H%M%S")),
            None => format!(";VALUE=DATE:{}", civil.format("%Y%m%d")),
        };
        let start = self.civil(self.first);
        let end = match (self.time, self.is_nominal) {
            (Some((_, minutes)), true) => {
                format!("DTEND{}", write(start + TimeDelta::minutes(minutes)))
            }
            (Some((_, minutes)), false) => format!("DURATION:PT{minutes}M"),
            (None, true) => format!("DTEND{}", write(start + TimeDelta::days(self.length_days))),
            (None, false) => format!("DURATION:P{}D", self.length_days),
        };
        let mut lines = format!("UID:1\nDTSTART{}\n{end}\nRRULE:{rule}{count}", write(start));
        for day in &self.except {
            let date = self.first + TimeDelta::days(*day);
            let midnight = date.and_hms_opt(0, 0, 0).unwrap();
            let civil = if self.is_except_midnight { midnight } else { self.civil(date) };
            lines += &format!("\nEXDATE{}", write(civil));
        }
        lines
    }

    fn civil(&self, date: NaiveDate) -> NaiveDateTime {
        let minutes = self.time.map_or(0, |(minutes, _)| minutes);
        date.and_hms_opt(0, 0, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    fn means(&self, date: NaiveDate) -> bool {
        let since = (date - self.first).num_days();
        match &self.every {
            Every::Days(n) => since % i64::from(*n) == 0,
            Every::Weeks(n, days, _) => {
                let into = i64::from(self.first.weekday().num_days_from_monday());
                let week = (since + into).div_euclid(7);
                week % i64::from(*n) == 0
                    && days.contains(&(date.weekday().num_days_from_monday() as usize))
            }
            Every::MonthDay(day) => date.day() == *day,
            Every::Nth(of, days) => {
                let is_within = |other: NaiveDate| {
                    let is_year = other.year() == date.year();
                    is_year && (*of == Of::Year || other.month() == date.month())
                };
                // As many of its weekday are there up to it, and from it on.
                let weeks = |step: i64| {
                    let other = |week: &i64| date + TimeDelta::days(week * step * 7);
                    (0..53).take_while(|week| is_within(other(week))).count() as i32
                };
                let is_nth = |n: i32| n == weeks(-1) || n == -weeks(1);
                let weekday = date.weekday().num_days_from_monday() as usize;
                (*of != Of::MonthOfYear || date.month() == self.first.month())
                    && days.iter().any(|(n, day)| *day == weekday && n.is_none_or(is_nth))
            }
        }
    }

    /// Whether the clocks show when it begins.
    fn is_shown(&self, walk: &Walk, date: NaiveDate) -> bool {
        self.time.is_none() || walk.first.contains_key(&self.civil(date))
    }

    fn is_out(&self, walk: &Walk, date: NaiveDate) -> bool {
        // What is skipped may be on the next date.
        let shown = || walk.shown(walk.tick(self.civil(date))).date();
        let date = if self.is_except_midnight && self.time.is_some() { shown() } else { date };
        self.except.iter().any(|day| self.first + TimeDelta::days(*day) == date)
    }

    /// The ticks of the walk that are busy.
    fn busy(&self, walk: &Walk) -> Vec<bool> {
        let mut busy = vec![false; walk.civil.len()];
        let mut left = self.count.unwrap_or(usize::MAX);
        let mut date = self.first;
        let mut is_first = true;
        while date < self.first + TimeDelta::days(LOOKED_AT) && left > 0 {
            let counts = self.means(date);
            left -= usize::from(counts && self.is_shown(walk, date));
            if (counts || is_first) && !self.is_out(walk, date) {
                let start = self.civil(date);
                for tick in walk.tick(start)..self.end(walk, start) {
                    busy[usize::try_from(tick).unwrap()] = true;
                }
            }
            is_first = false;
            date += TimeDelta::days(1);
        }
        busy
    }

    fn end(&self, walk: &Walk, start: NaiveDateTime) -> i64 {
        match self.time {
            None => walk.tick(start + TimeDelta::days(self.length_days)),
            Some((_, minutes)) if self.is_nominal => {
                let first = self.civil(self.first);
                let length = TimeDelta::minutes(minutes);
                // What the first says it is long: it may itself be where clocks change.
                let passes = walk.tick(first + length) - walk.tick(first);
                let wall = walk.shown(walk.tick(first + length)) - first;
                (walk.tick(start) + passes).max(walk.tick(start + wall))
            }
            Some((_, minutes)) => walk.tick(start) + minutes / TICK,
        }
    }
}

/// What the wall shows at each tick.
struct Walk {
    from: DateTime<Utc>,
    civil: Vec<NaiveDateTime>,
    first: HashMap<NaiveDateTime, i64>,
}

impl Walk {
    fn new(zone: Tz, first: NaiveDate) -> Self {
        let from = (first - TimeDelta::days(BEFORE)).and_hms_opt(0, 0, 0).unwrap().and_utc();
        let shown = |tick| from + TimeDelta::minutes(tick * TICK);
        let civil: Vec<NaiveDateTime> = (0..(BEFORE + LOOKED_AT + AFTER) * TICKS_A_DAY)
            .map(|tick| local_time(zone, shown(tick)).naive_local())
            .collect();
        let mut first = HashMap::new();
        for (tick, civil) in (0..).zip(&civil) {
            first.entry(*civil).or_insert(tick);
        }
        Self { from, civil, first }
    }

    /// The first tick that shows it; what is skipped is counted on from what was shown last.
    fn tick(&self, civil: NaiveDateTime) -> i64 {
        let shown = |back: &i64| self.first.get(&(civil - TimeDelta::minutes(back * TICK)));
        let back = (0..2 * TICKS_A_DAY).find(|back| shown(back).is_some()).unwrap();
        shown(&back).unwrap() + back
    }

    fn shown(&self, tick: i64) -> NaiveDateTime {
        self.civil[usize::try_from(tick).unwrap()]
    }
}

fn list(days: &[(Option<i32>, usize)]) -> String {
    let day = |(n, day): &(Option<i32>, usize)| match n {
        Some(n) => format!("{n}{}", DAYS[*day]),
        None => DAYS[*day].to_owned(),
    };
    days.iter().map(day).collect::<Vec<_>>().join(",")
}

/// Rules of a series that begins on that date: numbers are such that some come within the walk.
fn every(first: NaiveDate) -> impl Strategy<Value = Every> {
    let of = prop::sample::select(&[Of::Month, Of::Year, Of::MonthOfYear][..]);
    let weeks = first.ordinal0() as i32 / 7;
    let nth = of.prop_flat_map(move |of| {
        let number = if of == Of::Year {
            prop_oneof![
                weeks.max(1)..=(weeks + 7).min(53),
                (weeks - 53).max(-52)..=(weeks - 46).min(-1)
            ]
        } else {
            prop_oneof![1i32..=5, -4i32..=-1]
        };
        prop::collection::vec((prop::option::weighted(0.6, number), 0usize..7), 1..5)
            .prop_map(move |days| Every::Nth(of, days))
    });
    let number = prop::option::weighted(0.2, prop_oneof![1i32..=5, -4i32..=-1]);
    prop_oneof![
        (1u32..4).prop_map(Every::Days),
        (1u32..3, prop::collection::btree_set(0usize..7, 1..4), number)
            .prop_map(|(n, days, number)| Every::Weeks(n, days, number)),
        (1u32..=31).prop_map(Every::MonthDay),
        nth,
    ]
}

fn series() -> impl Strategy<Value = Series> {
    let time = prop::option::weighted(
        0.8,
        ((0i64..24 * 4).prop_map(|q| q * 15), (1i64..=96).prop_map(|n| n * TICK)),
    );
    let count = prop::option::of(1usize..20);
    let except = (prop::collection::vec(0i64..40, 0..4), any::<bool>());
    let first = (zoned_date(), 0i64..30)
        .prop_map(|((zone, change), before)| (zone, change - TimeDelta::days(before)));
    let first = first.prop_flat_map(|(zone, first)| (Just(zone), Just(first), every(first)));
    (first, time, 1i64..4, count, except, any::<bool>()).prop_map(
        |((zone, first, every), time, length_days, count, except, is_nominal)| Series {
            zone,
            first,
            time,
            length_days,
            every,
            count,
            except: except.0,
            is_except_midnight: except.1,
            is_nominal,
        },
    )
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn series_are_busy_when_a_walk_says_so(series in series()) {
        let walk = Walk::new(series.zone, series.first);
        let expected = series.busy(&walk);
        let window = Span::new(walk.from, walk.from + TimeDelta::days(LOOKED_AT)).unwrap();
        let file = event(&series.lines());
        let times = external_times(file.as_bytes(), window, series.zone, &BTreeSet::new()).unwrap();
        prop_assert_eq!(&times.unclear, &[], "{}", file);
        for (tick, expected) in (0..LOOKED_AT * TICKS_A_DAY).zip(expected) {
            let at = walk.from + TimeDelta::minutes(tick * TICK);
            prop_assert_eq!(times.busy.containing(at).is_some(), expected, "{} at {}", file, at);
        }
    }
}
