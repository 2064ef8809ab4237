//! Availability and slots by brute force: the contract's words, applied to one minute after another.
//!
//! Nothing here is clever, so that it can be believed: every minute of UTC is asked what the wall
//! clock shows. Whole minutes only, which is all there is since 1972.

use booking_core::tzdb::local_time;
use booking_core::{Dates, DayWindows, Refusal, SessionDuration, Span, Window};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc, Weekday};
use chrono_tz::Tz;

/// Minutes since 1970-01-01T00:00Z.
pub(crate) type Minute = i64;

const DAY: Minute = 24 * 60;
const GRID: Minute = 30;

pub(crate) fn instant(minute: Minute) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).expect("a minute of this era")
}

pub(crate) fn minute(instant: DateTime<Utc>) -> Minute {
    instant.timestamp().div_euclid(60)
}

/// The minutes from `start` to just before `end`, as a span.
pub(crate) fn minutes(start: Minute, end: Minute) -> Span {
    Span::new(instant(start), instant(end)).expect("at least a minute")
}

/// A therapist's zone and weekly windows.
#[derive(Debug)]
pub(crate) struct Oracle<'a> {
    zone: Tz,
    windows: &'a [(Weekday, Window)],
    /// Dates on which other windows count.
    overrides: &'a [(Dates, DayWindows)],
    whole_week: bool,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(zone: Tz, windows: &'a [(Weekday, Window)]) -> Self {
        let mut week = Weekday::Mon;
        let mut whole_week = true;
        for _ in 0..7 {
            whole_week &= (0..1440).all(|time| covers(windows, week, time));
            week = week.succ();
        }
        Self { zone, windows, overrides: &[], whole_week }
    }

    /// The same with these overrides, of which no two have a date in common.
    pub(crate) fn with(self, overrides: &'a [(Dates, DayWindows)]) -> Self {
        let whole_week = self.whole_week && overrides.is_empty();
        Self { overrides, whole_week, ..self }
    }

    /// What the therapist's wall clock shows.
    pub(crate) fn wall(&self, minute: Minute) -> NaiveDateTime {
        local_time(self.zone, instant(minute)).naive_local()
    }

    /// Whether the wall clock shows a time inside a window of its weekday.
    pub(crate) fn is_open(&self, minute: Minute) -> bool {
        let wall = self.wall(minute);
        let time = wall.hour() * 60 + wall.minute();
        match self.overrides.iter().find(|(dates, _)| dates.contain(wall.date())) {
            Some((_, instead)) => instead.as_slice().iter().any(|window| holds(*window, time)),
            None => covers(self.windows, wall.weekday(), time),
        }
    }

    /// The longest spans of open minutes between two minutes.
    pub(crate) fn open_spans(&self, from: Minute, to: Minute) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut began = None;
        for now in from..=to {
            let open = now < to && self.is_open(now);
            match began {
                None if open => began = Some(now),
                Some(start) if !open => {
                    spans.push(minutes(start, now));
                    began = None;
                }
                _ => {}
            }
        }
        spans
    }

    /// All about a civil date of the therapist; `None` when no minute shows it.
    pub(crate) fn day(&self, date: NaiveDate) -> Option<Day> {
        let midnight = minute(date.and_time(NaiveTime::MIN).and_utc());
        let around = midnight - DAY..midnight + 2 * DAY;
        let of_date: Vec<Minute> = around.filter(|now| self.wall(*now).date() == date).collect();
        let (first, last) = (*of_date.first()?, *of_date.last()?);

        let mut origins: Vec<Option<Minute>> = Vec::new();
        for now in first..=last {
            let known = origins.last().copied().flatten().filter(|_| self.goes_on(now));
            let origin = || known.unwrap_or_else(|| self.walk_back(now));
            origins.push(self.is_open(now).then(origin));
        }
        let open = (first..=last + DAY).map(|now| self.is_open(now)).collect();
        Some(Day { first, last, of_date, open, origins })
    }

    /// The first minute of the run of availability that `now` belongs to; where there are overrides
    /// and it began more than 16 days before the date, the first of the date.
    fn walk_back(&self, mut now: Minute) -> Minute {
        let mut midnight = now;
        while self.wall(midnight - 1).date() == self.wall(now).date() {
            midnight -= 1;
        }
        while self.goes_on(now) {
            now -= 1;
            if !self.overrides.is_empty() && midnight - now > 16 * DAY {
                return midnight;
            }
        }
        now
    }

    /// Whether the open minute `now` belongs to the same run as the one before. Availability
    /// without beginning or end is cut at each change of the date.
    fn goes_on(&self, now: Minute) -> bool {
        let cut = self.whole_week && self.wall(now).date() != self.wall(now - 1).date();
        !cut && self.is_open(now - 1)
    }
}

fn covers(windows: &[(Weekday, Window)], weekday: Weekday, time: u32) -> bool {
    windows.iter().any(|(of, window)| *of == weekday && holds(*window, time))
}

fn holds(window: Window, time: u32) -> bool {
    let (start, end) = (u32::from(window.start().minutes()), u32::from(window.end().minutes()));
    start <= time && time < end
}

/// One civil date of a therapist.
#[derive(Debug)]
pub(crate) struct Day {
    /// Its first minute.
    pub(crate) first: Minute,
    /// Its last minute.
    pub(crate) last: Minute,
    /// Its minutes, all of them between the two.
    pub(crate) of_date: Vec<Minute>,
    /// Whether the therapist is available, from the first minute to long after the last.
    open: Vec<bool>,
    /// From where the grid is counted, for each minute from first to last.
    origins: Vec<Option<Minute>>,
}

impl Day {
    /// Whether a session can be booked that starts at a minute of the date; else the first reason
    /// in the contract's order: the past, availability, grid, conflicts.
    pub(crate) fn verdict(
        &self,
        start: Minute,
        duration: SessionDuration,
        now: DateTime<Utc>,
        taken: &[Span],
    ) -> Result<(), Refusal> {
        let mut session = start..start + Minute::from(duration.minutes());
        if instant(start) <= now {
            Err(Refusal::InThePast)
        } else if !session.clone().all(|minute| self.open[self.index(minute)]) {
            Err(Refusal::OutsideAvailability)
        } else if self.origins[self.index(start)].is_none_or(|from| (start - from) % GRID != 0) {
            Err(Refusal::NotOnGrid)
        } else if session.any(|minute| taken.iter().any(|span| span.contains(instant(minute)))) {
            Err(Refusal::SlotConflict)
        } else {
            Ok(())
        }
    }

    /// Every start of the date with the durations that fit, shortest first.
    pub(crate) fn slots(
        &self,
        now: DateTime<Utc>,
        taken: &[Span],
    ) -> Vec<(DateTime<Utc>, Vec<SessionDuration>)> {
        let offer = |start: &Minute| {
            let fits =
                |duration: &SessionDuration| self.verdict(*start, *duration, now, taken).is_ok();
            let durations: Vec<_> = SessionDuration::ALL.into_iter().filter(fits).collect();
            (!durations.is_empty()).then(|| (instant(*start), durations))
        };
        self.of_date.iter().filter_map(offer).collect()
    }

    fn index(&self, minute: Minute) -> usize {
        usize::try_from(minute - self.first).expect("not before the date")
    }
}

impl Day {
    /// Whether the therapist is available for every minute of a session that starts on the date.
    pub(crate) fn is_open_for(&self, start: Minute, duration: SessionDuration) -> bool {
        let mut session = start..start + Minute::from(duration.minutes());
        session.all(|minute| self.open[self.index(minute)])
    }

    /// Whether a start of the date is on a grid of so many minutes.
    pub(crate) fn has_on_grid(&self, start: Minute, interval: Minute) -> bool {
        self.origins[self.index(start)].is_some_and(|from| (start - from) % interval == 0)
    }
}
