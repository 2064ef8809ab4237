//! Rules as text.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, Weekday};

use super::{End, Every, Recurrence};

/// A text that is no rule, or none of those that can be booked by: says which part is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRecurrence(String);

/// Days of the week by their names, in the order of RFC 5545's weeks.
const DAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Mon),
    ("TU", Weekday::Tue),
    ("WE", Weekday::Wed),
    ("TH", Weekday::Thu),
    ("FR", Weekday::Fri),
    ("SA", Weekday::Sat),
    ("SU", Weekday::Sun),
];

/// What a rule may be made of.
const PARTS: [&str; 7] = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "WKST"];

const DATE: &str = "%Y%m%d";
const INSTANT: &str = "%Y%m%dT%H%M%SZ";

/// The values of a rule's parts, in the order of [`PARTS`].
#[derive(Default)]
struct Parts<'a>([Option<&'a str>; PARTS.len()]);

impl<'a> Parts<'a> {
    fn of(rule: &'a str) -> Result<Self, InvalidRecurrence> {
        let mut parts = Self::default();
        for part in rule.split(';') {
            let shaped = part.split_once('=').filter(|(name, _)| {
                let is_letter = |c: char| c.is_ascii_alphabetic() || c == '-';
                !name.is_empty() && name.chars().all(is_letter)
            });
            let (name, value) =
                shaped.ok_or_else(|| wrong("must be parts NAME=VALUE, with a ; between them"))?;
            let place = PARTS.iter().position(|known| *known == name).ok_or_else(|| {
                wrong(format!("{name} is not supported: a rule is made of {}", PARTS.join(", ")))
            })?;
            if parts.0[place].replace(value).is_some() {
                return Err(wrong(format!("{name} is there twice")));
            }
        }
        Ok(parts)
    }
}

impl FromStr for Recurrence {
    type Err = InvalidRecurrence;

    fn from_str(text: &str) -> Result<Self, InvalidRecurrence> {
        if text.len() > Self::MAX_CHARS || !text.is_ascii() {
            return Err(wrong(format!("must have at most {} ASCII characters", Self::MAX_CHARS)));
        }
        let text = text.to_ascii_uppercase();
        let Parts([freq, interval, count, until, days, month_days, week_start]) =
            Parts::of(text.strip_prefix("RRULE:").unwrap_or(&text))?;
        let every = match freq.ok_or_else(|| wrong("FREQ is required"))? {
            "DAILY" => Every::Day,
            "WEEKLY" => Every::Week,
            "MONTHLY" => Every::Month,
            _ => return Err(wrong("FREQ must be DAILY, WEEKLY or MONTHLY")),
        };
        let week_start = week_start.map_or(Ok(Weekday::Mon), |day| {
            weekday(day).ok_or_else(|| wrong("WKST must be a day: MO, TU, WE, TH, FR, SA or SU"))
        })?;
        Ok(Self {
            every,
            interval: interval.map_or(Ok(1), |text| interval_of(text, every))?,
            end: end_of(count, until)?,
            days: days.map_or(Ok(vec![]), |list| days_of(list, every))?,
            month_days: month_days.map_or(Ok(vec![]), |list| month_days_of(list, every))?,
            week_start,
        })
    }
}

/// In a form of its own: rules that are equal have the same.
impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.every {
            Every::Day => "FREQ=DAILY",
            Every::Week => "FREQ=WEEKLY",
            Every::Month => "FREQ=MONTHLY",
        })?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        match self.end {
            End::Count(count) => write!(f, ";COUNT={count}")?,
            End::Date(last) => write!(f, ";UNTIL={}", last.format(DATE))?,
            End::Instant(last) => write!(f, ";UNTIL={}", last.format(INSTANT))?,
        }
        if !self.days.is_empty() {
            let day = |(n, day): &(i8, Weekday)| match n {
                0 => name(*day).to_owned(),
                n => format!("{n}{}", name(*day)),
            };
            let days: Vec<String> = self.days.iter().map(day).collect();
            write!(f, ";BYDAY={}", days.join(","))?;
        }
        if !self.month_days.is_empty() {
            let days: Vec<String> = self.month_days.iter().map(i8::to_string).collect();
            write!(f, ";BYMONTHDAY={}", days.join(","))?;
        }
        if self.week_start != Weekday::Mon {
            write!(f, ";WKST={}", name(self.week_start))?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Recurrence {
    type Error = InvalidRecurrence;

    fn try_from(text: String) -> Result<Self, InvalidRecurrence> {
        text.parse()
    }
}

impl From<Recurrence> for String {
    fn from(rule: Recurrence) -> Self {
        rule.to_string()
    }
}

/// As far apart as two sessions of one series can be.
fn interval_of(text: &str, every: Every) -> Result<u16, InvalidRecurrence> {
    let most = match every {
        Every::Day => 731,
        Every::Week => 104,
        Every::Month => 24,
    };
    let interval = digits(text).and_then(|text| text.parse().ok());
    let fits = interval.filter(|interval| (1..=most).contains(interval));
    fits.ok_or_else(|| wrong(format!("INTERVAL must be 1 to {most} with this FREQ")))
}

fn end_of(count: Option<&str>, until: Option<&str>) -> Result<End, InvalidRecurrence> {
    match (count, until) {
        (None, None) => Err(wrong("COUNT or UNTIL is required: a series has an end")),
        (Some(_), Some(_)) => Err(wrong("COUNT and UNTIL exclude each other")),
        (Some(count), None) => {
            let count = digits(count).and_then(|count| count.parse().ok());
            let fits = count.filter(|count| (1..=Recurrence::MOST).contains(count));
            let told = || wrong(format!("COUNT must be 1 to {}", Recurrence::MOST));
            fits.map(End::Count).ok_or_else(told)
        }
        (None, Some(until)) => until_of(until).ok_or_else(|| {
            wrong("UNTIL must be a date (20241231) or an instant of UTC (20241231T235959Z)")
        }),
    }
}

fn until_of(text: &str) -> Option<End> {
    // chrono reads signs, spaces and single digits too: what it writes again is what we mean.
    let date = NaiveDate::parse_from_str(text, DATE).ok();
    let date = date.filter(|date| date.format(DATE).to_string() == text).map(End::Date);
    let instant = || {
        let instant = NaiveDateTime::parse_from_str(text, INSTANT).ok()?.and_utc();
        // A leap second, too, is written back.
        let is_second = instant.timestamp_subsec_nanos() == 0;
        (is_second && instant.format(INSTANT).to_string() == text).then_some(End::Instant(instant))
    };
    date.or_else(instant)
}

fn days_of(list: &str, every: Every) -> Result<Vec<(i8, Weekday)>, InvalidRecurrence> {
    const TOLD: &str = "BYDAY must be days such as MO,WE";
    let mut days = Vec::new();
    for item in list.split(',') {
        let (number, day) =
            item.split_at_checked(item.len().wrapping_sub(2)).ok_or_else(|| wrong(TOLD))?;
        let day = weekday(day).ok_or_else(|| wrong(TOLD))?;
        let number = match (number, every) {
            ("", _) => 0,
            (number, Every::Month) => signed(number, 5).ok_or_else(|| {
                wrong("BYDAY takes numbers from 1 to 5, or from the month's end -1 to -5")
            })?,
            _ => return Err(wrong("BYDAY takes numbers with FREQ=MONTHLY alone")),
        };
        days.push((number, day));
    }
    days.sort_by_key(|(number, day)| (*number, day.num_days_from_monday()));
    days.dedup();
    Ok(days)
}

fn month_days_of(list: &str, every: Every) -> Result<Vec<i8>, InvalidRecurrence> {
    if every != Every::Month {
        return Err(wrong("BYMONTHDAY comes with FREQ=MONTHLY alone"));
    }
    let days: Option<Vec<i8>> = list.split(',').map(|day| signed(day, 31)).collect();
    let mut days = days.ok_or_else(|| {
        wrong("BYMONTHDAY must be days from 1 to 31, or from the month's end -1 to -31")
    })?;
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

fn signed(text: &str, most: i8) -> Option<i8> {
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let number: i8 = digits(number)?.parse().ok()?;
    (1..=most).contains(&number).then_some(sign * number)
}

fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

fn weekday(text: &str) -> Option<Weekday> {
    DAYS.iter().find(|(name, _)| *name == text).map(|(_, day)| *day)
}

fn name(day: Weekday) -> &'static str {
    DAYS[day.num_days_from_monday() as usize].0
}

fn wrong(what: impl Into<String>) -> InvalidRecurrence {
    InvalidRecurrence(what.into())
}
