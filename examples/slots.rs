//! Slots alone: no store, no service, no async. `cargo run -p booking-examples --bin slots`
//!
//! Give the hours, the zone and what is taken; get the starts. The night is one in which New York
//! sets its clocks forward.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use booking_core::tzdb::local_time;
use booking_core::{Calendar, Overrides, SessionDuration, Span, Terms, WeeklyHours, Window};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let night = Window::new("00:30".parse()?, "05:00".parse()?).ok_or("empty window")?;
    let hours: WeeklyHours = [(Weekday::Sun, night)].into_iter().collect();

    let booked: DateTime<Utc> = "2026-03-08T07:30:00Z".parse()?;
    let taken = Span::new(booked, booked + TimeDelta::minutes(30)).ok_or("empty span")?;

    let zone = chrono_tz::America::New_York;
    let calendar = Calendar {
        zone,
        hours,
        overrides: Overrides::default(),
        taken: [taken].into_iter().collect(),
        terms: Terms::default(),
    };

    let date = NaiveDate::from_ymd_opt(2026, 3, 8).ok_or("no such date")?;
    let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse()?;
    for slot in calendar.slots(date, now) {
        let durations: Vec<u32> = slot.durations.iter().map(SessionDuration::minutes).collect();
        let start = local_time(zone, slot.start.instant());
        println!("{}  {durations:?} minutes", start.format("%H:%M %:z"));
    }
    Ok(())
}
