//! Which starts can be booked: the one function behind listing and booking.
//!
//! Both ask a [`DayPlan`] for the [`Room`] at a start, and [`Room::admit`] is the only place that
//! says yes or no. Listing walks the grid with it; booking asks it once.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::Calendar;
use crate::duration::SessionDuration;
use crate::instant::StartTime;
use crate::refusal::Refusal;
use crate::span::{Span, SpanSet};
use crate::zone;

/// Distance between two starts in one run of availability (contract, "Slots").
const GRID: TimeDelta = TimeDelta::minutes(30);

/// Availability that covers less than the week has a gap in every week, and a gap can fall into a
/// clock change's gap at most now and then: no run is anywhere near this long.
const LONGEST_RUN: TimeDelta = TimeDelta::days(64);

/// A start that can be booked, and for how long at most; every shorter session fits too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When the session would begin.
    pub start: StartTime,
    /// The longest session that fits.
    pub longest: SessionDuration,
}

impl Slot {
    /// The sessions that fit, shortest first.
    pub fn durations(self) -> impl Iterator<Item = SessionDuration> {
        SessionDuration::ALL.into_iter().take_while(move |duration| *duration <= self.longest)
    }
}

/// A stretch of starts that share one grid.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The starts that lie in it.
    starts: Span,
    /// Where its grid is counted from; not after its first start.
    anchor: DateTime<Utc>,
}

/// One local date of a calendar, with everything worked out that its starts have in common.
#[derive(Debug)]
pub(crate) struct DayPlan<'a> {
    /// The instants of the date.
    day: SpanSet,
    /// Availability from the date's first instant to the end of the last session begun in it.
    open: SpanSet,
    runs: Vec<Run>,
    taken: &'a SpanSet,
}

/// What a start has before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    start: DateTime<Utc>,
    /// Where the availability around the start ends; `start` itself when there is none.
    open_until: DateTime<Utc>,
    /// The first instant not before the start that is taken.
    free_until: DateTime<Utc>,
    on_grid: bool,
}

impl<'a> DayPlan<'a> {
    /// `None` for a date that the zone skipped.
    pub(crate) fn new(calendar: &'a Calendar, date: NaiveDate) -> Option<Self> {
        let day = zone::date_spans(calendar.zone, date);
        let reach = reach(&day)?;
        let open = calendar.hours.spans(calendar.zone, reach);
        let runs = runs(calendar, &day, &open, reach.start());
        Some(Self { day, open, runs, taken: &calendar.taken })
    }

    /// Every start of the date that admits a session at `now`.
    pub(crate) fn slots(&self, now: DateTime<Utc>) -> Vec<Slot> {
        let mut slots = Vec::new();
        for run in &self.runs {
            for starts in self.day.iter().filter_map(|day| day.intersection(run.starts)) {
                slots.extend(run.grid(starts).filter_map(|start| {
                    let room = self.room(start);
                    let fits = |duration: &SessionDuration| room.admit(*duration, now).is_ok();
                    let longest = SessionDuration::ALL.into_iter().rev().find(fits)?;
                    Some(Slot { start: StartTime::new(start).ok()?, longest })
                }));
            }
        }
        slots
    }

    /// The room at a start of this date.
    pub(crate) fn room(&self, start: DateTime<Utc>) -> Room {
        let run = self.runs.iter().find(|run| run.starts.contains(start));
        let taken = self.taken.as_slice();
        let next = taken.partition_point(|span| span.end() <= start);
        Room {
            start,
            open_until: self.open.containing(start).map_or(start, Span::end),
            free_until: taken.get(next).map_or(DateTime::<Utc>::MAX_UTC, |s| s.start().max(start)),
            on_grid: run.is_some_and(|run| run.is_on_grid(start)),
        }
    }
}

impl Room {
    /// Whether a session of `duration` can be booked at `now`; the reasons in the contract's order.
    pub(crate) fn admit(
        self,
        duration: SessionDuration,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let end = self.start + duration.to_delta();
        if self.start <= now {
            Err(Refusal::InThePast)
        } else if self.open_until < end {
            Err(Refusal::OutsideAvailability)
        } else if !self.on_grid {
            Err(Refusal::NotOnGrid)
        } else if self.free_until < end {
            Err(Refusal::SlotConflict)
        } else {
            Ok(())
        }
    }
}

impl Run {
    /// Until the 1970s some zones were off by odd seconds; no session starts within a minute.
    fn is_on_grid(self, start: DateTime<Utc>) -> bool {
        (start - self.anchor).num_milliseconds() % GRID.num_milliseconds() == 0
            && StartTime::new(start).is_ok()
    }

    /// The grid's starts within a part of the run.
    fn grid(self, part: Span) -> impl Iterator<Item = DateTime<Utc>> {
        let offset = (part.start() - self.anchor).num_milliseconds() % GRID.num_milliseconds();
        let lead =
            if offset == 0 { TimeDelta::zero() } else { GRID - TimeDelta::milliseconds(offset) };
        std::iter::successors(Some(part.start() + lead), |start| start.checked_add_signed(GRID))
            .take_while(move |start| *start < part.end())
    }
}

/// From the first instant of a date to the end of the last session begun in it; `None` for a date
/// without instants.
pub(crate) fn reach(day: &SpanSet) -> Option<Span> {
    let (first, last) = day.as_slice().first().zip(day.as_slice().last())?;
    Span::new(first.start(), last.end() + SessionDuration::MAX.to_delta())
}

/// The grids of a date. A run's grid counts from where its availability began, however long ago;
/// availability without a beginning counts from the date's own first instant.
fn runs(calendar: &Calendar, day: &SpanSet, open: &SpanSet, from: DateTime<Utc>) -> Vec<Run> {
    if calendar.hours.cover_the_week() {
        return day.iter().map(|starts| Run { starts, anchor: starts.start() }).collect();
    }
    let anchor =
        |span: Span| if span.start() == from { began(calendar, from) } else { span.start() };
    open.iter().map(|starts| Run { starts, anchor: anchor(starts) }).collect()
}

/// When the availability that holds just after `instant` began.
fn began(calendar: &Calendar, instant: DateTime<Utc>) -> DateTime<Utc> {
    let mut look_back = TimeDelta::days(1);
    while look_back <= LONGEST_RUN {
        let Some(before) = Span::new(instant - look_back, instant) else { break };
        let open = calendar.hours.spans(calendar.zone, before);
        match open.as_slice().last() {
            Some(last) if last.end() == instant && last.start() == before.start() => {}
            Some(last) if last.end() == instant => return last.start(),
            _ => return instant,
        }
        look_back = look_back * 4;
    }
    instant
}
