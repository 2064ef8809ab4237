//! Webhooks: events, signed and sent to whoever an admin has named.
//!
//! A webhook is a [`Subscriber`] whose id is a [`WebhookId`]. This is the sink that delivers to
//! them; when and how often is the relay's business.

mod client;
mod documented;
mod endpoint;
mod signature;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Clock, CloudEvent, EventId, EventSink, IdSource, RandomIds, Recorded, SinkError, Sinks,
    Subscriber, WebhookId, format_instant,
};
use chrono::{DateTime, SubsecRound, Utc};
use ipnet::IpNet;
use serde_json::json;

use self::client::{Client, Message};
use self::endpoint::UnreadableSettings;
use crate::outbound::{Guard, NotPublic};

pub(crate) use documented::document_events;
pub(crate) use endpoint::{Endpoint, WebhookDescription, WebhookUrl};
pub(crate) use signature::Secret;

/// The type of the event by which an admin tries a webhook out. It is in no log.
const TEST_EVENT: &str = "booking.webhook.test.v1";

/// How webhooks are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// Networks that webhooks may lead to although they are not public, such as `10.1.0.0/16`.
    /// Empty at first: webhooks lead to public addresses only.
    pub allowed_networks: Vec<IpNet>,
    /// Whose events these are: the `source` of each, a URI reference. `/booking` at first.
    pub source: String,
    /// How long a receiver may take for one event; 15 seconds at first.
    pub timeout: Duration,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            allowed_networks: Vec::new(),
            source: "/booking".to_owned(),
            timeout: Duration::from_secs(15),
        }
    }
}

/// Why webhooks cannot be delivered by this process.
#[derive(Debug, thiserror::Error)]
#[error("webhooks cannot be set up")]
pub struct WebhookSetupError(#[source] Box<dyn Error + Send + Sync>);

impl WebhookSetupError {
    fn of(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Delivers to webhooks, as Standard Webhooks 1.0 has it
/// (<https://www.standardwebhooks.com>): each event as a [`CloudEvent`] in a signed POST. Only 2xx
/// says that it was taken; 410 ends the webhook; redirects are not followed.
///
/// Clones are one: give one to [`Relay::with_sinks`](booking_core::Relay::with_sinks), and one to
/// [`Api::with_webhooks`](crate::Api::with_webhooks).
///
/// ```
/// use std::sync::Arc;
///
/// use booking_api::{WebhookOptions, WebhookSinks};
/// use booking_core::{Hub, MemoryStore, Relay, SystemClock};
///
/// let inside = vec!["10.1.0.0/16".parse()?];
/// let options = WebhookOptions { allowed_networks: inside, ..WebhookOptions::default() };
/// let webhooks = WebhookSinks::new(options, Arc::new(SystemClock))?;
/// let store = Arc::new(MemoryStore::default());
/// let relay = Relay::new(store, Hub::default(), Arc::new(SystemClock))
///     .with_sinks(Arc::new(webhooks.clone()));
/// # let _ = relay;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WebhookSinks(Arc<Inner>);

struct Inner {
    client: Client,
    source: String,
    clock: Arc<dyn Clock>,
}

/// How a test came out.
#[derive(Debug)]
pub(crate) struct Tested {
    /// The receiver's status, or what went wrong.
    pub(crate) outcome: Result<u16, SinkError>,
    pub(crate) took: Duration,
}

impl WebhookSinks {
    /// Webhooks that go by this clock: let it be the machine's, since receivers compare the time
    /// of a signature with their own.
    ///
    /// # Errors
    /// [`WebhookSetupError`] when TLS cannot be set up.
    pub fn new(options: WebhookOptions, clock: Arc<dyn Clock>) -> Result<Self, WebhookSetupError> {
        let client = Client::new(Guard::new(options.allowed_networks), options.timeout)?;
        Ok(Self(Arc::new(Inner { client, source: options.source, clock })))
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    /// To the millisecond, as stores keep it.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now().trunc_subsecs(3)
    }

    /// Whether a webhook may be there, as far as its URL tells.
    pub(crate) fn check(&self, url: &WebhookUrl) -> Result<(), NotPublic> {
        self.0.client.check(url.as_url())
    }

    /// Sends an event that says nothing, now, and waits for the answer.
    pub(crate) async fn test(&self, id: WebhookId, endpoint: &Endpoint) -> Tested {
        let now = self.now();
        let event_id = EventId::from_uuid(RandomIds.fresh(now));
        let event = json!({
            "specversion": "1.0",
            "id": event_id,
            "source": self.0.source,
            "type": TEST_EVENT,
            "subject": id,
            "time": format_instant(now),
            "datacontenttype": "application/json",
            "data": {"webhookId": id},
        });
        let began = std::time::Instant::now();
        let outcome = self.0.send(endpoint, event_id, event.to_string().into_bytes()).await;
        Tested { outcome, took: began.elapsed() }
    }
}

impl Sinks for WebhookSinks {
    fn sink_for(&self, subscriber: &Subscriber) -> Option<Arc<dyn EventSink>> {
        subscriber.id.webhook()?;
        let endpoint = Endpoint::of(subscriber);
        Some(Arc::new(WebhookSink { sinks: self.0.clone(), endpoint }))
    }
}

/// The sink of one webhook, as it was when the relay asked.
struct WebhookSink {
    sinks: Arc<Inner>,
    endpoint: Result<Endpoint, UnreadableSettings>,
}

#[async_trait]
impl EventSink for WebhookSink {
    async fn deliver(&self, recorded: &Recorded) -> Result<(), SinkError> {
        let endpoint =
            self.endpoint.as_ref().map_err(|error| SinkError::retry(error.to_string()))?;
        let event = CloudEvent::of(recorded, &self.sinks.source);
        let body = serde_json::to_vec(&event)
            .map_err(|error| SinkError::retry(format!("the event cannot be written: {error}")))?;
        self.sinks.send(endpoint, recorded.event.id, body).await.map(|_status| ())
    }
}

impl Inner {
    /// Signs with the secrets that are valid now, and sends.
    async fn send(
        &self,
        endpoint: &Endpoint,
        id: EventId,
        body: Vec<u8>,
    ) -> Result<u16, SinkError> {
        let (id, sent_at) = (id.to_string(), self.clock.now());
        let signatures = endpoint.signatures(&id, sent_at, &body);
        let message = Message { id, sent_at, signatures, body };
        self.client.post(endpoint.url.as_url(), message).await
    }
}
