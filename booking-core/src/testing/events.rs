//! What cases do with events and their deliveries.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::World;
use super::fixtures::{booked, by, client, event, now};
use crate::{
    Added, Attempt, Change, Claim, Claimed, Delivery, DeliveryQuery, DeliveryState, Event,
    EventPayload, EventQuery, Meeting, MeetingId, Outcome, Recorded, Scope, Settled, Subscriber,
    SubscriberId, UserId,
};

/// How long cases claim something for.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// Somebody who wants everything since [`now`].
pub(super) fn subscriber(name: &str) -> Subscriber {
    Subscriber {
        id: SubscriberId::new(name).expect("a name"),
        event_types: [].into(),
        is_active: true,
        settings: json!(null),
        created_at: now(),
    }
}

/// So many events of one meeting: it is booked, and then moved; each says which one it is.
pub(super) fn story(meeting: &Meeting, events: usize) -> Vec<Event> {
    let moved =
        |n: usize| event(EventPayload::rescheduled(meeting, meeting, client(), n.to_string()));
    std::iter::once(booked(meeting)).chain((1..).map(moved)).take(events).collect()
}

/// Which one of its [`story`] it is.
pub(super) fn chapter(event: &Event) -> usize {
    match &event.payload {
        EventPayload::AppointmentRescheduled(moved) => {
            moved.reschedule_reason.parse().expect("a number")
        }
        _ => 0,
    }
}

/// The chapters of each meeting, in the order of `events`.
pub(super) fn chapters<'a>(
    events: impl IntoIterator<Item = &'a Event>,
) -> BTreeMap<MeetingId, Vec<usize>> {
    let mut chapters = BTreeMap::<_, Vec<usize>>::new();
    for event in events {
        chapters.entry(event.payload.meeting()).or_default().push(chapter(event));
    }
    chapters
}

pub(super) fn sequences<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Vec<u64> {
    events.into_iter().map(|recorded| recorded.sequence).collect()
}

/// How a claimed delivery ended at an instant.
pub(super) fn ended(claimed: &Claimed, at: DateTime<Utc>, outcome: Outcome) -> Settled {
    let has_failed = outcome != Outcome::Delivered;
    let status = Some(if has_failed { 503 } else { 204 });
    let attempt = Attempt { at, status, error: has_failed.then(|| "not now".to_owned()) };
    Settled { sequence: claimed.event.sequence, until: claimed.until, attempt, outcome }
}

impl World {
    /// Commits events, and lets them join the log.
    pub(super) async fn tell(&self, events: &[Event]) {
        self.apply(Change { events: events.to_vec(), ..Change::default() }).await;
        self.publish().await;
    }

    /// Commits events in a change that locks these people only.
    pub(super) async fn commit(&self, people: &[UserId], events: Vec<Event>) {
        let scope = Scope { people: people.iter().cloned().collect(), ..Scope::default() };
        let change = Change { events, ..Change::default() };
        self.change(&scope, &|_| Ok(change.clone())).await.expect("the store applies a change");
    }

    /// Events of the log.
    pub(super) async fn log(
        &self,
        after: u64,
        person: Option<UserId>,
        limit: u32,
    ) -> Vec<Recorded> {
        let query = EventQuery { after, person, limit };
        self.outbox().events(&query).await.expect("the outbox answers")
    }

    pub(super) async fn last_sequence(&self) -> u64 {
        self.outbox().last_sequence().await.expect("the outbox answers")
    }

    pub(super) async fn forget(&self, before: DateTime<Utc>, limit: u32) -> u32 {
        self.outbox().forget(before, limit).await.expect("the outbox forgets")
    }

    /// Adds somebody who is not there yet.
    pub(super) async fn add(&self, subscriber: &Subscriber) -> SubscriberId {
        let added = self.try_add(subscriber).await;
        assert_eq!(added, Added::Done, "there is nobody by that name");
        subscriber.id.clone()
    }

    pub(super) async fn try_add(&self, subscriber: &Subscriber) -> Added {
        let added = self.outbox().add_subscriber(subscriber, by()).await;
        added.expect("the store takes subscribers")
    }

    /// Adds somebody who wants everything.
    pub(super) async fn join(&self, name: &str) -> SubscriberId {
        self.add(&subscriber(name)).await
    }

    pub(super) async fn set_active(&self, id: &SubscriberId, is_active: bool) {
        let change = move |subscriber: &mut Subscriber| subscriber.is_active = is_active;
        let changed = self.outbox().change_subscriber(id, &change, by()).await;
        assert_eq!(changed.expect("the store answers").map(|s| s.is_active), Some(is_active));
    }

    pub(super) async fn claim(
        &self,
        id: &SubscriberId,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Vec<Claimed> {
        let claim = Claim { now, lease: LEASE, limit };
        self.outbox().claim(id, &claim).await.expect("the store answers")
    }

    pub(super) async fn settle(&self, id: &SubscriberId, settled: &[Settled]) {
        self.outbox().settle(id, settled).await.expect("the store takes what became of them");
    }

    /// Claims and settles until nothing is due any more; returns what there was.
    pub(super) async fn take_all(&self, id: &SubscriberId, at: DateTime<Utc>) -> Vec<Recorded> {
        let mut taken = vec![];
        loop {
            let claimed = self.claim(id, at, 1_000).await;
            if claimed.is_empty() {
                return taken;
            }
            let settled = claimed.iter().map(|claimed| ended(claimed, at, Outcome::Delivered));
            self.settle(id, &settled.collect::<Vec<_>>()).await;
            taken.extend(claimed.into_iter().map(|claimed| claimed.event));
        }
    }

    /// The latest first.
    pub(super) async fn deliveries(
        &self,
        id: &SubscriberId,
        state: Option<DeliveryState>,
    ) -> Vec<Delivery> {
        let subscriber = id.clone();
        let query = DeliveryQuery { subscriber, state, before: None, limit: 100_000 };
        self.outbox().deliveries(&query).await.expect("the store answers")
    }

    /// The delivery of one event.
    pub(super) async fn delivery(&self, id: &SubscriberId, sequence: u64) -> Delivery {
        let all = self.deliveries(id, None).await;
        let found = all.into_iter().find(|delivery| delivery.event.sequence == sequence);
        found.expect("it is on its way, or was")
    }
}

/// Chance that is the same in every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One of so many sides, from 0.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }
}
