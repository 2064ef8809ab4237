//! The outbox in memory, and the deliveries of its events.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::audit::{AuditEntry, By};
use crate::decide::admit_subscriber;
use crate::delivery::{
    Added, Attempt, Backlog, ChangeSubscriber, Claim, Claimed, Deliveries, Delivery, DeliveryQuery,
    DeliveryState, Outcome, Replay, Settled, Subscriber, SubscriberId,
};
use crate::event::Event;
use crate::outbox::{EventQuery, Outbox, Recorded};
use crate::store::StoreError;

#[derive(Debug, Default)]
pub(super) struct Events {
    log: BTreeMap<u64, Event>,
    last_sequence: u64,
    published: u64,
    subscribers: BTreeMap<SubscriberId, Member>,
}

#[derive(Debug)]
struct Member {
    subscriber: Subscriber,
    deliveries: BTreeMap<u64, Parcel>,
}

/// A delivery, without its event.
#[derive(Debug)]
struct Parcel {
    state: DeliveryState,
    failures: u32,
    due_at: DateTime<Utc>,
    claimed_until: Option<DateTime<Utc>>,
    last_attempt: Option<Attempt>,
}

impl Parcel {
    fn due_at(due_at: DateTime<Utc>) -> Self {
        let state = DeliveryState::Pending;
        Self { state, failures: 0, due_at, claimed_until: None, last_attempt: None }
    }

    fn is_pending(&self) -> bool {
        self.state == DeliveryState::Pending
    }

    /// Whether it counts.
    fn settle(&mut self, settled: &Settled) -> bool {
        let is_ours = self.is_pending() && self.claimed_until == Some(settled.until);
        if settled.outcome != Outcome::Delivered && !is_ours {
            return false;
        }
        self.claimed_until = None;
        self.last_attempt = Some(settled.attempt.clone());
        match settled.outcome {
            Outcome::Delivered => self.state = DeliveryState::Delivered,
            Outcome::RetryAt(at) => {
                self.failures += 1;
                self.due_at = at;
            }
            Outcome::WaitUntil(at) => self.due_at = at,
            Outcome::Dead => {
                self.failures += 1;
                self.state = DeliveryState::Dead;
            }
        }
        true
    }
}

impl Events {
    pub(super) fn append(&mut self, events: &[Event]) {
        for event in events {
            self.last_sequence += 1;
            self.log.insert(self.last_sequence, event.clone());
        }
    }

    fn publish(&mut self, now: DateTime<Utc>, limit: u32) -> u32 {
        let mut published = 0;
        for (&sequence, event) in self.log.range(self.published + 1..).take(limit as usize) {
            for member in self.subscribers.values_mut() {
                if member.subscriber.wants(event) {
                    member.deliveries.insert(sequence, Parcel::due_at(now));
                }
            }
            self.published = sequence;
            published += 1;
        }
        published
    }

    fn recorded(&self, sequence: u64) -> Option<Recorded> {
        self.log.get(&sequence).map(|event| Recorded { sequence, event: event.clone() })
    }

    fn claim(&mut self, id: &SubscriberId, claim: &Claim) -> Vec<Claimed> {
        let Some(member) = self.subscribers.get(id).filter(|m| m.subscriber.is_active) else {
            return vec![];
        };
        let mut meetings = HashSet::new();
        let mut due: Vec<(DateTime<Utc>, u64)> = vec![];
        for (&sequence, parcel) in member.deliveries.iter().filter(|(_, p)| p.is_pending()) {
            let Some(event) = self.log.get(&sequence) else { continue };
            let is_oldest = meetings.insert(event.payload.meeting());
            let is_free = parcel.claimed_until.is_none_or(|until| until <= claim.now);
            if is_oldest && is_free && parcel.due_at <= claim.now {
                due.push((parcel.due_at, sequence));
            }
        }
        due.sort_unstable();
        due.truncate(claim.limit as usize);
        due.into_iter().filter_map(|(_, sequence)| self.take(id, sequence, claim)).collect()
    }

    fn take(&mut self, id: &SubscriberId, sequence: u64, claim: &Claim) -> Option<Claimed> {
        let event = self.recorded(sequence)?;
        let parcel = self.subscribers.get_mut(id)?.deliveries.get_mut(&sequence)?;
        let until = claim.until();
        parcel.claimed_until = Some(until);
        Some(Claimed { event, failures: parcel.failures, until })
    }

    fn settle(&mut self, id: &SubscriberId, settled: &Settled) {
        let Some(member) = self.subscribers.get_mut(id) else { return };
        let Some(parcel) = member.deliveries.get_mut(&settled.sequence) else { return };
        if !parcel.settle(settled) {
            return;
        }
        if let Outcome::RetryAt(at) | Outcome::WaitUntil(at) = settled.outcome {
            let meeting = |sequence| self.log.get(sequence).map(|event| event.payload.meeting());
            let of = meeting(&settled.sequence);
            let later = member.deliveries.range_mut(settled.sequence + 1..);
            for (_, parcel) in later.filter(|(n, parcel)| parcel.is_pending() && meeting(n) == of) {
                parcel.due_at = parcel.due_at.max(at);
            }
        }
    }

    fn replay(&mut self, id: &SubscriberId, replay: &Replay) -> u32 {
        let Some(member) = self.subscribers.get_mut(id) else { return 0 };
        let to = replay.to.min(self.published);
        let mut replayed = 0;
        for (&sequence, event) in &self.log {
            if sequence < replay.from || sequence > to || replayed == replay.limit {
                continue;
            }
            let state = member.deliveries.get(&sequence).map(|parcel| parcel.state);
            let again = if replay.only_dead {
                state == Some(DeliveryState::Dead)
            } else {
                state != Some(DeliveryState::Pending) && member.subscriber.wants_type_of(event)
            };
            if again {
                member.deliveries.insert(sequence, Parcel::due_at(replay.now));
                replayed += 1;
            }
        }
        replayed
    }

    fn forget(&mut self, before: DateTime<Utc>, limit: u32) -> u32 {
        let is_pending = |sequence: u64| {
            let mut parcels = self.subscribers.values().map(|m| m.deliveries.get(&sequence));
            parcels.any(|parcel| parcel.is_some_and(Parcel::is_pending))
        };
        let old = self.log.range(..=self.published).filter(|(_, e)| e.occurred_at < before);
        let mut gone: Vec<(DateTime<Utc>, u64)> = old
            .filter(|&(&sequence, _)| !is_pending(sequence))
            .map(|(&sequence, event)| (event.occurred_at, sequence))
            .collect();
        gone.sort_unstable();
        gone.truncate(limit as usize);
        for (_, sequence) in &gone {
            self.log.remove(sequence);
            for member in self.subscribers.values_mut() {
                member.deliveries.remove(sequence);
            }
        }
        u32::try_from(gone.len()).unwrap_or(limit)
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn publish(&self, now: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        Ok(self.state().events.publish(now, limit))
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<Recorded>, StoreError> {
        let events = &self.state().events;
        let later = (Bound::Excluded(query.after), Bound::Unbounded);
        let concerned = events.log.range(later).filter(|(sequence, event)| {
            let people = event.payload.people();
            **sequence <= events.published
                && query.person.as_ref().is_none_or(|person| people.contains(&person))
        });
        let recorded =
            concerned.map(|(&sequence, event)| Recorded { sequence, event: event.clone() });
        Ok(recorded.take(query.limit as usize).collect())
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        Ok(self.state().events.published)
    }

    async fn unpublished(&self, limit: u32) -> Result<u32, StoreError> {
        let events = &self.state().events;
        let waiting = events.log.range(events.published + 1..).take(limit as usize).count();
        Ok(u32::try_from(waiting).unwrap_or(limit))
    }

    async fn forget(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        Ok(self.state().events.forget(before, limit))
    }
}

#[async_trait]
impl Deliveries for MemoryStore {
    async fn add_subscriber(&self, subscriber: &Subscriber, by: By) -> Result<Added, StoreError> {
        let mut state = self.state();
        let subscribers = &mut state.events.subscribers;
        let there = subscribers.values().map(|member| &member.subscriber);
        let added = admit_subscriber(&subscriber.id, there);
        if added == Added::Done {
            let member = Member { subscriber: subscriber.clone(), deliveries: BTreeMap::new() };
            subscribers.insert(subscriber.id.clone(), member);
            state.note(AuditEntry::of_subscriber(by, None, Some(subscriber)));
        }
        Ok(added)
    }

    async fn change_subscriber(
        &self,
        id: &SubscriberId,
        change: ChangeSubscriber<'_>,
        by: By,
    ) -> Result<Option<Subscriber>, StoreError> {
        let mut state = self.state();
        let Some(member) = state.events.subscribers.get_mut(id) else { return Ok(None) };
        let mut changed = member.subscriber.clone();
        change(&mut changed);
        changed.id = id.clone();
        let before = std::mem::replace(&mut member.subscriber, changed.clone());
        state.note(AuditEntry::of_subscriber(by, Some(&before), Some(&changed)));
        Ok(Some(changed))
    }

    async fn remove_subscriber(&self, id: &SubscriberId, by: By) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(member) = state.events.subscribers.remove(id) else { return Ok(false) };
        state.note(AuditEntry::of_subscriber(by, Some(&member.subscriber), None));
        Ok(true)
    }

    async fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        let members = &self.state().events.subscribers;
        let mut subscribers: Vec<_> = members.values().map(|m| m.subscriber.clone()).collect();
        subscribers.sort_by_key(|subscriber| subscriber.created_at);
        Ok(subscribers)
    }

    async fn claim(
        &self,
        subscriber: &SubscriberId,
        claim: &Claim,
    ) -> Result<Vec<Claimed>, StoreError> {
        Ok(self.state().events.claim(subscriber, claim))
    }

    async fn settle(
        &self,
        subscriber: &SubscriberId,
        settled: &[Settled],
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        settled.iter().for_each(|settled| state.events.settle(subscriber, settled));
        Ok(())
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError> {
        let events = &self.state().events;
        let Some(member) = events.subscribers.get(&query.subscriber) else { return Ok(vec![]) };
        let before = query.before.map_or(Bound::Unbounded, Bound::Excluded);
        let latest = member.deliveries.range((Bound::Unbounded, before)).rev();
        let wanted = latest.filter(|(_, p)| query.state.is_none_or(|state| p.state == state));
        let deliveries = wanted.filter_map(|(&sequence, parcel)| {
            Some(Delivery {
                event: events.recorded(sequence)?,
                state: parcel.state,
                failures: parcel.failures,
                due_at: parcel.due_at,
                last_attempt: parcel.last_attempt.clone(),
            })
        });
        Ok(deliveries.take(query.limit as usize).collect())
    }

    async fn replay(
        &self,
        subscriber: &SubscriberId,
        replay: &Replay,
        by: By,
    ) -> Result<u32, StoreError> {
        let mut state = self.state();
        let replayed = state.events.replay(subscriber, replay);
        state.note(AuditEntry::of_replay(by, subscriber, replay, replayed));
        Ok(replayed)
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let Events { log, subscribers, .. } = &self.state().events;
        let backlog = subscribers.iter().map(|(id, member)| {
            let count = |state| {
                let parcels = member.deliveries.values().filter(|parcel| parcel.state == state);
                u64::try_from(parcels.take(Backlog::MOST as usize).count()).unwrap_or(u64::MAX)
            };
            let oldest = member.deliveries.iter().find(|(_, parcel)| parcel.is_pending());
            let oldest = oldest.and_then(|(sequence, _)| log.get(sequence));
            let oldest = oldest.map(|event| event.occurred_at);
            let (pending, dead) = (count(DeliveryState::Pending), count(DeliveryState::Dead));
            Backlog { subscriber: id.clone(), pending, oldest, dead }
        });
        Ok(backlog.collect())
    }
}
