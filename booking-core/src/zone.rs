//! Instants and the wall clocks of IANA zones, in whole seconds.
//!
//! Everything rests on this: a zone is a sequence of stretches in which the wall clock differs from
//! UTC by one fixed offset. Within a stretch civil time and instants translate by plain addition, so
//! gaps, folds and missing dates need no cases of their own.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::span::Span;
use crate::tzdb::offset_at;

pub(crate) const DAY: i64 = 86_400;

/// No zone of the database changes its offset twice within 167 hours (America/Recife in October
/// 2000 and Asia/Gaza in October 2040 come closest), so two looks this far apart see at most one
/// change between them.
const PROBE: i64 = 144 * 3_600;

/// How far back the first look at an instant's clocks is; the second is the rest of [`PROBE`] ahead.
const LOOK_BACK: i64 = 60 * 3_600;

/// Around a date's midnight in UTC: when it is that date somewhere, with the session of two hours that
/// begins last. Zones have been up to 15 hours 58 minutes away from UTC.
pub(crate) const DATE_ANYWHERE: Seconds = Seconds { start: -16 * 3_600, end: DAY + 18 * 3_600 };

/// That, and the day before, on which availability may have begun.
const DATE_NEEDS: Seconds = Seconds { start: DATE_ANYWHERE.start - DAY, ..DATE_ANYWHERE };

/// Days outside these years, counted from 1970-01-01, have no slots. RFC 3339 writes the years 0 to
/// 9999; zones may be a day off at either end. chrono counts much further, but not without end.
pub(crate) const DAYS: RangeInclusive<i64> = -719_893..=2_933_262;

/// From one second to just before another: of UTC since 1970-01-01, or of a week on the wall clock.
/// Empty unless `start` is before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// A part of a zone's time in which the wall clock has one offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) seconds: Seconds,
    /// Wall clock minus UTC.
    pub(crate) offset: i64,
}

/// The wall clocks of a zone for some days: two stretches that touch. Where no offset changes both
/// have the same, and the second is empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    zone: Tz,
    stretches: [Stretch; 2],
}

/// When wall clocks show a time of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// From this second on; the first, where they show it twice.
    At(i64),
    /// Never: they are set forward past it. By those of before, it would be at this second.
    Skipped(i64),
}

impl Seconds {
    pub(crate) fn contains(self, second: i64) -> bool {
        self.start <= second && second < self.end
    }

    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let both = Self { start: self.start.max(other.start), end: self.end.min(other.end) };
        (both.start < both.end).then_some(both)
    }

    pub(crate) fn later_by(self, seconds: i64) -> Self {
        Self { start: self.start + seconds, end: self.end + seconds }
    }

    /// The fewest whole seconds that hold a span.
    pub(crate) fn around(span: Span) -> Self {
        Self { start: span.start().timestamp(), end: seconds_up(span.end()) }
    }

    pub(crate) fn to_span(self) -> Option<Span> {
        Span::new(instant(self.start), instant(self.end))
    }
}

impl Clocks {
    /// The clocks from 60 hours before an instant to 84 hours after it: two looks at the zone.
    pub(crate) fn near(zone: Tz, second: i64) -> Self {
        let start = second - LOOK_BACK;
        let first = offset_at(zone, start);
        Self { zone, stretches: look(zone, first, Seconds { start, end: start + PROBE }) }
    }

    /// Those of the same zone around another instant.
    pub(crate) fn elsewhere(&self, second: i64) -> Self {
        Self::near(self.zone, second)
    }

    /// The clocks around a date, counted in days from 1970-01-01; `None` for one outside [`DAYS`].
    pub(crate) fn near_day(zone: Tz, day: i64) -> Option<Self> {
        DAYS.contains(&day).then(|| Self::near(zone, day * DAY))
    }

    /// Moves on to the date after, without looking again at what is known already. What is known of
    /// the time before it is kept, back to the last change.
    pub(crate) fn move_on(&mut self, day: i64) {
        let needs = DATE_NEEDS.later_by(day * DAY);
        while self.end() < needs.end {
            let [before, after] = &mut self.stretches;
            if before.offset == after.offset {
                let more = Seconds { start: before.seconds.end, end: before.seconds.end + PROBE };
                let [same, changed] = look(self.zone, before.offset, more);
                before.seconds.end = same.seconds.end;
                *after = changed;
            } else if after.seconds.start <= needs.start {
                let end = Seconds { start: after.seconds.end, end: after.seconds.end };
                self.stretches = [*after, Stretch { seconds: end, offset: after.offset }];
            } else {
                // No second change comes so soon.
                after.seconds.end = after.seconds.start + PROBE;
            }
        }
    }

    pub(crate) fn stretches(&self) -> [Stretch; 2] {
        self.stretches
    }

    pub(crate) fn start(&self) -> i64 {
        self.stretches[0].seconds.start
    }

    pub(crate) fn end(&self) -> i64 {
        self.stretches[1].seconds.end
    }

    /// The stretch that a second within these clocks is in.
    pub(crate) fn at(&self, second: i64) -> Stretch {
        let [before, after] = self.stretches;
        if second < before.seconds.end { before } else { after }
    }

    /// The date that they show at a second, in days from 1970-01-01.
    pub(crate) fn day_at(&self, second: i64) -> i64 {
        (second + self.at(second).offset).div_euclid(DAY)
    }

    /// When they show a second of a date that these clocks are [near](Self::near_day).
    pub(crate) fn shown(&self, day: i64, second: i64) -> Shown {
        let wall = day * DAY + second;
        let mut shown = self.stretches.into_iter().filter_map(|stretch| {
            Some(wall - stretch.offset).filter(|second| stretch.seconds.contains(*second))
        });
        shown.next().map_or(Shown::Skipped(wall - self.stretches[0].offset), Shown::At)
    }

    /// The seconds at which they show a date, counted in days from 1970-01-01.
    ///
    /// None, where the zone skipped the date (Apia, 2011-12-30). Two parts, where clocks were set
    /// back across midnight (St John's, until 2011). One of 23, 24 or 25 hours as a rule.
    pub(crate) fn date(&self, day: i64) -> [Option<Seconds>; 2] {
        let midnight = Seconds { start: day * DAY, end: (day + 1) * DAY };
        let part =
            |stretch: Stretch| midnight.later_by(-stretch.offset).intersection(stretch.seconds);
        match self.stretches.map(part) {
            [Some(before), Some(after)] if before.end == after.start => {
                [Some(Seconds { end: after.end, ..before }), None]
            }
            parts => parts,
        }
    }
}

/// Cuts a span where the zone's offset changes, and now and then where it does not; earliest part
/// first, nothing left out.
pub(crate) fn stretches(zone: Tz, within: Seconds) -> impl Iterator<Item = Stretch> {
    let part = move |start: &i64| Some(start + PROBE).filter(|next| *next < within.end);
    std::iter::successors(Some(within.start), part).flat_map(move |start| {
        let part = Seconds { start, end: within.end.min(start + PROBE) };
        look(zone, offset_at(zone, start), part)
    })
}

/// The first whole second that is not before an instant.
pub(crate) fn seconds_up(instant: DateTime<Utc>) -> i64 {
    instant.timestamp() + i64::from(instant.timestamp_subsec_nanos() > 0)
}

/// chrono's instant; the first or last there is where its calendar ends.
pub(crate) fn instant(second: i64) -> DateTime<Utc> {
    let end = if second < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(second, 0).unwrap_or(end)
}

/// The stretches of a span of at most [`PROBE`] that begins with the offset `before`.
fn look(zone: Tz, before: i64, within: Seconds) -> [Stretch; 2] {
    let after = offset_at(zone, within.end);
    let change =
        if before == after { within.end } else { first_second_after_change(zone, before, within) };
    [
        Stretch { seconds: Seconds { end: change, ..within }, offset: before },
        Stretch { seconds: Seconds { start: change, ..within }, offset: after },
    ]
}

/// Bisects for the change: `before` is the offset at the start, and not that at the end.
fn first_second_after_change(zone: Tz, before: i64, within: Seconds) -> i64 {
    let Seconds { start: mut low, end: mut high } = within;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset_at(zone, middle) == before {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
