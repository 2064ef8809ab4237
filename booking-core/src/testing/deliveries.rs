//! Deliveries: claimed for a while, settled once, tried again, given up and replayed.

use chrono::{DateTime, TimeDelta, Utc};

use super::events::{LEASE, ended, sequences, story, subscriber};
use super::fixtures::{by, client, hour, meeting, now, therapist};
use super::rows::NASTY;
use super::{World, cases};
use crate::{
    Attempt, Backlog, Claimed, Delivery, DeliveryQuery, DeliveryState, EventType, Outcome, Replay,
    Settled, SubscriberId,
};

cases! {
    ($) conformance_deliveries in deliveries:

    /// Of each meeting the oldest that is pending, when it is due and nobody has it, and no more
    /// than asked for.
    async fn the_oldest_of_each_meeting_is_claimed(world: World) {
        let (crm, log) = with_stories(&world, 3, 2).await;
        let [a, b, c] = [0, 2, 4].map(|n| log[n]);
        assert_eq!(claimed(&world.claim(&crm, at(-1), 10).await), [0; 0], "it is not due yet");
        assert_eq!(claimed(&world.claim(&crm, now(), 0).await), [0; 0]);
        let first = world.claim(&crm, now(), 2).await;
        assert_eq!(claimed(&first), [a, b]);
        let until = now() + LEASE;
        assert!(first.iter().all(|claimed| (claimed.until, claimed.failures) == (until, 0)));
        assert_eq!(claimed(&world.claim(&crm, now(), 10).await), [c]);
        assert_eq!(claimed(&world.claim(&crm, now(), 10).await), [0; 0]);
        world.settle(&crm, &[ended(&first[1], at(1), Outcome::Delivered)]).await;
        assert_eq!(claimed(&world.claim(&crm, at(1), 10).await), [b + 1]);
        assert_eq!(
            claimed(&world.claim(&crm, until - TimeDelta::milliseconds(1), 10).await),
            [0; 0]
        );
        assert_eq!(
            claimed(&world.claim(&crm, until, 10).await),
            [a, c],
            "whoever had them lost them"
        );
        assert_eq!(world.claim(&SubscriberId::new("nobody").expect("a name"), until, 10).await, []);
    }

    /// What has been due for the longest comes first.
    async fn the_longest_due_come_first(world: World) {
        let (crm, log) = with_stories(&world, 4, 1).await;
        let claimed_now = world.claim(&crm, now(), 10).await;
        let settled: Vec<_> = claimed_now
            .iter()
            .zip([30, 10, 20, 10])
            .map(|(claimed, seconds)| ended(claimed, now(), Outcome::RetryAt(at(seconds))))
            .collect();
        world.settle(&crm, &settled).await;
        assert_eq!(claimed(&world.claim(&crm, at(9), 10).await), [0; 0]);
        assert_eq!(claimed(&world.claim(&crm, at(20), 2).await), [log[1], log[3]]);
        assert_eq!(claimed(&world.claim(&crm, at(30), 10).await), [log[2], log[0]]);
    }

    /// Every subscriber has deliveries of their own.
    async fn subscribers_do_not_wait_for_each_other(world: World) {
        let lab = world.join("lab").await;
        let (crm, log) = with_stories(&world, 1, 3).await;
        assert_eq!(sequences(&world.take_all(&crm, now()).await), log);
        let first = world.claim(&lab, now(), 10).await;
        world.settle(&crm, &[ended(&first[0], now(), Outcome::Dead)]).await;
        assert_eq!(world.delivery(&lab, log[0]).await.state, DeliveryState::Pending);
        world.settle(&lab, &[ended(&first[0], now(), Outcome::Delivered)]).await;
        assert_eq!(sequences(&world.take_all(&lab, now()).await), log[1..]);
    }

    /// How an attempt ended is kept as it was said, with the last one only.
    async fn attempts_come_back_as_settled(world: World) {
        let (crm, log) = with_stories(&world, 1, 1).await;
        let mut expected = Delivery {
            event: world.events().await.remove(0),
            state: DeliveryState::Pending,
            failures: 0,
            due_at: now(),
            last_attempt: None,
        };
        assert_eq!(world.delivery(&crm, log[0]).await, expected);
        let errors = [Some(NASTY.to_owned()), Some(String::new()), None];
        let outcomes = [Outcome::RetryAt(at(5)), Outcome::RetryAt(at(6)), Outcome::Delivered];
        for (n, (outcome, error)) in outcomes.into_iter().zip(errors).enumerate() {
            let claimed = world.claim(&crm, expected.due_at, 1).await.remove(0);
            assert_eq!(claimed.failures, expected.failures);
            let status = [Some(u16::MAX), None, Some(200)][n];
            let attempt =
                Attempt { at: expected.due_at + TimeDelta::milliseconds(1), status, error };
            let settled = Settled { attempt: attempt.clone(), ..ended(&claimed, now(), outcome) };
            world.settle(&crm, &[settled]).await;
            expected.last_attempt = Some(attempt);
            match outcome {
                Outcome::RetryAt(at) => {
                    (expected.due_at, expected.failures) = (at, expected.failures + 1);
                }
                _ => expected.state = DeliveryState::Delivered,
            }
            assert_eq!(world.delivery(&crm, log[0]).await, expected);
        }
    }

    /// A failure counts for whoever has the delivery. It undoes neither a success, nor the claim of
    /// somebody who took over.
    async fn stale_failures_do_not_count(world: World) {
        let (crm, log) = with_stories(&world, 2, 1).await;
        let first = world.claim(&crm, now(), 1).await.remove(0);
        let later = now() + LEASE;
        let second = world.claim(&crm, later, 1).await.remove(0);
        assert_eq!(first.event, second.event);
        for outcome in [Outcome::Dead, Outcome::RetryAt(at(1))] {
            world.settle(&crm, &[ended(&first, later, outcome)]).await;
            let delivery = world.delivery(&crm, log[0]).await;
            assert_eq!((delivery.state, delivery.failures), (DeliveryState::Pending, 0));
            assert_eq!((delivery.due_at, delivery.last_attempt), (now(), None));
        }
        assert_eq!(
            claimed(&world.claim(&crm, later, 10).await),
            log[1..],
            "it still is somebody's"
        );
        world.settle(&crm, &[ended(&second, later, Outcome::Delivered)]).await;
        let delivered = world.delivery(&crm, log[0]).await;
        for stale in [&first, &second] {
            for outcome in [Outcome::Dead, Outcome::RetryAt(at(1))] {
                world.settle(&crm, &[ended(stale, at(999), outcome)]).await;
                assert_eq!(world.delivery(&crm, log[0]).await, delivered);
            }
        }
        // Nor does it make something of what nobody has.
        let unclaimed = Settled { sequence: log[1], ..ended(&first, later, Outcome::Dead) };
        world.settle(&crm, &[unclaimed]).await;
        assert_eq!(world.delivery(&crm, log[1]).await.state, DeliveryState::Pending);
    }

    /// A success counts, however late.
    async fn successes_always_count(world: World) {
        let (crm, log) = with_stories(&world, 3, 1).await;
        let first = world.claim(&crm, now(), 10).await;
        let later = now() + LEASE;
        // One that somebody else has, one that was given up, and one that is to be tried again.
        let again = world.claim(&crm, later, 10).await;
        let ends = [
            ended(&again[1], later, Outcome::Dead),
            ended(&again[2], later, Outcome::RetryAt(later + LEASE)),
        ];
        world.settle(&crm, &ends).await;
        let successes: Vec<_> =
            first.iter().map(|claimed| ended(claimed, later, Outcome::Delivered)).collect();
        world.settle(&crm, &successes).await;
        for (n, sequence) in log.iter().enumerate() {
            let delivery = world.delivery(&crm, *sequence).await;
            assert_eq!(delivery.state, DeliveryState::Delivered);
            assert_eq!(delivery.failures, u32::from(n > 0));
            assert_eq!(delivery.last_attempt, Some(successes[n].attempt.clone()));
        }
        assert_eq!(world.claim(&crm, later + 3 * LEASE, 10).await, []);
    }

    /// Settling what there is not does no harm, nor does settling a delivery twice.
    async fn settling_nothing_does_nothing(world: World) {
        let (crm, log) = with_stories(&world, 1, 2).await;
        let claimed = world.claim(&crm, now(), 10).await.remove(0);
        let nobody = SubscriberId::new("nobody").expect("a name");
        let done = ended(&claimed, now(), Outcome::Delivered);
        let unknown =
            [0, log[1] + 1, u64::MAX].map(|sequence| Settled { sequence, ..done.clone() });
        world.settle(&crm, &[]).await;
        world.settle(&nobody, std::slice::from_ref(&done)).await;
        world.settle(&crm, &unknown).await;
        let pending = world.deliveries(&crm, Some(DeliveryState::Pending)).await;
        assert_eq!(pending.len(), 2);
        let retry = ended(&claimed, now(), Outcome::RetryAt(at(5)));
        world.settle(&crm, &[retry.clone(), retry.clone(), done.clone(), retry, done]).await;
        let delivery = world.delivery(&crm, log[0]).await;
        assert_eq!((delivery.state, delivery.failures), (DeliveryState::Delivered, 1));
    }

    /// What is to be tried again comes at its time; until then the later events of that meeting
    /// wait, and no others.
    async fn a_failure_holds_back_its_meeting(world: World) {
        let (crm, log) = with_stories(&world, 2, 3).await;
        let first = world.claim(&crm, now(), 10).await;
        world.settle(&crm, &[ended(&first[0], now(), Outcome::RetryAt(at(10)))]).await;
        for late in &log[..3] {
            assert_eq!(world.delivery(&crm, *late).await.due_at, at(10));
        }
        world.settle(&crm, &[ended(&first[1], now(), Outcome::Delivered)]).await;
        assert_eq!(sequences(&world.take_all(&crm, at(9)).await), log[4..]);
        let again = world.claim(&crm, at(10), 10).await;
        assert_eq!((claimed(&again), again[0].failures), (vec![log[0]], 1));
        // A later event that was waiting for longer stays where it was.
        world.settle(&crm, &[ended(&again[0], at(10), Outcome::RetryAt(at(5)))]).await;
        assert_eq!(world.delivery(&crm, log[1]).await.due_at, at(10));
        assert_eq!(sequences(&world.take_all(&crm, at(10)).await), log[..3]);
    }

    /// Whoever waits has not failed, however often; but the meeting waits with it.
    async fn waits_are_not_counted(world: World) {
        let (crm, log) = with_stories(&world, 1, 2).await;
        let mut expected = 0;
        for (n, is_wait) in (0..).zip([true, true, false, true, false, true]) {
            let (from, until) = (at(10 * n), at(10 * (n + 1)));
            let claimed = world.claim(&crm, from, 10).await;
            assert_eq!((claimed.len(), claimed[0].failures), (1, expected));
            let outcome =
                if is_wait { Outcome::WaitUntil(until) } else { Outcome::RetryAt(until) };
            let settled = ended(&claimed[0], from, outcome);
            world.settle(&crm, std::slice::from_ref(&settled)).await;
            expected += u32::from(!is_wait);
            let delivery = world.delivery(&crm, log[0]).await;
            assert_eq!((delivery.state, delivery.failures), (DeliveryState::Pending, expected));
            assert_eq!(delivery.last_attempt, Some(settled.attempt));
            for waits in &log {
                assert_eq!(world.delivery(&crm, *waits).await.due_at, until);
            }
        }
    }

    /// What was given up no longer holds back its meeting.
    async fn dead_letters_let_the_next_through(world: World) {
        let (crm, log) = with_stories(&world, 1, 3).await;
        let first = world.claim(&crm, now(), 10).await;
        world.settle(&crm, &[ended(&first[0], now(), Outcome::Dead)]).await;
        assert_eq!(sequences(&world.take_all(&crm, now()).await), log[1..]);
        let dead = world.deliveries(&crm, Some(DeliveryState::Dead)).await;
        assert_eq!((dead.len(), dead[0].failures, dead[0].event.sequence), (1, 1, log[0]));
        assert_eq!(backlog(&world).await, [("crm".to_owned(), 0, 1)]);

        assert_eq!(again(&world, &crm, replay(0, u64::MAX, true)).await, 1);
        assert_eq!(world.delivery(&crm, log[0]).await.last_attempt, None);
        let claimed = world.claim(&crm, at(60), 10).await;
        assert_eq!((claimed.len(), claimed[0].failures), (1, 0));
        assert_eq!(again(&world, &crm, replay(0, u64::MAX, true)).await, 0);
    }

    /// A range of the log, oldest first; what is pending is left alone, and what was never noted
    /// comes for the first time.
    async fn events_are_replayed(world: World) {
        let meetings = [0; 2].map(|_| meeting(&client(), &therapist(), hour(9)));
        world.tell(&story(&meetings[0], 2)).await;
        let crm = world.join("crm").await;
        world.tell(&story(&meetings[1], 4)).await;
        let log = sequences(&world.events().await);
        let claimed = world.claim(&crm, now(), 10).await;
        world.settle(&crm, &[ended(&claimed[0], now(), Outcome::Delivered)]).await;
        let claimed = world.claim(&crm, now(), 10).await;
        world.settle(&crm, &[ended(&claimed[0], now(), Outcome::Dead)]).await;
        // Unknown, delivered and dead ones; the last two are pending.
        assert_eq!(again(&world, &crm, replay(log[1], log[4], false)).await, 3);
        assert_eq!(again(&world, &crm, replay(log[1], log[4], false)).await, 0);
        let pending = world.deliveries(&crm, Some(DeliveryState::Pending)).await;
        let mut expected = log[1..].to_vec();
        expected.reverse();
        assert_eq!(sequences(pending.iter().map(|delivery| &delivery.event)), expected);
        assert!(pending.iter().all(|one| one.failures == 0 && one.last_attempt.is_none()));
        assert_eq!(world.delivery(&crm, log[3]).await.due_at, at(60));
        assert_eq!(world.take_all(&crm, at(60)).await.len(), 5);

        let two = Replay { limit: 2, ..replay(0, u64::MAX, false) };
        assert_eq!(again(&world, &crm, two).await, 2);
        let pending = world.deliveries(&crm, Some(DeliveryState::Pending)).await;
        assert_eq!(sequences(pending.iter().map(|one| &one.event)), [log[1], log[0]]);
        assert_eq!(again(&world, &crm, replay(log[3], log[2], false)).await, 0);
        let nobody = SubscriberId::new("nobody").expect("a name");
        assert_eq!(again(&world, &nobody, replay(0, u64::MAX, false)).await, 0);
    }

    /// Only what they want, active or not; nothing that is not published; and not what was
    /// forgotten.
    async fn only_what_is_wanted_is_replayed(world: World) {
        let mut picky = subscriber("picky");
        (picky.event_types, picky.is_active) = ([EventType::Booked].into(), false);
        let events = story(&meeting(&client(), &therapist(), hour(9)), 3);
        world.tell(&events).await;
        world.tell(&story(&meeting(&client(), &therapist(), hour(9)), 2)).await;
        let picky = world.add(&picky).await;
        assert_eq!(world.forget(at(60), 1).await, 1);
        let log = world.events().await;
        assert_eq!(again(&world, &picky, replay(0, u64::MAX, true)).await, 0);
        assert_eq!(again(&world, &picky, replay(0, u64::MAX, false)).await, 1);
        assert_eq!(world.claim(&picky, at(60), 10).await, []);
        world.set_active(&picky, true).await;
        assert_eq!(world.take_all(&picky, at(60)).await, [log[2].clone()]);
        // What they had once, and do not want any more, is not for them either.
        let kinds = |subscriber: &mut crate::Subscriber| {
            subscriber.event_types = [EventType::Rescheduled].into();
        };
        world.outbox().change_subscriber(&picky, &kinds, by()).await.expect("the store changes them");
        assert_eq!(again(&world, &picky, replay(0, u64::MAX, false)).await, 3);
        assert_eq!(world.delivery(&picky, log[2].sequence).await.state, DeliveryState::Delivered);
    }

    /// Lists go page by page, the latest first, in one state or in any; backlogs count.
    async fn deliveries_are_listed_and_counted(world: World) {
        world.join("idle").await;
        let (crm, log) = with_stories(&world, 12, 1).await;
        let claimed = world.claim(&crm, now(), 9).await;
        let settled: Vec<_> = claimed
            .iter()
            .enumerate()
            .map(|(n, claimed)| {
                ended(
                    claimed,
                    now(),
                    [Outcome::Delivered, Outcome::Dead, Outcome::RetryAt(at(9))][n % 3],
                )
            })
            .collect();
        world.settle(&crm, &settled).await;
        let all = world.deliveries(&crm, None).await;
        let mut expected = log.clone();
        expected.reverse();
        assert_eq!(sequences(all.iter().map(|delivery| &delivery.event)), expected);
        let states = [None].into_iter().chain(DeliveryState::ALL.map(Some));
        for (state, count) in states.zip([12, 6, 3, 3]) {
            let expected: Vec<_> = all
                .iter()
                .filter(|one| state.is_none_or(|state| one.state == state))
                .cloned()
                .collect();
            assert_eq!(expected.len(), count);
            for limit in [1, 2, 5, 100] {
                assert_eq!(paged(&world, &crm, state, limit).await, expected);
            }
        }
        let counts = [("crm".to_owned(), 6, 3), ("idle".to_owned(), 12, 0)];
        assert_eq!(backlog(&world).await, counts);
        let pending = world.deliveries(&crm, Some(DeliveryState::Pending)).await;
        let oldest = pending.last().map(|delivery| delivery.event.event.occurred_at);
        let backlog = world.outbox().backlog().await.expect("the store counts");
        assert_eq!(backlog[0].oldest, oldest);
        assert_eq!(world.outbox().unpublished(100).await.expect("the store counts"), 0);
        let nobody = SubscriberId::new("nobody").expect("a name");
        assert_eq!(world.deliveries(&nobody, None).await, []);
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// The subscriber `crm`, and events for them: so many meetings, each with a story; their sequences.
async fn with_stories(world: &World, meetings: usize, events: usize) -> (SubscriberId, Vec<u64>) {
    let crm = world.join("crm").await;
    for _ in 0..meetings {
        world.tell(&story(&meeting(&client(), &therapist(), hour(9)), events)).await;
    }
    (crm, sequences(&world.events().await))
}

fn claimed(claimed: &[Claimed]) -> Vec<u64> {
    sequences(claimed.iter().map(|claimed| &claimed.event))
}

/// Due in a minute.
fn replay(from: u64, to: u64, only_dead: bool) -> Replay {
    Replay { from, to, only_dead, limit: 1_000, now: at(60) }
}

async fn again(world: &World, id: &SubscriberId, replay: Replay) -> u32 {
    world.outbox().replay(id, &replay, by()).await.expect("the store replays")
}

async fn backlog(world: &World) -> Vec<(String, u64, u64)> {
    let backlog = world.outbox().backlog().await.expect("the store counts");
    let plain = |Backlog { subscriber, pending, oldest, dead }| {
        assert_eq!(oldest.is_some(), pending > 0, "of what is pending, one is the oldest");
        (subscriber.to_string(), pending, dead)
    };
    backlog.into_iter().map(plain).collect()
}

async fn paged(
    world: &World,
    id: &SubscriberId,
    state: Option<DeliveryState>,
    limit: u32,
) -> Vec<Delivery> {
    let mut all: Vec<Delivery> = vec![];
    loop {
        let before = all.last().map(|last| last.event.sequence);
        let query = DeliveryQuery { subscriber: id.clone(), state, before, limit };
        let page = world.outbox().deliveries(&query).await.expect("the store answers");
        if page.is_empty() {
            return all;
        }
        assert!(page.len() <= limit as usize);
        all.extend(page);
    }
}
