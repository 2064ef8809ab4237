//! Rules by which sessions recur: RFC 5545's `RRULE`, as far as a practice has use for it.
//!
//! A rule is about dates on the therapist's calendar. The [`rrule`] crate says which, in plain dates
//! without a zone; what the clocks show on each of them is for [`zone`](crate::zone), as everywhere.

mod text;

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use rrule::{Frequency, NWeekday, RRule, RRuleSet};
use serde::{Deserialize, Serialize};

use crate::instant::StartTime;
use crate::refusal::Refusal;
use crate::zone::{Clocks, DAY, Shown, instant};

pub use text::InvalidRecurrence;

/// A rule: how often, on which days, and until when.
///
/// `FREQ` (`DAILY`, `WEEKLY` or `MONTHLY`), with `INTERVAL`, `BYDAY`, `BYMONTHDAY` and `WKST`, and one
/// of `COUNT` and `UNTIL`. Everything else is refused by its name.
///
/// ```
/// use booking_core::Recurrence;
///
/// let rule: Recurrence = "RRULE:FREQ=WEEKLY;COUNT=12;BYDAY=TH,MO".parse()?;
/// assert_eq!(rule.to_string(), "FREQ=WEEKLY;COUNT=12;BYDAY=MO,TH");
///
/// let endless = "FREQ=DAILY".parse::<Recurrence>().unwrap_err();
/// assert_eq!(endless.to_string(), "COUNT or UNTIL is required: a series has an end");
/// # Ok::<(), booking_core::InvalidRecurrence>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Recurrence {
    every: Every,
    interval: u16,
    end: End,
    /// Sorted; with the number of the weekday within the month, from its end if negative.
    days: Vec<(i8, Weekday)>,
    /// Sorted; from the end of the month if negative.
    month_days: Vec<i8>,
    week_start: Weekday,
}

/// When the sessions of a series begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrences {
    /// At least one, and at most [`Recurrence::MOST`]; earliest first.
    pub starts: Vec<StartTime>,
    /// Dates of the rule on which the clocks never show the time: they are set forward past it. By
    /// RFC 5545 (3.3.10) there is no session on them, and they do not count.
    pub skipped: Vec<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Day,
    Week,
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Count(u32),
    /// That date, on the therapist's calendar, still counts.
    Date(NaiveDate),
    /// That instant still counts.
    Instant(DateTime<Utc>),
}

/// In which years series may begin: later than the last offset that was no whole minute, and so that
/// RFC 3339 can write all of their sessions.
const YEARS: std::ops::RangeInclusive<i32> = 1980..=9990;

const TOO_FAR: Refusal =
    Refusal::Invalid { field: "startTime", detail: "must be in the years 1980 to 9990" };
const OFF_THE_RULE: Refusal =
    Refusal::Invalid { field: "startTime", detail: "must be on a day of the rule" };
const OVER_BEFORE: Refusal =
    Refusal::Invalid { field: "rule", detail: "must not end before startTime" };
const TOO_LONG: Refusal =
    Refusal::Invalid { field: "rule", detail: "must end within two years of startTime" };
const TOO_MANY: Refusal =
    Refusal::Invalid { field: "rule", detail: "must come to at most 104 sessions" };
const NOT_TO_FOLLOW: Refusal =
    Refusal::Invalid { field: "rule", detail: "must be one that can be followed" };
const NOTHING_LEFT: Refusal =
    Refusal::Invalid { field: "exDates", detail: "must leave at least one session" };

impl Recurrence {
    /// The most sessions of one series: two a week for a year, or one for two.
    pub const MOST: u32 = 104;

    /// The last session of a series is at most so many days after its first.
    pub const LONGEST_DAYS: i64 = 731;

    /// The longest text of a rule, in characters.
    pub const MAX_CHARS: usize = 255;

    /// The sessions of a series that begins at `first`, in a zone, without those on the dates
    /// `except`, which count towards `COUNT` all the same. On each date of the rule the clocks show
    /// what they show at `first`; where they show it twice, the session is at the first of the two.
    ///
    /// However the rule is made, it costs no more than walking through [`Self::LONGEST_DAYS`].
    ///
    /// # Errors
    /// [`Refusal::Invalid`], by the fields of a request: where `first` is no session of the rule,
    /// where there is none at all, and where there are too many, or they take too long.
    pub fn occurrences(
        &self,
        first: StartTime,
        zone: Tz,
        except: &BTreeSet<NaiveDate>,
    ) -> Result<Occurrences, Refusal> {
        let second = first.instant().timestamp();
        let offset = Clocks::near(zone, second).at(second).offset;
        let (today, time) = ((second + offset).div_euclid(DAY), (second + offset).rem_euclid(DAY));
        let date = i32::try_from(today).ok().and_then(NaiveDate::from_epoch_days);
        let date = date.filter(|date| YEARS.contains(&date.year())).ok_or(TOO_FAR)?;
        if !self.falls_on(date) {
            return Err(OFF_THE_RULE);
        }
        let mut found = Occurrences { starts: Vec::new(), skipped: Vec::new() };
        let mut count = 0;
        for day in self.dates(date)? {
            let shown = if day == date {
                Shown::At(second)
            } else {
                let clocks = Clocks::near_day(zone, day.to_epoch_days().into()).ok_or(TOO_FAR)?;
                clocks.shown(day.to_epoch_days().into(), time)
            };
            let (Shown::At(second) | Shown::Skipped(second)) = shown;
            if self.is_over(day, instant(second)) {
                return found.or_nothing(count);
            }
            if (day - date).num_days() > Self::LONGEST_DAYS {
                return Err(TOO_LONG);
            }
            let Shown::At(_) = shown else {
                found.skipped.push(day);
                continue;
            };
            count += 1;
            if count > Self::MOST {
                return Err(TOO_MANY);
            }
            if !except.contains(&day) {
                found.starts.push(StartTime::new(instant(second)).map_err(|_| TOO_FAR)?);
            }
            if self.end == End::Count(count) {
                return found.or_nothing(count);
            }
        }
        Err(TOO_LONG)
    }

    /// The dates of the rule from one of them on, without an end.
    #[expect(clippy::disallowed_methods, reason = "of UTC")]
    fn dates(&self, first: NaiveDate) -> Result<impl Iterator<Item = NaiveDate>, Refusal> {
        let midnight = rrule::Tz::UTC.from_utc_datetime(&first.and_time(NaiveTime::MIN));
        // The numbers of days are looked at below: beside days without, the crate passes over some.
        let days = self.days.iter().map(|(_, day)| NWeekday::Every(*day));
        let rule = RRule::new(match self.every {
            Every::Day => Frequency::Daily,
            Every::Week => Frequency::Weekly,
            Every::Month => Frequency::Monthly,
        })
        .interval(self.interval)
        .by_weekday(days.collect())
        .by_month_day(self.month_days.clone())
        .week_start(self.week_start)
        .validate(midnight);
        let rule = rule.map_err(|_| NOT_TO_FOLLOW)?;
        // Its own limit on its work as well. Ours is that the first date is one of the rule's: what
        // comes once comes again, before long.
        let set = RRuleSet::new(midnight).rrule(rule).limit();
        Ok(set.into_iter().map(|date| date.date_naive()).filter(|date| self.falls_on(*date)))
    }

    /// Whether a date is one of the days that the rule names.
    fn falls_on(&self, date: NaiveDate) -> bool {
        let (day, weekday) = (date.day(), date.weekday());
        let left = u32::from(date.num_days_in_month()) - day;
        let is_nth = |n: i8| is_nth(n.into(), day, day + left);
        let is_day_of_month = |n: &i8| {
            let wanted = u32::from(n.unsigned_abs());
            if *n > 0 { wanted == day } else { wanted == left + 1 }
        };
        (self.days.is_empty() || self.days.iter().any(|(n, day)| *day == weekday && is_nth(*n)))
            && (self.month_days.is_empty() || self.month_days.iter().any(is_day_of_month))
    }

    fn is_over(&self, day: NaiveDate, start: DateTime<Utc>) -> bool {
        match self.end {
            End::Count(_) => false,
            End::Date(last) => last < day,
            End::Instant(last) => last < start,
        }
    }
}

/// Whether a day, counted from 1, of a month or year of so many is the `n`th of its weekday, from the
/// end if that is negative; each of them is, if it is 0.
pub(crate) fn is_nth(n: i16, day: u32, of: u32) -> bool {
    let number = u32::from(n.unsigned_abs());
    match n {
        0 => true,
        1.. => number == day.div_ceil(7),
        ..0 => number == (of - day) / 7 + 1,
    }
}

impl Occurrences {
    fn or_nothing(self, count: u32) -> Result<Self, Refusal> {
        match (self.starts.is_empty(), count) {
            (false, _) => Ok(self),
            (true, 0) => Err(OVER_BEFORE),
            (true, _) => Err(NOTHING_LEFT),
        }
    }
}
