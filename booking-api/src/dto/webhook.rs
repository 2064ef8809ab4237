//! Webhooks, and what is on its way to them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use booking_core::{Attempt, Delivery, DeliveryState, EventType, Subscriber};
use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::registry::MetaSchema;
use poem_openapi::types::{MaybeUndefined, Type};
use serde_json::{Value, json};

use crate::body::request_body;
use crate::problem::Problem;
use crate::webhooks::{Endpoint, Tested, WebhookDescription, WebhookUrl};
use crate::wire::{OnWire, Wire};

request_body! {
    /// A new webhook.
    WebhookCreateDto {
        /// Where events are sent: an absolute `http` or `https` URL without credentials or
        /// fragment, at a public address.
        url: Wire<WebhookUrl>,
        /// What it is for.
        #[oai(nullable)]
        description: MaybeUndefined<Wire<WebhookDescription>>,
        /// Which events are sent; all when left out or empty.
        event_types: Option<Wire<EventTypes>>,
    }
}

request_body! {
    /// What is to change of a webhook. Fields that are left out stay.
    WebhookUpdateDto {
        /// Where events are sent.
        url: Option<Wire<WebhookUrl>>,
        /// What it is for; null clears it.
        #[oai(nullable)]
        description: MaybeUndefined<Wire<WebhookDescription>>,
        /// Which events are sent; all when empty.
        event_types: Option<Wire<EventTypes>>,
        /// Whether events are sent. What happens while they are not is not kept for later; what
        /// was on its way goes on when they are again.
        is_active: Option<Wire<bool>>,
    }
}

request_body! {
    /// Which events to send again.
    WebhookReplayDto {
        /// Those with this sequence or a greater one; from the beginning when left out.
        from: Option<Wire<Sequence>>,
        /// Up to this sequence, inclusive; to the end when left out.
        to: Option<Wire<Sequence>>,
        /// `dead`: only those that were given up. When left out, all events that the webhook wants,
        /// whether it had them before or not.
        only: Option<Wire<Only>>,
    }
}

/// A webhook.
#[derive(Debug, Object)]
#[oai(rename = "Webhook", rename_all = "camelCase")]
pub(crate) struct WebhookDto {
    /// Which one.
    id: String,
    /// Where events are sent.
    url: Wire<WebhookUrl>,
    /// What it is for.
    #[oai(nullable)]
    description: Option<Wire<WebhookDescription>>,
    /// Which events are sent; all when empty.
    event_types: Wire<EventTypes>,
    /// Whether events are sent. A receiver that answers 410 is sent no more.
    is_active: bool,
    /// Since when there is this webhook.
    created_at: Wire<DateTime<Utc>>,
    /// Until when the secret before the present one signs too; null when none does.
    #[oai(nullable)]
    previous_secret_expires_at: Option<Wire<DateTime<Utc>>>,
}

/// A webhook with its newest secret, which is shown here and never again.
#[derive(Debug, Object)]
#[oai(rename = "WebhookWithSecret", rename_all = "camelCase")]
pub(crate) struct WebhookWithSecretDto {
    #[oai(flatten)]
    pub(crate) webhook: WebhookDto,
    /// The secret by which the receiver knows what is ours: `whsec_` and base64.
    pub(crate) secret: String,
}

/// How a test came out.
#[derive(Debug, Object)]
#[oai(rename = "WebhookTest", rename_all = "camelCase")]
pub(crate) struct TestedDto {
    /// Whether the receiver took the event, by answering 2xx.
    delivered: bool,
    /// The status that it answered; null when it did not.
    #[oai(nullable)]
    status: Option<i32>,
    /// What went wrong; null when nothing did.
    #[oai(nullable)]
    error: Option<String>,
    /// How long it took.
    duration_ms: i64,
}

/// An event on its way to a webhook.
#[derive(Debug, Object)]
#[oai(rename = "WebhookDelivery", rename_all = "camelCase")]
pub(crate) struct WebhookDeliveryDto {
    /// The event's place in the log of all events.
    sequence: Wire<Sequence>,
    /// Which event.
    event_id: String,
    /// Of which kind.
    event_type: Wire<EventType>,
    /// The meeting that it happened to.
    meeting_id: String,
    /// How far it is.
    state: Wire<DeliveryState>,
    /// How many attempts have failed.
    failures: i64,
    /// When it is tried next; null when it is not.
    #[oai(nullable)]
    next_attempt_at: Option<Wire<DateTime<Utc>>>,
    /// How the last attempt ended; null before the first.
    #[oai(nullable)]
    last_attempt: Option<AttemptDto>,
}

/// How an attempt to deliver ended.
#[derive(Debug, Object)]
#[oai(rename = "WebhookAttempt", rename_all = "camelCase")]
pub(crate) struct AttemptDto {
    /// When.
    at: Wire<DateTime<Utc>>,
    /// The status of a receiver that did not take the event; null when it did, or did not answer.
    #[oai(nullable)]
    status: Option<i32>,
    /// What went wrong; null when nothing did.
    #[oai(nullable)]
    error: Option<String>,
}

/// What is sent again.
#[derive(Debug, Object)]
#[oai(rename = "WebhookReplay", rename_all = "camelCase")]
pub(crate) struct ReplayedDto {
    /// How many events.
    pub(crate) replayed: i64,
}

impl WebhookDto {
    /// A subscriber that is a webhook, as it is now.
    pub(crate) fn of(subscriber: &Subscriber, now: DateTime<Utc>) -> Result<Self, Problem> {
        let id = subscriber.id.webhook().ok_or_else(|| Problem::internal("not a webhook"))?;
        let endpoint = Endpoint::of(subscriber).map_err(Problem::internal)?;
        let previous_secret_expires_at = endpoint.overlap_ends_at(now).map(Wire);
        Ok(Self {
            id: id.to_string(),
            url: Wire(endpoint.url),
            description: endpoint.description.map(Wire),
            event_types: Wire(EventTypes(subscriber.event_types.clone())),
            is_active: subscriber.is_active,
            created_at: Wire(subscriber.created_at),
            previous_secret_expires_at,
        })
    }
}

impl From<Tested> for TestedDto {
    fn from(tested: Tested) -> Self {
        let duration_ms = i64::try_from(tested.took.as_millis()).unwrap_or(i64::MAX);
        match tested.outcome {
            Ok(status) => {
                Self { delivered: true, status: Some(status.into()), error: None, duration_ms }
            }
            Err(failure) => Self {
                delivered: false,
                status: failure.status.map(Into::into),
                error: Some(failure.reason),
                duration_ms,
            },
        }
    }
}

/// Nothing of what the event says: that may be for others than admins.
impl From<Delivery> for WebhookDeliveryDto {
    fn from(delivery: Delivery) -> Self {
        let event = &delivery.event.event;
        let is_pending = delivery.state == DeliveryState::Pending;
        Self {
            sequence: Wire(Sequence(delivery.event.sequence)),
            event_id: event.id.to_string(),
            event_type: Wire(event.payload.event_type()),
            meeting_id: event.payload.meeting().to_string(),
            state: Wire(delivery.state),
            failures: delivery.failures.into(),
            next_attempt_at: is_pending.then_some(Wire(delivery.due_at)),
            last_attempt: delivery.last_attempt.map(AttemptDto::from),
        }
    }
}

impl From<Attempt> for AttemptDto {
    fn from(attempt: Attempt) -> Self {
        let Attempt { at, status, error } = attempt;
        Self { at: Wire(at), status: status.map(Into::into), error }
    }
}

/// A set of event types, as a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventTypes(pub(crate) BTreeSet<EventType>);

impl OnWire for EventTypes {
    const NAME: &'static str = "EventTypes";

    fn schema() -> MetaSchema {
        let item = Wire::<EventType>::schema_ref();
        MetaSchema { items: Some(Box::new(item)), ..MetaSchema::new("array") }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let items = value.as_array().ok_or_else(|| "must be a list".to_owned())?;
        items.iter().map(EventType::read).collect::<Result<_, _>>().map(Self)
    }

    fn write(&self) -> Value {
        self.0.iter().map(OnWire::write).collect()
    }
}

/// A place in the log of events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence(pub(crate) u64);

impl OnWire for Sequence {
    const NAME: &'static str = "Sequence";

    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(0.0), ..MetaSchema::new_with_format("integer", "int64") }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let sequence = value.as_u64().filter(|sequence| i64::try_from(*sequence).is_ok());
        sequence.map(Self).ok_or_else(|| "must be a whole number, 0 or greater".to_owned())
    }

    fn write(&self) -> Value {
        self.0.into()
    }
}

/// `dead`, the one word there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Only;

impl OnWire for Only {
    const NAME: &'static str = "Only";

    fn schema() -> MetaSchema {
        MetaSchema { enum_items: vec![Self.write()], ..MetaSchema::new("string") }
    }

    fn read(value: &Value) -> Result<Self, String> {
        if *value == Self.write() { Ok(Self) } else { Err("must be dead, or left out".to_owned()) }
    }

    fn write(&self) -> Value {
        DeliveryState::Dead.write()
    }
}

impl OnWire for DeliveryState {
    const NAME: &'static str = "DeliveryState";
    const IS_NAMED: bool = true;

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("How far a delivery is: to be tried, taken, or given up"),
            enum_items: Self::ALL.iter().map(OnWire::write).collect(),
            ..MetaSchema::new("string")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.write() == *value);
        found.ok_or_else(|| "must be pending, delivered or dead".to_owned())
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

/// `cursor`: the sequence that the page before ended with, opaque to callers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeliveryCursor(pub(crate) u64);

impl OnWire for DeliveryCursor {
    const NAME: &'static str = "DeliveryCursor";

    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(64), ..MetaSchema::new("string") }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let bytes = value.as_str().and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
        let sequence = bytes.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        let sequence = sequence.filter(|sequence| i64::try_from(*sequence).is_ok());
        sequence.map(Self).ok_or_else(|| "must be the cursor of a Link header".to_owned())
    }

    fn write(&self) -> Value {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()).into()
    }
}

impl OnWire for WebhookUrl {
    const NAME: &'static str = "WebhookUrl";

    fn schema() -> MetaSchema {
        MetaSchema {
            max_length: Some(Self::MAX_CHARS),
            example: Some(json!("https://crm.example.com/hooks/booking")),
            ..MetaSchema::new_with_format("string", "uri")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| "must be a string".to_owned())?;
        Self::new(text.to_owned()).map_err(|error| error.to_string())
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}
