//! The booking API over HTTP.
//!
//! A thin binding of [`booking_core`]: handlers translate the contract's JSON, and the library
//! decides. Mount it in a poem app over your own store, directory and identity provider:
//!
//! ```
//! use std::sync::Arc;
//!
//! use booking_api::{Api, Verifier};
//! use booking_core::{Booking, MemoryStore, RandomIds, SystemClock};
//! # use async_trait::async_trait;
//! # use booking_api::{AuthError, Session};
//! # struct Nobody;
//! # #[async_trait]
//! # impl Verifier for Nobody {
//! #     async fn verify(&self, _: &str) -> Result<Session, AuthError> {
//! #         Err(AuthError::Rejected("nobody".into()))
//! #     }
//! # }
//!
//! let store = Arc::new(MemoryStore::default());
//! let booking =
//!     Booking::new(store.clone(), store.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
//! let verifier: Arc<dyn Verifier> = Arc::new(Nobody);
//! let app = poem::Route::new().nest("/", Api::new(booking, verifier).with_directory(store).routes());
//! # let _ = app;
//! ```

mod api;
mod auth;
mod body;
#[cfg(feature = "calendars")]
pub mod calendars;
#[cfg(feature = "webhooks")]
mod clerk;
mod dto;
mod health;
mod http;
#[cfg(feature = "nats")]
mod nats;
#[cfg(any(feature = "calendars", feature = "webhooks"))]
mod outbound;
mod pages;
mod params;
mod problem;
mod server;
mod spec;
mod streams;
#[cfg(any(feature = "calendars", feature = "jwks", feature = "webhooks"))]
mod tls;
#[cfg(feature = "webhooks")]
mod webhooks;
mod wire;
mod wire_terms;

#[cfg(feature = "command")]
pub mod command;

use std::sync::Arc;

use booking_core::{AuditLog, Booking, Clock, DirectoryAdmin, Feeds, Live, UserDirectory};
#[cfg(feature = "webhooks")]
use booking_core::{EventStore, Hub, Webhooks};
use poem::endpoint::{BoxEndpoint, make, make_sync};
use poem::http::HeaderMap;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response, Route, get};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use prometheus::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "webhooks")]
use crate::api::WebhooksApi;
use crate::api::{
    AuditApi, AvailabilityApi, CalendarApi, DirectoryApi, HoldsApi, Linked, LinksApi, MeetingsApi,
    OverridesApi, SearchApi, SeriesApi, SettingsApi, SlotsApi, StreamsApi,
};
use crate::http::{Cors, Limiter, Metrics, Observe, Probe, Problems, Routes, Unread, page_policy};
use crate::pages::{Page, PageEndpoint};
use crate::spec::Spec;
use crate::streams::{Seats, Streams};

pub use auth::{
    AuthError, InvalidKey, JwtSetupError, JwtVerifier, JwtVerifierBuilder, Session, Verifier,
};
#[cfg(feature = "webhooks")]
pub use clerk::{ClerkWebhook, InvalidClerkSecret};
pub use dto::slots_json;
pub use http::{ForwardedHeader, Limits, Quota, TrustedProxies};
#[cfg(feature = "nats")]
pub use nats::{NatsOptions, NatsSetupError, NatsSink};
pub use problem::{Code, FieldError, Problem, ProblemBody};
pub use server::{ConnectionCounts, ConnectionLimits, Server, Stopping};
#[cfg(feature = "tls")]
pub use server::{InvalidCertificate, Tls};
pub use streams::StreamLimits;
#[cfg(feature = "webhooks")]
pub use webhooks::{WebhookOptions, WebhookSetupError, WebhookSinks};

/// Where the operations are, unless [`Api::under`] says otherwise.
const DEFAULT_BASE: &str = "/api";
/// What the document says of the API as a whole.
const ABOUT: &str = "Books therapy sessions that never collide.

Send the identity provider's session token as `Authorization: Bearer …`; its user is a `client`, \
`therapist` or `admin`. Every error is a problem (RFC 9457), whose `code` is for programs; \
`/problems/{code}` explains it. Codes may be added: treat one that you do not know by its status.";
/// The `source` of events, unless [`Api::event_source`] says otherwise.
const DEFAULT_EVENT_SOURCE: &str = "/booking";

/// The API, ready to be mounted.
#[derive(Clone)]
pub struct Api {
    booking: Booking,
    verifier: Arc<dyn Verifier>,
    directory: Option<Arc<dyn DirectoryAdmin>>,
    audit: Option<Arc<dyn AuditLog>>,
    feeds: Option<Arc<dyn Feeds>>,
    linked: Option<Linked>,
    #[cfg(feature = "webhooks")]
    webhooks: Option<WebhooksApi>,
    live: Option<Live>,
    seats: Seats,
    closing: CancellationToken,
    draining: CancellationToken,
    limits: Limits,
    event_source: String,
    base: String,
    cors: Option<Cors>,
    examples_by: Option<Arc<dyn Clock>>,
    extra: Vec<(&'static str, &'static str, Arc<BoxEndpoint<'static, Response>>)>,
    more_metrics: (Registry, Vec<Arc<dyn Probe>>),
}

impl Api {
    /// The API of this service, for users that this verifier knows. Without a directory of its own:
    /// see [`Self::with_directory`].
    #[must_use]
    pub fn new(booking: Booking, verifier: Arc<dyn Verifier>) -> Self {
        Self {
            booking,
            verifier,
            directory: None,
            audit: None,
            feeds: None,
            linked: None,
            #[cfg(feature = "webhooks")]
            webhooks: None,
            live: None,
            seats: Seats::new(),
            closing: CancellationToken::new(),
            draining: CancellationToken::new(),
            limits: Limits::default(),
            event_source: DEFAULT_EVENT_SOURCE.to_owned(),
            base: DEFAULT_BASE.to_owned(),
            cors: None,
            examples_by: None,
            extra: Vec::new(),
            more_metrics: Default::default(),
        }
    }

    /// Adds the endpoints by which an admin keeps users and relationships.
    #[must_use]
    pub fn with_directory(mut self, directory: Arc<dyn DirectoryAdmin>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Adds the endpoint by which an admin reads who changed what.
    #[must_use]
    pub fn with_audit(mut self, log: Arc<dyn AuditLog>) -> Self {
        self.audit = Some(log);
        self
    }

    /// Adds the endpoints by which an admin keeps webhooks. Events reach them through a
    /// [`Relay`](booking_core::Relay) over the same store, with these sinks; if it runs in this
    /// process and with this hub, it hears of changes at once, and else within a second.
    #[cfg(feature = "webhooks")]
    #[must_use]
    pub fn with_webhooks(
        mut self,
        store: Arc<dyn EventStore>,
        hub: Hub,
        sinks: WebhookSinks,
    ) -> Self {
        let webhooks = Webhooks::new(self.booking.clone(), store, hub, sinks.clock());
        self.webhooks = Some(WebhooksApi { webhooks, sinks });
        self
    }

    /// Adds `POST /webhooks/clerk`, beside the operations: Clerk keeps the directory's users current.
    #[cfg(feature = "webhooks")]
    #[must_use]
    pub fn with_clerk_webhook(self, webhook: ClerkWebhook) -> Self {
        self.with_endpoint("/webhooks/clerk", "POST", poem::post(webhook).boxed())
    }

    /// Adds the streams: events and slots as they change. Serve them with [`Server`], and say when it
    /// stops: see [`Self::closing_with`].
    #[must_use]
    pub fn with_live(mut self, live: Live) -> Self {
        self.live = Some(live);
        self
    }

    /// How many streams may be open at the same time.
    #[must_use]
    pub fn stream_limits(mut self, limits: StreamLimits) -> Self {
        self.seats.limits = limits;
        self
    }

    /// Ends all streams when the token is cancelled. A server that stops gracefully would else wait
    /// for them.
    #[must_use]
    pub fn closing_with(mut self, token: CancellationToken) -> Self {
        self.closing = token;
        self
    }

    /// Makes `/readyz` fail once the token is cancelled, so that load balancers go elsewhere.
    #[must_use]
    pub fn draining_with(mut self, token: CancellationToken) -> Self {
        self.draining = token;
        self
    }

    /// How much callers may ask for.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whose events these are, for those who get several services': the `source` of each, a URI
    /// reference. `/booking` unless said otherwise.
    #[must_use]
    pub fn event_source(mut self, source: impl Into<String>) -> Self {
        self.event_source = source.into();
        self
    }

    /// Serves the operations under another path than `/api`, such as `/scheduling/v1` or `/`, and says so in
    /// the spec. A slash that is missing before it, or too many after it, makes no difference.
    #[must_use]
    pub fn under(mut self, base: impl AsRef<str>) -> Self {
        self.base = http::base_path(base.as_ref());
        self
    }

    /// Lets pages of other origins call the API, where `allows` says yes to their `Origin`.
    #[must_use]
    pub fn allow_origins(mut self, allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.cors = Some(Cors { allows: Arc::new(allows) });
        self
    }

    /// Shows the examples of the document as if they were of this clock's time.
    #[cfg(feature = "command")]
    pub(crate) fn examples_by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.examples_by = Some(clock);
        self
    }

    /// Adds an address beside the operations, with the methods that it has.
    #[cfg(feature = "webhooks")]
    pub(crate) fn with_endpoint(
        mut self,
        path: &'static str,
        methods: &'static str,
        endpoint: BoxEndpoint<'static, Response>,
    ) -> Self {
        self.extra.push((path, methods, Arc::new(endpoint)));
        self
    }

    /// Adds what `/metrics` has to tell beside requests.
    #[cfg(feature = "command")]
    pub(crate) fn with_metrics(mut self, more: Registry, probes: Vec<Arc<dyn Probe>>) -> Self {
        self.more_metrics = (more, probes);
        self
    }

    /// The OpenAPI document, as JSON.
    #[must_use]
    pub fn openapi_json(&self) -> String {
        self.parts().0.json()
    }

    /// The OpenAPI document, as YAML.
    #[must_use]
    pub fn openapi_yaml(&self) -> String {
        self.parts().0.yaml()
    }

    /// Everything: the operations under the base path, and beside them `/docs`, `/openapi.json`,
    /// `/openapi.yaml`, `/problems/…`, `/healthz`, `/readyz` and `/metrics`. Every error is a
    /// problem, every answer carries `x-request-id`, and every request is logged through `tracing`.
    #[must_use]
    pub fn routes(self) -> impl Endpoint<Output = Response> + 'static {
        let (spec, operations) = self.parts();
        let limiter = Limiter::new(self.limits);
        let metrics = Metrics::new(self.seats.gauge(), limiter.counts());
        let (more, probes) = self.more_metrics;
        let metrics = metrics.and(more, probes);
        let mut routes = Routes::from_spec(&spec.value, &self.base);
        let ready = health::Ready::new(self.booking, self.verifier.clone(), self.draining);
        let mut app = Route::new().nest(or_root(&self.base), operations);
        let clock = self.examples_by.as_ref();
        for (path, endpoint) in pages(&Arc::new(spec), &self.base, clock, ready, metrics.clone()) {
            routes = routes.with(&path.replace(":code", "{code}"), "GET, HEAD");
            app = app.at(path, get(endpoint));
        }
        for (path, methods, endpoint) in self.extra {
            routes = routes.with(&path.replace(":file", "{file}"), methods);
            app = app.at(path, endpoint);
        }
        let answered = app.data(self.verifier).data(limiter.clone()).map_to_response();
        let answered = answered.with(Problems { routes: routes.clone() }).with(limiter);
        let answered = match self.cors {
            Some(cors) => answered.with(cors).boxed(),
            None => answered.boxed(),
        };
        answered.with(Unread).with(Observe { routes, metrics })
    }

    fn parts(&self) -> (Spec, BoxEndpoint<'static, Response>) {
        let booking = &self.booking;
        let operations = (
            MeetingsApi(booking.clone()),
            HoldsApi(booking.clone()),
            SeriesApi(booking.clone()),
            AvailabilityApi(booking.clone()),
            SettingsApi(booking.clone()),
            OverridesApi(booking.clone()),
            SlotsApi(booking.clone()),
            (CalendarApi::of(self), LinksApi::of(self)),
            SearchApi(booking.clone()),
        );
        match &self.directory {
            Some(directory) => {
                let directory = UserDirectory::new(booking.clone(), directory.clone());
                self.and_audit((operations, DirectoryApi(directory)))
            }
            None => self.and_audit(operations),
        }
    }

    fn and_audit<T: OpenApi + 'static>(&self, api: T) -> (Spec, BoxEndpoint<'static, Response>) {
        match &self.audit {
            Some(log) => self.and_streams((api, AuditApi(log.clone()))),
            None => self.and_streams(api),
        }
    }

    fn and_streams<T: OpenApi + 'static>(&self, api: T) -> (Spec, BoxEndpoint<'static, Response>) {
        let Some(live) = self.live.clone() else { return self.and_webhooks(api) };
        let (seats, closing) = (self.seats.clone(), self.closing.clone());
        let streams = Streams { live, seats, closing };
        self.and_webhooks((api, StreamsApi { streams, event_source: self.event_source.clone() }))
    }

    fn and_webhooks<T: OpenApi + 'static>(&self, api: T) -> (Spec, BoxEndpoint<'static, Response>) {
        #[cfg(feature = "webhooks")]
        if let Some(webhooks) = &self.webhooks {
            return self.service((api, webhooks.clone()), webhooks::document_events);
        }
        self.service(api, |_| {})
    }

    fn service<T: OpenApi + 'static>(
        &self,
        api: T,
        add: fn(&mut Value),
    ) -> (Spec, BoxEndpoint<'static, Response>) {
        let service = OpenApiService::new(api, "Booking API", env!("CARGO_PKG_VERSION"))
            .description(ABOUT)
            .license(LicenseObject::new(env!("CARGO_PKG_LICENSE")))
            .server(or_root(&self.base));
        let add = |document: &mut Value| {
            add(document);
            CalendarApi::of(self).describe(document);
            LinksApi::of(self).describe(document);
        };
        (Spec::of(&service, &add), service.into_endpoint().map_to_response().boxed())
    }
}

/// Where poem and the spec want a path, the root is one.
fn or_root(base: &str) -> &str {
    if base.is_empty() { "/" } else { base }
}

/// What is beside the operations; all of it for reading.
fn pages(
    spec: &Arc<Spec>,
    base: &str,
    clock: Option<&Arc<dyn Clock>>,
    ready: health::Ready,
    metrics: Metrics,
) -> Vec<(&'static str, BoxEndpoint<'static, Response>)> {
    let page = |content_type, text: fn(&Spec) -> String, before, headers| {
        let (spec, base, clock) = (spec.clone(), base.to_owned(), clock.cloned());
        let text = Box::new(move || text(&spec));
        PageEndpoint::from(Page { content_type, text, before, base, headers, clock }).boxed()
    };
    let plain = |_: &str| HeaderMap::new();
    vec![
        ("/docs", page("text/html; charset=utf-8", Spec::html, "\"url\": \"", page_policy)),
        ("/openapi.json", page("application/json", Spec::json, "\"url\": \"", plain)),
        ("/openapi.yaml", page("application/yaml", Spec::yaml, "url: ", plain)),
        ("/problems/:code", make_sync(health::problem).boxed()),
        ("/healthz", make_sync(|_| health::alive()).boxed()),
        ("/readyz", ready.boxed()),
        (
            "/metrics",
            make(move |_| {
                let metrics = metrics.clone();
                async move { metrics.text().await }
            })
            .boxed(),
        ),
    ]
}
