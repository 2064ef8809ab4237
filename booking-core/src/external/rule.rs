//! Recurrence rules (RFC 5545, 3.3.10), expanded by `rrule` on the wall clock: what zone it is, the
//! rule does not know. So no change of clocks is `rrule`'s to deal with.

use chrono::{DateTime, TimeZone as _};
use rrule::{Frequency, RRule, RRuleSet, Tz, Unvalidated};

use super::event::Moment;
use super::values::Written;
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
}

impl Rule {
    /// No rule needs more.
    const LONGEST: usize = 2_048;
    /// Most times of day that a rule may list: every minute.
    const MOST_TIMES: usize = 1_440;

    /// `rrule` reads the parts, but for UNTIL, which it would read as the clock of this machine.
    /// What it lets pass and is not a rule is refused here.
    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        let text = text.trim().to_ascii_uppercase();
        if text.len() > Self::LONGEST || !text.is_ascii() {
            return Err(RuleError::Unreadable);
        }
        let mut until = None;
        let mut parts = Vec::new();
        for part in text.split(';') {
            match part.split_once('=') {
                Some(("UNTIL", value)) if until.is_none() => {
                    until = Some(Written::parse(value).ok_or(RuleError::Unreadable)?);
                }
                Some(("UNTIL", _) | ("COUNT" | "INTERVAL", "0")) => {
                    return Err(RuleError::Unreadable);
                }
                Some(("BYDAY", days)) if !days.split(',').all(is_weekday) => {
                    return Err(RuleError::Unreadable);
                }
                _ => parts.push(part),
            }
        }
        let rule: RRule<Unvalidated> =
            parts.join(";").parse().map_err(|_| RuleError::Unreadable)?;
        let times = [rule.get_by_hour(), rule.get_by_minute(), rule.get_by_second()];
        let times: usize = times.into_iter().map(|times| times.len().max(1)).product();
        if times > Self::MOST_TIMES {
            return Err(RuleError::TooDense);
        }
        Ok(Self { rule, until })
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
        let (mut work, mut before) = (0, start);
        let set = RRuleSet::new(first).rrule(rule).limit();
        let mut found = false;
        for instance in &set {
            let instance = instance.timestamp();
            let step = meter.work(before - start, instance - start);
            (before, found) = (instance, true);
            work += step;
            budget.take(step);
            if work > Budget::RULE || budget.is_spent() {
                return Err(RuleError::TooDense);
            }
            if instance >= from {
                instances.push(instance);
            }
        }
        if let Some(Written::Utc(until)) = self.until {
            let shown = until.div_euclid(DAY) * DAY;
            instances.retain(|instance| {
                zone.instant(*instance) <= until || is_date && *instance <= shown
            });
        }
        budget.take(if found {
            meter.work(before - start, end - start)
        } else {
            Budget::FRUITLESS
        });
        Ok(instances)
    }
}

/// How much a step costs: `rrule` looks at every period of a rule, and at every day of it.
struct Meter {
    period: i64,
    days: u64,
    times: u64,
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
        let times = if rule.get_by_set_pos().is_empty() {
            1
        } else {
            lists.into_iter().map(|times| times.len().max(1) as u64).product()
        };
        let period = seconds * i64::from(rule.get_interval().max(1));
        // Each item of a list is looked at on each day, and each position with all that are found.
        let items = rule.get_by_month().len()
            + rule.get_by_month_day().len()
            + rule.get_by_year_day().len()
            + rule.get_by_week_no().len()
            + rule.get_by_weekday().len()
            + rule.get_by_set_pos().len();
        // A day costs a tenth of a period.
        Self { period, days: (days / 10 + 1) * (items as u64 / Self::FREE_ITEMS + 1), times }
    }

    /// From one instance to the next, in seconds after the start: a period that has several counts once.
    fn work(&self, before: i64, after: i64) -> u64 {
        let periods = after / self.period - before / self.period;
        let periods = u64::try_from(periods).unwrap_or_default();
        (periods.min(100_000) * self.days * self.times).max(1)
    }
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

fn wall(second: i64) -> Option<DateTime<Tz>> {
    Some(Tz::UTC.from_utc_datetime(&DateTime::from_timestamp(second, 0)?.naive_utc()))
}
