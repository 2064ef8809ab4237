//! Lets events join the log, and tells those who wait for them.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Relay;
use crate::causes::with_causes;
use crate::hub::Hearing;
use crate::id::UserId;
use crate::outbox::EventQuery;
use crate::signal::{Listening, Signal};
use crate::store::StoreError;

/// How many events join the log, are read or go at a time.
const PAGE: u32 = 256;
/// How often to look whether something was missed.
const POLL: Duration = Duration::from_secs(1);
/// How long to rest between two rounds, so that under load one round does for many changes. The
/// first change after a while does not wait.
const REST: Duration = Duration::from_millis(25);
/// How long to let a store be that has just failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often to look for old events.
const FORGET_EVERY: Duration = Duration::from_secs(10 * 60);

/// Publishes whatever this process, or one that could not, has committed.
pub(super) async fn run(relay: Arc<Relay>, stopped: CancellationToken) {
    let _kept = relay.hub.keep_changed();
    while !stopped.is_cancelled() {
        tokio::select! {
            Err(error) = follow(&relay) => {
                tracing::warn!(cause = with_causes(&error), "events wait for the store");
                rest(AFTER_FAILURE, &stopped).await;
            }
            () = stopped.cancelled() => {}
        }
    }
}

/// Until the store fails.
async fn follow(relay: &Relay) -> Result<std::convert::Infallible, StoreError> {
    let mut listening = None;
    let mut seen = relay.store.last_sequence().await?;
    // Who knows what was missed before.
    relay.hub.wake_all();
    loop {
        let rested = Instant::now() + REST;
        if listening.is_none() {
            listening = relay.listen().await;
        }
        let changed = relay.hub.take_changed();
        if let Err(error) = relay.publish_and_signal(&changed).await {
            relay.hub.changed(&changed);
            return Err(error);
        }
        seen = relay.tell_of_events(seen).await?;
        tokio::select! {
            () = relay.hub.work() => {}
            heard = hear(&mut listening) => relay.pass_on(heard?),
            () = sleep(POLL) => {}
        }
        sleep_until(rested).await;
    }
}

/// Somebody who listens, and is known to.
struct Ear {
    listening: Box<dyn Listening>,
    _hearing: Hearing,
}

/// The next signal, for who listens.
async fn hear(listening: &mut Option<Ear>) -> Result<Signal, StoreError> {
    match listening {
        Some(ear) => ear.listening.next().await,
        None => pending().await,
    }
}

/// Deletes old events, if that is wanted.
pub(super) async fn forget(relay: Arc<Relay>, stopped: CancellationToken) {
    let Some(age) = relay.keep_for else { return };
    let forget = |before| relay.store.forget(before, PAGE);
    forget_by_pages(&relay, age, "events", forget, &stopped).await;
}

/// Deletes old entries of the audit log, if that is wanted.
pub(super) async fn forget_audit(relay: Arc<Relay>, stopped: CancellationToken) {
    let Some((log, age)) = &relay.audit else { return };
    let forget = |before| log.forget_audit(before, PAGE);
    forget_by_pages(&relay, *age, "audit entries", forget, &stopped).await;
}

/// A page at a time until there are no more, and again after a while.
async fn forget_by_pages<Forgetting>(
    relay: &Relay,
    age: Duration,
    what: &str,
    forget: impl Fn(DateTime<Utc>) -> Forgetting,
    stopped: &CancellationToken,
) where
    Forgetting: Future<Output = Result<u32, StoreError>> + Send,
{
    let Ok(age) = TimeDelta::from_std(age) else { return };
    while !stopped.is_cancelled() {
        let Some(before) = relay.now().checked_sub_signed(age) else { return };
        match forget(before).await {
            Ok(PAGE..) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(cause = with_causes(&error), what, "what is old stays"),
        }
        rest(FORGET_EVERY, stopped).await;
    }
}

async fn rest(time: Duration, stopped: &CancellationToken) {
    let _whichever_comes_first = timeout(time, stopped.cancelled()).await;
}

impl Relay {
    /// Signals only make things faster: without them, everything else goes on.
    async fn listen(&self) -> Option<Ear> {
        match self.store.listen().await {
            Ok(listening) => Some(Ear { listening, _hearing: self.hub.hearing() }),
            Err(error) => {
                tracing::warn!(
                    cause = with_causes(&error),
                    "signals of other processes are not heard"
                );
                None
            }
        }
    }

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
