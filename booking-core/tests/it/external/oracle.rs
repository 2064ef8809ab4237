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
    /// On these, from Monday.
    Weeks(u32, BTreeSet<usize>),
    MonthDay(u32),
    /// The first to fourth, or the last.
    Nth(i32, usize),
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
    is_nominal: bool,
}

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Series {
    fn lines(&self) -> String {
        let rule = match &self.every {
            Every::Days(n) => format!("FREQ=DAILY;INTERVAL={n}"),
            Every::Weeks(n, days) => {
                let days: Vec<&str> = days.iter().map(|day| DAYS[*day]).collect();
                format!("FREQ=WEEKLY;INTERVAL={n};BYDAY={}", days.join(","))
            }
            Every::MonthDay(day) => format!("FREQ=MONTHLY;BYMONTHDAY={day}"),
            Every::Nth(nth, day) => format!("FREQ=MONTHLY;BYDAY={nth}{}", DAYS[*day]),
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
            lines += &format!("\nEXDATE{}", write(self.civil(self.first + TimeDelta::days(*day))));
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
            Every::Weeks(n, days) => {
                let into = i64::from(self.first.weekday().num_days_from_monday());
                let week = (since + into).div_euclid(7);
                week % i64::from(*n) == 0
                    && days.contains(&(date.weekday().num_days_from_monday() as usize))
            }
            Every::MonthDay(day) => date.day() == *day,
            Every::Nth(nth, day) => {
                let is_last = (date + TimeDelta::days(7)).month() != date.month();
                let number = (date.day() as i32 - 1) / 7 + 1;
                date.weekday().num_days_from_monday() as usize == *day
                    && (*nth == number || *nth == -1 && is_last)
            }
        }
    }

    /// The ticks of the walk that are busy.
    fn busy(&self, walk: &Walk) -> Vec<bool> {
        let mut busy = vec![false; walk.civil.len()];
        let mut left = self.count.unwrap_or(usize::MAX);
        let mut date = self.first;
        let mut is_first = true;
        while date < self.first + TimeDelta::days(LOOKED_AT) && left > 0 {
            let counts = self.means(date);
            left -= usize::from(counts);
            let is_out = self.except.iter().any(|day| self.first + TimeDelta::days(*day) == date);
            if (counts || is_first) && !is_out {
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

fn series() -> impl Strategy<Value = Series> {
    let every = prop_oneof![
        (1u32..4).prop_map(Every::Days),
        (1u32..3, prop::collection::btree_set(0usize..7, 1..4))
            .prop_map(|(n, days)| Every::Weeks(n, days)),
        (1u32..=31).prop_map(Every::MonthDay),
        (prop_oneof![1i32..5, Just(-1)], 0usize..7).prop_map(|(nth, day)| Every::Nth(nth, day)),
    ];
    let time = prop::option::weighted(
        0.8,
        ((0i64..24 * 4).prop_map(|q| q * 15), (1i64..=96).prop_map(|n| n * TICK)),
    );
    let count = prop::option::of(1usize..20);
    let except = prop::collection::vec(0i64..40, 0..4);
    (zoned_date(), 0i64..30, time, 1i64..4, every, count, except, any::<bool>()).prop_map(
        |((zone, change), before, time, length_days, every, count, except, is_nominal)| Series {
            zone,
            first: change - TimeDelta::days(before),
            time,
            length_days,
            every,
            count,
            except,
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
