//! The suite bites: event stores that break one promise each fail the case that is about it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::fixtures::by;
use booking_core::testing::{Harness, World, deliveries, delivery_races, log, subscribers};
use booking_core::{
    Added, Backlog, By, ChangeSubscriber, Claim, Claimed, Deliveries, Delivery, DeliveryQuery,
    DeliveryState, EventQuery, MemoryStore, Outbox, Outcome, Recorded, Replay, Settled, Signals,
    StoreError, Subscriber, SubscriberId,
};
use chrono::{DateTime, Utc};

/// How a store goes about events without keeping its promises.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Numbers are drawn before the commit: now and then one is seen after its successor.
    VisibleOutOfOrder,
    /// What is claimed can be claimed again at once.
    NoLease,
    /// Whoever waits has failed.
    WaitsCount,
    /// A failure counts, whoever has the delivery.
    StaleFailureCounts,
    /// Looks who has it, and takes it later.
    CheckThenClaim,
    /// Shows a subscriber to whoever changes it, and writes it down later.
    ReadThenChange,
    /// Counts the webhooks before it adds one.
    CountThenAdd,
    /// Adds a webhook, and takes it out again when others came too.
    AddThenCount,
    /// Counts those that programs name, too.
    CountsAll,
}

struct Faulty {
    inner: Arc<MemoryStore>,
    fault: Fault,
    /// The sequences that were looked at once.
    withheld: Mutex<BTreeSet<u64>>,
}

impl Signals for Faulty {}

#[async_trait]
impl Outbox for Faulty {
    async fn publish(&self, now: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        self.inner.publish(now, limit).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<Recorded>, StoreError> {
        let mut events = self.inner.events(query).await?;
        if self.fault == Fault::VisibleOutOfOrder {
            let mut withheld = self.withheld.lock().unwrap();
            let is_late = |n: u64| n.is_multiple_of(7);
            events.retain(|one| !is_late(one.sequence) || !withheld.insert(one.sequence));
        }
        Ok(events)
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.inner.last_sequence().await
    }

    async fn unpublished(&self, limit: u32) -> Result<u32, StoreError> {
        self.inner.unpublished(limit).await
    }

    async fn forget(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        self.inner.forget(before, limit).await
    }
}

/// Widens the gap that a fault opens, so that no race has to be lucky.
async fn others_go_first() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

#[async_trait]
impl Deliveries for Faulty {
    async fn add_subscriber(&self, subscriber: &Subscriber, by: By) -> Result<Added, StoreError> {
        const MOST: usize = Subscriber::MAX_WEBHOOKS;
        let count = async || Ok::<_, StoreError>(self.inner.subscribers().await?.len());
        match self.fault {
            // The store below keeps the promise: this one says yes to whom it has seen room for.
            Fault::CountThenAdd => {
                let had = count().await? - 1;
                others_go_first().await;
                let added = self.inner.add_subscriber(subscriber, by).await?;
                Ok(if had < MOST { Added::Done } else { added })
            }
            Fault::AddThenCount => {
                let added = self.inner.add_subscriber(subscriber, by.clone()).await?;
                others_go_first().await;
                let is_full = added == Added::Done && count().await? > MOST;
                if is_full {
                    self.inner.remove_subscriber(&subscriber.id, by).await?;
                }
                Ok(if is_full { Added::TooMany } else { added })
            }
            Fault::CountsAll if count().await? >= MOST => Ok(Added::TooMany),
            _ => self.inner.add_subscriber(subscriber, by).await,
        }
    }

    async fn change_subscriber(
        &self,
        id: &SubscriberId,
        change: ChangeSubscriber<'_>,
        by: By,
    ) -> Result<Option<Subscriber>, StoreError> {
        if self.fault != Fault::ReadThenChange {
            return self.inner.change_subscriber(id, change, by).await;
        }
        let all = self.inner.subscribers().await?;
        let Some(mut read) = all.into_iter().find(|one| one.id == *id) else { return Ok(None) };
        change(&mut read);
        others_go_first().await;
        self.inner.change_subscriber(id, &|subscriber| *subscriber = read.clone(), by).await
    }

    async fn remove_subscriber(&self, id: &SubscriberId, by: By) -> Result<bool, StoreError> {
        self.inner.remove_subscriber(id, by).await
    }

    async fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        self.inner.subscribers().await
    }

    async fn claim(&self, id: &SubscriberId, claim: &Claim) -> Result<Vec<Claimed>, StoreError> {
        let no_lease = Claim { lease: Duration::ZERO, ..*claim };
        match self.fault {
            Fault::NoLease => self.inner.claim(id, &no_lease).await,
            Fault::CheckThenClaim => {
                let mut found = self.inner.claim(id, &no_lease).await?;
                others_go_first().await;
                self.inner.claim(id, claim).await?;
                found.iter_mut().for_each(|claimed| claimed.until = claim.until());
                Ok(found)
            }
            _ => self.inner.claim(id, claim).await,
        }
    }

    async fn settle(&self, id: &SubscriberId, settled: &[Settled]) -> Result<(), StoreError> {
        let mut settled = settled.to_vec();
        if self.fault == Fault::WaitsCount {
            for one in &mut settled {
                if let Outcome::WaitUntil(at) = one.outcome {
                    one.outcome = Outcome::RetryAt(at);
                }
            }
        }
        self.inner.settle(id, &settled).await?;
        if self.fault == Fault::StaleFailureCounts {
            for failed in settled.iter().filter(|one| one.outcome != Outcome::Delivered) {
                let query = DeliveryQuery {
                    subscriber: id.clone(),
                    state: Some(DeliveryState::Delivered),
                    before: Some(failed.sequence + 1),
                    limit: 1,
                };
                let from = failed.sequence;
                let now = failed.attempt.at;
                let again = Replay { from, to: from, only_dead: false, limit: 1, now };
                if !self.inner.deliveries(&query).await?.is_empty() {
                    self.inner.replay(id, &again, by()).await?;
                }
            }
        }
        Ok(())
    }

    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError> {
        self.inner.deliveries(query).await
    }

    async fn replay(&self, id: &SubscriberId, replay: &Replay, by: By) -> Result<u32, StoreError> {
        self.inner.replay(id, replay, by).await
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.inner.backlog().await
    }
}

fn harness(fault: Fault) -> Harness {
    let inner = Arc::new(MemoryStore::default());
    let outbox = Arc::new(Faulty { inner: inner.clone(), fault, withheld: Mutex::default() });
    let (store, directory) = (inner.clone(), inner.clone());
    Harness { store, outbox, directory, ..Harness::new(inner, ()) }
}

macro_rules! fails {
    ($($test:ident: $fault:ident fails $($case:path),+;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(
                    let run = async { $case(World::new(harness(Fault::$fault)).await).await };
                    let run = tokio::time::timeout(Duration::from_mins(10), run);
                    let end = tokio::spawn(run).await;
                    assert!(end.is_err(), "{} did not notice: {end:?}", stringify!($case));
                )+
            }
        )+
    };
}

fails! {
    visible_out_of_order: VisibleOutOfOrder fails log::a_reader_misses_nothing;
    no_lease: NoLease fails
        deliveries::the_oldest_of_each_meeting_is_claimed,
        delivery_races::racing_claimers_never_share;
    waits_count: WaitsCount fails
        deliveries::waits_are_not_counted;
    stale_failure_counts: StaleFailureCounts fails
        deliveries::stale_failures_do_not_count;
    check_then_claim: CheckThenClaim fails
        delivery_races::racing_claimers_never_share;
    read_then_change: ReadThenChange fails
        subscribers::no_change_of_a_subscriber_is_lost;
    count_then_add: CountThenAdd fails
        subscribers::there_are_only_so_many_webhooks;
    add_then_count: AddThenCount fails
        subscribers::there_are_only_so_many_webhooks;
    counts_all: CountsAll fails
        subscribers::there_are_only_so_many_webhooks;
}
