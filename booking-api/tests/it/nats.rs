//! Events over a real NATS server: all of them, once, in order per meeting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use booking_api::{NatsOptions, NatsSetupError, NatsSink};
use booking_core::{
    Actor, Announced, BookRequest, Booking, CLOUD_EVENTS_JSON, Clock, CloudEvent, Deliveries,
    DeliveryQuery, DeliveryState, DirectoryAdmin, Email, EventQuery, EventSink, ExpectedVersion,
    Hub, ManualClock, MeetingPatch, MemoryStore, NewAvailability, Outbox, Passed, RandomIds,
    Recorded, Relay, Role, SessionDuration, StartTime, SubscriberId, SystemClock, Text, Then, User,
    UserId, WEEKDAYS, Window,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::by::by;
use crate::nats_server::NatsServer;

const PATIENCE: Duration = Duration::from_secs(300);

fn actor(id: &str, role: Role) -> Actor {
    Actor { id: UserId::new(id).expect("an id"), role }
}

fn client() -> Actor {
    actor("client_123", Role::Client)
}

fn therapist() -> Actor {
    actor("therapist_456", Role::Therapist)
}

/// A service in this process, with a therapist who is always there.
struct Service {
    store: Arc<MemoryStore>,
    booking: Booking,
    hub: Hub,
}

impl Service {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        for Actor { id, role } in [client(), therapist()] {
            let name = Text::new("Name").expect("a name");
            let email = Email::new("someone@example.com").expect("an address");
            let user =
                User { id, role, first_name: name.clone(), last_name: name, email, zone: None };
            store.put_user(&user, by()).await.expect("memory holds");
        }
        store.relate(&client().id, &therapist().id, by()).await.expect("memory holds");
        let hub = Hub::default();
        let announced = Arc::new(Announced::new(store.clone(), hub.clone()));
        let clock = Arc::new(ManualClock::new("2024-01-01T12:00:00Z".parse().expect("an instant")));
        let booking = Booking::new(announced, store.clone(), clock, Arc::new(RandomIds));
        for weekday in WEEKDAYS {
            let (from, to) = ("00:00".parse().expect("a time"), "24:00".parse().expect("a time"));
            let window = Window::new(from, to).expect("a day");
            let new = NewAvailability { weekday, window, notes: None };
            booking.add_availability(&therapist(), &new, None).await.expect("free hours");
        }
        Self { store, booking, hub }
    }

    async fn with_relay_to(server: &NatsServer) -> Self {
        let service = Self::new().await;
        let sink = NatsSink::connect(NatsOptions::new(server.url())).await.expect("a sink");
        let nats = SubscriberId::new("nats").expect("a name");
        let relay = Relay::new(service.store.clone(), service.hub.clone(), Arc::new(SystemClock));
        let relay = relay.with_sink(nats, Arc::new(sink)).await.expect("memory holds");
        tokio::spawn(relay.run(std::future::pending()));
        service
    }

    /// Books a meeting of its own day, and moves it to and fro: `1 + moves` events.
    async fn book_and_move(booking: Booking, day: i64, moves: i64) {
        let first: DateTime<Utc> = "2024-02-01T00:00:00Z".parse().expect("an instant");
        let at = |n: i64| {
            let start = first + TimeDelta::days(day) + TimeDelta::hours(n % 20);
            StartTime::new(start).expect("a whole minute")
        };
        let request = BookRequest::new(therapist().id, at(0), SessionDuration::Hour);
        let booked = booking.book(&client(), &request, None).await.expect("a free time");
        for n in 1..=moves {
            let patch = MeetingPatch { start: Some(at(n)), ..MeetingPatch::default() };
            let id = booked.value.meeting.id;
            booking.update(&client(), id, &patch, &ExpectedVersion::Any).await.expect("free");
            sleep(Duration::from_millis(15)).await;
        }
    }

    async fn log(&self) -> Vec<Recorded> {
        let all = EventQuery { after: 0, person: None, limit: 100_000 };
        self.store.events(&all).await.expect("memory holds")
    }

    /// One event, published.
    async fn one_event(&self) -> Recorded {
        Self::book_and_move(self.booking.clone(), 0, 0).await;
        self.store.publish(DateTime::UNIX_EPOCH, 10).await.expect("memory holds");
        self.log().await.remove(0)
    }
}

/// What is in the stream, in its order.
struct Arrived {
    subject: String,
    id: String,
    content_type: String,
    json: String,
}

async fn arrived(server: &NatsServer) -> Vec<Arrived> {
    let stream = server.jetstream().await.get_stream("BOOKING").await.expect("a stream");
    let state = stream.cached_info().state.clone();
    let mut arrived = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("a message");
        let header = |name: &str| message.headers.get(name).expect("a header").to_string();
        arrived.push(Arrived {
            subject: message.subject.to_string(),
            id: header("Nats-Msg-Id"),
            content_type: header("Content-Type"),
            json: String::from_utf8(message.payload.to_vec()).expect("a text"),
        });
    }
    arrived
}

async fn until_arrived(server: &NatsServer, count: usize) {
    let jetstream = server.jetstream().await;
    let all = async {
        loop {
            if let Ok(stream) = jetstream.get_stream("BOOKING").await
                && stream.cached_info().state.messages >= count as u64
            {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("all events arrive");
}

/// The server is not there yet, dies twice, and comes back: nothing is lost, nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_event_arrives_once_and_in_order_though_the_server_dies() {
    const MEETINGS: i64 = 24;
    const MOVES: i64 = 60;
    let mut server = NatsServer::not_yet(&[]);
    let service = Service::with_relay_to(&server).await;
    let mut work: JoinSet<()> = (0..MEETINGS)
        .map(|day| Service::book_and_move(service.booking.clone(), day, MOVES))
        .collect();
    sleep(Duration::from_millis(500)).await;
    server.resume().await;
    for _ in 0..2 {
        sleep(Duration::from_millis(700)).await;
        server.kill();
        sleep(Duration::from_millis(700)).await;
        server.resume().await;
    }
    while let Some(done) = work.join_next().await {
        done.expect("no booking fails");
    }
    let total = usize::try_from(MEETINGS * (1 + MOVES)).expect("a number");
    until_arrived(&server, total).await;

    let log = service.log().await;
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for recorded in &log {
        let json = serde_json::to_string(&CloudEvent::of(recorded, "/booking")).expect("JSON");
        expected.entry(recorded.event.payload.meeting().to_string()).or_default().push(json);
    }
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let messages = arrived(&server).await;
    assert_eq!((log.len(), messages.len()), (total, total));
    for message in messages {
        let event: Value = serde_json::from_str(&message.json).expect("JSON");
        assert_eq!(event["type"], message.subject);
        assert_eq!(event["id"], message.id);
        assert_eq!(message.content_type, CLOUD_EVENTS_JSON);
        seen.entry(event["subject"].as_str().expect("a meeting").to_owned())
            .or_default()
            .push(message.json);
    }
    assert!(seen == expected, "each meeting's events, in their order");
}

#[tokio::test]
async fn what_comes_twice_is_there_once() {
    let server = NatsServer::start().await;
    let event = Service::new().await.one_event().await;
    for _ in 0..2 {
        // Another process, which does not know of the first.
        let sink = NatsSink::connect(NatsOptions::new(server.url())).await.expect("a sink");
        for _ in 0..2 {
            sink.deliver(&event).await.expect("it is taken");
        }
    }
    let messages = arrived(&server).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].subject, "booking.appointment.booked.v1");
    let stream = server.jetstream().await.get_stream("BOOKING").await.expect("a stream");
    let config = &stream.cached_info().config;
    assert_eq!(config.subjects, ["booking.>"]);
    assert!(config.duplicate_window >= Duration::from_secs(600), "{config:?}");
}

#[tokio::test]
async fn a_stream_that_is_there_stays_as_it_is() {
    let server = NatsServer::start().await;
    let theirs = Config {
        name: "BOOKING".to_owned(),
        subjects: vec!["booking.>".to_owned(), "other.>".to_owned()],
        max_age: Duration::from_secs(86_400),
        duplicate_window: Duration::from_secs(3_600),
        ..Config::default()
    };
    let jetstream = server.jetstream().await;
    let made = jetstream.create_stream(theirs).await.expect("a stream");
    let event = Service::new().await.one_event().await;
    let sink = NatsSink::connect(NatsOptions::new(server.url())).await.expect("a sink");
    sink.deliver(&event).await.expect("it is taken");
    let after = jetstream.get_stream("BOOKING").await.expect("a stream");
    assert_eq!(after.cached_info().config, made.cached_info().config);

    // Deleted under our feet, it is made again.
    jetstream.delete_stream("BOOKING").await.expect("a stream to delete");
    sink.deliver(&event).await.expect("it is taken");
    assert_eq!(arrived(&server).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_is_away_is_told_in_time_and_then_found() {
    let mut server = NatsServer::not_yet(&[]);
    let event = Service::new().await.one_event().await;
    let sink = NatsSink::connect(NatsOptions::new(server.url())).await.expect("a sink");
    let begun = Instant::now();
    let error = sink.deliver(&event).await.expect_err("there is nobody");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(error.then, Then::Wait(Duration::from_secs(5)));
    server.resume().await;
    sink.deliver(&event).await.expect("it is taken");
    assert_eq!(arrived(&server).await.len(), 1);
}

/// An event that the stream will never take is given up in the end, and those after it go on.
#[tokio::test]
async fn what_is_too_large_becomes_a_dead_letter() {
    let server = NatsServer::start().await;
    let Service { store, booking, hub } = Service::new().await;
    let clock = Arc::new(ManualClock::new("2024-01-01T12:00:00Z".parse().expect("an instant")));
    let nats = SubscriberId::new("nats").expect("a name");
    let sink = NatsSink::connect(NatsOptions::new(server.url())).await.expect("a sink");
    let relay = Relay::new(store.clone(), hub, clock.clone());
    let relay = relay.with_sink(nats.clone(), Arc::new(sink)).await.expect("memory holds");

    Service::book_and_move(booking.clone(), 0, 0).await;
    store.publish(clock.now(), 10).await.expect("memory holds");
    let all = EventQuery { after: 0, person: None, limit: 10 };
    let booked = store.events(&all).await.expect("memory holds").remove(0);
    let meeting = booked.event.payload.meeting();
    let moved = MeetingPatch {
        start: Some(
            StartTime::new("2024-02-01T08:00:00Z".parse().expect("an instant")).expect("one"),
        ),
        reason: Some(Text::new("x".repeat(900)).expect("a reason")),
        ..MeetingPatch::default()
    };
    let any = ExpectedVersion::Any;
    booking.update(&client(), meeting, &moved, &any).await.expect("free");
    booking.cancel(&client(), meeting, None, &any).await.expect("it can be");
    // With its headers, which are some 150 bytes, the first fits, and so does the last.
    let room = serde_json::to_vec(&CloudEvent::of(&booked, "/booking")).expect("JSON").len() + 400;
    let theirs = Config {
        name: "BOOKING".to_owned(),
        subjects: vec!["booking.>".to_owned()],
        max_message_size: i32::try_from(room).expect("a small number"),
        ..Config::default()
    };
    server.jetstream().await.create_stream(theirs).await.expect("a stream");

    let began = Instant::now();
    let mut passed = Vec::new();
    for _ in 0..10 {
        let Passed { delivered, failed } = relay.pass().await.expect("memory holds");
        passed.push((delivered, failed));
        clock.advance(TimeDelta::days(2));
    }
    // The last attempt is the end of it, and what had to wait follows at once.
    assert_eq!(passed, [[(1, 1)].as_slice(), &[(0, 1); 8], &[(1, 1)]].concat());
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "nobody waits for it: {:?}",
        began.elapsed()
    );
    let subjects: Vec<_> = arrived(&server).await.into_iter().map(|one| one.subject).collect();
    assert_eq!(subjects, ["booking.appointment.booked.v1", "booking.appointment.cancelled.v1"]);
    let dead = DeliveryQuery {
        subscriber: nats,
        state: Some(DeliveryState::Dead),
        before: None,
        limit: 10,
    };
    let [dead] = &store.deliveries(&dead).await.expect("memory holds")[..] else { panic!("one") };
    let reason = dead.last_attempt.as_ref().and_then(|attempt| attempt.error.as_deref());
    let reason = reason.expect("a reason");
    assert_eq!((dead.event.sequence, dead.failures), (2, 10));
    assert!(reason.contains("message size exceeds maximum"), "{reason}");
}

/// The server, or the stream, takes other events than this one.
#[tokio::test]
async fn what_is_about_one_event_is_not_waited_for() {
    let event = Service::new().await.one_event().await;
    let refused = async |server: &NatsServer| {
        let sink = NatsSink::connect(NatsOptions::new(server.url())).await.expect("a sink");
        let error = sink.deliver(&event).await.expect_err("it is not taken");
        assert_eq!(error.then, Then::Retry(None), "{error}");
        error.reason
    };
    let server = NatsServer::configured("max_payload: 256").await;
    let reason = refused(&server).await;
    assert!(reason.contains("Payload size limit of 256 exceeded"), "{reason}");

    let server = NatsServer::start().await;
    let mut theirs = Config {
        name: "BOOKING".to_owned(),
        subjects: ["booking.*.cancelled.v1", "booking", "booking.appointment.booked", "x.>"]
            .map(str::to_owned)
            .into(),
        ..Config::default()
    };
    let jetstream = server.jetstream().await;
    jetstream.create_stream(theirs.clone()).await.expect("a stream");
    let reason = refused(&server).await;
    assert!(reason.ends_with("nor is there one for booking.appointment.booked.v1"), "{reason}");

    // Told apart from a stream that is full, which takes others no more than this one.
    theirs.subjects = vec!["booking.*.booked.>".to_owned()];
    theirs.max_bytes = 1;
    theirs.discard = DiscardPolicy::New;
    jetstream.update_stream(theirs).await.expect("a stream");
    let sink = NatsSink::connect(NatsOptions::new(server.url())).await.expect("a sink");
    let error = sink.deliver(&event).await.expect_err("it is not taken");
    assert!(matches!(error.then, Then::Wait(_)), "{error}");
}

#[tokio::test]
async fn a_user_and_their_password_are_in_the_url() {
    let mut server = NatsServer::not_yet(&["--user", "booking", "--pass", "a+b c&d"]);
    server.resume().await;
    let event = Service::new().await.one_event().await;
    let with = |login: &str| NatsOptions::new(server.url().replace("//", &format!("//{login}@")));
    let sink = NatsSink::connect(with("booking:a+b%20c&d")).await.expect("a sink");
    sink.deliver(&event).await.expect("it is taken");
    let sink = NatsSink::connect(with("booking:swordfish")).await.expect("a sink");
    let error = sink.deliver(&event).await.expect_err("nobody by that password");
    assert!(!error.reason.contains("swordfish"), "{error}");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_told_at_once() {
    for url in ["nats://", "http://127.0.0.1:4222", "", "nats://host:port"] {
        let sink = NatsSink::connect(NatsOptions::new(url)).await;
        assert!(matches!(sink, Err(NatsSetupError::Url(_))), "{url}");
    }
    let mut options = NatsOptions::new("nats://127.0.0.1:4222");
    options.credentials = Some("/nowhere/user.creds".into());
    let error = NatsSink::connect(options).await.expect_err("no such file");
    assert!(matches!(error, NatsSetupError::Credentials(_)), "{error}");
}
