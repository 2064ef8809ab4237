//! A store with everything that goes on over it: bookings, their events, and those who wait for
//! them.

use std::sync::Arc;
use std::time::Duration;

use booking_core::{
    Announced, Booking, CalendarLinks, Clock, Copier, CopyFault, DirectoryAdmin, Hub,
    LinkedCalendars, Live, RandomIds, Relay, SlotCache, SourceError, SubscriberId, SystemClock,
    Unwritten,
};
use ipnet::IpNet;
use prometheus::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::backend::Backend;
use super::cli::EventsArgs;
use super::probes;
use super::traces::Traced;
use crate::calendars::OutsideCalendars;
use crate::http::Probe;
use crate::webhooks::Secret;
use crate::{
    Api, ClerkWebhook, ConnectionCounts, NatsOptions, NatsSink, Stopping, StreamLimits, Verifier,
    WebhookOptions, WebhookSinks,
};

/// How long deliveries under way may take once the process is told to stop.
const LAST_DELIVERIES: Duration = Duration::from_secs(10);
/// The subscriber that stands for NATS.
pub(super) const NATS: &str = "nats";
/// The subscriber that stands for the calendars into which meetings are written.
pub(super) const CALENDARS: &str = "calendars";

pub(super) struct Service {
    pub(super) live: Live,
    pub(super) hub: Hub,
    /// How far the process is with stopping.
    pub(super) stopping: Stopping,
    /// Cancelled once there will be no more changes: what they publish is delivered too.
    no_more_changes: CancellationToken,
    booking: Booking,
    directory: Arc<dyn DirectoryAdmin>,
    backend: Backend,
    webhooks: WebhookSinks,
    event_source: String,
    stream_limits: StreamLimits,
    relay: JoinHandle<()>,
    links: CalendarLinks,
    outside: Option<OutsideCalendars>,
    /// Reads linked calendars, if there is a key for them.
    copier: Option<JoinHandle<()>>,
    metrics: Registry,
    probes: Vec<Arc<dyn Probe>>,
}

impl Service {
    /// Begins to deliver events. `clock` is the one that bookings go by; deliveries go by the
    /// machine's.
    pub(super) async fn start(
        backend: Backend,
        clock: Arc<dyn Clock>,
        settings: EventsArgs,
    ) -> Result<Self, Failure> {
        let hub = Hub::default();
        let store = Arc::new(Announced::new(Arc::new(Traced(backend.store.clone())), hub.clone()));
        let directory =
            Arc::new(Announced::new(Arc::new(Traced(backend.directory.clone())), hub.clone()));
        let booking = Booking::new(store, directory.clone(), clock, Arc::new(RandomIds));
        let cache = Some(settings.slot_cache).filter(|people| *people > 0);
        let cache = cache.map(|people| SlotCache::new(people, &hub));
        let booking = match &cache {
            Some(cache) => booking.with_cache(cache.clone()),
            None => booking,
        };
        let live = Live::new(booking.clone(), backend.events.clone(), hub.clone());
        let webhooks = webhooks(&settings)?;
        let mut relay = relay(&backend, &hub, &webhooks, &settings).await?;
        let no_more_changes = CancellationToken::new();
        let kept = Arc::new(Announced::new(backend.links.clone(), hub.clone()));
        let outside = outside(&backend, kept.clone(), &settings)?;
        let calendars = SubscriberId::new(CALENDARS)?;
        if let Some(outside) = &outside {
            if !is_subscribed(&backend, &calendars).await? {
                // First of all: what is noted later may be taken for what a copy has made good.
                kept.unwritten(&all_unwritten()).await?;
            }
            relay = relay.with_sink(calendars, Arc::new(outside.sink())).await?;
        } else if is_subscribed(&backend, &calendars).await? {
            tracing::warn!(
                "events are kept for linked calendars: give --calendar-key again to some process of \
                 this database, or run forget-calendars"
            );
        }
        let links = CalendarLinks::new(booking.clone(), kept);
        let copier = outside.as_ref().map(|outside| {
            let every = settings.calendars.calendars_every;
            let copier = Copier::new(links.clone(), Arc::new(outside.clone()), every);
            tokio::spawn(copier.run(no_more_changes.clone().cancelled_owned()))
        });
        let metrics = probes::registry()?;
        let mut probes = probes::of_store(&metrics, &backend)?;
        if let Some(cache) = cache {
            probes.push(probes::of_slots(&metrics, cache)?);
        }
        Ok(Self {
            live,
            hub,
            booking,
            directory,
            backend,
            webhooks,
            event_source: settings.event_source,
            stream_limits: StreamLimits {
                in_all: settings.max_streams,
                per_user: settings.max_streams_per_user,
            },
            relay: tokio::spawn(relay.run(no_more_changes.clone().cancelled_owned())),
            links,
            outside,
            copier,
            no_more_changes,
            metrics,
            probes,
            stopping: Stopping::default(),
        })
    }

    /// Tells of the server's connections too.
    pub(super) fn watch(&mut self, connections: ConnectionCounts) -> Result<(), Failure> {
        self.probes.push(probes::of_connections(&self.metrics, connections)?);
        Ok(())
    }

    pub(super) fn api(&self, verifier: Arc<dyn Verifier>) -> Api {
        Api::new(self.booking.clone(), verifier)
            .with_directory(self.directory.clone())
            .with_audit(self.backend.audit.clone())
            .with_calendar_feeds(self.backend.feeds.clone())
            .with_linked_calendars(self.links.clone(), self.outside.clone())
            .with_live(self.live.clone())
            .stream_limits(self.stream_limits)
            .event_source(&self.event_source)
            .draining_with(self.stopping.draining.clone())
            .closing_with(self.stopping.closing.clone())
            .with_metrics(self.metrics.clone(), self.probes.clone())
            .with_webhooks(self.backend.events.clone(), self.hub.clone(), self.webhooks.clone())
    }

    /// Clerk's webhook, for the directory of this service.
    pub(super) fn clerk_webhook(&self, secret: Secret) -> ClerkWebhook {
        ClerkWebhook::with(secret, self.directory.clone())
    }

    /// Delivers what can be delivered soon, waits for calls under way, and closes the store. What
    /// is left in the outbox stays there. Nothing of that once the process is to stop at once.
    pub(super) async fn stop(self) {
        let at_once = self.stopping.at_once.clone();
        at_once.run_until_cancelled(self.finish()).await;
    }

    async fn finish(self) {
        self.no_more_changes.cancel();
        if tokio::time::timeout(LAST_DELIVERIES, self.relay).await.is_err() {
            tracing::warn!("some deliveries did not end in time; they come again");
        }
        if let Some(copier) = self.copier {
            let _panicked = copier.await;
        }
        self.backend.close().await;
    }
}

/// Where no events were kept for linked calendars, those that are written into may have missed some.
fn all_unwritten() -> Unwritten {
    let words = "sessions were not written into it for a time";
    let SourceError { fault, detail } = SourceError::new(CopyFault::Sealed, words);
    Unwritten { link: None, fault, detail }
}

/// Linked calendars, where there is a key for them.
fn outside(
    backend: &Backend,
    links: Arc<dyn LinkedCalendars>,
    settings: &EventsArgs,
) -> Result<Option<OutsideCalendars>, Failure> {
    let Some((client, keyring)) = settings.calendars.set_up()? else {
        tracing::info!(
            "no calendars can be linked: there is no --calendar-key (BOOKING_CALENDAR_KEYS)"
        );
        return Ok(None);
    };
    Ok(Some(OutsideCalendars::new(client, keyring, links, backend.store.clone())))
}

fn webhooks(settings: &EventsArgs) -> Result<WebhookSinks, Failure> {
    let allowed_networks: Vec<IpNet> = settings.webhook_allow_network.clone();
    let source = settings.event_source.clone();
    let options = WebhookOptions { allowed_networks, source, ..WebhookOptions::default() };
    Ok(WebhookSinks::new(options, Arc::new(SystemClock))?)
}

async fn relay(
    backend: &Backend,
    hub: &Hub,
    webhooks: &WebhookSinks,
    settings: &EventsArgs,
) -> Result<Relay, Failure> {
    let mut relay = Relay::new(backend.events.clone(), hub.clone(), Arc::new(SystemClock))
        .with_sinks(Arc::new(webhooks.clone()));
    if let Some(age) = settings.keep_events {
        relay = relay.keep_for(age);
    }
    if let Some(age) = settings.keep_audit {
        relay = relay.keep_audit_for(backend.audit.clone(), age);
    }
    let nats = SubscriberId::new(NATS)?;
    if let Some(url) = &settings.nats_url {
        let mut options = NatsOptions::new(url.clone());
        options.credentials.clone_from(&settings.nats_credentials);
        options.root_certificates.clone_from(&settings.nats_root_certificates);
        options.source.clone_from(&settings.event_source);
        if let Some(stream) = &settings.nats_stream {
            options.stream.clone_from(stream);
        }
        let sink = NatsSink::connect(options).await?;
        relay = relay.with_sink(nats, Arc::new(sink)).await?;
    } else if is_subscribed(backend, &nats).await? {
        tracing::warn!(
            "events are kept for NATS, where they went before: give --nats-url again to some process \
             of this database, or run forget-nats"
        );
    }
    Ok(relay)
}

async fn is_subscribed(backend: &Backend, name: &SubscriberId) -> Result<bool, Failure> {
    Ok(backend.events.subscribers().await?.iter().any(|known| known.id == *name))
}
