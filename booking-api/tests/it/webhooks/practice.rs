//! A practice whose events go to webhooks, all in this process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_api::{Api, AuthError, Session, Verifier, WebhookOptions, WebhookSinks};
use booking_core::{
    Actor, BookRequest, Booking, Clock, DirectoryAdmin, Email, EventId, EventQuery, Hub,
    ManualClock, MeetingId, MeetingPatch, MeetingStatus, MemoryStore, NewAvailability, Outbox,
    Passed, RandomIds, Relay, Role, SessionDuration, StartTime, Text, User, UserId, WEEKDAYS,
    Window,
};
use chrono::{DateTime, TimeDelta, Utc};
use poem::listener::TcpAcceptor;
use serde_json::{Value, json};

use crate::by::by;
use crate::caller::{Answer, Caller};

/// How long receivers may take here that are to answer: longer than any machine takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long those may take that never answer.
const IMPATIENCE: Duration = Duration::from_millis(400);

/// Everything of a process but the command around it.
pub(crate) struct Practice {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) booking: Booking,
    sinks: WebhookSinks,
    hub: Hub,
    caller: Caller,
}

/// Whoever comes as `client`, `therapist` or `admin` is one, by the name of `<role>_1`.
struct ByRole;

#[async_trait]
impl Verifier for ByRole {
    async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        let role = token.parse().map_err(|_| AuthError::Rejected("no role".into()))?;
        Ok(actor(role).into())
    }
}

fn actor(role: Role) -> Actor {
    Actor { id: UserId::new(format!("{}_1", role.as_str())).unwrap(), role }
}

impl Practice {
    /// Webhooks may be on this machine.
    pub(crate) async fn start() -> Self {
        Self::with(&["127.0.0.0/8", "::1/128"], PATIENCE).await
    }

    /// The same, for receivers that do not answer.
    pub(crate) async fn impatient() -> Self {
        Self::with(&["127.0.0.0/8", "::1/128"], IMPATIENCE).await
    }

    /// Webhooks may be at public addresses, and in these networks.
    pub(crate) async fn allowing(networks: &[&str]) -> Self {
        Self::with(networks, PATIENCE).await
    }

    async fn with(networks: &[&str], timeout: Duration) -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(ManualClock::new("2024-01-01T12:00:00.500Z".parse().unwrap()));
        let booking =
            Booking::new(store.clone(), store.clone(), clock.clone(), Arc::new(RandomIds));
        let options = WebhookOptions {
            allowed_networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
            timeout,
            ..WebhookOptions::default()
        };
        let sinks = WebhookSinks::new(options, clock.clone()).unwrap();
        let hub = Hub::default();
        let api = Api::new(booking.clone(), Arc::new(ByRole));
        let api = api.with_webhooks(store.clone(), hub.clone(), sinks.clone());
        let practice = Self { store, clock, booking, sinks, hub, caller: serve(api).await };
        practice.open().await;
        practice
    }

    /// Two people who may meet at any time.
    async fn open(&self) {
        for role in [Role::Client, Role::Therapist] {
            let user = User {
                id: actor(role).id,
                role,
                first_name: Text::new("Some").unwrap(),
                last_name: Text::new("Body").unwrap(),
                email: Email::new("some@example.com").unwrap(),
                zone: None,
            };
            self.store.put_user(&user, by()).await.unwrap();
        }
        let (client, therapist) = (actor(Role::Client), actor(Role::Therapist));
        self.store.relate(&client.id, &therapist.id, by()).await.unwrap();
        let window = Window::new("00:00".parse().unwrap(), "24:00".parse().unwrap()).unwrap();
        for weekday in WEEKDAYS {
            let new = NewAvailability { weekday, window, notes: None };
            self.booking.add_availability(&therapist, &new, None).await.unwrap();
        }
    }

    /// A session of half an hour, the n-th of those that fit: one event.
    pub(crate) async fn book(&self, n: i32) -> MeetingId {
        self.book_as(&Self::session(n)).await
    }

    pub(crate) async fn book_with_description(&self, n: i32) -> MeetingId {
        let description = Some(Text::new("For the first time").unwrap());
        self.book_as(&BookRequest { description, ..Self::session(n) }).await
    }

    fn session(n: i32) -> BookRequest {
        let first = "2024-01-15T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let start = StartTime::new(first + TimeDelta::minutes(30) * n).unwrap();
        let therapist = actor(Role::Therapist).id;
        BookRequest::new(therapist, start, SessionDuration::HalfHour)
    }

    async fn book_as(&self, request: &BookRequest) -> MeetingId {
        let booked = self.booking.book(&actor(Role::Client), request, None).await.unwrap();
        booked.value.meeting.id
    }

    /// Moves it, or completes it: one more event.
    pub(crate) async fn put(&self, by: Role, id: MeetingId, patch: &MeetingPatch) {
        let expected = Default::default();
        self.booking.update(&actor(by), id, patch, &expected).await.unwrap();
    }

    pub(crate) async fn complete(&self, id: MeetingId, notes: &str) {
        self.clock.advance(TimeDelta::days(30));
        let patch = MeetingPatch {
            status: Some(MeetingStatus::Completed),
            session_notes: booking_core::Patch::Set(Text::new(notes).unwrap()),
            ..MeetingPatch::default()
        };
        self.put(Role::Therapist, id, &patch).await;
    }

    /// Delivers all that is due: how many were taken, and how many not.
    pub(crate) async fn deliver(&self) -> (usize, usize) {
        let Passed { delivered, failed } = self.relay().pass().await.unwrap();
        (delivered, failed)
    }

    pub(crate) fn relay(&self) -> Relay {
        self.relay_with(&self.sinks)
    }

    pub(crate) fn relay_with(&self, sinks: &WebhookSinks) -> Relay {
        Relay::new(self.store.clone(), self.hub.clone(), self.clock.clone())
            .with_sinks(Arc::new(sinks.clone()))
    }

    /// The ids of all events, in the order of the log.
    pub(crate) async fn store_events(&self) -> Vec<EventId> {
        let all = EventQuery { after: 0, person: None, limit: 1_000 };
        let events = self.store.events(&all).await.unwrap();
        events.iter().map(|recorded| recorded.event.id).collect()
    }

    pub(crate) fn clock_now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn anybody(&self) -> Caller {
        self.caller.clone()
    }

    pub(crate) fn caller(&self, role: &str) -> Caller {
        self.caller.with_token(role)
    }

    pub(crate) fn admin(&self) -> Caller {
        self.caller("admin")
    }

    /// A new webhook.
    pub(crate) async fn add(&self, url: &str) -> Answer {
        self.admin().post("/booking/webhooks", &json!({"url": url})).await.expect(201)
    }

    /// What became of events, the latest first.
    pub(crate) async fn deliveries(&self, webhook: &str) -> Vec<Value> {
        let path = format!("/booking/webhooks/{webhook}/deliveries");
        self.admin().get(&path).await.expect(200).items().to_vec()
    }
}

async fn serve(api: Api) -> Caller {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    let routes = api.routes();
    tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(routes));
    Caller::anonymous(&origin)
}
