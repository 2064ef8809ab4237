//! Workload W, which the benchmarks and the counts of instructions share: one therapist, Mon–Fri
//! 09:00–12:00 and 13:00–17:00 in `America/New_York`, half of the working hours taken by 60-minute
//! meetings, from 2026-03-02.
//!
//! `cargo bench -p booking-benches` measures times, `./test.sh instructions` counts instructions.

pub mod shards;
pub mod sweep;

use booking_core::{
    Calendar, Overrides, Slot, Span, SpanSet, Terms, WallTime, WeeklyHours, Window,
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::{America::New_York, Tz};

/// The therapist's zone.
pub const ZONE: Tz = New_York;

/// The days with windows.
pub const WEEKDAYS: [Weekday; 5] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

/// The windows of such a day, in minutes.
pub const WINDOWS: [(u16, u16); 2] = [(540, 720), (780, 1_020)];

/// A time before all of it.
pub const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The first date.
#[must_use]
pub fn first() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date")
}

/// The dates from the first.
pub fn dates(days: u64) -> impl Iterator<Item = NaiveDate> {
    (0..days).map(|day| first() + Days::new(day))
}

/// The weekly windows.
#[must_use]
pub fn windows() -> Vec<(Weekday, Window)> {
    let time = |minutes| WallTime::from_minutes(minutes).expect("a time of day");
    let window = |(start, end)| Window::new(time(start), time(end)).expect("a window");
    WEEKDAYS.into_iter().flat_map(|day| WINDOWS.map(|edges| (day, window(edges)))).collect()
}

/// The meetings of so many days: every other hour of each window.
#[must_use]
pub fn meetings(days: u64) -> Vec<Span> {
    let begin = first().and_time(NaiveTime::MIN).and_utc();
    let end = begin + TimeDelta::days(1) * i32::try_from(days + 1).expect("a few years");
    let hours: WeeklyHours = windows().into_iter().collect();
    let open = hours.spans(ZONE, Span::new(begin, end).expect("a span"));
    let of_window = |open: Span| {
        let starts =
            std::iter::successors(Some(open.start()), |at| Some(*at + TimeDelta::hours(2)));
        starts
            .take_while(move |at| *at < open.end())
            .filter_map(move |at| Span::new(at, at + TimeDelta::hours(1))?.intersection(open))
    };
    open.iter().flat_map(of_window).collect()
}

/// The calendar, as a store's rows become one.
#[must_use]
pub fn calendar(windows: &[(Weekday, Window)], meetings: &[Span]) -> Calendar {
    Calendar {
        zone: ZONE,
        hours: windows.iter().copied().collect(),
        overrides: Overrides::default(),
        taken: meetings.iter().copied().collect(),
        terms: Terms::default(),
    }
}

/// The calendar with the meetings of so many days and, a month after them, so many more.
#[must_use]
pub fn calendar_with(days: u64, more: i32) -> Calendar {
    let mut calendar = calendar(&windows(), &meetings(days));
    calendar.taken = calendar.taken.union(&meetings_later(days, more));
    calendar
}

/// So many meetings, one every two hours, from a month after so many days.
#[must_use]
pub fn meetings_later(days: u64, meetings: i32) -> SpanSet {
    let later = (first() + Days::new(days + 30)).and_time(NaiveTime::MIN).and_utc();
    let meeting = |n| {
        let start = later + TimeDelta::hours(2) * n;
        Span::new(start, start + TimeDelta::hours(1))
    };
    (0..meetings).filter_map(meeting).collect()
}

/// The slots of so many days, by asking once for all of them.
#[must_use]
pub fn slots(calendar: &Calendar, days: u64) -> Vec<Slot> {
    let mut slots = Vec::new();
    let last = first() + Days::new(days.saturating_sub(1));
    calendar.days(first(), last).for_each(|day| day.add_slots(NOW, &mut slots));
    slots
}
