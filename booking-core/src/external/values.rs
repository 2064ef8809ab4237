//! The values of iCalendar that say when: dates, times, durations, offsets (RFC 5545, 3.3).

use chrono::{NaiveDate, NaiveTime};

use crate::zone::DAY;

/// A date or a time as it is written. Seconds and days are of the wall clock, counted as if it were
/// that of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Days from 1970-01-01.
    Date(i64),
    /// With `Z`.
    Utc(i64),
    /// Without: the wall clock of whatever zone it is in.
    Local(i64),
}

impl Written {
    /// `20240923`, `20240923T090000` or `20240923T090000Z`; which of them, its form says.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some((date, time)) = text.split_once(['T', 't']) else {
            return Some(Self::Date(date_days(text)?));
        };
        let (time, is_utc) = match time.strip_suffix(['Z', 'z']) {
            Some(time) => (time, true),
            None => (time, false),
        };
        let second = date_days(date)? * DAY + seconds_of_day(time)?;
        Some(if is_utc { Self::Utc(second) } else { Self::Local(second) })
    }
}

fn date_days(text: &str) -> Option<i64> {
    let [year, month, day] = digits(text, [4, 2, 2])?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(i64::from(date.to_epoch_days()))
}

/// A leap second is taken for the one before it.
fn seconds_of_day(text: &str) -> Option<i64> {
    let [hour, minute, second] = digits(text, [2, 2, 2])?;
    let second = if second == 60 { 59 } else { second };
    NaiveTime::from_hms_opt(hour, minute, second)?;
    Some(i64::from(hour * 3_600 + minute * 60 + second))
}

/// Cuts a text of digits, and of nothing else, into numbers of fixed width.
fn digits<const N: usize>(text: &str, widths: [usize; N]) -> Option<[u32; N]> {
    let is_whole =
        text.len() == widths.iter().sum::<usize>() && text.bytes().all(|b| b.is_ascii_digit());
    let mut rest = is_whole.then_some(text)?;
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let (first, others) = rest.split_at(width);
        *number = first.parse().ok()?;
        rest = others;
    }
    Some(numbers)
}

/// A duration: days move the wall clock, seconds pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duration {
    pub(super) days: i64,
    pub(super) seconds: i64,
}

impl Duration {
    /// What is longer is as long: it ends after all that can be written, and can still be counted with.
    const MOST_DAYS: i64 = 10_000 * 366;

    /// `P1W`, `P2DT3H`, `-PT15M`; RFC 5545, 3.3.6.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (sign, text) = match text.strip_prefix('-') {
            Some(text) => (-1, text),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let text = text.strip_prefix(['P', 'p']).filter(|parts| !parts.is_empty())?;
        let (dates, times) = match text.split_once(['T', 't']) {
            Some((dates, times)) if !times.is_empty() => (dates, times),
            Some(_) => return None,
            None => (text, ""),
        };
        let days = sum(dates, [('W', 7), ('D', 1), ('D', 1)])?.min(Self::MOST_DAYS);
        let seconds = sum(times, [('H', 3_600), ('M', 60), ('S', 1)])?.min(Self::MOST_DAYS * DAY);
        Some(Self { days: sign * days, seconds: sign * seconds })
    }
}

/// Numbers with a unit after each, added up; as much as there is, if it is more than that.
fn sum(text: &str, units: [(char, i64); 3]) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| (1..=9).contains(end))?;
        let (number, after) = rest.split_at(end);
        let unit = after.chars().next()?;
        let (_, worth) = units.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(&unit))?;
        total = total.saturating_add(number.parse::<i64>().ok()?.saturating_mul(worth));
        rest = &after[unit.len_utf8()..];
    }
    Some(total)
}

/// `+0100`, `-033015`: what the wall clock is ahead of UTC, in seconds; less than a day.
pub(super) fn offset(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, clock) = match text.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let seconds = match clock.len() {
        4 => seconds_of_day(&format!("{clock}00"))?,
        _ => seconds_of_day(clock)?,
    };
    Some(sign * seconds)
}
