//! Slots of one therapist: `cargo bench -p booking-benches`.
//!
//! Workload: Mon–Fri 09:00–12:00 and 13:00–17:00 in `America/New_York`, half of the working hours
//! taken by 60-minute meetings, from 2026-03-02. Machines differ: read the ratios within one run.

use booking_core::{
    Calendar, SessionDuration, Slot, Span, SpanSet, StartTime, WeeklyHours, Window,
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::{America::New_York, Tz};
use divan::{Bencher, black_box};

fn main() {
    assert_the_sweep_agrees();
    divan::main();
}

/// A calendar prepared once, asked day by day.
#[divan::bench(args = [1, 30, 365])]
fn days(bencher: Bencher<'_, '_>, days: u64) {
    let calendar = calendar(days);
    bencher.bench(|| slots(black_box(&calendar), days));
}

/// What a quick hand would write: each window converted with `from_local_datetime`, each start
/// compared with every meeting of its day. Wrong at clock changes.
#[divan::bench(args = [1, 30, 365])]
fn days_by_a_plain_sweep(bencher: Bencher<'_, '_>, days: u64) {
    let calendar = calendar(days);
    bencher
        .bench(|| dates(days).map(|date| sweep(black_box(&calendar), date).len()).sum::<usize>());
}

/// One day, with ever more meetings elsewhere in the calendar: only the day may cost.
#[divan::bench(args = [10, 1_000, 100_000])]
fn one_day_among_meetings(bencher: Bencher<'_, '_>, meetings: i32) {
    let mut calendar = calendar(1);
    let later = begin() + TimeDelta::days(30);
    let far = (0..meetings).filter_map(|n| {
        let start = later + TimeDelta::hours(2) * n;
        Span::new(start, start + TimeDelta::hours(1))
    });
    calendar.taken = calendar.taken.union(&far.collect::<SpanSet>());
    bencher.bench(|| slots(black_box(&calendar), 1));
}

/// One booking's check.
#[divan::bench]
fn admit(bencher: Bencher<'_, '_>) {
    let calendar = calendar(1);
    let start = calendar.slots(first(), DateTime::UNIX_EPOCH)[0].start.instant();
    bencher.bench(|| {
        black_box(&calendar).admit(start, SessionDuration::HalfHour, DateTime::UNIX_EPOCH)
    });
}

fn slots(calendar: &Calendar, days: u64) -> usize {
    dates(days).map(|date| calendar.slots(date, DateTime::UNIX_EPOCH).len()).sum()
}

fn first() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date")
}

fn begin() -> DateTime<Utc> {
    first().and_time(NaiveTime::MIN).and_utc()
}

fn dates(days: u64) -> impl Iterator<Item = NaiveDate> {
    (0..days).map(|day| first() + Days::new(day))
}

fn windows() -> [Window; 2] {
    [("09:00", "12:00"), ("13:00", "17:00")].map(|(start, end)| {
        let time = |text: &str| text.parse().expect("a time of day");
        Window::new(time(start), time(end)).expect("a window")
    })
}

fn calendar(days: u64) -> Calendar {
    let weekdays = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    let hours: WeeklyHours =
        weekdays.into_iter().flat_map(|day| windows().map(|window| (day, window))).collect();
    let within = Span::new(begin(), begin() + TimeDelta::days(days as i64 + 1)).expect("a span");
    let every_other_hour = hours.spans(New_York, within);
    let taken = every_other_hour.iter().flat_map(|open| {
        let starts =
            std::iter::successors(Some(open.start()), |at| Some(*at + TimeDelta::hours(2)));
        starts
            .take_while(move |at| *at < open.end())
            .filter_map(move |at| Span::new(at, at + TimeDelta::hours(1))?.intersection(open))
    });
    Calendar { zone: New_York, taken: taken.collect(), hours }
}

fn sweep(calendar: &Calendar, date: NaiveDate) -> Vec<Slot> {
    let local = |minutes: u16| {
        let wall = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(i64::from(minutes));
        Tz::from_local_datetime(&calendar.zone, &wall).earliest().map(|time| time.to_utc())
    };
    let is_weekend = matches!(chrono::Datelike::weekday(&date), Weekday::Sat | Weekday::Sun);
    let open: Vec<(DateTime<Utc>, DateTime<Utc>)> = if is_weekend {
        vec![]
    } else {
        let edges = |w: Window| local(w.start().minutes()).zip(local(w.end().minutes()));
        windows().into_iter().filter_map(edges).collect()
    };
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
                slots.push(Slot { start, longest });
            }
            start += TimeDelta::minutes(30);
        }
    }
    slots
}

/// A comparison with something that answers otherwise would say nothing.
fn assert_the_sweep_agrees() {
    let calendar = calendar(365);
    for date in dates(365) {
        assert_eq!(calendar.slots(date, DateTime::UNIX_EPOCH), sweep(&calendar, date), "{date}");
    }
}
