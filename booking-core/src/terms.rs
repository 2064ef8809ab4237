//! What has to hold of a start beyond hours and meetings: a therapist's settings, as far as one
//! calendar is concerned.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use crate::duration::Durations;
use crate::instant::UtcDate;
use crate::refusal::Refusal;
use crate::settings::{Horizon, Notice, Settings, SlotInterval};
use crate::zone::{Clocks, seconds_up};

/// The rules of a [`Calendar`](crate::Calendar), which are the contract's unless a therapist has set
/// others. What is kept free between meetings is part of what is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// From one start to the next.
    pub interval: SlotInterval,
    /// How long sessions may be.
    pub durations: Durations,
    /// How long before it begins a session has to be booked.
    pub minimum_notice: Notice,
    /// How far after today's date sessions are booked, by the therapist's calendar.
    pub horizon: Option<Horizon>,
    /// On which dates no more sessions may begin.
    pub full: FullDates,
}

impl Default for Terms {
    fn default() -> Self {
        Self::of(&Settings::DEFAULT)
    }
}

/// Local dates on which as many meetings begin as may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FullDates {
    /// By the limit of a day.
    pub days: BTreeSet<NaiveDate>,
    /// By the limit of a week: its Monday.
    pub weeks: BTreeSet<NaiveDate>,
}

impl FullDates {
    /// What is to be said of a date.
    fn standing(&self, date: NaiveDate) -> Standing {
        if self.days.contains(&date) {
            Standing::DayFull
        } else if !self.weeks.is_empty() && self.weeks.contains(&monday_of(date)) {
            Standing::WeekFull
        } else {
            Standing::Open
        }
    }

    fn is_empty(&self) -> bool {
        self.days.is_empty() && self.weeks.is_empty()
    }
}

/// The Monday of a date's week.
pub(crate) fn monday_of(date: NaiveDate) -> NaiveDate {
    date.week(Weekday::Mon).checked_first_day().unwrap_or(NaiveDate::MIN)
}

/// Whether sessions may begin on a date at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    BeyondHorizon,
    DayFull,
    WeekFull,
}

impl Terms {
    /// Those of these settings; no date is full yet.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let Settings { interval, durations, minimum_notice, horizon, .. } = *settings;
        Self { interval, durations, minimum_notice, horizon, full: FullDates::default() }
    }

    /// What can begin on a date at one time.
    #[inline]
    pub(crate) fn opening(&self, date: OnDate, now: DateTime<Utc>) -> Opening {
        let is_plain =
            self.minimum_notice == Notice::MIN && self.horizon.is_none() && self.full.is_empty();
        let from = if is_plain { now.timestamp() + 1 } else { self.from(date, now) };
        Opening { from, offered: self.durations }
    }

    #[cold]
    fn from(&self, date: OnDate, now: DateTime<Utc>) -> i64 {
        if self.standing(date, now) != Standing::Open {
            return i64::MAX;
        }
        match self.minimum_notice.seconds() {
            0 => now.timestamp() + 1,
            notice => seconds_up(now) + notice,
        }
    }

    /// The first instant, as precise as stores are, at which it is too late to book a start.
    pub(crate) fn closes(start: DateTime<Utc>, notice: Notice) -> DateTime<Utc> {
        let last = start - notice.to_delta();
        // At the start itself it has begun; with a notice, the last moment is one.
        if notice == Notice::MIN { last } else { last + TimeDelta::milliseconds(1) }
    }

    /// Whether sessions may begin on a date at all.
    fn standing(&self, date: OnDate, now: DateTime<Utc>) -> Standing {
        let is_beyond = |horizon: Horizon| {
            let second = now.timestamp();
            let today = Clocks::near(date.zone, second).day_at(second);
            today + i64::from(horizon.days()) < date.utc.number()
        };
        if self.horizon.is_some_and(is_beyond) {
            Standing::BeyondHorizon
        } else {
            self.full.standing(date.utc.date())
        }
    }
}

/// A date of a therapist's zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnDate {
    pub(crate) zone: Tz,
    /// The date of UTC with the same name.
    pub(crate) utc: UtcDate,
}

/// What can begin on a date.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    /// The first second at which a session may begin: never, if none may.
    pub(crate) from: i64,
    /// How long sessions may be.
    pub(crate) offered: Durations,
}

/// Terms at one time, for starts on one date: why something cannot begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TermsOfDate<'a> {
    pub(crate) terms: &'a Terms,
    pub(crate) date: OnDate,
    pub(crate) now: DateTime<Utc>,
}

impl TermsOfDate<'_> {
    /// What can begin.
    pub(crate) fn opening(&self) -> Opening {
        self.terms.opening(self.date, self.now)
    }

    /// What comes before availability: when, at the earliest and at the latest.
    pub(crate) fn check_time(&self, start: i64) -> Result<(), Refusal> {
        let Self { terms, date, now } = self;
        if start <= now.timestamp() {
            Err(Refusal::InThePast)
        } else if start < seconds_up(*now) + terms.minimum_notice.seconds() {
            Err(Refusal::TooSoon)
        } else if terms.standing(*date, *now) == Standing::BeyondHorizon {
            Err(Refusal::BeyondHorizon)
        } else {
            Ok(())
        }
    }

    /// What comes after the grid: whether there is a place left.
    pub(crate) fn check_place(&self) -> Result<(), Refusal> {
        match self.terms.standing(self.date, self.now) {
            Standing::DayFull => Err(Refusal::DayFull),
            Standing::WeekFull => Err(Refusal::WeekFull),
            Standing::Open | Standing::BeyondHorizon => Ok(()),
        }
    }
}
