//! A store that cannot be used for a while: told in bounded time, and nothing is half done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use booking_api::{Api, AuthError, Session, Verifier};
use booking_core::{
    Actor, Booking, By, Calendars, Change, ChangeError, Decide, Decline, Diaries, DiariesQuery,
    DirectoryAdmin, DirectoryId, ManualClock, Meeting, MeetingQuery, MemoryStore, NewAvailability,
    RandomIds, Role, Scope, Store as BookingStore, StoreError, SystemName, Text, User, UserId,
    Window,
};
use chrono::{DateTime, Utc, Weekday};
use poem::{Endpoint, Request};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::server::{DataDir, MONDAY_14, Server, Store, session};

/// Much longer than the store waits for the file's lock.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_locked_file_is_unavailable_and_then_serves_again() {
    let data = DataDir::new();
    let server = Server::start_in(&data, Store::Sqlite).await;
    server.open_mondays().await;

    let file = SqliteConnectOptions::new().filename(data.path().join("booking.db"));
    let mut other = file.connect().await.expect("the file opens");
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("the lock is free");

    let begun = Instant::now();
    let once = server.client().with("idempotency-key", "once");
    let answer = once.book(&session(MONDAY_14, 60)).await.refused(503, "unavailable");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.str("requestId") == answer.header("x-request-id"), "{}", answer.text);
    assert!(!answer.text.contains("lock") && !answer.text.contains("database"), "{}", answer.text);
    assert_eq!(server.client().get("/booking/meetings").await.expect(200).text, "[]");

    lock.rollback().await.expect("the lock is ours");
    once.book(&session(MONDAY_14, 60)).await.expect(201);
    assert_eq!(server.client().get("/booking/meetings").await.items().len(), 1);
}

/// A store in which somebody else is faster every time: no real one can be made to be that for long
/// enough.
struct Overtaken(Arc<MemoryStore>);

#[async_trait]
impl BookingStore for Overtaken {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.0.read(scope).await
    }

    async fn change(&self, _: &Scope, _: Decide<'_>) -> Result<Change, ChangeError> {
        Err(Decline::ScopeTooNarrow.into())
    }

    fn directory(&self) -> Option<DirectoryId> {
        BookingStore::directory(&*self.0)
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.0.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.0.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

fn new_year() -> Arc<ManualClock> {
    let now: DateTime<Utc> = "2024-01-01T12:00:00Z".parse().expect("an instant");
    Arc::new(ManualClock::new(now))
}

pub(crate) struct John;

#[async_trait]
impl Verifier for John {
    async fn verify(&self, _: &str) -> Result<Session, AuthError> {
        Ok(Actor { id: id("client_123"), role: Role::Client }.into())
    }
}

fn id(text: &str) -> UserId {
    UserId::new(text).expect("an id")
}

/// John, and Jane who receives on Mondays.
async fn practice() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    let by = || By::system(SystemName::of("test"), DateTime::UNIX_EPOCH, &RandomIds);
    for (name, role) in [("client_123", Role::Client), ("therapist_456", Role::Therapist)] {
        let (first_name, last_name) =
            (Text::new("A").expect("a name"), Text::new("B").expect("one"));
        let email = booking_core::Email::new("a@example.com").expect("an address");
        let user = User { id: id(name), role, first_name, last_name, email, zone: None };
        store.put_user(&user, by()).await.expect("memory");
    }
    store.relate(&id("client_123"), &id("therapist_456"), by()).await.expect("memory");
    let (clock, ids) = (new_year(), Arc::new(RandomIds));
    let booking = Booking::new(store.clone(), store.clone(), clock, ids);
    let window = Window::new("00:00".parse().expect("a time"), "24:00".parse().expect("a time"));
    let window = window.expect("a day");
    let new = NewAvailability { weekday: Weekday::Mon, window, notes: None };
    let jane = Actor { id: id("therapist_456"), role: Role::Therapist };
    booking.add_availability(&jane, &new, None).await.expect("free hours");
    store
}

#[tokio::test]
async fn who_is_overtaken_again_and_again_is_told_that_and_when_to_come_back() {
    let store = practice().await;
    let (clock, ids) = (new_year(), Arc::new(RandomIds));
    let overtaken = Arc::new(Overtaken(store.clone()));
    let api = Api::new(Booking::new(overtaken, store, clock, ids), Arc::new(John));
    let body = session(MONDAY_14, 60).to_string();
    let request = Request::builder()
        .method(poem::http::Method::POST)
        .uri("/api/booking/meetings".parse().expect("a path"))
        .header("authorization", "Bearer john")
        .header("content-length", body.len())
        .content_type("application/json")
        .body(body);
    let response = api.routes().get_response(request).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.header("retry-after"), Some("1"));
    let problem = response.into_body().into_vec().await.expect("a body");
    let problem: Value = serde_json::from_slice(&problem).expect("JSON");
    assert_eq!(problem["code"], "unavailable");
    let detail = "the therapist's settings kept changing, and nothing was done";
    assert_eq!(problem["detail"], detail);
}
