//! Webhooks: who is told of events, as admins see to it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::SubsecRound;
use serde_json::Value;

use crate::access::{Actor, Operation};
use crate::booking::{Booking, BookingError};
use crate::clock::Clock;
use crate::delivery::{Added, ChangeSubscriber, Delivery, DeliveryQuery, Replay, Subscriber};
use crate::event::EventType;
use crate::hub::Hub;
use crate::id::WebhookId;
use crate::refusal::Refusal;
use crate::relay::EventStore;
use crate::store::StoreError;

/// A webhook that is to be added.
#[derive(Clone, PartialEq)]
pub struct NewWebhook {
    /// Which kinds of events it gets; all when empty.
    pub event_types: BTreeSet<EventType>,
    /// What its sink has to know: see [`Subscriber::settings`].
    pub settings: Value,
}

/// Settings may hold secrets: they do not belong in logs.
impl fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWebhook").field("event_types", &self.event_types).finish_non_exhaustive()
    }
}

/// Webhooks over a service: the subscribers that admins add, change and remove. Those that programs name
/// are not among them. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Webhooks {
    booking: Booking,
    events: Arc<dyn EventStore>,
    hub: Hub,
    clock: Arc<dyn Clock>,
}

impl Webhooks {
    /// The webhooks that are kept there. What they get goes by this clock: let it be that of the
    /// [`Relay`](crate::Relay), which hears of changes at once if it has this hub.
    #[must_use]
    pub fn new(
        booking: Booking,
        events: Arc<dyn EventStore>,
        hub: Hub,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { booking, events, hub, clock }
    }

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Subscriber>, BookingError> {
        actor.may(Operation::ManageWebhooks)?;
        let mut subscribers = self.events.subscribers().await?;
        subscribers.retain(|subscriber| subscriber.id.webhook().is_some());
        Ok(subscribers)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::WebhookNotFound`]; [`StoreError`].
    pub async fn get(&self, actor: &Actor, id: WebhookId) -> Result<Subscriber, BookingError> {
        let found = self.list(actor).await?.into_iter().find(|one| one.id.webhook() == Some(id));
        Ok(found.ok_or(Refusal::WebhookNotFound)?)
    }

    /// Adds a webhook, which gets what is published from now on.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::TooManyWebhooks`]; [`StoreError`].
    pub async fn add(&self, actor: &Actor, new: NewWebhook) -> Result<Subscriber, BookingError> {
        actor.may(Operation::ManageWebhooks)?;
        // To the millisecond, as stores keep it.
        let created_at = self.clock.now().trunc_subsecs(3);
        let id = WebhookId::from_uuid(self.booking.ids.fresh(created_at)).into();
        let NewWebhook { event_types, settings } = new;
        let webhook = Subscriber { id, event_types, is_active: true, settings, created_at };
        match self.events.add_subscriber(&webhook, self.booking.by(actor)).await? {
            Added::Done => {}
            Added::TooMany => return Err(Refusal::TooManyWebhooks.into()),
            Added::NameTaken => {
                return Err(StoreError::Corrupt("a fresh id was in use".into()).into());
            }
        }
        self.hub.subscribers_changed();
        Ok(webhook)
    }

    /// Changes a webhook: of changes at the same time none is lost.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::WebhookNotFound`]; [`StoreError`].
    pub async fn change(
        &self,
        actor: &Actor,
        id: WebhookId,
        change: ChangeSubscriber<'_>,
    ) -> Result<Subscriber, BookingError> {
        actor.may(Operation::ManageWebhooks)?;
        let by = self.booking.by(actor);
        let changed = self.events.change_subscriber(&id.into(), change, by).await?;
        let changed = changed.ok_or(Refusal::WebhookNotFound)?;
        self.hub.subscribers_changed();
        Ok(changed)
    }

    /// Removes a webhook, with what is on its way to it.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::WebhookNotFound`]; [`StoreError`].
    pub async fn remove(&self, actor: &Actor, id: WebhookId) -> Result<(), BookingError> {
        actor.may(Operation::ManageWebhooks)?;
        if !self.events.remove_subscriber(&id.into(), self.booking.by(actor)).await? {
            return Err(Refusal::WebhookNotFound.into());
        }
        self.hub.subscribers_changed();
        Ok(())
    }

    /// What was sent to a webhook, or will be: the latest events first.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::WebhookNotFound`]; [`StoreError`].
    pub async fn deliveries(
        &self,
        actor: &Actor,
        query: &DeliveryQuery,
    ) -> Result<Vec<Delivery>, BookingError> {
        actor.may(Operation::ManageWebhooks)?;
        let id = query.subscriber.webhook().ok_or(Refusal::WebhookNotFound)?;
        self.get(actor, id).await?;
        Ok(self.events.deliveries(query).await?)
    }

    /// Sends events to a webhook again, and returns how many.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::WebhookNotFound`]; [`StoreError`].
    pub async fn replay(
        &self,
        actor: &Actor,
        id: WebhookId,
        replay: &Replay,
    ) -> Result<u32, BookingError> {
        let webhook = self.get(actor, id).await?;
        let by = self.booking.by(actor);
        let replayed = self.events.replay(&webhook.id, replay, by).await?;
        self.hub.subscribers_changed();
        Ok(replayed)
    }
}

/// The service has nothing to show.
impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhooks")
    }
}
