//! What one would write by hand for speed: minutes in `i64`, one UTC offset a day, which is given.
//! It knows no zones, and nothing of windows that touch at midnight or of days on which clocks change.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc};

use crate::{WINDOWS, ZONE, dates, meetings};

const DAY: i64 = 1_440;

/// What it needs, ready to be swept.
pub struct Sweep {
    /// Each day's midnight in UTC, and whether it has windows.
    days: Vec<(i64, bool)>,
    taken: Vec<(i64, i64)>,
}

impl Sweep {
    /// So many days of workload W.
    #[must_use]
    pub fn new(days: u64) -> Self {
        let minutes = |at: DateTime<Utc>| at.timestamp() / 60;
        let taken = meetings(days).into_iter().map(|m| (minutes(m.start()), minutes(m.end())));
        let mut sweep = Self { days: vec![], taken: taken.collect() };
        sweep.look_up_offsets(days);
        sweep
    }

    /// Finds the days' midnights by the zone's offset at noon, once for each.
    #[expect(clippy::disallowed_methods, reason = "by hand is by chrono-tz")]
    pub fn look_up_offsets(&mut self, days: u64) {
        let noon = NaiveTime::MIN + TimeDelta::hours(12);
        let midnight = |date: NaiveDate| {
            let offset = ZONE.offset_from_utc_datetime(&date.and_time(noon));
            let offset = i64::from(offset.fix().local_minus_utc() / 60);
            let weekday = date.weekday().num_days_from_monday() < 5;
            (i64::from(date.to_epoch_days()) * DAY - offset, weekday)
        };
        self.days.clear();
        self.days.extend(dates(days).map(midnight));
    }

    /// Starts, in minutes since 1970, and the minutes of the longest session.
    #[must_use]
    pub fn slots(&self) -> Vec<(i64, u32)> {
        let mut slots = Vec::new();
        let mut taken = self.taken.iter().peekable();
        for (midnight, _) in self.days.iter().filter(|(_, weekday)| *weekday) {
            for (from, to) in WINDOWS {
                let (mut start, end) = (midnight + i64::from(from), midnight + i64::from(to));
                while start < end {
                    while taken.next_if(|(_, end)| *end <= start).is_some() {}
                    let busy = taken.peek().map_or(i64::MAX, |(start, _)| *start);
                    let room = end.min(busy) - start;
                    if room >= 30 {
                        slots.push((start, (room / 30 * 30).min(120) as u32));
                    }
                    start += 30;
                }
            }
        }
        slots
    }
}
