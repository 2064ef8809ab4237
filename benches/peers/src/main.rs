//! Workload W by crates of the registry, beside booking-core:
//! `cargo run --release --manifest-path benches/peers/Cargo.toml`.
//!
//! Each peer is first checked to give the same answer. Rounds take turns, and the quickest counts:
//! read the ratios.

mod blocks;
mod rules;
mod timing;

use std::cell::RefCell;

use booking_benches::sweep::Sweep;
use booking_benches::{ZONE, calendar, calendar_with, first, meetings, slots, windows};
use booking_core::{Slot, Span, SpanSet, WeeklyHours};
use chrono::{Days, NaiveDate, NaiveTime, TimeZone};

use crate::timing::{Row, show};

const DAYS: [u64; 3] = [1, 30, 365];

/// From one minute since 1970 to just before another.
type Minutes = (i64, i64);

/// A start, in minutes since 1970, and the minutes of the longest session.
type Start = (i64, u32);

fn main() {
    println!("Slots\n");
    show(&DAYS, slots_rows);
    println!("\nFree time, where the windows are instants already\n");
    show(&DAYS, free_rows);
}

fn slots_rows(days: u64) -> Vec<Row> {
    let ready = calendar_with(days, 0);
    let (hours, taken) = (windows(), meetings(days));
    let of_slots = |slots: &Vec<Slot>| slots.iter().map(start).collect::<Vec<Start>>();
    let expected = of_slots(&slots(&ready, days));

    let minutes: Vec<Minutes> = taken.iter().copied().map(to_minutes).collect();
    let rules = |since| {
        let (rules, minutes) = (rules::Rules::new(since, days), minutes.clone());
        move || sweep(rules.windows(), &minutes)
    };
    let five_years_before = first() - Days::new(5 * 52 * 7);
    let given = blocks::Blocks::new(&open(days), &taken);
    let looked_up = blocks::Blocks::new(&open(days), &taken);
    let by_hand = Sweep::new(days);
    let with_zone = RefCell::new(Sweep::new(days));
    let same = |starts: &Vec<Start>| starts.clone();
    vec![
        Row::new(
            "booking-core, from hours and meetings",
            &expected,
            move || slots(&calendar(&hours, &taken), days),
            of_slots,
        ),
        Row::new("booking-core, a calendar", &expected, move || slots(&ready, days), of_slots),
        Row::new("by hand, the offsets given", &expected, move || by_hand.slots(), same),
        Row::new(
            "by hand, looking up each day's offset",
            &expected,
            move || {
                with_zone.borrow_mut().look_up_offsets(days);
                with_zone.borrow().slots()
            },
            same,
        ),
        Row::new("rrule, rules that begin with the range", &expected, rules(first()), same),
        Row::new("rrule, rules of five years ago", &expected, rules(five_years_before), same),
        Row::new(
            "chrono-slots, windows by chrono",
            &expected,
            move || looked_up.starts(&blocks::windows(days)),
            same,
        ),
        Row::new(
            "chrono-slots, windows given",
            &expected,
            move || given.starts(given.windows()),
            same,
        ),
    ]
}

fn free_rows(days: u64) -> Vec<Row> {
    let (open, booked) = (open(days), meetings(days));
    let taken: SpanSet = booked.iter().copied().collect();
    let minutes = |free: &SpanSet| free.iter().map(to_minutes).collect::<Vec<Minutes>>();
    let expected = minutes(&open.subtract(&taken));
    let blocks = blocks::Blocks::new(&open, &booked);
    vec![
        Row::new("booking-core", &expected, move || open.subtract(&taken), minutes),
        Row::new(
            "chrono-slots",
            &expected,
            move || blocks.free(blocks.windows()),
            |free| free.iter().map(blocks::Free::minutes).collect(),
        ),
    ]
}

/// The windows as instants.
fn open(days: u64) -> SpanSet {
    let hours: WeeklyHours = windows().into_iter().collect();
    let midnight = |date: NaiveDate| {
        let midnight = ZONE.from_local_datetime(&date.and_time(NaiveTime::MIN));
        midnight.single().expect("New York has midnights").to_utc()
    };
    let range = Span::new(midnight(first()), midnight(first() + Days::new(days)));
    hours.spans(ZONE, range.expect("a span"))
}

fn start(slot: &Slot) -> Start {
    (slot.start.instant().timestamp() / 60, slot.durations.longest().minutes())
}

fn to_minutes(span: Span) -> Minutes {
    (span.start().timestamp() / 60, span.end().timestamp() / 60)
}

/// Windows to starts, by hand: what a crate that stops at windows leaves to do.
fn sweep(windows: impl IntoIterator<Item = Minutes>, taken: &[Minutes]) -> Vec<Start> {
    let mut starts = Vec::new();
    let mut taken = taken.iter().peekable();
    for (from, until) in windows {
        for start in (from..until).step_by(30) {
            while taken.next_if(|(_, end)| *end <= start).is_some() {}
            let busy = taken.peek().map_or(i64::MAX, |(start, _)| *start);
            starts.extend(longest(start, until.min(busy)));
        }
    }
    starts
}

/// A start with so much room, if it is enough for any session.
fn longest(start: i64, until: i64) -> Option<Start> {
    let room = u32::try_from(until - start).ok()?;
    (room >= 30).then_some((start, (room / 30 * 30).min(120)))
}
