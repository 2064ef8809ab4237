//! Bookings over shards that die and lose messages: see `booking_benches::shards`.

use booking_benches::shards::{Counts, Plan, Rules, simulate};

/// Few people and times, so that they get into each other's way.
fn plan(seed: u64, rules: Rules) -> Plan {
    let (shards, people, slots, bookings) = (1 + (seed % 5) as u32, 6, 8, 120);
    let (deaths, losses) = ((seed % 7) as u32 * 20, (seed % 11) as u32 * 20);
    Plan { seed, shards, people, slots, bookings, deaths, losses, rules }
}

#[test]
fn no_acknowledged_booking_is_lost_and_nothing_stays_unsettled() {
    let mut acknowledged = 0;
    for seed in 0..2_000 {
        let counts = simulate(plan(seed, Rules::OneDecides));
        assert_eq!((counts.lost, counts.unsettled), (0, 0), "seed {seed}: {counts:?}");
        acknowledged += counts.acknowledged;
    }
    assert!(acknowledged > 10_000, "only {acknowledged} bookings were made at all");
}

#[test]
fn without_failures_everybody_is_answered() {
    for seed in 0..200 {
        let plan = Plan { deaths: 0, losses: 0, ..plan(seed, Rules::OneDecides) };
        let Counts { acknowledged, refused, unanswered, .. } = simulate(plan);
        assert_eq!((acknowledged + refused, unanswered), (plan.bookings, 0), "seed {seed}");
    }
}

#[test]
fn two_clocks_that_decide_are_caught() {
    let lost = |seed| simulate(plan(seed, Rules::EachByItsClock)).lost;
    assert!((0..2_000).any(|seed| lost(seed) > 0));
}
