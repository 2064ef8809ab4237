//! `/booking/webhooks`: who is told of events, and what became of them.

use booking_core::{
    Actor, DeliveryQuery, DeliveryState, NewWebhook, Patch, Refusal, Replay, Subscriber, WebhookId,
    Webhooks,
};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ManageWebhooks, SignedIn};
use crate::body::{Body, patch, plain};
use crate::dto::{
    DeliveryCursor, ReplayedDto, TestedDto, WebhookCreateDto, WebhookDeliveryDto, WebhookDto,
    WebhookReplayDto, WebhookUpdateDto, WebhookWithSecretDto,
};
use crate::outbound::NotPublic;
use crate::params::{Limit, next_page};
use crate::problem::{FieldError, Problem};
use crate::webhooks::{Endpoint, Secret, WebhookSinks, WebhookUrl};
use crate::wire::Wire;

/// How many deliveries are listed unless the caller says otherwise.
const PAGE: u32 = 1_000;

/// How many events one request sends again.
const MAX_REPLAYED: u32 = 10_000;

#[derive(Clone)]
pub(crate) struct WebhooksApi {
    pub(crate) webhooks: Webhooks,
    pub(crate) sinks: WebhookSinks,
}

#[derive(ApiResponse)]
enum Created {
    /// Events are sent there from now on.
    #[oai(status = 201)]
    Created(
        Json<WebhookWithSecretDto>,
        /// Where the webhook is.
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Deleted {
    /// It is gone, with what was on its way to it.
    #[oai(status = 204)]
    NoContent,
}

#[derive(ApiResponse)]
enum Listed {
    /// The deliveries of the latest events first.
    #[oai(status = 200)]
    Ok(
        Json<Vec<WebhookDeliveryDto>>,
        /// When there is more: the address of the next page (RFC 8288).
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Chapter::Webhooks")]
impl WebhooksApi {
    /// Add a webhook
    ///
    /// For admins. Events that happen from now on are sent to it, signed with the secret of the
    /// answer, which is shown this once. There can be at most 64 webhooks.
    #[oai(path = "/booking/webhooks", method = "post", operation_id = "createWebhook")]
    async fn create(
        &self,
        caller: SignedIn<ManageWebhooks>,
        request: &Request,
        body: Body<WebhookCreateDto>,
    ) -> Result<Created, Problem> {
        let WebhookCreateDto { url, description, event_types } = body.0;
        self.check(&url.0)?;
        let secret = new_secret()?;
        let endpoint = Endpoint::new(url.0, plain(description.take()), secret.clone());
        let event_types = plain(event_types).unwrap_or_default().0;
        let new = NewWebhook { event_types, settings: endpoint.into_settings() };
        let webhook = self.webhooks.add(&caller.actor, new).await?;
        let location = format!("{}/{}", request.original_uri().path(), webhook.id);
        Ok(Created::Created(Json(self.with_secret(&webhook, &secret)?), location))
    }

    /// List all webhooks
    ///
    /// For admins. The oldest first.
    #[oai(path = "/booking/webhooks", method = "get", operation_id = "listWebhooks")]
    async fn list(
        &self,
        caller: SignedIn<ManageWebhooks>,
    ) -> Result<Json<Vec<WebhookDto>>, Problem> {
        let webhooks = self.webhooks.list(&caller.actor).await?;
        webhooks.iter().map(|webhook| self.shown(webhook)).collect::<Result<_, _>>().map(Json)
    }

    /// Read a webhook
    ///
    /// For admins.
    #[oai(path = "/booking/webhooks/:id", method = "get", operation_id = "getWebhook")]
    async fn read(
        &self,
        caller: SignedIn<ManageWebhooks>,
        /// The webhook.
        id: Path<String>,
    ) -> Result<Json<WebhookDto>, Problem> {
        Ok(Json(self.shown(&self.webhooks.get(&caller.actor, webhook_id(&id)?).await?)?))
    }

    /// Change a webhook
    ///
    /// For admins. Fields that are left out stay; so does the secret.
    #[oai(path = "/booking/webhooks/:id", method = "put", operation_id = "updateWebhook")]
    async fn update(
        &self,
        caller: SignedIn<ManageWebhooks>,
        /// The webhook.
        id: Path<String>,
        body: Body<WebhookUpdateDto>,
    ) -> Result<Json<WebhookDto>, Problem> {
        let WebhookUpdateDto { url, description, event_types, is_active } = body.0;
        let (url, description) = (plain(url), patch(description));
        let (event_types, is_active) = (plain(event_types), plain(is_active));
        if let Some(url) = &url {
            self.check(url)?;
        }
        let change = |subscriber: &mut Subscriber, endpoint: &mut Endpoint| {
            endpoint.url = url.clone().unwrap_or_else(|| endpoint.url.clone());
            match &description {
                Patch::Keep => {}
                Patch::Clear => endpoint.description = None,
                Patch::Set(description) => endpoint.description = Some(description.clone()),
            }
            if let Some(event_types) = &event_types {
                subscriber.event_types.clone_from(&event_types.0);
            }
            subscriber.is_active = is_active.unwrap_or(subscriber.is_active);
        };
        Ok(Json(self.shown(&self.change(&caller.actor, &id, &change).await?)?))
    }

    /// Delete a webhook
    ///
    /// For admins. What was on its way to it is not sent any more.
    #[oai(path = "/booking/webhooks/:id", method = "delete", operation_id = "deleteWebhook")]
    async fn delete(
        &self,
        caller: SignedIn<ManageWebhooks>,
        /// The webhook.
        id: Path<String>,
    ) -> Result<Deleted, Problem> {
        self.webhooks.remove(&caller.actor, webhook_id(&id)?).await?;
        Ok(Deleted::NoContent)
    }

    /// Replace a webhook's secret
    ///
    /// For admins. The answer shows the new secret, this once. The one before it signs too for 24
    /// hours, so that the receiver can change over; one that is older still no longer does.
    #[oai(
        path = "/booking/webhooks/:id/rotate-secret",
        method = "post",
        operation_id = "rotateWebhookSecret"
    )]
    async fn rotate(
        &self,
        caller: SignedIn<ManageWebhooks>,
        /// The webhook.
        id: Path<String>,
    ) -> Result<Json<WebhookWithSecretDto>, Problem> {
        let (now, secret) = (self.sinks.now(), new_secret()?);
        let change = |_: &mut Subscriber, endpoint: &mut Endpoint| {
            endpoint.rotate(secret.clone(), now);
        };
        let changed = self.change(&caller.actor, &id, &change).await?;
        Ok(Json(self.with_secret(&changed, &secret)?))
    }

    /// Try a webhook out
    ///
    /// For admins. Sends an event of the type `booking.webhook.test.v1`, signed like any other, and
    /// says how the receiver answered. The answer is 200 also when the receiver's was not.
    #[oai(path = "/booking/webhooks/:id/test", method = "post", operation_id = "testWebhook")]
    async fn test(
        &self,
        caller: SignedIn<ManageWebhooks>,
        /// The webhook.
        id: Path<String>,
    ) -> Result<Json<TestedDto>, Problem> {
        let id = webhook_id(&id)?;
        let webhook = self.webhooks.get(&caller.actor, id).await?;
        let endpoint = Endpoint::of(&webhook).map_err(Problem::internal)?;
        Ok(Json(self.sinks.test(id, &endpoint).await.into()))
    }

    /// List what was sent to a webhook
    ///
    /// For admins. The latest events first, without what they say.
    #[oai(
        path = "/booking/webhooks/:id/deliveries",
        method = "get",
        operation_id = "listWebhookDeliveries"
    )]
    async fn deliveries(
        &self,
        caller: SignedIn<ManageWebhooks>,
        request: &Request,
        /// The webhook.
        id: Path<String>,
        /// Only those in this state.
        state: Query<Option<Wire<DeliveryState>>>,
        /// At most so many.
        limit: Query<Option<Wire<Limit<PAGE, PAGE>>>>,
        /// Where to go on: from the `Link` header of the page before.
        cursor: Query<Option<Wire<DeliveryCursor>>>,
    ) -> Result<Listed, Problem> {
        let limit = Limit::or_default(plain(limit.0)).get();
        let query = DeliveryQuery {
            subscriber: webhook_id(&id)?.into(),
            state: plain(state.0),
            before: plain(cursor.0).map(|cursor| cursor.0),
            // One more, to know whether there are more.
            limit: limit + 1,
        };
        let mut found = self.webhooks.deliveries(&caller.actor, &query).await?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let last = found.last().filter(|_| has_more).map(|last| last.event.sequence);
        let link = last.map(|sequence| next_page(request, &DeliveryCursor(sequence)));
        Ok(Listed::Ok(Json(found.into_iter().map(WebhookDeliveryDto::from).collect()), link))
    }

    /// Send events again
    ///
    /// For admins. At most 10 000 events per request, the oldest first; what is on its way already
    /// is left as it is. For one event, `from` and `to` are its sequence.
    #[oai(
        path = "/booking/webhooks/:id/replay",
        method = "post",
        operation_id = "replayWebhookDeliveries"
    )]
    async fn replay(
        &self,
        caller: SignedIn<ManageWebhooks>,
        /// The webhook.
        id: Path<String>,
        body: Body<WebhookReplayDto>,
    ) -> Result<Json<ReplayedDto>, Problem> {
        let WebhookReplayDto { from, to, only } = body.0;
        let from = plain(from).map_or(0, |from| from.0);
        let to = plain(to).map_or(u64::MAX, |to| to.0);
        if from > to {
            let error = FieldError::at("to", "must not be less than from");
            return Err(Problem::invalid(vec![error]));
        }
        let (only_dead, now) = (only.is_some(), self.sinks.now());
        let replay = Replay { from, to, only_dead, limit: MAX_REPLAYED, now };
        let replayed = self.webhooks.replay(&caller.actor, webhook_id(&id)?, &replay).await?;
        Ok(Json(ReplayedDto { replayed: replayed.into() }))
    }
}

impl WebhooksApi {
    /// Changes what is known of a webhook.
    async fn change(
        &self,
        actor: &Actor,
        id: &str,
        change: &(dyn Fn(&mut Subscriber, &mut Endpoint) + Send + Sync),
    ) -> Result<Subscriber, Problem> {
        let under_lock = |subscriber: &mut Subscriber| {
            // What cannot be read stays as it is, and is reported when it is shown.
            if let Ok(mut endpoint) = Endpoint::of(subscriber) {
                change(subscriber, &mut endpoint);
                subscriber.settings = endpoint.into_settings();
            }
        };
        Ok(self.webhooks.change(actor, webhook_id(id)?, &under_lock).await?)
    }

    fn check(&self, url: &WebhookUrl) -> Result<(), Problem> {
        let invalid =
            |error: NotPublic| Problem::invalid(vec![FieldError::at("url", error.to_string())]);
        self.sinks.check(url).map_err(invalid)
    }

    fn shown(&self, subscriber: &Subscriber) -> Result<WebhookDto, Problem> {
        WebhookDto::of(subscriber, self.sinks.now())
    }

    fn with_secret(
        &self,
        subscriber: &Subscriber,
        secret: &Secret,
    ) -> Result<WebhookWithSecretDto, Problem> {
        let webhook = self.shown(subscriber)?;
        Ok(WebhookWithSecretDto { webhook, secret: secret.reveal() })
    }
}

fn new_secret() -> Result<Secret, Problem> {
    Secret::random().map_err(|error| Problem::internal(error.to_string()))
}

/// A text that is no id of ours names no webhook of ours.
fn webhook_id(text: &str) -> Result<WebhookId, Refusal> {
    text.parse().map_err(|_| Refusal::WebhookNotFound)
}
