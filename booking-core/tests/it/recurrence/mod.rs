//! Rules by which sessions recur, against a walk through every day.

mod tables;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use booking_core::tzdb::local_time;
use booking_core::{Occurrences, Recurrence, Refusal, StartTime};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::strategies::{cases, shown_at, zoned_date};

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// The parts of a rule, as the oracle takes them.
#[derive(Debug, Clone)]
struct Rule {
    every: &'static str,
    interval: u32,
    /// Either so many, or up to so many days from the first.
    end: Result<u32, i64>,
    days: Vec<(i8, Weekday)>,
    month_days: Vec<i8>,
    week_start: Weekday,
}

const WEEK: [(&str, Weekday); 7] = [
    ("MO", Weekday::Mon),
    ("TU", Weekday::Tue),
    ("WE", Weekday::Wed),
    ("TH", Weekday::Thu),
    ("FR", Weekday::Fri),
    ("SA", Weekday::Sat),
    ("SU", Weekday::Sun),
];

fn name(day: Weekday) -> &'static str {
    WEEK[day.num_days_from_monday() as usize].0
}

impl Rule {
    fn text(&self, first: NaiveDate) -> String {
        let mut text = format!("FREQ={};INTERVAL={}", self.every, self.interval);
        text += &match self.end {
            Ok(count) => format!(";COUNT={count}"),
            Err(days) => format!(";UNTIL={}", (first + TimeDelta::days(days)).format("%Y%m%d")),
        };
        if !self.days.is_empty() {
            let day = |(n, day): &(i8, Weekday)| match n {
                0 => name(*day).to_owned(),
                n => format!("{n}{}", name(*day)),
            };
            text += &format!(";BYDAY={}", self.days.iter().map(day).collect::<Vec<_>>().join(","));
        }
        if !self.month_days.is_empty() {
            let days: Vec<String> = self.month_days.iter().map(ToString::to_string).collect();
            text += &format!(";BYMONTHDAY={}", days.join(","));
        }
        text + &format!(";WKST={}", name(self.week_start))
    }

    /// Whether a date is one of the rule's, by the words of RFC 5545 and nothing else.
    fn has(&self, first: NaiveDate, day: NaiveDate) -> bool {
        let between = (day - first).num_days();
        let week_of = |day: NaiveDate| {
            day - TimeDelta::days(day.weekday().days_since(self.week_start).into())
        };
        let month_of = |day: NaiveDate| i64::from(day.year()) * 12 + i64::from(day.month());
        let (units, is_usual_day) = match self.every {
            "DAILY" => (between, true),
            "WEEKLY" => {
                ((week_of(day) - week_of(first)).num_days() / 7, day.weekday() == first.weekday())
            }
            _ => (month_of(day) - month_of(first), day.day() == first.day()),
        };
        units % i64::from(self.interval) == 0
            && if self.days.is_empty() && self.month_days.is_empty() {
                is_usual_day
            } else {
                self.names(day)
            }
    }

    fn names(&self, day: NaiveDate) -> bool {
        let in_month = |day: &NaiveDate, other: NaiveDate| day.month() == other.month();
        let weeks = |from: NaiveDate, step: i64| {
            let mut n = 0;
            let mut other = from;
            while in_month(&other, from) {
                n += 1;
                other += TimeDelta::days(7 * step);
            }
            n
        };
        let is_nth = |n: i8| match n {
            0 => true,
            // So many of that weekday up to it, or from it on.
            n if n > 0 => weeks(day, -1) == n,
            n => weeks(day, 1) == -n,
        };
        let is_day = |n: &i8| {
            let last =
                (0..31).map(|n| day + Days::new(n)).take_while(|other| in_month(other, day)).last();
            let left = i64::from(last.expect("this day").day()) - i64::from(day.day());
            i64::from(*n) == i64::from(day.day()) || i64::from(*n) == -left - 1
        };
        (self.days.is_empty() || self.days.iter().any(|(n, of)| *of == day.weekday() && is_nth(*n)))
            && (self.month_days.is_empty() || self.month_days.iter().any(is_day))
    }

    /// Day by day.
    fn walk(
        &self,
        first: DateTime<Utc>,
        zone: Tz,
        except: &BTreeSet<NaiveDate>,
    ) -> Result<Occurrences, &'static str> {
        let local = local_time(zone, first).naive_local();
        let (begins, time) = (local.date(), local.time());
        if !self.names(begins) {
            return Err("startTime");
        }
        let mut found = Occurrences { starts: vec![], skipped: vec![] };
        let mut count = 0;
        // On the last of these days nothing begins any more, but what has ended has.
        for n in 0..=732 {
            let day = begins + TimeDelta::days(n);
            if matches!(self.end, Err(last) if n > last) {
                return if found.starts.is_empty() { Err("exDates") } else { Ok(found) };
            }
            if n == 732 || !self.has(begins, day) {
                continue;
            }
            let shown = if n == 0 {
                Some(first)
            } else {
                shown_at(zone, day.and_time(time)).first().copied()
            };
            let Some(start) = shown else {
                found.skipped.push(day);
                continue;
            };
            count += 1;
            if count > 104 {
                return Err("rule");
            }
            if !except.contains(&day) {
                found.starts.push(StartTime::new(start).expect("a whole minute"));
            }
            if self.end == Ok(count) {
                return if found.starts.is_empty() { Err("exDates") } else { Ok(found) };
            }
        }
        Err("rule")
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let day = || select(WEEK.map(|(_, day)| day).to_vec());
    let numbered = (prop_oneof![2 => Just(0_i8), 1 => 1..=5_i8, 1 => -5..=-1_i8], day());
    let month_day = prop_oneof![1..=31_i8, -31..=-1_i8];
    let end = prop_oneof![(1..=104_u32).prop_map(Ok), (0..=731_i64).prop_map(Err)];
    let common = || (prop_oneof![3 => 1..=3_u32, 1 => 1..=24_u32], end.clone(), day());
    let daily = (common(), vec(day(), 0..4))
        .prop_map(|(c, days)| ("DAILY", c, days.into_iter().map(|d| (0, d)).collect(), vec![]));
    let weekly = (common(), vec(day(), 0..4))
        .prop_map(|(c, days)| ("WEEKLY", c, days.into_iter().map(|d| (0, d)).collect(), vec![]));
    let monthly = (common(), vec(numbered, 0..4), vec(month_day, 0..3))
        .prop_map(|(c, days, month_days)| ("MONTHLY", c, days, month_days));
    prop_oneof![daily, weekly, monthly].prop_map(
        |(every, (interval, end, week_start), days, month_days)| Rule {
            every,
            interval,
            end,
            days,
            month_days,
            week_start,
        },
    )
}

proptest! {
    #![proptest_config(cases(600))]

    /// What the library says is what one finds who looks at every day; in zones of all kinds, and
    /// mostly around the days on which their clocks change.
    #[test]
    fn rules_come_to_what_a_walk_comes_to(
        rule in rule(),
        (zone, near) in zoned_date(),
        ago in 0..400_u64,
        minute in prop_oneof![0..1_440_i64, 0..240_i64],
        is_on_the_rule in prop::bool::weighted(0.95),
        except in option::of(btree_set(0..60_i64, 0..8)),
    ) {
        let near = near.max(date("1980-01-01") + Days::new(1_000)) - Days::new(ago);
        // Mostly a day of the rule.
        let mut begins = (0..400).map(|n| near + Days::new(n)).find(|day| rule.names(*day)).unwrap_or(near);
        if !is_on_the_rule {
            begins = near;
        }
        let time = NaiveTime::MIN + TimeDelta::minutes(minute);
        let Some(&first) = shown_at(zone, begins.and_time(time)).first() else {
            return Ok(());
        };
        let except: BTreeSet<NaiveDate> =
            except.into_iter().flatten().map(|days| begins + TimeDelta::days(days)).collect();
        let text = rule.text(begins);
        let parsed: Recurrence = text.parse().expect("a rule");
        prop_assert_eq!(parsed.to_string().parse::<Recurrence>().expect("its own form"), parsed.clone());
        let found = parsed.occurrences(StartTime::new(first).expect("a minute"), zone, &except);
        let found = found.map_err(|refusal| match refusal {
            Refusal::Invalid { field, .. } => field,
            other => panic!("{other}"),
        });
        prop_assert_eq!(found, rule.walk(first, zone, &except), "{} from {} in {}", text, first, zone);
    }

    /// Whatever is sent as a rule, it is read or refused; what is read is worked out in no time, from
    /// any instant in any zone.
    #[test]
    fn no_text_is_too_much(
        text in prop_oneof![
            "(RRULE:)?(FREQ|COUNT|UNTIL|INTERVAL|BYDAY|BYMONTHDAY|WKST|BYSETPOS)=[A-Z0-9,+-]{0,12}(;(FREQ|COUNT|UNTIL|INTERVAL|BYDAY|BYMONTHDAY|WKST)=[A-Z0-9,+-]{0,20}){0,6}",
            "FREQ=(DAILY|WEEKLY|MONTHLY);(COUNT=[0-9]{1,10}|UNTIL=[0-9]{4}12(31|31T235959Z));INTERVAL=[0-9]{1,5}(;BYMONTHDAY=-?[0-9]{1,2})?(;BYDAY=[+-]?[1-5]?(MO|FR|SU))?",
            any::<String>(),
        ],
        second in prop_oneof![-62_167_219_200_i64..253_402_300_800, 0..4_000_000_000_i64],
        zone in select(chrono_tz::TZ_VARIANTS.to_vec()),
    ) {
        let Ok(rule) = text.parse::<Recurrence>() else { return Ok(()) };
        let first = DateTime::from_timestamp(second - second.rem_euclid(60), 0).expect("in range");
        let first = StartTime::new(first).expect("a whole minute");
        let began = Instant::now();
        if let Ok(found) = rule.occurrences(first, zone, &BTreeSet::new()) {
            prop_assert!((1..=104).contains(&found.starts.len()));
            prop_assert!(found.skipped.len() <= 731);
            prop_assert_eq!(found.starts[0], first);
            prop_assert!(found.starts.is_sorted_by(|one, next| one < next));
            let last = found.starts[found.starts.len() - 1].instant();
            prop_assert!(last - first.instant() <= TimeDelta::days(Recurrence::LONGEST_DAYS + 2));
        }
        // Milliseconds, unoptimized; a rule that is walked to the end of time takes minutes.
        prop_assert!(began.elapsed() < Duration::from_mins(1), "{text}");
    }
}
