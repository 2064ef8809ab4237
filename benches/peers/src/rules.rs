//! rrule: weekly windows as recurrence rules, one for the mornings and one for the afternoons. It stops
//! at when windows begin: their lengths, meetings and grid are left to a sweep by hand.

use booking_benches::{WINDOWS, ZONE, first};
use chrono::{Days, NaiveDate, NaiveTime, TimeZone};
use rrule::RRuleSet;

use crate::Minutes;

/// Rules, each with the minutes that its windows last; read and checked already.
pub(crate) struct Rules(Vec<(RRuleSet, i64)>);

impl Rules {
    /// Those that began on a Monday, asked for so many days of the workload.
    pub(crate) fn new(since: NaiveDate, days: u64) -> Self {
        let midnight = |date: NaiveDate| {
            let zone = rrule::Tz::from(ZONE);
            let midnight = zone.from_local_datetime(&date.and_time(NaiveTime::MIN));
            midnight.single().expect("New York has midnights")
        };
        let rule = |(from, until): (u16, u16)| {
            let begins = format!("{}T{:02}{:02}00", since.format("%Y%m%d"), from / 60, from % 60);
            let text =
                format!("DTSTART;TZID={ZONE}:{begins}\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR");
            let rule: RRuleSet = text.parse().expect("a rule");
            let rule = rule.after(midnight(first())).before(midnight(first() + Days::new(days)));
            (rule, i64::from(until - from))
        };
        Self(WINDOWS.map(rule).into())
    }

    /// The windows as minutes, earliest first.
    pub(crate) fn windows(&self) -> Vec<Minutes> {
        let mut windows = Vec::new();
        for (rule, length) in &self.0 {
            let starts = rule.clone().all_unchecked();
            windows.extend(starts.iter().map(|start| {
                let start = start.timestamp() / 60;
                (start, start + length)
            }));
        }
        windows.sort_unstable();
        windows
    }
}
