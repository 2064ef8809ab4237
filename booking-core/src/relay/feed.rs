//! Lets events join the log, and tells those who wait for them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Relay;
use crate::id::UserId;
use crate::outbox::EventQuery;
use crate::signal::Signal;
use crate::store::StoreError;

/// How many events join the log, are read or go at a time.
const PAGE: u32 = 256;
/// How often to look whether something was missed.
const POLL: Duration = Duration::from_secs(1);
/// How long to let a store be that has just failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often to look for old events.
const FORGET_EVERY: Duration = Duration::from_secs(10 * 60);

/// Publishes whatever this process, or one that could not, has committed.
pub(super) async fn run(relay: Arc<Relay>, stopped: CancellationToken) {
    while !stopped.is_cancelled() {
        tokio::select! {
            Err(error) = follow(&relay) => {
                tracing::warn!(%error, "events wait for the store");
                rest(AFTER_FAILURE, &stopped).await;
            }
            () = stopped.cancelled() => {}
        }
    }
}

/// Until the store fails.
async fn follow(relay: &Relay) -> Result<std::convert::Infallible, StoreError> {
    let mut listening = relay.store.listen().await?;
    let mut seen = relay.store.last_sequence().await?;
    // Who knows what was missed before.
    relay.hub.wake_all();
    loop {
        let changed = relay.hub.take_changed();
        if let Err(error) = relay.publish_and_signal(&changed).await {
            relay.hub.changed(&changed);
            return Err(error);
        }
        seen = relay.tell_of_events(seen).await?;
        tokio::select! {
            () = relay.hub.work() => {}
            heard = listening.next() => relay.pass_on(heard?),
            () = sleep(POLL) => {}
        }
    }
}

/// Deletes old events, if that is wanted.
pub(super) async fn forget(relay: Arc<Relay>, stopped: CancellationToken) {
    let Some(keep_for) = relay.keep_for.and_then(|age| TimeDelta::from_std(age).ok()) else {
        return;
    };
    while !stopped.is_cancelled() {
        let before = relay.now() - keep_for;
        match relay.store.forget(before, PAGE).await {
            Ok(PAGE..) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old events stay"),
        }
        rest(FORGET_EVERY, &stopped).await;
    }
}

async fn rest(time: Duration, stopped: &CancellationToken) {
    let _whichever_comes_first = timeout(time, stopped.cancelled()).await;
}

impl Relay {
    pub(super) async fn publish(&self) -> Result<u32, StoreError> {
        self.store.publish(self.now(), PAGE).await
    }

    /// Publishes all there is, and only then tells other processes, which will look at once.
    async fn publish_and_signal(&self, changed: &BTreeSet<UserId>) -> Result<(), StoreError> {
        while self.publish().await? == PAGE {}
        if changed.is_empty() { Ok(()) } else { self.store.signal(changed).await }
    }

    /// Wakes those whom the events after `seen` concern; returns the last sequence.
    async fn tell_of_events(&self, mut seen: u64) -> Result<u64, StoreError> {
        loop {
            let query = EventQuery { after: seen, person: None, limit: PAGE };
            let events = self.store.events(&query).await?;
            let Some(last) = events.last() else { return Ok(seen) };
            seen = last.sequence;
            let people: BTreeSet<&UserId> =
                events.iter().flat_map(|recorded| recorded.event.payload.people()).collect();
            self.hub.wake(people);
            self.hub.events_published();
        }
    }

    fn pass_on(&self, signal: Signal) {
        match signal {
            Signal::Changed(people) => self.hub.wake(&people),
            Signal::Missed => self.hub.wake_all(),
        }
    }
}
