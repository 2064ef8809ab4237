//! Deliveries under many hands: each event is noted once, nobody shares a claim, and every meeting
//! keeps its order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

use super::events::{Dice, LEASE, chapter, ended, sequences, story};
use super::fixtures::{by, client, hour, id, meeting, now, therapist};
use super::{Harness, World, cases, race};
use crate::{
    Claimed, Delivery, DeliveryState, Event, EventId, MeetingId, MemoryStore, Outcome, Recorded,
    Replay, SubscriberId,
};

cases! {
    ($) conformance_delivery_races in delivery_races:

    /// One delivery per event and subscriber, however many publish at the same time.
    async fn an_event_is_noted_once(world: World) {
        let ids = [world.join("a").await, world.join("b").await, world.join("c").await];
        let people: Vec<_> = (0..8).map(|n| id(&format!("person_{n}"))).collect();
        race(people.into_iter().map(|person| {
            let world = world.clone();
            async move {
                for _ in 0..6 {
                    let events = story(&meeting(&person, &therapist(), hour(9)), 2);
                    world.commit(std::slice::from_ref(&person), events).await;
                    world.publish_some(3).await;
                }
                while world.publish_some(5).await > 0 {}
            }
        }))
        .await;
        let log = sequences(&world.events().await);
        assert_eq!(log.len(), 8 * 6 * 2);
        for id in &ids {
            let mut noted =
                sequences(world.deliveries(id, None).await.iter().map(|one| &one.event));
            noted.reverse();
            assert_eq!(noted, log);
        }
    }

    /// Those who claim at the same time get different deliveries, each no more than asked for, and
    /// together all of them.
    async fn racing_claimers_never_share(world: World) {
        let crm = world.join("crm").await;
        for _ in 0..60 {
            world.tell(&story(&meeting(&client(), &therapist(), hour(9)), 2)).await;
        }
        for round in 0..3 {
            let at = now() + LEASE * round;
            let shares = race((1..=8).map(|limit| {
                let (world, crm) = (world.clone(), crm.clone());
                async move {
                    let mut share = vec![];
                    loop {
                        let claimed = world.claim(&crm, at, limit).await;
                        assert!(claimed.len() <= limit as usize);
                        if claimed.is_empty() {
                            return share;
                        }
                        share.extend(claimed.into_iter().map(|claimed| claimed.event.sequence));
                        assert!(share.len() <= 60, "the same ones come again and again");
                    }
                }
            }))
            .await
            .concat();
            let different: BTreeSet<u64> = shares.iter().copied().collect();
            assert_eq!((shares.len(), different.len()), (60, 60), "round {round}");
            let heads: BTreeSet<u64> = oldest(&world, &crm).await;
            assert_eq!(different, heads);
        }
    }

    /// Workers that deliver, fail, and fall silent, each as chance will have it: a meeting's events
    /// arrive in order, and in the end all of them have.
    async fn meetings_keep_their_order(world: World) {
        const EVENTS: usize = 8;
        let crm = world.join("crm").await;
        for _ in 0..6 {
            world.tell(&story(&meeting(&client(), &therapist(), hour(9)), EVENTS)).await;
        }
        let arrived = Arc::<Mutex<BTreeMap<MeetingId, Vec<usize>>>>::default();
        let clock = Arc::new(AtomicI64::new(0));
        race((0..5).map(|seed| {
            let worker = Worker {
                world: world.clone(),
                id: crm.clone(),
                dice: Dice::new(seed + 1),
                clock: clock.clone(),
                arrived: arrived.clone(),
            };
            worker.work()
        }))
        .await;
        let arrived = std::mem::take(&mut *arrived.lock().expect("nothing panics"));
        assert_eq!(arrived.len(), 6);
        for chapters in arrived.values() {
            assert!(chapters.iter().copied().eq(0..EVENTS), "{chapters:?}");
        }
        let delivered = world.deliveries(&crm, Some(DeliveryState::Delivered)).await;
        assert_eq!(delivered.len(), 6 * EVENTS);
    }

    /// Whatever happens in whatever order, the store does as the reference store does.
    async fn it_does_as_the_reference_does(world: World) {
        let reference = World::new(Harness::new(Arc::new(MemoryStore::default()), ())).await;
        let mut pair = Pair {
            worlds: [world, reference],
            dice: Dice::new(42),
            now: now(),
            meetings: vec![],
            claimed: vec![],
        };
        for name in NAMES {
            for world in &pair.worlds {
                world.join(name).await;
            }
        }
        for step in 0..250 {
            pair.step().await;
            if step % 10 == 0 {
                pair.compare().await;
            }
        }
    }
}

/// The oldest pending ones of each meeting.
async fn oldest(world: &World, id: &SubscriberId) -> BTreeSet<u64> {
    let pending = world.deliveries(id, Some(DeliveryState::Pending)).await;
    let mut oldest = BTreeMap::new();
    // From the latest to the oldest.
    for delivery in pending {
        oldest.insert(delivery.event.event.payload.meeting(), delivery.event.sequence);
    }
    oldest.into_values().collect()
}

struct Worker {
    world: World,
    id: SubscriberId,
    dice: Dice,
    /// Milliseconds; it moves on while nobody finds anything.
    clock: Arc<AtomicI64>,
    /// The first arrival of each chapter.
    arrived: Arc<Mutex<BTreeMap<MeetingId, Vec<usize>>>>,
}

impl Worker {
    async fn work(mut self) {
        loop {
            let at = now() + TimeDelta::milliseconds(self.clock.load(Ordering::SeqCst));
            let claimed = self.world.claim(&self.id, at, 3).await;
            if claimed.is_empty() {
                self.clock.fetch_add(5_000, Ordering::SeqCst);
                if self.world.deliveries(&self.id, Some(DeliveryState::Pending)).await.is_empty() {
                    return;
                }
            }
            for claimed in claimed {
                self.deliver(&claimed, at).await;
            }
        }
    }

    async fn deliver(&mut self, claimed: &Claimed, at: DateTime<Utc>) {
        let outcome = match self.dice.roll(4) {
            0 => return,
            1 => Outcome::RetryAt(at + TimeDelta::seconds(3)),
            _ => {
                self.arrive(&claimed.event.event);
                Outcome::Delivered
            }
        };
        tokio::task::yield_now().await;
        self.world.settle(&self.id, &[ended(claimed, at, outcome)]).await;
    }

    /// It may come again: from somebody who was too slow.
    fn arrive(&self, event: &Event) {
        let mut arrived = self.arrived.lock().expect("nothing panics");
        let chapters = arrived.entry(event.payload.meeting()).or_default();
        if !chapters.contains(&chapter(event)) {
            chapters.push(chapter(event));
        }
    }
}

const NAMES: [&str; 2] = ["crm", "lab"];

/// The store, and the reference store.
struct Pair {
    worlds: [World; 2],
    dice: Dice,
    now: DateTime<Utc>,
    meetings: Vec<crate::Meeting>,
    /// What was claimed from both, by whom.
    claimed: Vec<(SubscriberId, [Claimed; 2])>,
}

impl Pair {
    async fn step(&mut self) {
        let id = SubscriberId::new(NAMES[self.dice.roll(2)]).expect("a name");
        match self.dice.roll(12) {
            0..3 => self.tell().await,
            3..6 => self.claim(&id).await,
            6..9 => self.settle().await,
            9 => {
                let seconds = 20 * i64::try_from(self.dice.roll(4)).expect("small");
                self.now += TimeDelta::seconds(seconds);
            }
            10 if self.dice.roll(4) == 0 => {
                let is_active = self.dice.roll(2) == 0;
                for world in &self.worlds {
                    world.set_active(&id, is_active).await;
                }
            }
            10 => self.replay(&id).await,
            _ => {
                let before = self.now - TimeDelta::seconds(200);
                let limit = u32::try_from(self.dice.roll(4)).expect("small");
                let [one, other] = &self.worlds;
                assert_eq!(one.forget(before, limit).await, other.forget(before, limit).await);
            }
        }
    }

    async fn tell(&mut self) {
        if self.meetings.len() < 5 || self.dice.roll(3) == 0 {
            self.meetings.push(meeting(&client(), &therapist(), hour(9)));
        }
        let about = self.dice.roll(self.meetings.len());
        let mut events = story(&self.meetings[about], 1 + self.dice.roll(3));
        for event in &mut events {
            event.occurred_at = self.now;
        }
        for world in &self.worlds {
            world.clock.set(self.now);
            world.tell(&events).await;
        }
    }

    async fn claim(&mut self, id: &SubscriberId) {
        let limit = 1 + u32::try_from(self.dice.roll(5)).expect("small");
        let one = self.worlds[0].claim(id, self.now, limit).await;
        let other = self.worlds[1].claim(id, self.now, limit).await;
        let plain =
            |claimed: &Claimed| (claimed.event.event.clone(), claimed.failures, claimed.until);
        assert!(one.iter().map(plain).eq(other.iter().map(plain)), "{one:#?} {other:#?}");
        let both = one.into_iter().zip(other).map(|(one, other)| (id.clone(), [one, other]));
        self.claimed.extend(both);
    }

    /// In any order, and some of them twice, or never.
    async fn settle(&mut self) {
        if self.claimed.is_empty() {
            return;
        }
        let outcome = match self.dice.roll(7) {
            0 => Outcome::Dead,
            1 | 2 => {
                let wait = 10 * i64::try_from(self.dice.roll(6)).expect("small");
                Outcome::RetryAt(self.now + TimeDelta::seconds(wait))
            }
            3 => Outcome::WaitUntil(self.now + TimeDelta::seconds(15)),
            _ => Outcome::Delivered,
        };
        let index = self.dice.roll(self.claimed.len());
        let (id, claimed) = self.claimed[index].clone();
        for (world, claimed) in self.worlds.iter().zip(&claimed) {
            world.settle(&id, &[ended(claimed, self.now, outcome)]).await;
        }
        if self.dice.roll(4) > 0 {
            self.claimed.swap_remove(index);
        }
    }

    async fn replay(&mut self, id: &SubscriberId) {
        let [one, other] = [self.worlds[0].events().await, self.worlds[1].events().await];
        if one.is_empty() {
            return;
        }
        let (from, length) = (self.dice.roll(one.len()), self.dice.roll(8));
        let to = (from + length).min(one.len() - 1);
        let (limit, now) = (1 + u32::try_from(self.dice.roll(6)).expect("small"), self.now);
        let only_dead = self.dice.roll(2) == 0;
        let range = |log: &[Recorded]| {
            let (from, to) = (log[from].sequence, log[to].sequence);
            Replay { from, to, only_dead, limit, now }
        };
        let [one, other] = [range(&one), range(&other)];
        let replayed = self.worlds[0].outbox().replay(id, &one, by()).await.expect("it replays");
        let expected = self.worlds[1].outbox().replay(id, &other, by()).await.expect("it replays");
        assert_eq!(replayed, expected);
    }

    async fn compare(&self) {
        let [one, other] = &self.worlds;
        let [log, expected] = [one.events().await, other.events().await];
        let event = |recorded: &Recorded| recorded.event.clone();
        assert!(log.iter().map(event).eq(expected.iter().map(event)));
        // The two count differently.
        let places = |log: &[Recorded]| -> HashMap<EventId, usize> {
            log.iter().enumerate().map(|(n, recorded)| (recorded.event.id, n)).collect()
        };
        let [places, expected_places] = [places(&log), places(&expected)];
        let placed = |places: &HashMap<EventId, usize>, delivery: Delivery| {
            let place = places.get(&delivery.event.event.id).copied();
            (place, delivery.state, delivery.failures, delivery.due_at, delivery.last_attempt)
        };
        for name in NAMES {
            let id = SubscriberId::new(name).expect("a name");
            let found = one.deliveries(&id, None).await.into_iter();
            let expected = other.deliveries(&id, None).await.into_iter();
            let found: Vec<_> = found.map(|delivery| placed(&places, delivery)).collect();
            let expected: Vec<_> = expected.map(|d| placed(&expected_places, d)).collect();
            assert_eq!(found, expected);
        }
        let backlogs = [one.outbox().backlog().await, other.outbox().backlog().await];
        let [found, expected] = backlogs.map(|backlog| backlog.expect("the store counts"));
        assert_eq!(found, expected);
    }
}
