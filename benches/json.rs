//! The JSON of `GET /booking/slots`, one day with sixteen starts: as the API writes it, and as serde
//! writes the same from structs. The two are first checked to be the same.

use booking_api::slots_json;
use booking_core::{Durations, SessionDuration, Slot, StartTime, format_instant};
use chrono::{DateTime, TimeDelta};
use divan::{Bencher, black_box};
use serde::Serialize;

fn main() {
    assert_eq!(slots_json(&day()), serde_json::to_string(&structs(&day())).expect("JSON"));
    divan::main();
}

#[divan::bench]
fn written(bencher: Bencher<'_, '_>) {
    let day = day();
    bencher.bench(|| slots_json(black_box(&day)));
}

#[divan::bench]
fn by_serde(bencher: Bencher<'_, '_>) {
    let day = day();
    bencher.bench(|| serde_json::to_string(&structs(black_box(&day))));
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    start_time: String,
    available_durations: Vec<Duration>,
}

#[derive(Serialize)]
struct Duration {
    id: String,
    name: String,
    duration: u32,
}

fn structs(slots: &[Slot]) -> Vec<Start> {
    let duration = |minutes: u32| Duration {
        id: minutes.to_string(),
        name: format!("{minutes} minutes"),
        duration: minutes,
    };
    let start = |slot: &Slot| Start {
        start_time: format_instant(slot.start.instant()),
        available_durations: slot
            .durations
            .iter()
            .map(|length| duration(length.minutes()))
            .collect(),
    };
    slots.iter().map(start).collect()
}

/// Nine to five without a break.
fn day() -> Vec<Slot> {
    let nine = DateTime::UNIX_EPOCH + TimeDelta::days(20_514) + TimeDelta::hours(9);
    let left = |index: i32| usize::try_from(15 - index).unwrap_or_default().min(3);
    let slot = |index: i32| {
        let start = StartTime::new(nine + TimeDelta::minutes(30) * index).ok()?;
        Some(Slot { start, durations: Durations::up_to(SessionDuration::ALL[left(index)]) })
    };
    (0..16).filter_map(slot).collect()
}
