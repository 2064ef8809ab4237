//! Scripts of requests: whoever asks for whatever, the answer is one that the document knows, and
//! nobody is ever booked twice at a time.
//!
//! An input is read as steps, with a line `----` between them: a line `METHOD path user`, lines of
//! headers, an empty line, and the body. The clock stands, and ids are counted: what a step makes,
//! a later one can name.

#![no_main]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use booking_api::{Api, AuthError, Session, Verifier, WebhookOptions, WebhookSinks};
use booking_core::{
    Actor, Booking, By, DirectoryAdmin, Email, Hub, IdSource, Live, ManualClock, MeetingQuery,
    MeetingTexts, MemoryStore, RandomIds, Role, Store, SystemClock, SystemName, Text, User, UserId,
};
use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use poem::{Endpoint, EndpointExt, Request, Response};
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// More would search no deeper.
const MOST_STEPS: usize = 8;

const PEOPLE: [(&str, Role); 5] = [
    ("client_123", Role::Client),
    ("client_124", Role::Client),
    ("therapist_456", Role::Therapist),
    ("therapist_457", Role::Therapist),
    ("admin_1", Role::Admin),
];

/// The API over a store that is emptied before each script.
struct Stage {
    runtime: Runtime,
    store: Arc<MemoryStore>,
    ids: Arc<Ids>,
    document: Value,
    routes: BoxEndpoint<'static, Response>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let (store, ids) = (Arc::new(MemoryStore::default()), Arc::new(Ids::default()));
    let api = api(&store, ids.clone());
    let document = serde_json::from_str(&api.openapi_json()).expect("JSON");
    Stage {
        runtime: runtime.expect("a runtime"),
        store,
        ids,
        document,
        routes: api.routes().boxed(),
    }
});

fuzz_target!(|script: &str| {
    STAGE.runtime.block_on(play(script));
});

async fn play(script: &str) {
    STAGE.store.clear();
    STAGE.ids.drawn.store(0, Ordering::Relaxed);
    settle(&STAGE.store).await;
    for step in script.split("\n----\n").take(MOST_STEPS) {
        let Some(request) = read(step) else { continue };
        // It would ask the network.
        if request.uri().path().ends_with("/test") {
            continue;
        }
        let documented = documented(request.method(), request.uri().path());
        let asked = format!("{} {}", request.method(), request.uri());
        let response = STAGE.routes.get_response(request).await;
        check(&asked, response, &documented).await;
    }
    nobody_is_booked_twice(&STAGE.store).await;
}

fn by() -> By {
    By::system(SystemName::of("fuzz"), DateTime::UNIX_EPOCH, &RandomIds)
}

async fn settle(store: &MemoryStore) {
    for (id, role) in PEOPLE {
        let user = User {
            id: UserId::new(id).expect("an id"),
            role,
            first_name: Text::new("Jane").expect("a name"),
            last_name: Text::new("Smith").expect("a name"),
            email: Email::new("jane.smith@example.com").expect("an address"),
            zone: (role == Role::Therapist).then_some(chrono_tz::America::New_York),
        };
        store.put_user(&user, by()).await.expect("memory");
    }
    let id = |text| UserId::new(text).expect("an id");
    store.relate(&id("client_123"), &id("therapist_456"), by()).await.expect("memory");
    store.relate(&id("client_124"), &id("therapist_456"), by()).await.expect("memory");
}

fn api(store: &Arc<MemoryStore>, ids: Arc<Ids>) -> Api {
    let now = "2024-01-01T12:00:00Z".parse().expect("an instant");
    let booking = Booking::new(store.clone(), store.clone(), Arc::new(ManualClock::new(now)), ids);
    let hub = Hub::default();
    let live = Live::new(booking.clone(), store.clone(), hub.clone());
    let sinks = WebhookSinks::new(WebhookOptions::default(), Arc::new(SystemClock));
    Api::new(booking, Arc::new(ByName))
        .with_directory(store.clone())
        .with_calendar_feeds(store.clone())
        .with_live(live)
        .with_webhooks(store.clone(), hub, sinks.expect("default options"))
}

/// `meeting_00000000000000000000000001` and so on, anew for each script.
#[derive(Default)]
struct Ids {
    drawn: AtomicU64,
}

impl IdSource for Ids {
    fn fresh(&self, _: DateTime<Utc>) -> Uuid {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed) + 1;
        Uuid::from_u128(count.into())
    }
}

/// Takes a user's id for their token.
struct ByName;

#[async_trait]
impl Verifier for ByName {
    async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        let known = PEOPLE.iter().find(|(id, _)| *id == token);
        let (id, role) = known.ok_or_else(|| AuthError::Rejected("nobody".into()))?;
        Ok(Actor { id: UserId::new(*id).expect("an id"), role: *role }.into())
    }
}

/// The request of a step; none where it is not one that HTTP can carry.
fn read(step: &str) -> Option<Request> {
    let (head, body) = step.split_once("\n\n").unwrap_or((step, ""));
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let method: Method = words.next()?.parse().ok()?;
    let uri: Uri = words.next()?.parse().ok()?;
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(user) = words.next() {
        let token = HeaderValue::try_from(format!("Bearer {user}")).ok()?;
        request = request.header(header::AUTHORIZATION, token);
    }
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::try_from(name).ok()?;
        request = request.header(name, HeaderValue::try_from(value).ok()?);
    }
    if !body.is_empty() {
        request = request.header(header::CONTENT_LENGTH, body.len());
    }
    Some(request.body(body.to_owned()))
}

/// The statuses that the document has for an operation; `None` for what is not in it.
fn documented(method: &Method, path: &str) -> Option<Vec<String>> {
    let path: Vec<&str> = path.strip_prefix("/api")?.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        let same = |(a, b): (&&str, &&str)| a == b || (a.starts_with('{') && !b.is_empty());
        template.len() == path.len() && template.iter().zip(&path).all(same)
    };
    let paths = STAGE.document["paths"].as_object()?;
    let mut found = paths.iter().filter(|(template, _)| fits(template));
    let is_method = |word: &&String| word.to_uppercase() == method.as_str();
    let operation = found.find_map(|(_, item)| {
        let item = item.as_object()?;
        item.get(item.keys().find(is_method)?)
    })?;
    Some(operation["responses"].as_object()?.keys().cloned().collect())
}

async fn check(asked: &str, response: Response, documented: &Option<Vec<String>>) {
    let status = response.status();
    assert!(!status.is_server_error(), "{asked}: {status}");
    if let Some(documented) = documented {
        let known = documented.iter().any(|known| known == status.as_str());
        assert!(known, "{asked}: {status} is not documented");
    }
    if status.is_client_error() {
        assert_eq!(response.content_type(), Some("application/problem+json"), "{asked}");
        let body = response.into_body().into_vec().await.expect("a body");
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["status"], status.as_u16(), "{asked}");
        assert!(problem["code"].is_string(), "{asked}");
        let invalid = status == StatusCode::BAD_REQUEST && problem["code"] == "invalid_request";
        assert!(!invalid || problem["detail"].is_string(), "{asked}");
    }
}

async fn nobody_is_booked_twice(store: &MemoryStore) {
    for (id, _) in PEOPLE {
        let query = MeetingQuery {
            person: UserId::new(id).expect("an id"),
            statuses: BTreeSet::new(),
            from: Some(DateTime::UNIX_EPOCH),
            to: None,
            after: None,
            limit: u32::MAX,
            texts: MeetingTexts::LeftOut,
        };
        let meetings = store.meetings(&query).await.expect("memory");
        let live: Vec<_> = meetings.iter().filter(|meeting| meeting.status.is_live()).collect();
        for pair in live.windows(2) {
            let (one, next) = (pair[0].span(), pair[1].span());
            let apart = one.zip(next).is_some_and(|(one, next)| !one.overlaps(next));
            assert!(apart, "{id}: {pair:?}");
        }
    }
}
