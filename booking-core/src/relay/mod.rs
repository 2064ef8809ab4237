//! Delivers the outbox: at least once, in order per meeting, to every subscriber at their own pace.
//!
//! Any number of processes may run a relay over one store: deliveries are claimed for a while, and
//! nothing is locked while a sink is busy with one. See [`Relay::run`].

mod feed;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::worker::Workers;
use crate::audit::{AuditLog, By, SystemName};
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::delivery::{Added, Deliveries, Subscriber, SubscriberId};
use crate::hub::Hub;
use crate::id::RandomIds;
use crate::outbox::Outbox;
use crate::signal::Signals;
use crate::sink::EventSink;
use crate::store::StoreError;

/// All that a relay needs of a store.
pub trait EventStore: Outbox + Deliveries + Signals {}

impl<T: Outbox + Deliveries + Signals + ?Sized> EventStore for T {}

/// Knows how to deliver to subscribers that come and go while a relay runs.
pub trait Sinks: Send + Sync {
    /// The sink for this subscriber, as they are now; `None` when they are somebody else's
    /// business.
    fn sink_for(&self, subscriber: &Subscriber) -> Option<Arc<dyn EventSink>>;
}

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Deliveries that the sinks took.
    pub delivered: usize,
    /// Attempts that failed.
    pub failed: usize,
}

/// Takes events from a store to those who want them.
///
/// ```
/// use std::sync::Arc;
///
/// use booking_core::*;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let store = Arc::new(MemoryStore::default());
/// let sink = sink_fn(|event: Recorded| async move {
///     let json = serde_json::to_string(&CloudEvent::of(&event, "/booking"));
///     # let _ = json;
///     Ok(())
/// });
/// let relay = Relay::new(store, Hub::default(), Arc::new(SystemClock))
///     .with_sink(SubscriberId::new("crm")?, Arc::new(sink))
///     .await?;
/// // In a service: `relay.run(told_to_stop).await`, in a task of its own.
/// assert_eq!(relay.pass().await?, Passed::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Relay {
    store: Arc<dyn EventStore>,
    hub: Hub,
    clock: Arc<dyn Clock>,
    named: Vec<(SubscriberId, Arc<dyn EventSink>)>,
    sinks: Vec<Arc<dyn Sinks>>,
    keep_for: Option<Duration>,
    audit: Option<(Arc<dyn AuditLog>, Duration)>,
}

/// Who adds the sinks of programs, and switches off receivers that have gone.
const RELAY: SystemName = SystemName::of("relay");

impl Relay {
    /// A relay over this store, that hears of changes through this hub. Leases and retries go by
    /// the clock: let it be the machine's.
    pub fn new(store: Arc<dyn EventStore>, hub: Hub, clock: Arc<dyn Clock>) -> Self {
        Self { store, hub, clock, named: vec![], sinks: vec![], keep_for: None, audit: None }
    }

    /// Adds a subscriber with a sink of this program's. They get every event that is published
    /// from the first time on that somebody adds them to the store, also while no program runs
    /// that has this sink. One that was [gone](crate::Then::Deactivate) gets events again from now
    /// on, if no other process has it that still says so.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails, or the name is one of a webhook.
    pub async fn with_sink(
        mut self,
        name: SubscriberId,
        sink: Arc<dyn EventSink>,
    ) -> Result<Self, StoreError> {
        let subscriber = Subscriber {
            id: name.clone(),
            event_types: [].into(),
            is_active: true,
            settings: serde_json::Value::Null,
            created_at: self.now(),
        };
        if name.webhook().is_some() {
            return Err(StoreError::Corrupt("a program's sink has a webhook's name".into()));
        }
        match self.store.add_subscriber(&subscriber, self.by()).await? {
            // There is always room for one who is no webhook.
            Added::Done | Added::TooMany => {}
            Added::NameTaken => {
                let back = |present: &mut Subscriber| present.is_active = true;
                self.store.change_subscriber(&name, &back, self.by()).await?;
            }
        }
        self.named.push((name, sink));
        Ok(self)
    }

    /// Delivers to subscribers that others add, change and remove.
    #[must_use]
    pub fn with_sinks(mut self, sinks: Arc<dyn Sinks>) -> Self {
        self.sinks.push(sinks);
        self
    }

    /// Forgets events that are older than this, with their deliveries, dead letters among them, but
    /// for those that are still to be delivered. Else they are kept for ever. A delivery is given up
    /// after three days and a half at most: leave time to look at it.
    #[must_use]
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep_for = Some(age);
        self
    }

    /// Forgets entries of this audit log that are older than this. Else they are kept for ever.
    #[must_use]
    pub fn keep_audit_for(mut self, log: Arc<dyn AuditLog>, age: Duration) -> Self {
        self.audit = Some((log, age));
        self
    }

    /// Publishes all there is, and delivers all that is due: for tests, and for programs that
    /// deliver from time to time.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails; the events delivered last may then come again.
    pub async fn pass(&self) -> Result<Passed, StoreError> {
        while self.publish().await? > 0 {}
        let mut passed = Passed::default();
        for subscriber in self.store.subscribers().await? {
            if let Some(sink) = self.sink_for(&subscriber) {
                self.deliver_all(&subscriber, &sink, &mut passed).await?;
            }
        }
        Ok(passed)
    }

    /// Publishes and delivers until `stop` is ready, finishes what is under way, and makes one
    /// last pass. A store that fails is tried again, for ever; each failure is logged through
    /// `tracing`.
    ///
    /// A subscriber that does not take an event is tried again, by [`retry_delay`], for about three
    /// days; after that it is a dead letter. The later events of that meeting wait meanwhile. No
    /// other subscriber notices.
    ///
    /// Who cannot wait for the end may drop the future: nothing new is begun, and what is under way
    /// ends by itself. Should the process end first, it comes again when its lease is over, after a
    /// minute.
    ///
    /// [`retry_delay`]: crate::retry_delay
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let relay = Arc::new(self);
        let stopped = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(feed::run(relay.clone(), stopped.clone()));
        tasks.spawn(Workers::run(relay.clone(), stopped.clone()));
        tasks.spawn(feed::forget(relay.clone(), stopped.clone()));
        tasks.spawn(feed::forget_audit(relay.clone(), stopped.clone()));
        stop.await;
        stopped.cancel();
        while tasks.join_next().await.is_some() {}
        if let Err(error) = relay.pass().await {
            let cause = with_causes(&error);
            tracing::warn!(cause, "events stay in the outbox until a relay runs again");
        }
    }

    /// To the millisecond, as stores keep it: what is due now can be claimed now.
    fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(3)
    }

    fn by(&self) -> By {
        By::system(RELAY, self.now(), &RandomIds)
    }

    fn sink_for(&self, subscriber: &Subscriber) -> Option<Arc<dyn EventSink>> {
        if !subscriber.is_active {
            return None;
        }
        let named = self.named.iter().find(|(name, _)| *name == subscriber.id);
        let named = named.map(|(_, sink)| sink.clone());
        named.or_else(|| self.sinks.iter().find_map(|sinks| sinks.sink_for(subscriber)))
    }
}
