//! What a quick hand would write: each window converted with `from_local_datetime`, each start
//! compared with every meeting of its day. Wrong at clock changes.

use booking_benches::{WINDOWS, windows};
use booking_core::{Calendar, Durations, SessionDuration, Slot, Span, StartTime};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

#[expect(clippy::disallowed_methods, reason = "by hand is by chrono-tz")]
pub(crate) fn slots(calendar: &Calendar, date: NaiveDate) -> Vec<Slot> {
    let local = |minutes: u16| {
        let wall = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(i64::from(minutes));
        Tz::from_local_datetime(&calendar.zone, &wall).earliest().map(|time| time.to_utc())
    };
    let open: Vec<(DateTime<Utc>, DateTime<Utc>)> = windows_of(date)
        .into_iter()
        .filter_map(|(start, end)| local(start).zip(local(end)))
        .collect();
    let day = local(0).zip(local(1_440));
    let near = |span: &&Span| day.is_some_and(|(from, to)| span.start() < to && span.end() > from);
    let taken: Vec<Span> = calendar.taken.as_slice().iter().filter(near).copied().collect();
    let mut slots = Vec::new();
    for (from, to) in open {
        let mut start = from;
        while start < to {
            let fits = |duration: &SessionDuration| {
                let end = start + duration.to_delta();
                end <= to && !taken.iter().any(|span| span.start() < end && start < span.end())
            };
            if let Some(longest) = SessionDuration::ALL.into_iter().rev().find(fits) {
                let start = StartTime::new(start).expect("a whole minute");
                slots.push(Slot { start, durations: Durations::up_to(longest) });
            }
            start += TimeDelta::minutes(30);
        }
    }
    slots
}

fn windows_of(date: NaiveDate) -> Vec<(u16, u16)> {
    let receives = windows().iter().any(|(weekday, _)| *weekday == date.weekday());
    if receives { WINDOWS.to_vec() } else { vec![] }
}
