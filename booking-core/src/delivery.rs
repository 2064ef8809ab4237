//! The delivery port: who gets which events, and how far that is.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::audit::By;
use crate::event::{Event, EventType};
use crate::id::{InvalidId, WebhookId};
use crate::outbox::Recorded;
use crate::store::StoreError;

/// The name of somebody who gets events: 1–64 ASCII letters, digits, `_`, `-` and `.`.
///
/// ```
/// use booking_core::SubscriberId;
///
/// assert_eq!(SubscriberId::new("crm")?.as_str(), "crm");
/// assert!(SubscriberId::new("our crm").is_err());
/// # Ok::<(), booking_core::InvalidId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(String);

impl SubscriberId {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`InvalidId`] when either is wrong.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidId> {
        let name = name.into();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if (1..=Self::MAX_CHARS).contains(&name.len()) && name.bytes().all(is_plain) {
            Ok(Self(name))
        } else {
            Err(InvalidId::new("must have 1 to 64 ASCII letters, digits, '_', '-' and '.'"))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The webhook that goes by this name; `None` for those that programs name.
    #[must_use]
    pub fn webhook(&self) -> Option<WebhookId> {
        self.0.parse().ok()
    }
}

impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<WebhookId> for SubscriberId {
    fn from(id: WebhookId) -> Self {
        Self(id.to_string())
    }
}

/// Somebody who gets events: each that was published since they joined, on their own schedule.
#[derive(Clone, PartialEq)]
pub struct Subscriber {
    /// Who.
    pub id: SubscriberId,
    /// Which kinds they want; all when empty.
    pub event_types: BTreeSet<EventType>,
    /// Whether they get anything. What is published while they do not is not kept for them; what
    /// was pending before stays so.
    pub is_active: bool,
    /// What their sink has to know: opaque to the library and to stores. (The audit log names the
    /// fields that change, and shows the origin of a `url`.)
    pub settings: Value,
    /// Since when, to the millisecond.
    pub created_at: DateTime<Utc>,
}

impl Subscriber {
    /// How many subscribers can be webhooks.
    pub const MAX_WEBHOOKS: usize = 64;
}

/// What became of a subscriber who was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "they may not have been added"]
pub enum Added {
    /// They are there.
    Done,
    /// Somebody has that name, and is as before.
    NameTaken,
    /// There are as many webhooks as there can be.
    TooMany,
}

/// Settings may hold secrets: they do not belong in logs.
impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, event_types, is_active, settings: _, created_at } = self;
        f.debug_struct("Subscriber")
            .field("id", id)
            .field("event_types", event_types)
            .field("is_active", is_active)
            .field("created_at", created_at)
            .finish_non_exhaustive()
    }
}

/// One event on its way to one subscriber.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The event.
    pub event: Recorded,
    /// How far it is.
    pub state: DeliveryState,
    /// How many attempts have failed, but for those that [waited](Outcome::WaitUntil).
    pub failures: u32,
    /// From when on it is to be attempted, while it is pending.
    pub due_at: DateTime<Utc>,
    /// How the last attempt ended, and when; `None` before the first.
    pub last_attempt: Option<Attempt>,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// To be attempted, now or later.
    Pending,
    /// The sink took it.
    Delivered,
    /// Given up: a dead letter. [`Deliveries::replay`] makes it pending again.
    Dead,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// The word that stands for it on the wire and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When, to the millisecond.
    pub at: DateTime<Utc>,
    /// The receiver's HTTP status, if it has one.
    pub status: Option<u16>,
    /// What went wrong; `None` when nothing did. A store may keep U+FFFD for a null character.
    pub error: Option<String>,
}

/// Takes deliveries on, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Those that are due now, and that nobody has taken on at this time.
    pub now: DateTime<Utc>,
    /// For how long: whoever has not settled a delivery by then has lost it to others.
    pub lease: Duration,
    /// At most so many.
    pub limit: u32,
}

/// A delivery that was taken on.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The event.
    pub event: Recorded,
    /// How many attempts have failed so far, but for those that [waited](Outcome::WaitUntil).
    pub failures: u32,
    /// Until when it is ours; names the claim when it is settled.
    pub until: DateTime<Utc>,
}

/// What became of a claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which event.
    pub sequence: u64,
    /// [`Claimed::until`].
    pub until: DateTime<Utc>,
    /// How the attempt ended.
    pub attempt: Attempt,
    /// What follows.
    pub outcome: Outcome,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing more.
    Delivered,
    /// Another attempt at this time, and none before that at what is pending of the later events
    /// of that meeting.
    RetryAt(DateTime<Utc>),
    /// The same, and the attempt is not counted: it was not about this event.
    WaitUntil(DateTime<Utc>),
    /// No further attempts.
    Dead,
}

/// Which deliveries of a subscriber to list: the latest events first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// Whose.
    pub subscriber: SubscriberId,
    /// In this state; `None` for any.
    pub state: Option<DeliveryState>,
    /// Of events with a smaller sequence; `None` from the latest on.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

/// What to deliver again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Events with this sequence or a greater one.
    pub from: u64,
    /// Up to this one, inclusive.
    pub to: u64,
    /// Dead letters alone; else every event of the log that the subscriber wants, whether they
    /// had it before or not. What is pending is left as it is.
    pub only_dead: bool,
    /// At most so many, oldest first.
    pub limit: u32,
    /// Due from now on.
    pub now: DateTime<Utc>,
}

/// How much is on its way to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Whose.
    pub subscriber: SubscriberId,
    /// Deliveries that are pending.
    pub pending: u64,
    /// When the first of their events occurred.
    pub oldest: Option<DateTime<Utc>>,
    /// Dead letters.
    pub dead: u64,
}

impl Backlog {
    /// Where stores stop counting: to know more is not worth reading more.
    pub const MOST: u32 = 100_000;
}

/// What changes a [`Subscriber`]: pure, and replayable. The id stays.
pub type ChangeSubscriber<'a> = &'a (dyn Fn(&mut Subscriber) + Send + Sync);

/// Who gets events, and what is on its way to them.
///
/// Whoever adds, changes or removes a subscriber, or has events delivered again, says by whom: the
/// entry of the audit log commits with it. What changes nothing writes none.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Adds a subscriber, who gets what is published from now on, if
    /// [`admit_subscriber`](crate::admit_subscriber) lets them join those who are there, also when
    /// others come at the same time.
    async fn add_subscriber(&self, subscriber: &Subscriber, by: By) -> Result<Added, StoreError>;

    /// Changes a subscriber under a lock: what `change` is shown is current. Returns the
    /// subscriber as it is from now on, or `None` when there is none by that name.
    async fn change_subscriber(
        &self,
        id: &SubscriberId,
        change: ChangeSubscriber<'_>,
        by: By,
    ) -> Result<Option<Subscriber>, StoreError>;

    /// Removes a subscriber and their deliveries; `false` when there is none by that name. There
    /// may be many: should this fail, some are gone already.
    async fn remove_subscriber(&self, id: &SubscriberId, by: By) -> Result<bool, StoreError>;

    /// Everybody, by when they joined and then by name.
    async fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError>;

    /// Takes on deliveries that are due to an active subscriber, the longest due first; of each
    /// meeting only the oldest event that is pending, and only while nobody else has it. Whoever
    /// claims at the same time gets others.
    async fn claim(
        &self,
        subscriber: &SubscriberId,
        claim: &Claim,
    ) -> Result<Vec<Claimed>, StoreError>;

    /// Says what became of claimed deliveries. A success always counts; a failure only while the
    /// delivery is still ours: pending, and under the same claim.
    async fn settle(
        &self,
        subscriber: &SubscriberId,
        settled: &[Settled],
    ) -> Result<(), StoreError>;

    /// Deliveries, the latest events first.
    async fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError>;

    /// Makes deliveries pending again, or for the first time, as if they never had been tried.
    /// Returns how many; 0 when there is no such subscriber.
    async fn replay(
        &self,
        subscriber: &SubscriberId,
        replay: &Replay,
        by: By,
    ) -> Result<u32, StoreError>;

    /// How much is on its way to everybody, by name. Both numbers end at [`Backlog::MOST`].
    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError>;
}

impl Subscriber {
    /// Whether such an event, published now, is for them.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.is_active && self.wants_type_of(event)
    }

    /// Whether they want events of that kind.
    #[must_use]
    pub fn wants_type_of(&self, event: &Event) -> bool {
        let wanted = &self.event_types;
        wanted.is_empty() || wanted.contains(&event.payload.event_type())
    }
}

impl Claim {
    /// When the claim ends.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        self.now + self.lease
    }
}
