//! Delivers to each subscriber, apart from all others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Passed, Relay};
use crate::backoff::retry_delay;
use crate::causes::with_causes;
use crate::delivery::{Attempt, Claim, Claimed, Outcome, Settled, Subscriber, SubscriberId};
use crate::sink::{EventSink, SinkError, Then};
use crate::store::StoreError;

/// How many deliveries one process has under way to one subscriber.
const UNDER_WAY: usize = 32;
/// How long a sink may take for one event.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a claim holds: long enough to settle what a patient sink took.
const LEASE: Duration = Duration::from_secs(60);
/// How often to look for what is due, and for other subscribers.
const POLL: Duration = Duration::from_secs(1);
/// The longest time that a receiver may ask us to wait, and a sink.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// How much of an error is kept.
const MAX_REASON_CHARS: usize = 500;

/// One task per subscriber. When this is dropped, the tasks finish what they have under way.
#[derive(Default)]
pub(super) struct Workers {
    active: HashMap<SubscriberId, Worker>,
    /// Told to stop, but perhaps not done yet.
    retired: Vec<JoinHandle<()>>,
}

struct Worker {
    /// As they were when the task began.
    subscriber: Subscriber,
    task: JoinHandle<()>,
    /// Tells the task to stop, once this is dropped.
    _stop: DropGuard,
}

impl Workers {
    /// Starts and stops tasks as subscribers come and go, until told to stop.
    pub(super) async fn run(relay: Arc<Relay>, stopped: CancellationToken) {
        let mut workers = Self::default();
        let mut news = relay.hub.subscribers();
        while !stopped.is_cancelled() {
            match relay.store.subscribers().await {
                Ok(subscribers) => workers.adjust(&relay, subscribers),
                Err(error) => {
                    tracing::warn!(cause = with_causes(&error), "subscribers cannot be read");
                }
            }
            tokio::select! {
                _heard_or_not = timeout(POLL, news.changed()) => {}
                () = stopped.cancelled() => {}
            }
        }
        workers.adjust(&relay, vec![]);
        for task in workers.retired {
            let _panicked = task.await;
        }
    }

    fn adjust(&mut self, relay: &Arc<Relay>, subscribers: Vec<Subscriber>) {
        let goes = |_: &SubscriberId, worker: &mut Worker| {
            worker.task.is_finished() || !subscribers.contains(&worker.subscriber)
        };
        self.retired.retain(|task| !task.is_finished());
        self.retired.extend(self.active.extract_if(goes).map(|(_, worker)| worker.task));
        for subscriber in subscribers {
            if self.active.contains_key(&subscriber.id) {
                continue;
            }
            if let Some(sink) = relay.sink_for(&subscriber) {
                let stop = CancellationToken::new();
                let work = work(relay.clone(), subscriber.clone(), sink, stop.clone());
                let task = tokio::spawn(work);
                let id = subscriber.id.clone();
                self.active.insert(id, Worker { subscriber, task, _stop: stop.drop_guard() });
            }
        }
    }
}

/// Keeps up to [`UNDER_WAY`] deliveries going, and finishes them when told to stop.
async fn work(
    relay: Arc<Relay>,
    subscriber: Subscriber,
    sink: Arc<dyn EventSink>,
    stopped: CancellationToken,
) {
    let mut under_way = JoinSet::new();
    let mut news = relay.hub.deliveries();
    let mut is_failing = false;
    while !stopped.is_cancelled() {
        news.mark_unchanged();
        let found = relay.start(&subscriber, &sink, &mut under_way).await;
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(cause = with_causes(&error), subscriber = %subscriber.id, "deliveries wait for the store");
            0
        });
        if found > 0 && under_way.len() < UNDER_WAY {
            continue;
        }
        tokio::select! {
            Some(done) = under_way.join_next() => {
                relay.settle_all(&subscriber, done, &mut under_way, &mut is_failing).await;
            }
            _heard_or_not = timeout(POLL, news.changed()) => {}
            () = stopped.cancelled() => {}
        }
    }
    while let Some(done) = under_way.join_next().await {
        relay.settle_all(&subscriber, done, &mut under_way, &mut is_failing).await;
    }
}

impl Relay {
    /// Delivers all that is due to one subscriber.
    pub(super) async fn deliver_all(
        &self,
        subscriber: &Subscriber,
        sink: &Arc<dyn EventSink>,
        passed: &mut Passed,
    ) -> Result<(), StoreError> {
        let mut under_way = JoinSet::new();
        while self.start(subscriber, sink, &mut under_way).await? > 0 {
            let done = std::mem::take(&mut under_way).join_all().await;
            passed.delivered += done.iter().filter(|done| done.failure.is_none()).count();
            passed.failed += done.iter().filter(|done| done.failure.is_some()).count();
            self.settle(subscriber, done).await?;
        }
        Ok(())
    }

    /// Claims as many deliveries as there is room for, and starts them; returns how many.
    async fn start(
        &self,
        subscriber: &Subscriber,
        sink: &Arc<dyn EventSink>,
        under_way: &mut JoinSet<Done>,
    ) -> Result<usize, StoreError> {
        let room = u32::try_from(UNDER_WAY.saturating_sub(under_way.len())).unwrap_or(0);
        if room == 0 {
            return Ok(0);
        }
        let claim = Claim { now: self.now(), lease: LEASE, limit: room };
        let claimed = self.store.claim(&subscriber.id, &claim).await?;
        let found = claimed.len();
        for claimed in claimed {
            under_way.spawn(offer(sink.clone(), claimed));
        }
        Ok(found)
    }

    /// Settles `first`, and with it whatever else is done.
    async fn settle_all(
        &self,
        subscriber: &Subscriber,
        first: Result<Done, JoinError>,
        under_way: &mut JoinSet<Done>,
        is_failing: &mut bool,
    ) {
        let others = std::iter::from_fn(|| under_way.try_join_next());
        let done: Vec<Done> = std::iter::once(first).chain(others).flatten().collect();
        tell_of_change(&subscriber.id, &done, is_failing);
        if let Err(error) = self.settle(subscriber, done).await {
            tracing::warn!(cause = with_causes(&error), subscriber = %subscriber.id, "deliveries come again");
        }
    }

    /// Writes down what became of deliveries, all at once. Should that fail, they come again when
    /// their lease is over.
    async fn settle(&self, subscriber: &Subscriber, done: Vec<Done>) -> Result<(), StoreError> {
        let now = self.now();
        let is_gone = done
            .iter()
            .any(|done| matches!(done.failure, Some(SinkError { then: Then::Deactivate, .. })));
        if is_gone {
            self.deactivate(subscriber).await?;
        }
        let settled: Vec<_> =
            done.into_iter().map(|done| done.settled(&subscriber.id, now)).collect();
        for dead in settled.iter().filter(|settled| settled.outcome == Outcome::Dead) {
            let (subscriber, sequence) = (&subscriber.id, dead.sequence);
            tracing::warn!(%subscriber, sequence, "an event was given up: a dead letter");
        }
        self.store.settle(&subscriber.id, &settled).await
    }

    /// Unless they were changed meanwhile: it is not the receiver of now that has gone.
    async fn deactivate(&self, gone: &Subscriber) -> Result<(), StoreError> {
        let deactivate = |current: &mut Subscriber| {
            current.is_active &= current.settings != gone.settings;
        };
        self.store.change_subscriber(&gone.id, &deactivate, self.by()).await?;
        self.hub.subscribers_changed();
        tracing::warn!(subscriber = %gone.id, "the receiver is gone, and gets nothing more");
        Ok(())
    }
}

/// An attempt that came to its end.
struct Done {
    claimed: Claimed,
    failure: Option<SinkError>,
}

/// Logs when a sink begins to take nothing, and when it takes events again: not each event.
fn tell_of_change(subscriber: &SubscriberId, done: &[Done], is_failing: &mut bool) {
    let takes_some = done.iter().any(|done| done.failure.is_none());
    let failure = done.iter().find_map(|done| done.failure.as_ref());
    match failure {
        _ if takes_some && *is_failing => {
            tracing::info!(%subscriber, "deliveries succeed again");
            *is_failing = false;
        }
        Some(failure) if !takes_some && !*is_failing => {
            tracing::warn!(%subscriber, reason = failure.reason, "deliveries fail, and wait");
            *is_failing = true;
        }
        _ => {}
    }
}

/// A sink that panics, or takes too long, has failed.
async fn offer(sink: Arc<dyn EventSink>, claimed: Claimed) -> Done {
    let event = claimed.event.clone();
    let delivering = tokio::spawn(async move { timeout(PATIENCE, sink.deliver(&event)).await });
    let failure = match delivering.await {
        Ok(Ok(delivered)) => delivered.err(),
        Ok(Err(_)) => Some(SinkError::retry("the sink did not answer in time")),
        Err(_) => Some(SinkError::retry("the sink panicked")),
    };
    Done { claimed, failure }
}

impl Done {
    fn settled(self, subscriber: &SubscriberId, now: DateTime<Utc>) -> Settled {
        let sequence = self.claimed.event.sequence;
        let outcome = match &self.failure {
            None => Outcome::Delivered,
            Some(failure) => next(failure, self.claimed.failures + 1, subscriber, sequence, now),
        };
        let attempt = Attempt {
            at: now,
            status: self.failure.as_ref().and_then(|failure| failure.status),
            error: self.failure.map(|f| f.reason.chars().take(MAX_REASON_CHARS).collect()),
        };
        Settled { sequence, until: self.claimed.until, attempt, outcome }
    }
}

fn next(
    failure: &SinkError,
    failures: u32,
    subscriber: &SubscriberId,
    sequence: u64,
    now: DateTime<Utc>,
) -> Outcome {
    let after = |delay: Duration| {
        let delay = TimeDelta::from_std(delay).unwrap_or_default();
        (now + delay).trunc_subsecs(3)
    };
    let asked = match failure.then {
        Then::Wait(delay) => return Outcome::WaitUntil(after(delay.min(LONGEST_WAIT))),
        Then::Retry(asked) => asked.unwrap_or_default().min(LONGEST_WAIT),
        Then::Deactivate => Duration::ZERO,
    };
    let scheduled = retry_delay(failures, subscriber, sequence);
    scheduled.map_or(Outcome::Dead, |delay| Outcome::RetryAt(after(delay.max(asked))))
}
