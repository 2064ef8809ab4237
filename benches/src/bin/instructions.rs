//! One workload so many times, for a tool that counts instructions: `./test.sh instructions`.
//!
//! `instructions <workload> <times>`; without arguments it names the workloads.

use std::hint::black_box;
use std::process::ExitCode;

use booking_benches::sweep::Sweep;
use booking_benches::{NOW, calendar, calendar_with, first, meetings, slots, windows};
use booking_core::{SessionDuration, Span};

/// What it is called in `instructions.txt`, and what to do so many times.
type Workload = (&'static str, fn(u32));

const WORKLOADS: &[Workload] = &[
    ("cold_1_day", |times| cold(1, times)),
    ("cold_30_days", |times| cold(30, times)),
    ("cold_365_days", |times| cold(365, times)),
    ("prepared_1_day", |times| prepared(1, times)),
    ("prepared_30_days", |times| prepared(30, times)),
    ("prepared_365_days", |times| prepared(365, times)),
    ("by_hand_1_day", |times| by_hand(1, times)),
    ("by_hand_30_days", |times| by_hand(30, times)),
    ("by_hand_365_days", |times| by_hand(365, times)),
    ("by_hand_with_zone_1_day", |times| by_hand_with_zone(1, times)),
    ("by_hand_with_zone_30_days", |times| by_hand_with_zone(30, times)),
    ("by_hand_with_zone_365_days", |times| by_hand_with_zone(365, times)),
    ("one_day_among_100000_meetings", one_day_among_meetings),
    ("admit", admit),
    ("overlaps_among_100000_meetings", overlaps),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let workload = |name| WORKLOADS.iter().find(|(known, _)| *known == name);
    match arguments.get(1).map(String::as_str).map(workload).zip(arguments.get(2)) {
        None => names(),
        Some((Some((_, repeat)), times)) if times.parse::<u32>().is_ok() => {
            repeat(times.parse().unwrap_or_default());
        }
        Some(_) => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "this is what it is asked for")]
fn names() {
    for (name, _) in WORKLOADS {
        println!("{name}");
    }
}

fn prepared(days: u64, times: u32) {
    let calendar = calendar_with(days, 0);
    for _ in 0..times {
        black_box(slots(black_box(&calendar), days));
    }
}

fn cold(days: u64, times: u32) {
    let (windows, meetings) = (windows(), meetings(days));
    for _ in 0..times {
        black_box(slots(&calendar(black_box(&windows), black_box(&meetings)), days));
    }
}

fn by_hand(days: u64, times: u32) {
    let sweep = Sweep::new(days);
    for _ in 0..times {
        black_box(black_box(&sweep).slots());
    }
}

fn by_hand_with_zone(days: u64, times: u32) {
    let mut sweep = Sweep::new(days);
    for _ in 0..times {
        black_box(&mut sweep).look_up_offsets(days);
        black_box(black_box(&sweep).slots());
    }
}

fn one_day_among_meetings(times: u32) {
    let calendar = calendar_with(1, 100_000);
    for _ in 0..times {
        black_box(black_box(&calendar).slots(first(), NOW));
    }
}

fn admit(times: u32) {
    let calendar = calendar_with(1, 0);
    let start = calendar.slots(first(), NOW)[0].start.instant();
    for _ in 0..times {
        black_box(black_box(&calendar).admit(start, SessionDuration::HalfHour, NOW)).ok();
    }
}

fn overlaps(times: u32) {
    let calendar = calendar_with(1, 100_000);
    let start = calendar.slots(first(), NOW)[0].start.instant();
    let session = Span::new(start, start + SessionDuration::MAX.to_delta()).expect("a span");
    for _ in 0..times {
        black_box(black_box(&calendar.taken).overlaps(black_box(session)));
    }
}
