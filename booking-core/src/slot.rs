//! Which starts can be booked: the one function behind listing and booking.
//!
//! Both ask a [`Day`] for the [`Room`] at a start, and [`Room::durations`] is the only place that says
//! yes or no. Listing walks the grid with it; booking asks it once, and is told why not. In here instants are whole
//! seconds: a session begins and ends with one.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::calendar::{Calendar, Sight};
use crate::dated::DatedHours;
use crate::duration::{Durations, SessionDuration};
use crate::instant::{StartTime, UtcDate};
use crate::refusal::Refusal;
use crate::span::Span;
use crate::terms::{OnDate, Opening, Terms, TermsOfDate};
use crate::zone::{Clocks, DAYS, Seconds, instant};

/// A start that can be booked, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When the session would begin.
    pub start: StartTime,
    /// The sessions that fit.
    pub durations: Durations,
}

/// One civil date of a [`Calendar`] in the therapist's zone, with everything worked out that its
/// starts have in common: see [`Calendar::days`].
#[derive(Debug, Clone, Copy)]
pub struct Day<'a> {
    calendar: &'a Calendar,
    terms: &'a Terms,
    clocks: Clocks,
    /// The date of UTC with the same name.
    utc: UtcDate,
    /// When the clocks show it.
    parts: [Option<Seconds>; 2],
    /// What is taken from its first instant on.
    taken: &'a [Span],
}

/// Starts of one date that share a grid.
#[derive(Debug, Clone, Copy)]
struct Run {
    starts: Seconds,
    /// Where the grid is counted from; not after the first start.
    anchor: i64,
    /// Where the availability around them ends.
    open_until: i64,
}

/// What is taken, from some second on.
#[derive(Debug, Clone, Copy)]
struct Taken<'a> {
    next: Seconds,
    rest: &'a [Span],
    utc: UtcDate,
}

/// What a start has before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    start: i64,
    /// Where the availability around the start ends; `start` itself when there is none.
    open_until: i64,
    /// The first instant not before the start that is taken.
    free_until: i64,
    on_grid: bool,
}

impl<'a> Day<'a> {
    /// A date, in days from 1970-01-01; `None` for one that has no slots in any calendar.
    pub(crate) fn new(sight: Sight<'a>, number: i64) -> Option<Self> {
        let Sight { calendar, taken, terms } = sight;
        let clocks = Clocks::near_day(calendar.zone, number)?;
        let taken = taken.after(instant(clocks.start()));
        let utc = UtcDate::new(number)?;
        Some(Self { calendar, terms, clocks, utc, parts: clocks.date(number), taken })
    }

    /// The date on which a start would be.
    pub(crate) fn of(sight: Sight<'a>, start: DateTime<Utc>) -> Option<Self> {
        let Sight { calendar, taken, terms } = sight;
        let clocks = Clocks::near(calendar.zone, start.timestamp());
        let number = clocks.day_at(start.timestamp());
        let taken = taken.after(start);
        let utc = UtcDate::new(number)?;
        let parts = clocks.date(number);
        let day = Self { calendar, terms, clocks, utc, parts, taken };
        DAYS.contains(&number).then_some(day)
    }

    /// Moves on to the date after this one, without working out again what is known.
    pub(crate) fn move_on(&mut self) {
        let number = self.utc.number() + 1;
        self.clocks.move_on(number);
        self.parts = self.clocks.date(number);
        let first =
            self.parts.iter().flatten().next().map_or(self.clocks.start(), |part| part.start);
        while let [span, rest @ ..] = self.taken
            && self.utc.second(span.end()) < first
        {
            self.taken = rest;
        }
        self.utc = self.utc.next();
    }

    /// Which date it is.
    #[must_use]
    pub fn date(&self) -> NaiveDate {
        self.utc.date()
    }

    /// The starts that can be booked at `now`, earliest first. None on a date that the zone skipped.
    #[must_use]
    pub fn slots(&self, now: DateTime<Utc>) -> Vec<Slot> {
        let mut slots = Vec::new();
        self.add_slots(now, &mut slots);
        slots
    }

    /// Puts those starts at the end of a list.
    pub fn add_slots(&self, now: DateTime<Utc>, slots: &mut Vec<Slot>) {
        let opening = self.terms(now).opening();
        let mut taken = Taken::new(self.taken, self.utc);
        if self.calendar.overrides.bear_on(self.utc.number()) {
            self.each_dated_run(&mut |run| self.add_run(run, opening, &mut taken, slots));
        } else {
            self.each_weekly_run(|run| self.add_run(run, opening, &mut taken, slots));
        }
    }

    /// Once for each way to find runs, and inlined there: called, it was 2 % of a year's instructions.
    #[expect(clippy::inline_always, reason = "counted; left to itself the compiler calls it")]
    #[inline(always)]
    fn add_run(&self, run: Run, opening: Opening, taken: &mut Taken<'_>, slots: &mut Vec<Slot>) {
        for start in run.grid(self.interval()) {
            let room = run.room(start, taken.free_until(start));
            let Some(durations) = room.durations(opening) else { continue };
            let Some(start) = self.utc.start_at(start) else { continue };
            slots.push(Slot { start, durations });
        }
    }

    /// Seconds from one start to the next in one run.
    fn interval(&self) -> i64 {
        self.terms.interval.seconds()
    }

    /// What else has to hold of the date's starts at `now`.
    pub(crate) fn terms(&self, now: DateTime<Utc>) -> TermsOfDate<'a> {
        let date = OnDate { zone: self.calendar.zone, utc: self.utc };
        TermsOfDate { terms: self.terms, date, now }
    }

    /// The room at a start of this date.
    pub(crate) fn room(&self, start: DateTime<Utc>) -> Room {
        let second = start.timestamp();
        let mut room =
            Room { start: second, open_until: second, free_until: second, on_grid: false };
        self.each_run(|run| {
            if run.starts.contains(second) {
                let taken = Taken::new(self.taken, self.utc).free_until(second);
                let on_grid =
                    run.has_on_grid(second, self.interval()) && StartTime::new(start).is_ok();
                room = Room { on_grid, ..run.room(second, taken) };
            }
        });
        room
    }

    /// Shows the date's grids, earliest first.
    fn each_run(&self, mut show: impl FnMut(Run)) {
        if self.calendar.overrides.bear_on(self.utc.number()) {
            self.each_dated_run(&mut show);
        } else {
            self.each_weekly_run(show);
        }
    }

    /// Where no overrides are near. A run's grid counts from where its availability began, however long
    /// ago; availability without a beginning counts from the date's own first instant.
    fn each_weekly_run(&self, mut show: impl FnMut(Run)) {
        let hours = &self.calendar.hours;
        for part in self.parts.into_iter().flatten() {
            hours.each_run(&self.clocks, part, |open| {
                let anchor = if part.start < open.start {
                    open.start
                } else if hours.cover_the_week() {
                    part.start
                } else {
                    hours.began(&self.clocks, open.start)
                };
                if let Some(starts) = open.intersection(part) {
                    show(Run { starts, anchor, open_until: open.end });
                }
            });
        }
    }

    /// The same where overrides are near.
    fn each_dated_run(&self, show: &mut dyn FnMut(Run)) {
        let Calendar { hours, overrides, .. } = self.calendar;
        let dated = DatedHours { hours, overrides };
        for part in self.parts.into_iter().flatten() {
            dated.each_run(&self.clocks, part, |open| {
                let anchor = if part.start < open.start {
                    open.start
                } else {
                    dated.began(&self.clocks, part)
                };
                if let Some(starts) = open.intersection(part) {
                    show(Run { starts, anchor, open_until: open.end });
                }
            });
        }
    }
}

impl Run {
    /// The grid's starts. Until the 1970s some zones were off by odd seconds; no session starts within
    /// a minute.
    fn grid(self, interval: i64) -> impl Iterator<Item = i64> {
        let anchor = self.anchor;
        let Seconds { start, end } = self.starts;
        // Most grids begin with their run.
        let lead = if anchor == start { 0 } else { (anchor - start).rem_euclid(interval) };
        let end = if anchor % 60 == 0 { end } else { start };
        std::iter::successors(Some(start + lead), move |start| Some(start + interval))
            .take_while(move |start| *start < end)
    }

    fn has_on_grid(self, start: i64, interval: i64) -> bool {
        (start - self.anchor) % interval == 0
    }

    /// The room at a start on the grid.
    fn room(self, start: i64, free_until: i64) -> Room {
        Room { start, open_until: self.open_until, free_until, on_grid: true }
    }
}

impl<'a> Taken<'a> {
    const PAST: Seconds = Seconds { start: i64::MIN, end: i64::MIN };
    const NEVER: Seconds = Seconds { start: i64::MAX, end: i64::MAX };

    const fn new(taken: &'a [Span], utc: UtcDate) -> Self {
        Self { next: Self::PAST, rest: taken, utc }
    }

    /// The first taken second that is not before `start`; asked for one start after another.
    fn free_until(&mut self, start: i64) -> i64 {
        while self.next.end <= start {
            (self.next, self.rest) = match self.rest {
                [next, rest @ ..] => (self.seconds(*next), rest),
                [] => (Self::NEVER, self.rest),
            };
        }
        self.next.start.max(start)
    }

    /// The whole seconds that a span is part of: a session, which begins and ends with one, overlaps
    /// them when it overlaps the span.
    fn seconds(&self, span: Span) -> Seconds {
        let last_is_part = span.end().timestamp_subsec_nanos() > 0;
        let end = self.utc.second(span.end()) + i64::from(last_is_part);
        Seconds { start: self.utc.second(span.start()), end }
    }
}

impl Room {
    /// The sessions that can be booked: what is listed, and nothing else is admitted.
    fn durations(self, opening: Opening) -> Option<Durations> {
        if !self.on_grid || self.start < opening.from {
            return None;
        }
        opening.offered.within(self.open_until.min(self.free_until) - self.start)
    }

    /// Whether a session of `duration` can be booked; else the first reason in the contract's order,
    /// with those of a therapist's settings in between.
    pub(crate) fn admit(
        self,
        duration: SessionDuration,
        terms: &TermsOfDate<'_>,
    ) -> Result<(), Refusal> {
        if self.durations(terms.opening()).is_some_and(|durations| durations.contains(duration)) {
            return Ok(());
        }
        terms.check_time(self.start)?;
        if !terms.terms.durations.contains(duration) {
            Err(Refusal::DurationNotOffered)
        } else if self.open_until < self.start + duration.seconds() {
            Err(Refusal::OutsideAvailability)
        } else if !self.on_grid {
            Err(Refusal::NotOnGrid)
        } else {
            terms.check_place()?;
            Err(Refusal::SlotConflict)
        }
    }
}

/// From the first instant of a date to the end of the last session begun in it; `None` for a date
/// without instants.
pub(crate) fn reach(zone: Tz, date: NaiveDate) -> Option<Span> {
    let number = i64::from(date.to_epoch_days());
    let clocks = Clocks::near_day(zone, number)?;
    let parts = clocks.date(number);
    let first = parts.iter().flatten().next()?;
    let last = parts.iter().flatten().last()?;
    Seconds { start: first.start, end: last.end + SessionDuration::MAX.seconds() }.to_span()
}
