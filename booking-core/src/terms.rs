//! What has to hold of a start beyond hours and meetings: a therapist's settings, as far as one
//! calendar is concerned.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc, Weekday};
use chrono_tz::Tz;

use crate::duration::Durations;
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
    /// How many minutes before it begins a session has to be booked.
    pub minimum_notice: Notice,
    /// For how many days after today's date sessions are booked, by the therapist's calendar.
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

    /// What they come to at one time.
    pub(crate) fn at(&self, now: DateTime<Utc>, zone: Tz) -> TermsNow<'_> {
        let passed = now.timestamp();
        let earliest = match self.minimum_notice.minutes_in_seconds() {
            0 => passed + 1,
            notice => seconds_up(now) + notice,
        };
        let last_day = self.horizon.map_or(i64::MAX, |days| {
            let today = Clocks::near(zone, passed).day_at(passed);
            today + i64::from(days.get())
        });
        TermsNow { terms: self, passed, earliest, last_day }
    }
}

/// Terms at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TermsNow<'a> {
    terms: &'a Terms,
    /// The last second that is not in the future.
    passed: i64,
    /// The first second at which a session may begin.
    earliest: i64,
    /// The last date on which one may, from 1970-01-01.
    last_day: i64,
}

impl TermsNow<'_> {
    /// What they come to on a date, in days from 1970-01-01.
    pub(crate) fn on(&self, number: i64, date: impl FnOnce() -> NaiveDate) -> TermsOfDate {
        let Self { terms, passed, earliest, last_day } = *self;
        let standing = if number > last_day {
            Standing::BeyondHorizon
        } else if terms.full.is_empty() {
            Standing::Open
        } else {
            terms.full.standing(date())
        };
        let from = if standing == Standing::Open { earliest } else { i64::MAX };
        TermsOfDate { passed, earliest, from, standing, offered: terms.durations }
    }
}

/// Terms at one time, for starts on one date.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TermsOfDate {
    passed: i64,
    earliest: i64,
    /// The first second at which a session may begin on this date: never, if none may.
    from: i64,
    standing: Standing,
    /// How long sessions may be.
    pub(crate) offered: Durations,
}

impl TermsOfDate {
    /// Whether anything can begin then.
    pub(crate) fn allow(&self, start: i64) -> bool {
        self.from <= start
    }

    /// What comes before availability: when, at the earliest and at the latest.
    pub(crate) fn check_time(&self, start: i64) -> Result<(), Refusal> {
        if start < self.earliest {
            Err(if start <= self.passed { Refusal::InThePast } else { Refusal::TooSoon })
        } else if self.standing == Standing::BeyondHorizon {
            Err(Refusal::BeyondHorizon)
        } else {
            Ok(())
        }
    }

    /// What comes after the grid: whether there is a place left.
    pub(crate) fn check_place(&self) -> Result<(), Refusal> {
        match self.standing {
            Standing::DayFull => Err(Refusal::DayFull),
            Standing::WeekFull => Err(Refusal::WeekFull),
            Standing::Open | Standing::BeyondHorizon => Ok(()),
        }
    }
}
