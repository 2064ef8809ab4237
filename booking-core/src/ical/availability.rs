//! Weekly availability as a `VAVAILABILITY` (RFC 7953).
//!
//! Each window is an `AVAILABLE` that recurs weekly on the clocks of its zone. A rule says nothing good of a
//! day on which the clocks change within a window: those days are taken out of it (`EXDATE`), and what is
//! available then is said in UTC.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use super::lines::Lines;
use super::{InUtc, OnTheWall, UID_SUFFIX, calendar, time_zone};
use crate::availability::{AvailabilitySlot, WallTime};
use crate::tzdb::local_time;
use crate::zone::{DAY, Seconds, instant, stretches};

/// A therapist's week, and when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Week<'a> {
    /// Names it, for ever.
    pub id: &'a str,
    /// Where its clocks are.
    pub zone: Tz,
    /// Its windows; those that are switched off are left out.
    pub slots: &'a [AvailabilitySlot],
    /// When there was anything to say for the first time.
    pub since: DateTime<Utc>,
    /// When its zone, or anything else that it goes by, was set last.
    pub set_at: Option<DateTime<Utc>>,
    /// Clocks that change are told from the beginning of this instant's year for four years.
    pub now: DateTime<Utc>,
}

impl Week<'_> {
    /// When something was last as it is: itself, and what it goes by.
    fn stamp(&self, changed_at: DateTime<Utc>) -> DateTime<Utc> {
        self.set_at.map_or(changed_at, |set_at| set_at.max(changed_at))
    }
}

/// For how long it is told how clocks change.
const YEARS: i32 = 4;

/// A date on which a window is not as on others.
struct Irregular<'a> {
    slot: &'a AvailabilitySlot,
    date: NaiveDate,
    /// When it is instead.
    open: Vec<Seconds>,
}

/// A week as a calendar. Nobody's notes are in it, nor what is booked already.
#[must_use]
pub fn availability(name: &str, week: &Week<'_>) -> String {
    let today = local_time(week.zone, week.now).date_naive();
    let first = today.with_ordinal(1).unwrap_or(today);
    let last = first.with_year(first.year() + YEARS).unwrap_or(first);
    // Wherever it is; a zone's dates begin a day at most before UTC's.
    let within = Seconds { start: midnight(first) - DAY, end: midnight(last) + DAY };
    let slots = || week.slots.iter().filter(|slot| slot.is_available);
    let irregular: Vec<_> = slots().flat_map(|slot| changes_within(slot, week, within)).collect();
    calendar(name, |lines| {
        time_zone::write(lines, week.zone, within);
        lines.component("VAVAILABILITY", |lines| {
            lines.plain("UID", format_args!("{}{UID_SUFFIX}", week.id));
            let changed = slots().map(|slot| slot.updated_at).max();
            lines.plain("DTSTAMP", InUtc(week.stamp(changed.unwrap_or(week.since))));
            lines.plain("BUSYTYPE", "BUSY-UNAVAILABLE");
            lines.text("SUMMARY", name);
            for slot in slots() {
                weekly(lines, week, slot, first, &irregular);
            }
            for day in &irregular {
                in_utc(lines, week, day);
            }
        });
    })
}

fn weekly(
    lines: &mut Lines,
    week: &Week<'_>,
    slot: &AvailabilitySlot,
    first: NaiveDate,
    irregular: &[Irregular<'_>],
) {
    let ahead = slot.weekday.days_since(first.weekday());
    let date = first.checked_add_days(Days::new(ahead.into())).unwrap_or(first);
    let [start, end] = [slot.window.start(), slot.window.end()].map(|time| on(date, time));
    let property = |name| format!("{name};TZID={}", week.zone.name());
    lines.component("AVAILABLE", |lines| {
        lines.plain("UID", format_args!("{}{UID_SUFFIX}", slot.id));
        lines.plain("DTSTAMP", InUtc(week.stamp(slot.updated_at)));
        lines.plain(&property("DTSTART"), start);
        lines.plain(&property("DTEND"), end);
        lines.plain("RRULE", format_args!("FREQ=WEEKLY;BYDAY={}", day(slot.weekday)));
        for other in irregular.iter().filter(|other| other.slot.id == slot.id) {
            lines.plain(&property("EXDATE"), on(other.date, slot.window.start()));
        }
    });
}

fn in_utc(lines: &mut Lines, week: &Week<'_>, Irregular { slot, date, open }: &Irregular<'_>) {
    for (part, span) in open.iter().enumerate() {
        lines.component("AVAILABLE", |lines| {
            let date = date.format("%Y%m%d");
            lines.plain("UID", format_args!("{}-{date}-{part}{UID_SUFFIX}", slot.id));
            lines.plain("DTSTAMP", InUtc(week.stamp(slot.updated_at)));
            lines.plain("DTSTART", InUtc(instant(span.start)));
            lines.plain("DTEND", InUtc(instant(span.end)));
        });
    }
}

/// The dates on which clocks are set while they show a time of the window.
fn changes_within<'a>(
    slot: &'a AvailabilitySlot,
    week: &Week<'_>,
    within: Seconds,
) -> impl Iterator<Item = Irregular<'a>> + use<'a> {
    let mut before = None;
    let changes = stretches(week.zone, within).filter_map(move |stretch| {
        let change = before.filter(|before| *before != stretch.offset);
        before = Some(stretch.offset);
        Some(Change { at: stretch.seconds.start, from: change?, to: stretch.offset })
    });
    changes.flat_map(move |change| {
        let [low, high] = change.skipped_or_repeated();
        (low.div_euclid(DAY)..=(high - 1).div_euclid(DAY)).filter_map(move |day| {
            let date = NaiveDate::from_epoch_days(i32::try_from(day).ok()?)?;
            let minutes = |time: WallTime| i64::from(time.minutes()) * 60 + day * DAY;
            let [start, end] = [slot.window.start(), slot.window.end()].map(minutes);
            let is_hit = date.weekday() == slot.weekday && start < high && low < end;
            is_hit.then(|| Irregular { slot, date, open: change.open(Seconds { start, end }) })
        })
    })
}

/// Clocks that are set: until a second of UTC they are one offset ahead of it, then another.
#[derive(Clone, Copy)]
struct Change {
    at: i64,
    from: i64,
    to: i64,
}

impl Change {
    /// What clocks never show, or show twice.
    fn skipped_or_repeated(self) -> [i64; 2] {
        let [one, other] = [self.at + self.from, self.at + self.to];
        [one.min(other), one.max(other)]
    }

    /// The seconds of UTC at which clocks show a time of `wall`.
    fn open(self, wall: Seconds) -> Vec<Seconds> {
        let before = Seconds { start: i64::MIN, end: self.at };
        let after = Seconds { start: self.at, end: i64::MAX };
        let before = wall.later_by(-self.from).intersection(before);
        let after = wall.later_by(-self.to).intersection(after);
        match (before, after) {
            (Some(one), Some(other)) if one.end == other.start => {
                vec![Seconds { end: other.end, ..one }]
            }
            (one, other) => one.into_iter().chain(other).collect(),
        }
    }
}

fn midnight(date: NaiveDate) -> i64 {
    date.and_time(NaiveTime::MIN).and_utc().timestamp()
}

/// A time of a day, the end of it included.
fn on(date: NaiveDate, time: WallTime) -> OnTheWall {
    let midnight = date.and_time(NaiveTime::MIN);
    let minutes = TimeDelta::minutes(time.minutes().into());
    OnTheWall(midnight.checked_add_signed(minutes).unwrap_or(midnight))
}

const fn day(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Mon => "MO",
        Weekday::Tue => "TU",
        Weekday::Wed => "WE",
        Weekday::Thu => "TH",
        Weekday::Fri => "FR",
        Weekday::Sat => "SA",
        Weekday::Sun => "SU",
    }
}
