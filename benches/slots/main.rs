//! Slots of one therapist, beside what else would work them out: `cargo bench -p booking-benches`.
//!
//! Machines differ: read the ratios within one run. Each peer is first checked to give the same
//! answer.

mod decisions;
mod plain;

use booking_benches::sweep::Sweep;
use booking_benches::{NOW, calendar, calendar_with, dates, first, meetings, slots, windows};
use booking_core::{SessionDuration, Slot, Span};
use divan::{Bencher, black_box};

fn main() {
    assert_that_all_agree();
    divan::main();
}

/// All days in one question to a calendar that is there.
#[divan::bench(args = [1, 30, 365])]
fn prepared(bencher: Bencher<'_, '_>, days: u64) {
    let calendar = calendar_with(days, 0);
    bencher.bench(|| slots(black_box(&calendar), days));
}

/// The same from the rows of a store: weekly windows and meetings.
#[divan::bench(args = [1, 30, 365])]
fn cold(bencher: Bencher<'_, '_>, days: u64) {
    let (windows, meetings) = (windows(), meetings(days));
    bencher.bench(|| slots(&calendar(black_box(&windows), black_box(&meetings)), days));
}

/// One question for each day, as clients ask.
#[divan::bench(args = [1, 30, 365])]
fn day_by_day(bencher: Bencher<'_, '_>, days: u64) {
    let calendar = calendar_with(days, 0);
    bencher.bench(|| {
        dates(days).map(|date| black_box(&calendar).slots(date, NOW).len()).sum::<usize>()
    });
}

/// By hand, over minutes, with the offset of each day given.
#[divan::bench(args = [1, 30, 365])]
fn peer_by_hand(bencher: Bencher<'_, '_>, days: u64) {
    let sweep = Sweep::new(days);
    bencher.bench(|| black_box(&sweep).slots());
}

/// The same, which looks up the offset of each day.
#[divan::bench(args = [1, 30, 365])]
fn peer_by_hand_with_zone(bencher: Bencher<'_, '_>, days: u64) {
    let mut sweep = Sweep::new(days);
    bencher.bench_local(|| {
        black_box(&mut sweep).look_up_offsets(days);
        sweep.slots()
    });
}

/// What a quick hand would write with chrono.
#[divan::bench(args = [1, 30, 365])]
fn peer_plain_chrono(bencher: Bencher<'_, '_>, days: u64) {
    let calendar = calendar_with(days, 0);
    bencher.bench(|| {
        dates(days).map(|date| plain::slots(black_box(&calendar), date).len()).sum::<usize>()
    });
}

/// One day, with ever more meetings elsewhere in the calendar: only the day may cost.
#[divan::bench(args = [10, 1_000, 100_000])]
fn one_day_among_meetings(bencher: Bencher<'_, '_>, meetings: i32) {
    let calendar = calendar_with(1, meetings);
    bencher.bench(|| black_box(&calendar).slots(first(), NOW));
}

/// One booking's check.
#[divan::bench]
fn admit(bencher: Bencher<'_, '_>) {
    let calendar = calendar_with(1, 0);
    let start = calendar.slots(first(), NOW)[0].start.instant();
    bencher.bench(|| black_box(&calendar).admit(start, SessionDuration::HalfHour, NOW));
}

/// Whether a session overlaps anything.
#[divan::bench(args = [10, 1_000, 100_000])]
fn overlaps(bencher: Bencher<'_, '_>, meetings: i32) {
    let calendar = calendar_with(1, meetings);
    let start = calendar.slots(first(), NOW)[0].start.instant();
    let session = Span::new(start, start + SessionDuration::MAX.to_delta());
    bencher.bench(|| session.map(|session| black_box(&calendar.taken).overlaps(session)));
}

/// What keeps one of two people busy.
#[divan::bench(args = [10, 1_000, 100_000])]
fn union(bencher: Bencher<'_, '_>, meetings: i32) {
    let (one, other) = (calendar_with(1, meetings).taken, calendar_with(30, meetings).taken);
    bencher.bench(|| black_box(&one).union(black_box(&other)));
}

/// A comparison with something that answers otherwise would say nothing.
fn assert_that_all_agree() {
    let calendar = calendar_with(365, 0);
    let answer = slots(&calendar, 365);
    let day_by_day: Vec<Slot> = dates(365).flat_map(|date| calendar.slots(date, NOW)).collect();
    assert_eq!(answer, day_by_day);
    let plainly: Vec<Slot> = dates(365).flat_map(|date| plain::slots(&calendar, date)).collect();
    assert_eq!(answer, plainly);
    let minutes = |slot: &Slot| {
        let start = slot.start.instant().timestamp() / 60;
        (start, slot.durations.longest().minutes())
    };
    let answer: Vec<(i64, u32)> = answer.iter().map(minutes).collect();
    assert_eq!(answer, Sweep::new(365).slots());
}
