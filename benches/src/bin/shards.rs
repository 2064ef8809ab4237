//! `cargo run --release -p booking-benches --bin shards`: what bookings over shards cost, as a table.

use std::fmt::Write;
use std::io::{self, Write as _};

use booking_benches::shards::{Counts, Plan, Rules, simulate};

const HEAD: &str = "\
| people | deaths, losses of 1 000 | messages for each booked | refused | for nothing | lost |
|--:|--:|--:|--:|--:|--:|
";

fn main() -> io::Result<()> {
    let mut table = String::from(HEAD);
    for people in [10_000, 1_000, 100] {
        for failures in [0, 10, 100] {
            row(&mut table, people, failures);
        }
    }
    io::stdout().write_all(table.as_bytes())
}

/// As many bookings as people have time for, so that more and more of them are refused.
fn row(table: &mut String, people: u32, failures: u32) {
    let plan = Plan {
        seed: 1,
        shards: 16,
        people,
        slots: 40,
        bookings: people * 20,
        deaths: failures,
        losses: failures,
        rules: Rules::OneDecides,
    };
    let Counts { acknowledged, messages, refused, refused_for_nothing, lost, .. } = simulate(plan);
    let share = |count: u32| 100.0 * f64::from(count) / f64::from(plan.bookings);
    let _ = writeln!(
        table,
        "| {people} | {failures} | {:.2} | {:.1} % | {:.2} % | {lost} |",
        f64::from(messages) / f64::from(acknowledged),
        share(refused),
        share(refused_for_nothing),
    );
}
