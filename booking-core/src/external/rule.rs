//! Recurrence rules (RFC 5545, 3.3.10), expanded by `rrule` on the wall clock: what zone it is, the
//! rule does not know. So no change of clocks is `rrule`'s to deal with.

use chrono::{DateTime, Datelike, NaiveDate, TimeZone as _};
use rrule::{Frequency, NWeekday, RRule, RRuleSet, Tz, Unvalidated};

use super::event::Moment;
use super::values::Written;
use crate::recurrence::is_nth;
use crate::zone::DAY;

/// The work that expansion may still do. Its unit is about one step of `rrule`, some hundred
/// nanoseconds.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
}

/// Why a rule has no instances here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleError {
    /// Not a rule, or not one that we read.
    Unreadable,
    /// More work than one rule may make.
    TooDense,
}

impl Budget {
    /// For one file.
    const FILE: u64 = 2_000_000;
    /// For one rule.
    const RULE: u64 = 100_000;
    /// To begin with a rule.
    const BEGUN: u64 = 20;
    /// `rrule` gives up on a rule after so many steps without an instance.
    const FRUITLESS: u64 = 200_000;

    pub(super) const fn new() -> Self {
        Self { left: Self::FILE }
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    pub(super) fn take(&mut self, work: u64) {
        self.left = self.left.saturating_sub(work);
    }
}

/// A rule that can be expanded.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    rule: RRule<Unvalidated>,
    until: Option<Written>,
    count: Option<u32>,
    /// Days with numbers beside days without, which `rrule` then passes over: `rule` has all of them
    /// without, and these say which are meant.
    mixed: Vec<NWeekday>,
}

impl Rule {
    /// No rule needs more.
    const LONGEST: usize = 2_048;
    /// Most times of day that a rule may list: every minute.
    const MOST_TIMES: usize = 1_440;

    /// `rrule` reads the parts, but for UNTIL, which it would read as the clock of this machine, and for
    /// COUNT, which is of what clocks show. What it lets pass and is not a rule is refused here.
    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        use RuleError::{TooDense, Unreadable};
        let text = text.trim().to_ascii_uppercase();
        if text.len() > Self::LONGEST || !text.is_ascii() {
            return Err(Unreadable);
        }
        let (mut until, mut count) = (None, None);
        let mut parts = Vec::new();
        for part in text.split(';') {
            match part.split_once('=') {
                Some(("UNTIL", value)) if until.is_none() => {
                    until = Some(Written::parse(value).ok_or(Unreadable)?);
                }
                Some(("COUNT", value)) if count.is_none() => {
                    count = Some(value.parse().map_err(|_| Unreadable)?);
                }
                Some(("UNTIL" | "COUNT", _)) => return Err(Unreadable),
                Some(("BYDAY" | "BYWEEKDAY", days)) if !days.split(',').all(is_weekday) => {
                    return Err(Unreadable);
                }
                _ => parts.push(part),
            }
        }
        let rule: RRule<Unvalidated> = parts.join(";").parse().map_err(|_| Unreadable)?;
        if count == Some(0) || rule.get_interval() == 0 {
            return Err(Unreadable);
        }
        let times = [rule.get_by_hour(), rule.get_by_minute(), rule.get_by_second()];
        let times: usize = times.into_iter().map(|times| times.len().max(1)).product();
        if times > Self::MOST_TIMES {
            return Err(TooDense);
        }
        let (rule, mixed) = with_plain_days(rule)?;
        Ok(Self { rule, until, count, mixed })
    }

    /// The instances from `first` until `end`, seconds of the wall clock all: of those before `from`
    /// only the fact that they count. What instant they are matters to an UNTIL that is one; of dates, it
    /// may as well mean the date that it shows in UTC.
    pub(super) fn expand(
        &self,
        first: &Moment,
        (from, end): (i64, i64),
        budget: &mut Budget,
    ) -> Result<Vec<i64>, RuleError> {
        let Moment { civil: start, is_date, ref zone } = *first;
        let until = match self.until {
            Some(Written::Date(day)) => (day + 1) * DAY - 1,
            // Where clocks are set back, the wall may show more a little before than it does then.
            Some(Written::Utc(second)) => zone.civil(second) + DAY,
            Some(Written::Local(second)) => second,
            None => end,
        };
        let end = until.min(end);
        if end < start {
            return Ok(Vec::new());
        }
        if budget.is_spent() {
            return Err(RuleError::TooDense);
        }
        let (Some(first), Some(last)) = (wall(start), wall(end)) else {
            return Err(RuleError::Unreadable);
        };
        let rule = self.rule.clone().until(last);
        let rule = rule.validate(first).map_err(|_| RuleError::Unreadable)?;
        let meter = Meter::of(&self.rule);
        budget.take(Budget::BEGUN);
        let mut instances = Vec::new();
        let (mut work, mut before, mut found) = (0, start, false);
        let mut left = self.count;
        for instance in &RRuleSet::new(first).rrule(rule).limit() {
            let date = instance.date_naive();
            let instance = instance.timestamp();
            let step = meter.work(before - start, instance - start);
            (before, found) = (instance, true);
            work += step;
            budget.take(step);
            if work > Budget::RULE || budget.is_spent() {
                return Err(RuleError::TooDense);
            }
            if !self.names(date) {
                continue;
            }
            if instance >= from {
                instances.push(instance);
            }
            // By RFC 5545 (3.3.10) there is none where the clocks skip it. It may be busy, and does not
            // count.
            if let Some(left) = &mut left
                && (is_date || !zone.skips(instance))
            {
                *left -= 1;
                if *left == 0 {
                    break;
                }
            }
        }
        if let Some(Written::Utc(until)) = self.until {
            let shown = until.div_euclid(DAY) * DAY;
            instances.retain(|instance| {
                zone.instant(*instance) <= until || is_date && *instance <= shown
            });
        }
        budget.take(match (left, found) {
            (Some(0), _) => meter.ahead,
            (_, true) => meter.work(before - start, end - start),
            (_, false) => Budget::FRUITLESS,
        });
        Ok(instances)
    }

    /// Whether a date of `rule` is one of the days that are meant.
    fn names(&self, date: NaiveDate) -> bool {
        let is_in_months =
            self.rule.get_freq() == Frequency::Monthly || !self.rule.get_by_month().is_empty();
        let (day, days) = if is_in_months {
            (date.day(), date.num_days_in_month().into())
        } else {
            (date.ordinal(), if date.leap_year() { 366 } else { 365 })
        };
        let is_it = |wanted: &NWeekday| match *wanted {
            NWeekday::Every(weekday) => weekday == date.weekday(),
            NWeekday::Nth(n, weekday) => weekday == date.weekday() && is_nth(n, day, days),
        };
        self.mixed.is_empty() || self.mixed.iter().any(is_it)
    }
}

/// How much a step costs: `rrule` looks at every period of a rule, and at every day of it.
struct Meter {
    period: i64,
    days: u64,
    times: u64,
    /// Of a period `rrule` finds all instances at once: what that was, when no more are wanted.
    ahead: u64,
}

impl Meter {
    /// More than a rule has that somebody has written: the days of a month, and the months.
    const FREE_ITEMS: u64 = 64;

    fn of(rule: &RRule<Unvalidated>) -> Self {
        let (seconds, days) = match rule.get_freq() {
            Frequency::Yearly => (365 * DAY, 366),
            Frequency::Monthly => (28 * DAY, 31),
            Frequency::Weekly => (7 * DAY, 7),
            Frequency::Daily => (DAY, 1),
            Frequency::Hourly => (3_600, 1),
            Frequency::Minutely => (60, 1),
            Frequency::Secondly => (1, 1),
        };
        // Positions are counted among all times of a period.
        let lists = [rule.get_by_hour(), rule.get_by_minute(), rule.get_by_second()];
        let all_times: u64 = lists.into_iter().map(|times| times.len().max(1) as u64).product();
        let times = if rule.get_by_set_pos().is_empty() { 1 } else { all_times };
        let period = seconds * i64::from(rule.get_interval().max(1));
        // Each item of a list is looked at on each day, and each position with all that are found.
        let items = rule.get_by_month().len()
            + rule.get_by_month_day().len()
            + rule.get_by_year_day().len()
            + rule.get_by_week_no().len()
            + rule.get_by_weekday().len()
            + rule.get_by_set_pos().len();
        // A day costs a tenth of a period.
        let a_period = (days / 10 + 1) * (items as u64 / Self::FREE_ITEMS + 1);
        let ahead = a_period * times + days * (all_times - 1);
        Self { period, days: a_period, times, ahead }
    }

    /// From one instance to the next, in seconds after the start: a period that has several counts once.
    fn work(&self, before: i64, after: i64) -> u64 {
        let periods = after / self.period - before / self.period;
        let periods = u64::try_from(periods).unwrap_or_default();
        (periods.min(100_000) * self.days * self.times).max(1)
    }
}

/// The rule as `rrule` can follow it, and the days that it means if that leaves more. Numbers mean nothing
/// but in months and years (RFC 5545, 3.3.10). Elsewhere they are taken away: `rrule` would make each day of
/// the week of them.
fn with_plain_days(
    rule: RRule<Unvalidated>,
) -> Result<(RRule<Unvalidated>, Vec<NWeekday>), RuleError> {
    let days = rule.get_by_weekday().to_vec();
    let number = |day: &NWeekday| if let NWeekday::Nth(n, _) = day { n.unsigned_abs() } else { 0 };
    let most = match rule.get_freq() {
        Frequency::Monthly => 5,
        Frequency::Yearly if rule.get_by_week_no().is_empty() => 53,
        _ => 0,
    };
    let plain = days.iter().map(|day| match *day {
        NWeekday::Every(weekday) | NWeekday::Nth(_, weekday) => NWeekday::Every(weekday),
    });
    let plain = plain.collect();
    if most == 0 {
        return Ok((rule.by_weekday(plain), vec![]));
    }
    let numbered = days.iter().filter(|day| number(day) > 0).count();
    if numbered == 0 || numbered == days.len() {
        return Ok((rule, vec![]));
    }
    // Positions are counted among those that are meant, which `rrule` then does not know.
    if days.iter().any(|day| number(day) > most) || !rule.get_by_set_pos().is_empty() {
        return Err(RuleError::Unreadable);
    }
    Ok((rule.by_weekday(plain), days))
}

/// `MO`, `-1SU`: `rrule` would take any letters for "every".
fn is_weekday(text: &str) -> bool {
    let Some((number, day)) = text.len().checked_sub(2).map(|at| text.split_at(at)) else {
        return false;
    };
    let number = number.strip_prefix(['+', '-']).unwrap_or(number);
    let is_day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].contains(&day);
    is_day && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[expect(clippy::disallowed_methods, reason = "of UTC")]
fn wall(second: i64) -> Option<DateTime<Tz>> {
    Some(Tz::UTC.from_utc_datetime(&DateTime::from_timestamp(second, 0)?.naive_utc()))
}
