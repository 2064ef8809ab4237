//! Runs of availability on dates that have to do with overrides: date by date, as each has windows of
//! its own. Elsewhere [`WeeklyHours`] alone says the same, and faster.

use crate::availability::WeeklyHours;
use crate::duration::SessionDuration;
use crate::overrides::{GRID_DAYS, Overrides, on_day};
use crate::zone::{Clocks, DAY, Seconds, Stretch};

/// 1970-01-01 was a Thursday.
const FIRST_WEEKDAY: i64 = 4;

/// Weekly hours, but for the dates of overrides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DatedHours<'a> {
    pub(crate) hours: &'a WeeklyHours,
    pub(crate) overrides: &'a Overrides,
}

impl DatedHours<'_> {
    /// Shows the runs of availability that share a second with `part`, earliest first, at least as far
    /// as any session begun in it: windows that touch are one, whichever kind each is.
    pub(crate) fn each_run(&self, clocks: &Clocks, part: Seconds, mut show: impl FnMut(Seconds)) {
        let looked_at = Seconds { end: part.end + SessionDuration::MAX.seconds(), ..part };
        let mut run: Option<Seconds> = None;
        for stretch in clocks.stretches() {
            for open in self.open_in(stretch, looked_at) {
                match &mut run {
                    Some(run) if run.end == open.start => run.end = open.end,
                    _ => {
                        run.into_iter().for_each(&mut show);
                        run = Some(open);
                    }
                }
            }
        }
        run.into_iter().for_each(show);
    }

    /// From where the grid of a run counts that is open as `part` of a date begins: from the run's
    /// own beginning, if that is not longer ago than [`GRID_DAYS`]; else from that of the part.
    pub(crate) fn began(&self, clocks: &Clocks, part: Seconds) -> i64 {
        let mut clocks = *clocks;
        let mut start = part.start;
        while part.start - start <= GRID_DAYS * DAY {
            let before = Seconds { start: start - 1, end: start };
            if before.start < clocks.start() {
                clocks = clocks.elsewhere(before.start);
            }
            let stretch = clocks.at(before.start);
            let Some(open) = self.open_in(stretch, before).next() else { return start };
            start = open.start;
        }
        part.start
    }

    /// The windows that share a second with `within`, in a stretch, cut to it; earliest first.
    fn open_in(&self, stretch: Stretch, within: Seconds) -> impl Iterator<Item = Seconds> {
        let both = within.intersection(stretch.seconds);
        let both = both.unwrap_or(Seconds { start: 0, end: 0 });
        let date_of = |second: i64| (second + stretch.offset).div_euclid(DAY);
        let dates = if both.start < both.end {
            date_of(both.start)..=date_of(both.end - 1)
        } else {
            #[expect(clippy::reversed_empty_ranges, reason = "no date at all")]
            let none = 1..=0;
            none
        };
        dates.flat_map(move |date| {
            let to_utc = date * DAY - stretch.offset;
            self.windows_on(date)
                .filter_map(move |window| window.later_by(to_utc).intersection(stretch.seconds))
                .filter(move |open| open.intersection(both).is_some())
        })
    }

    /// The windows of a date, in seconds from its midnight; earliest first, and none that touch.
    fn windows_on(&self, date: i64) -> impl Iterator<Item = Seconds> {
        let instead = self.overrides.on(date);
        let weekly = instead.is_none().then(|| {
            let weekday = (date + FIRST_WEEKDAY).rem_euclid(7);
            on_day(self.hours.week(), weekday)
        });
        instead.into_iter().flatten().copied().chain(weekly.into_iter().flatten())
    }
}
