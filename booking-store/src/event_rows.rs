//! Between events, subscribers and deliveries and the plain values that databases keep.

use std::collections::BTreeSet;

use booking_core::{
    Attempt, Backlog, Claim, Claimed, Delivery, DeliveryState, Event, EventId, EventPayload,
    EventType, Outcome, Recorded, Settled, Subscriber, SubscriberId,
};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Malformed;
use crate::rows;

/// An event of the log.
#[derive(Debug, FromRow)]
pub(crate) struct EventRow {
    pub(crate) sequence: i64,
    pub(crate) event_id: Uuid,
    pub(crate) occurred_ms: i64,
    pub(crate) payload: Json<EventPayload>,
}

/// A delivery that is due, or was claimed.
#[derive(Debug, FromRow)]
pub(crate) struct DueRow {
    pub(crate) sequence: i64,
    pub(crate) event_id: Uuid,
    pub(crate) occurred_ms: i64,
    pub(crate) payload: Json<EventPayload>,
    pub(crate) failures: i64,
}

/// A delivery.
#[derive(Debug, FromRow)]
pub(crate) struct DeliveryRow {
    pub(crate) sequence: i64,
    pub(crate) event_id: Uuid,
    pub(crate) occurred_ms: i64,
    pub(crate) payload: Json<EventPayload>,
    pub(crate) state: String,
    pub(crate) failures: i64,
    pub(crate) due_ms: i64,
    pub(crate) attempted_ms: Option<i64>,
    pub(crate) status: Option<i64>,
    pub(crate) error: Option<String>,
}

/// A subscriber.
#[derive(Debug, FromRow)]
pub(crate) struct SubscriberRow {
    pub(crate) id: String,
    pub(crate) event_types: Json<Vec<String>>,
    pub(crate) is_active: bool,
    pub(crate) settings: Json<Value>,
    pub(crate) created_ms: i64,
}

/// How much is on its way to somebody.
#[derive(Debug, FromRow)]
pub(crate) struct BacklogRow {
    pub(crate) id: String,
    pub(crate) pending: i64,
    pub(crate) oldest_ms: Option<i64>,
    pub(crate) dead: i64,
}

impl TryFrom<EventRow> for Recorded {
    type Error = Malformed;

    fn try_from(row: EventRow) -> Result<Self, Malformed> {
        let Json(payload) = row.payload;
        let occurred_at = rows::instant(row.occurred_ms)?;
        Ok(Self {
            sequence: number("sequence", row.sequence)?,
            event: Event { id: EventId::from_uuid(row.event_id), occurred_at, payload },
        })
    }
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = Malformed;

    fn try_from(row: DeliveryRow) -> Result<Self, Malformed> {
        let (status, error) = (row.status, row.error);
        let last_attempt = row.attempted_ms.map(|at_ms| {
            let status = status.map(|status| number("status", status)).transpose()?;
            Ok(Attempt { at: rows::instant(at_ms)?, status, error })
        });
        let state = DeliveryState::ALL.into_iter().find(|state| state.as_str() == row.state);
        let (sequence, event_id) = (row.sequence, row.event_id);
        let (occurred_ms, payload) = (row.occurred_ms, row.payload);
        Ok(Self {
            event: EventRow { sequence, event_id, occurred_ms, payload }.try_into()?,
            state: state.ok_or(Malformed::new("delivery state"))?,
            failures: number("count", row.failures)?,
            due_at: rows::instant(row.due_ms)?,
            last_attempt: last_attempt.transpose()?,
        })
    }
}

impl TryFrom<SubscriberRow> for Subscriber {
    type Error = Malformed;

    fn try_from(row: SubscriberRow) -> Result<Self, Malformed> {
        let (Json(names), Json(settings)) = (row.event_types, row.settings);
        let named = |name: &String| EventType::ALL.iter().copied().find(|kind| kind.name() == name);
        let event_types: Option<BTreeSet<EventType>> = names.iter().map(named).collect();
        Ok(Self {
            id: subscriber(&row.id)?,
            event_types: event_types.ok_or(Malformed::new("event type"))?,
            is_active: row.is_active,
            settings,
            created_at: rows::instant(row.created_ms)?,
        })
    }
}

impl TryFrom<BacklogRow> for Backlog {
    type Error = Malformed;

    fn try_from(row: BacklogRow) -> Result<Self, Malformed> {
        Ok(Self {
            subscriber: subscriber(&row.id)?,
            pending: number("count", row.pending)?,
            oldest: row.oldest_ms.map(rows::instant).transpose()?,
            dead: number("count", row.dead)?,
        })
    }
}

/// The tags of the payloads that they want.
pub(crate) fn event_types(subscriber: &Subscriber) -> Vec<&'static str> {
    subscriber.event_types.iter().map(|kind| kind.name()).collect()
}

/// As it is written down: claims are told apart to the millisecond.
pub(crate) fn until(claim: &Claim) -> DateTime<Utc> {
    claim.until().trunc_subsecs(3)
}

pub(crate) fn claimed(row: DueRow, until: DateTime<Utc>) -> Result<Claimed, Malformed> {
    let failures = number("count", row.failures)?;
    let (sequence, event_id) = (row.sequence, row.event_id);
    let (occurred_ms, payload) = (row.occurred_ms, row.payload);
    let event = EventRow { sequence, event_id, occurred_ms, payload }.try_into()?;
    Ok(Claimed { event, failures, until })
}

/// What follows an attempt, for what is written down of a delivery.
pub(crate) struct Follows {
    pub(crate) state: DeliveryState,
    /// When the next attempt is due, if there is to be one.
    pub(crate) due_at: Option<DateTime<Utc>>,
    /// How many failures more there are.
    pub(crate) failures: i64,
}

pub(crate) const fn follows(outcome: Outcome) -> Follows {
    let (state, due_at, failures) = match outcome {
        Outcome::Delivered => (DeliveryState::Delivered, None, 0),
        Outcome::RetryAt(at) => (DeliveryState::Pending, Some(at), 1),
        Outcome::WaitUntil(at) => (DeliveryState::Pending, Some(at), 0),
        Outcome::Dead => (DeliveryState::Dead, None, 1),
    };
    Follows { state, due_at, failures }
}

/// In order, cut where a delivery comes a second time: one statement changes no row twice.
pub(crate) fn batches(settled: &[Settled]) -> Vec<Vec<&Settled>> {
    let mut batches: Vec<Vec<&Settled>> = vec![];
    let mut seen = BTreeSet::new();
    for one in settled {
        let is_new = seen.insert(one.sequence);
        match batches.last_mut() {
            Some(batch) if is_new => batch.push(one),
            _ => {
                seen = BTreeSet::from([one.sequence]);
                batches.push(vec![one]);
            }
        }
    }
    batches
}

/// No database has room for greater ones, and none was ever handed out.
pub(crate) fn bound(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

pub(crate) fn number<T: TryFrom<i64>>(what: &'static str, stored: i64) -> Result<T, Malformed> {
    T::try_from(stored).map_err(|_| Malformed::new(what))
}

fn subscriber(id: &str) -> Result<SubscriberId, Malformed> {
    SubscriberId::new(id).map_err(Malformed::because("subscriber"))
}
